// The third source of Pipelines beside Kubernetes and local YAML: GitOps repositories with a
// gitops-promotion.yaml, looked at again and again.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/readiness.hpp"
#include "gitops/repository.hpp"
#include "platform/platform.hpp"

namespace promotiond::gitops {

struct RepositoryOptions {
    std::vector<Repository> repositories;
    std::chrono::milliseconds every{60'000};
    // How long start() waits for the first look; less than anybody waits for a start.
    std::chrono::milliseconds first_look{5'000};
    // Keeps the last good text of each, so that Pipelines are there before the forge is; is made.
    std::filesystem::path remembered;
    // The text of a repository's gitops-promotion.yaml; called on the source's thread.
    std::function<Result<std::string>(const Repository&, const std::stop_token&)> read;
    Readiness* readiness =
        nullptr;  // is told which repositories have been read; outlives the source
};

// A file that cannot be fetched or read is a problem; its last good version stays in force. start()
// tells what is remembered; where that is not all, it waits for a first look, but not for long.
[[nodiscard]] std::unique_ptr<platform::PipelineSource> repository_pipelines(
    RepositoryOptions options);

// Several sources as one. What is told is the whole of all of them, for the first time when all
// have started. A Pipeline that two of them have stays that of the first, and is a problem.
[[nodiscard]] std::unique_ptr<platform::PipelineSource> joined(
    std::vector<std::unique_ptr<platform::PipelineSource>> sources);

}  // namespace promotiond::gitops
