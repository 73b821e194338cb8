// What an application object says of itself: does it run, and which revision. Pure.
//
// Sources: HelmRelease v2beta1, v2beta2 and v2 (fluxcd/helm-controller api/*/helmrelease_types.go,
// snapshot_types.go), Kustomization v1 (fluxcd/kustomize-controller), Application v1alpha1
// (argoproj/argo-cd pkg/apis/application/v1alpha1/types.go); read 2026-11.
#pragma once

#include <string>

#include "platform/json_view.hpp"

namespace promotiond::platform {

struct ApplicationState {
    bool ready = false;    // it runs `revision` successfully
    std::string revision;  // last applied; empty if none yet
    std::string error;     // ready, and yet it does not say what it runs
    bool operator==(const ApplicationState&) const = default;
};

// Any object: ready by its condition Ready, revision from .status.lastAppliedRevision. A
// HelmRelease with a .status.history runs the chart version of its newest release, if that is
// deployed. An Argo CD Application is ready when it is Healthy and Synced and no operation runs;
// its revision is the one it is synced to. One that is being deleted is not ready.
[[nodiscard]] ApplicationState application_state(JsonView object);

}  // namespace promotiond::platform
