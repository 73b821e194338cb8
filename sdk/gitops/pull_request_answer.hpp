// What the host is told of a promotion whose pull request stands: the outcome, and the details by
// which it is known again.
#ifndef PROMOTIOND_GITOPS_PULL_REQUEST_ANSWER_HPP
#define PROMOTIOND_GITOPS_PULL_REQUEST_ANSWER_HPP

#include <Poco/JSON/Object.h>

#include <string>
#include <string_view>

#include "promotiond/gitops/pull_request.hpp"

namespace promotiond::sdk::inline v1::gitops {

[[nodiscard]] std::string text_of(const Poco::JSON::Object& object);
// Null: they are no JSON object.
[[nodiscard]] Poco::JSON::Object::Ptr read_details(std::string_view details);

// The same again may well come to something else.
[[nodiscard]] bool passes(const Error& error);

// Of one that is merged or closed.
[[nodiscard]] Outcome settled(const PullRequest& request);

enum class Opened { Created, Updated };
// Of one whose branch was pushed, on that head of the base: sets the options and tells the rest.
[[nodiscard]] Outcome complete(const Promotion& promotion, Call& call,
                               const PullRequestConfig& config, Mirror& mirror, Forge& forge,
                               const PullRequest& request, Opened opened,
                               const ObjectId& base_head);

}  // namespace promotiond::sdk::inline v1::gitops

#endif
