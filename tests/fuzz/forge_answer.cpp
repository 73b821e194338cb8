// Any bytes as what GitHub answers: a pull request of this repository with a link to it, or an
// error; and a refusal's error is short, printable and without the token, with a pause in bounds.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "answer.hpp"

namespace {

using namespace promotiond;
using sdk::ErrorKind;
using sdk::gitops::PullRequest;
using sdk::gitops::PullRequestState;

const std::string kToken = "t0ken-canary";

void require(bool truth) {
    if (!truth) std::abort();
}

const github::Site& site() {
    static const auto site = github::site_of("https://github.com/acme/fleet", "");
    return *site;
}

void check(const PullRequest& request) {
    require(request.number > 0);
    require(request.url.size() > 19);
    for (const char c : request.url) require(c > 0x20 && c < 0x7F && c != '\\');
    // Up to the path nothing but the host and a port.
    const auto path = request.url.find_first_of("/?#", 8);
    const std::string_view authority = std::string_view(request.url).substr(8, path - 8);
    require(authority.size() >= 10 && authority.find('@') == std::string_view::npos);
    require(authority.size() == 10 || authority[10] == ':');
}

void check_refusal(int code, std::string_view body, std::string_view header) {
    sdk::HttpResponse response;
    response.code = code;
    response.headers = {{"Retry-After", std::string(header)},
                        {"X-RateLimit-Remaining", code == 403 ? "0" : "1"},
                        {"X-RateLimit-Reset", std::string(header)},
                        {"X-Accepted-GitHub-Permissions", std::string(header)},
                        {"Location", std::string(header)}};
    response.body = body;
    const auto error = github::read_problem(
        response, kToken,
        std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::seconds(1'700'000'000)));
    require(!error.message.empty() && error.message.size() < 1000);
    require(error.message.find(kToken) == std::string::npos);
    for (const char c : error.message) require(c >= 0x20 && c < 0x7F);
    if (error.kind == ErrorKind::Throttled) require(error.retry_after.has_value());
    if (error.retry_after) {
        require(*error.retry_after >= std::chrono::seconds(1));
        require(*error.retry_after <= std::chrono::hours(1));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view all(reinterpret_cast<const char*>(bytes), size);
    const auto one = github::read_pull_request(all, site());
    if (one) check(*one);
    else require(one.error().kind == ErrorKind::Transient);

    const auto picked = github::pick_pull_request(all, site(), "promotion-a", "main");
    if (picked && *picked) {
        check(**picked);
        require((*picked)->head_branch == "promotion-a");
        require((*picked)->state == PullRequestState::Open);
    }
    if (!picked) require(picked.error().kind == ErrorKind::Transient);
    (void)github::read_reviewers(all);

    const auto header = all.substr(0, all.find('\n'));
    for (const int code : {301, 401, 403, 404, 422, 429, 503}) check_refusal(code, all, header);
    return 0;
}
