// The Kubernetes API server that the tests of promotiond talk to: the real one, built from its
// published module because no package registry ships the program itself.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	os.Exit(cli.Run(app.NewAPIServerCommand()))
}
