// What the Pipelines' status tells of promotions: read by a new leader, since the journal of the
// one before is not its own.
//
// Thread-safety: functions without shared state.
#pragma once

#include <vector>

#include "platform/kube_client.hpp"
#include "platform/kube_object.hpp"
#include "platform/kubernetes.hpp"
#include "platform/platform.hpp"

namespace promotiond::platform {

// The last promotion of each environment. What is no status of ours has none.
[[nodiscard]] std::vector<ToldPromotion> told_promotions(const KubeObject& pipeline);

// Of all Pipelines that these options name, in pages.
[[nodiscard]] KubeResult<std::vector<ToldPromotion>> told_promotions(
    KubeClient& client, const KubernetesOptions& options, const KubeCall& how = {});

}  // namespace promotiond::platform
