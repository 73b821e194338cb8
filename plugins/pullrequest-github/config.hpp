// The strategy's config and the credentials that its secret holds.
//
// Thread-safety: values. Errors: Invalid for a config or secret that cannot be right, and what the
// store of secrets says.
#pragma once

#include <promotiond/gitops/pull_request.hpp>
#include <promotiond/strategy.hpp>

#include <string>
#include <string_view>

#include "app_auth.hpp"
#include "github.hpp"

namespace promotiond::github {

struct Config {
    sdk::gitops::PullRequestConfig pull_request;
    std::string api_url;  // empty = follows from the repository's host
};

// config is the Pipeline's; what it leaves out comes from settings, the strategy's part of
// promotiond.yaml.
[[nodiscard]] sdk::Result<Config> read_config(std::string_view config, std::string_view settings);

// All that a promotion may need, read before its first effect.
struct Keys {
    sdk::gitops::Credentials git;
    Access access;  // its token is empty if a GitHub App has to be asked for one
    AppKey app;     // used if it has an id
};

// Invalid: the secret has neither a token nor a GitHub App's key.
[[nodiscard]] sdk::Result<Keys> read_keys(const sdk::Call& call, const std::string& secret,
                                          bool over_ssh);

}  // namespace promotiond::github
