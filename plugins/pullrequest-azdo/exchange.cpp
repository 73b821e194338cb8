#include "exchange.hpp"

#include <Poco/Base64Encoder.h>
#include <Poco/Exception.h>
#include <Poco/JSON/Object.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include "forge/answer.hpp"

namespace promotiond::azdo {
namespace {

using forge::words;
using sdk::Error;
using sdk::ErrorKind;
using sdk::HttpResponse;
using sdk::Result;
using sdk::Secret;

constexpr std::uint64_t kLargestAnswer = 8u << 20;  // bytes: a page of 100 pull requests

// What stays of an exception whatever the status and the language of its text.
constexpr std::array<std::pair<std::string_view, ErrorKind>, 10> kTypeKeys{
    {{"GitPullRequestExistsException", ErrorKind::Conflict},
     {"GitPullRequestStaleException", ErrorKind::Conflict},
     {"GitReferenceStaleException", ErrorKind::Conflict},
     // A branch is gone, or not known yet; it was there when it was pushed.
     {"GitPullRequestCannotBeActivated", ErrorKind::Conflict},
     {"GitNeedsPermissionException", ErrorKind::Unauthorized},
     {"UnauthorizedRequestException", ErrorKind::Unauthorized},
     {"GitRepositoryNotFoundException", ErrorKind::NotFound},
     {"GitPullRequestNotFoundException", ErrorKind::NotFound},
     {"ProjectDoesNotExistWithNameException", ErrorKind::NotFound},
     {"ProjectDoesNotExistException", ErrorKind::NotFound}}};

Secret basic(std::string_view user, std::string_view password) {
    std::ostringstream out;
    Poco::Base64Encoder encoder(out);
    encoder.rdbuf()->setLineLength(0);
    encoder << user << ':' << password;
    encoder.close();
    return Secret("Basic " + out.str());
}

bool is_page(const HttpResponse& response) {
    return forge::lower(response.header("content-type")).starts_with("text/html");
}

bool asks_to_sign_in(const HttpResponse& response) {
    return response.code == 203 || response.code == 302 ||
           (response.code >= 200 && response.code < 300 && is_page(response));
}

struct Said {
    std::string message;
    std::string type_key;
};

Said said(const HttpResponse& response) {
    try {
        const auto root = forge::parse(response.body).extract<Poco::JSON::Object::Ptr>();
        return {forge::text(*root, "message"), forge::text(*root, "typeKey")};
    } catch (const Poco::Exception&) {
        // Where there is no JSON the reason may be in a header.
        const std::string detail(response.header("x-tfs-serviceerror"));
        return {detail.empty() ? "an answer that is not JSON" : detail, {}};
    }
}

ErrorKind kind_of(int code, std::string_view type_key) {
    const auto known = std::find_if(kTypeKeys.begin(), kTypeKeys.end(),
                                    [&](const auto& each) { return each.first == type_key; });
    if (known != kTypeKeys.end()) return known->second;
    switch (code) {
        case 401:
        case 403: return ErrorKind::Unauthorized;
        case 404:
        case 410: return ErrorKind::NotFound;
        case 409:
        case 412: return ErrorKind::Conflict;
        case 408: return ErrorKind::Transient;
        case 429: return ErrorKind::Throttled;
        default: return code >= 300 && code < 500 ? ErrorKind::Invalid : ErrorKind::Transient;
    }
}

std::string advice(const HttpResponse& response, const Said& what,
                   const std::vector<std::string_view>& secrets) {
    if (what.type_key == "VssVersionOutOfRangeException") {
        return "; set apiVersion to one that this server speaks";
    }
    switch (response.code) {
        case 401: return "; the token was refused: renew it in the secret";
        case 403: return "; the token needs Code (read and write)";
        case 404: return "; it does not exist, or the token may not see it";
        case 301:
        case 307:
        case 308:
            return "; it has moved to " + words(response.header("location"), secrets) +
                   ": change the Pipeline's url";
        default: return {};
    }
}

Error sign_in(const HttpResponse& response, const std::vector<std::string_view>& secrets) {
    const std::string where = words(response.header("location"), secrets);
    return {ErrorKind::Unauthorized,
            "HTTP " + std::to_string(response.code) +
                ", a page to sign in instead of an answer; the token has expired or was refused: "
                "renew it in the secret" +
                (where.empty() ? "" : " (it points to " + where + ")")};
}

}  // namespace

Secret Access::authorization() const {
    if (!bearer.empty()) {
        std::string value("Bearer ");
        value += bearer.reveal();
        return Secret(value);
    }
    if (!token.empty()) return basic("", token.reveal());
    return basic(username, password.reveal());
}

std::vector<std::string_view> Access::secrets() const {
    return {bearer.reveal(), token.reveal(), password.reveal()};
}

Result<HttpResponse> exchange(const sdk::Call& call, const Access& access, sdk::HttpRequest request,
                              const std::string& doing) {
    const Secret authorization = access.authorization();
    forge::charge(request, access.urgency);
    request.headers.insert(request.headers.end(),
                           {{"Accept", "application/json"},
                            {"X-TFS-FedAuthRedirect", "Suppress"},
                            {"Authorization", std::string(authorization.reveal())}});
    const auto is_type = [](const auto& header) { return header.first == "Content-Type"; };
    if (!request.body.empty() &&
        std::none_of(request.headers.begin(), request.headers.end(), is_type)) {
        request.headers.emplace_back("Content-Type", "application/json");
    }
    request.max_response_bytes = kLargestAnswer;
    request.ca_pem = access.ca_pem;
    request.proxy = access.proxy;
    auto response = call.http(request);
    if (!response) return context(std::move(response).error(), doing);
    const bool success = response->code >= 200 && response->code < 300;
    if (success && !asks_to_sign_in(*response)) return response;
    auto secrets = access.secrets();
    const auto encoded = authorization.reveal().substr(authorization.reveal().find(' ') + 1);
    secrets.push_back(encoded);
    return context(read_problem(*response, secrets, call.now()), doing);
}

Error read_problem(const HttpResponse& response, const std::vector<std::string_view>& secrets,
                   std::chrono::sys_time<std::chrono::milliseconds> now) {
    if (asks_to_sign_in(response)) return sign_in(response, secrets);
    const Said what = said(response);
    Error error{kind_of(response.code, what.type_key), "HTTP " + std::to_string(response.code) +
                                                           ", " + words(what.message, secrets) +
                                                           advice(response, what, secrets)};
    const bool told = !response.header("retry-after").empty();
    if (error.kind == ErrorKind::Throttled || (error.kind == ErrorKind::Transient && told)) {
        error.retry_after = forge::pause_of(response, now);
    }
    return error;
}

}  // namespace promotiond::azdo
