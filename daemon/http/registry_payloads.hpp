// What container registries' webhooks say of the tags that were pushed. Pure; any thread.
//
// Shapes (2026-11), told apart by their members, since registries do not say who they are:
//   events[]                   CNCF Distribution, "Work with notifications"
//   (distribution.github.io) action, target             Azure Container Registry, "webhook
//   reference" (learn.microsoft.com) push_data, repository      Docker Hub, "Webhooks"
//   (docs.docker.com) type, event_data           Harbor, "Configure Webhook Notifications"
//   (goharbor.io), and as a
//                              CloudEvent with `data`
//   docker_url, updated_tags   Quay, "Repository notifications" (docs.quay.io)
//   package, registry_package  GitHub Packages, "Webhook events and payloads" (docs.github.com)
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/release.hpp"

namespace promotiond::http {

// In the body's order; empty where it tells of something else: a layer, a pull, a deletion, an
// image without a tag, a ping. Invalid: not JSON, or of no shape above.
[[nodiscard]] Result<std::vector<model::PushedTag>> read_registry_hook(const std::string& body);

}  // namespace promotiond::http
