// Where an API server is and who we are to it: in-cluster, or from a kubeconfig
// (kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig, read 2026-11).
//
// Only reads and checks; kube_credentials uses what is found here. Refused with the reason and the
// position: exec plugins that are not on the list, auth-provider, username and password,
// impersonation, insecure-skip-tls-verify, and, in a kubeconfig that comes from a Secret, files and
// exec plugins of any kind, since whoever writes the Secret would choose what this daemon reads and
// runs.
//
// Thread-safety: values and functions without shared state.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace promotiond::platform {

// A text given in place, or in a file that may be rewritten at any time (rotated tokens and
// certificates). Both empty = not given.
struct KubeText {
    Secret text;
    std::filesystem::path file;
    [[nodiscard]] bool given() const { return !text.empty() || !file.empty(); }
};

// A client-go credential plugin: prints an ExecCredential when it is run.
struct KubeExec {
    std::string command;  // absolute
    std::vector<std::string> arguments;
    std::vector<std::pair<std::string, std::string>> environment;  // added to the daemon's own
    std::string api_version;  // client.authentication.k8s.io/v1 or v1beta1
    bool provide_cluster_info = false;
};

struct KubeConfig {
    std::string server;  // "https://host:port", perhaps with a path, without a slash at the end
    KubeText ca;         // not given = the system's
    std::string tls_server_name;  // what the certificate must say; empty = the server's host
    std::string proxy;            // empty = none
    std::string ns;               // the context's or the pod's namespace; "default" if none
    KubeText token;
    KubeText client_certificate;
    KubeText client_key;
    std::optional<KubeExec> exec;

    // "host:port" for people; never credentials.
    [[nodiscard]] std::string server_name() const;
};

enum class KubeconfigOrigin { File, Secret };

struct KubeconfigOptions {
    std::string context = {};                    // empty = current-context
    std::vector<std::string> exec_allowed = {};  // absolute paths of plugins that may be run
    KubeconfigOrigin origin = KubeconfigOrigin::File;
    std::filesystem::path directory = {};  // from which relative files start
};

// Errors are Invalid: "<name>:<line>:<column>: <what is wrong and what to do>". Plain http is taken
// for loopback only, for credentials would cross the network in the open. Values are never quoted.
[[nodiscard]] Result<KubeConfig> kubeconfig_from_yaml(std::string_view text,
                                                      const std::string& name,
                                                      const KubeconfigOptions& options = {});
// As above, from a file of at most 1 MiB. NotFound, Transient (cannot be read now).
[[nodiscard]] Result<KubeConfig> load_kubeconfig(const std::filesystem::path& file,
                                                 KubeconfigOptions options = {});

struct InClusterOptions {
    // KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT, as the kubelet sets them.
    std::string host = {};
    std::string port = {};
    std::filesystem::path directory = "/var/run/secrets/kubernetes.io/serviceaccount";
};
[[nodiscard]] InClusterOptions in_cluster_from_environment();
// The pod's service account. Invalid: not in a pod, or automountServiceAccountToken is off.
[[nodiscard]] Result<KubeConfig> in_cluster_config(const InClusterOptions& options);

}  // namespace promotiond::platform
