// What the host is told of a promotion whose pull request stands: the outcome, and the details by
// which it is known again. And what is done to a request on the way there, opened or built anew.
#ifndef PROMOTIOND_GITOPS_PULL_REQUEST_ANSWER_HPP
#define PROMOTIOND_GITOPS_PULL_REQUEST_ANSWER_HPP

#include <Poco/JSON/Object.h>

#include <string>
#include <string_view>

#include "promotiond/gitops/pull_request.hpp"
#include "pull_request_change.hpp"

namespace promotiond::sdk::inline v1::gitops {

[[nodiscard]] std::string text_of(const Poco::JSON::Object& object);
// Null: they are no JSON object.
[[nodiscard]] Poco::JSON::Object::Ptr read_details(std::string_view details);

// The same again may well come to something else.
[[nodiscard]] bool passes(const Error& error);

// Of one that is merged or closed.
[[nodiscard]] Outcome settled(const PullRequest& request);

// What an earlier config let merge by itself must not do so with a revision that waits for people.
// Where it cannot be switched off for good, apply() says so.
[[nodiscard]] Result<void> hold(PullRequest& request, const PullRequestOptions& options,
                                Forge& forge);

// Of an open one whose branch holds that change, as head_sha.
[[nodiscard]] Poco::JSON::Object::Ptr details_of(const PullRequestConfig& config, Mirror& mirror,
                                                 const PullRequest& request,
                                                 const Prepared& prepared);
// Logged and kept: labels and the like are no reason to undo what is open already.
void keep_warnings(Poco::JSON::Object& details, const Result<std::vector<std::string>>& applied,
                   Call& call);

enum class Opened { Created, Updated };
// Of one whose branch was pushed: sets the options and tells the rest.
[[nodiscard]] Outcome complete(const Promotion& promotion, Call& call,
                               const PullRequestConfig& config, Mirror& mirror, Forge& forge,
                               const PullRequest& request, Opened opened, const Prepared& prepared);

}  // namespace promotiond::sdk::inline v1::gitops

#endif
