// POST /api/v1/releases: a new image tag, told by whoever built it.
#pragma once

#include <memory>
#include <string>

#include "http/core.hpp"
#include "model/release.hpp"

namespace promotiond::http {

// Invalid: not {"group", "app", "tag"}, with "namespace" if need be.
[[nodiscard]] Result<model::Release> release_from(const std::string& body);

// The Pipeline that the release is for. NotFound: no repository lists the application. Conflict:
// several do, and the release names no namespace.
[[nodiscard]] Result<model::PipelineName> pipeline_for(const model::Release& release,
                                                       const engine::Snapshot& snapshot);

}  // namespace promotiond::http
