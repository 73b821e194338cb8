// RulesReader: fetches gitops-promotion.yaml of a repository, with the credentials and into the
// mirror that the pull-request strategies use as well.
//
// Thread-safety: one call at a time. Lifetime: what the services point to outlives it.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>

#include "base/result.hpp"
#include "gitops/repository.hpp"
#include "strategy/strategy.hpp"

namespace promotiond::gitops {

class RulesReader {
public:
    RulesReader(strategy::HostServices services, std::chrono::milliseconds deadline);
    ~RulesReader();
    RulesReader(const RulesReader&) = delete;
    RulesReader& operator=(const RulesReader&) = delete;

    // The file's text on the base branch's head. NotFound: there is no such file or branch; and
    // what the store of secrets, git and the forge say.
    [[nodiscard]] Result<std::string> read(const Repository& repository,
                                           const std::stop_token& stop);

private:
    class Session;
    strategy::HostServices services_;
    std::chrono::milliseconds deadline_;
    std::unique_ptr<Session> github_;  // made when they are used
    std::unique_ptr<Session> azure_;
};

}  // namespace promotiond::gitops
