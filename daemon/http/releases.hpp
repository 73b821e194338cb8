// Releases: a new image tag becomes an event of the Pipelines of GitOps repositories, whoever
// tells.
//
//   POST /api/v1/releases         who built the image, with group, app and tag
//   GitHub's repository_dispatch  the same in its client_payload
//   registries' webhooks          an image and a tag; gitops.images says which application that is
//
// Told again, a release comes to nothing: a registry says when the tag was pushed, and of the rest
// the very bytes are known. A caller of the API is a person who may want an older tag back.
//
// Thread-safety: all functions from any thread; they do not block.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "http/core.hpp"
#include "http/exchange.hpp"
#include "model/release.hpp"

namespace promotiond::http {

// {"group", "app", "tag"}, with "namespace" if need be, or as GitHub's API takes a dispatch:
// {"event_type", "client_payload"}, the members above in the latter. Invalid: anything else,
// and a key that is there twice.
[[nodiscard]] Result<model::Release> release_from(const std::string& body);

// Of GitHub's repository_dispatch. None: its client_payload is about something else. Invalid: not
// JSON, a key that is there twice, or members of a release are missing.
[[nodiscard]] Result<std::optional<model::Release>> dispatched_release(const std::string& body);

// The Pipeline that the release is for. NotFound: no repository lists the application. Conflict:
// several do, and the release names no namespace.
[[nodiscard]] Result<model::PipelineName> pipeline_for(const model::Release& release,
                                                       const engine::Snapshot& snapshot);

class Releases {
public:
    Releases(Core core, std::vector<model::ReleasedImage> images)
        : core_(core), images_(std::move(images)) {}

    // Each answers. POST /api/v1/releases:
    void told(const ExchangePtr& exchange) const;
    // GitHub's repository_dispatch, whose sender is known.
    void dispatched(const ExchangePtr& exchange) const;
    // A registry's webhook, whose sender is known. What is no release is no reason to refuse it:
    // some registries send again until they are thanked.
    void pushed(const ExchangePtr& exchange) const;

private:
    enum class Repeats { Count, AreIgnored };
    void submit(const ExchangePtr& exchange, model::Release release, Repeats repeats,
                engine::Engine::OnAccepted done) const;

    Core core_;
    std::vector<model::ReleasedImage> images_;
};

}  // namespace promotiond::http
