// The strategy's config and the credentials that its secret holds.
//
// Thread-safety: values. Errors: Invalid for a config or secret that cannot be right, and what the
// store of secrets says.
#pragma once

#include <promotiond/gitops/pull_request.hpp>
#include <promotiond/strategy.hpp>

#include <string>
#include <string_view>

#include "azdo.hpp"

namespace promotiond::azdo {

struct Config {
    sdk::gitops::PullRequestConfig pull_request;
    Options options;
    std::string api_url;  // of the collection; empty = follows from the repository's address
};

// config is the Pipeline's; what it leaves out comes from settings, the strategy's part of
// promotiond.yaml.
[[nodiscard]] sdk::Result<Config> read_config(std::string_view config, std::string_view settings);

// All that a promotion may need, read before its first effect.
struct Keys {
    sdk::gitops::Credentials git;
    Access access;
};

// Invalid: the secret holds nothing that the API takes, or half of what git needs.
[[nodiscard]] sdk::Result<Keys> read_keys(const sdk::Call& call, const std::string& secret,
                                          bool over_ssh);

}  // namespace promotiond::azdo
