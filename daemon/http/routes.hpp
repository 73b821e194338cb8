// The one table of routes: what is served, by which method, and who may. Every request passes it;
// there is no other way to a handler.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/target.hpp"

namespace promotiond::http {

enum class Access {
    Public,     // anybody who can connect
    Signature,  // the Pipeline's HMAC key
    Hook,       // the key of a forge's or a registry's hooks
    Read,       // a bearer token, or loopback while there are none
    Operate,    // the same, of scope operate
};

enum class Action {
    ReceiveEvent,
    ReceiveApproval,
    ReceiveGitHubHook,
    ReceiveAzureHook,
    ReceiveRegistryHook,
    ListPipelines,
    ShowPipeline,
    ShowWhy,
    ListPromotions,
    ShowPromotion,
    RetryPromotion,
    CancelPromotion,
    Approve,
    Plan,
    Release,
    ListStrategies,
    ListEvents,
    ShowVersion,
    ShowOpenApi,
};

enum class Body { None, Json };

struct Route {
    std::string_view method;
    std::string_view pattern;  // "{x}" is one segment, "{x...}" the rest of the path
    Access access;
    Action action;
    Body body = Body::None;
};

[[nodiscard]] std::span<const Route> routes();

struct Match {
    const Route* route = nullptr;         // null: the path is served, but not by this method
    std::vector<std::string> parameters;  // values of the pattern's {...}, in order
    std::string allow;                    // methods that the path knows, for 405
};

// prefix: a path in front that is taken off if it is there, e.g. "/pipelines". Nothing: no such
// path.
[[nodiscard]] std::optional<Match> find_route(std::string_view method, const Target& target,
                                              std::string_view prefix);

}  // namespace promotiond::http
