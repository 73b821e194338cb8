// Any bytes as an address and as what Azure DevOps answers: a pull request of this repository, or
// an error; and a refusal's error is short, printable and without the token, with a pause in
// bounds.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "answer.hpp"
#include "exchange.hpp"
#include "site.hpp"

namespace {

using namespace promotiond;
using sdk::ErrorKind;

const std::string kToken = "t0ken-canary";

void require(bool truth) {
    if (!truth) std::abort();
}

const azdo::Site& site() {
    static const auto site = azdo::site_of("https://dev.azure.com/acme/team/_git/fleet", "");
    return *site;
}

void check_site(const std::string& url) {
    const auto found = azdo::site_of(url, "");
    if (!found) return require(found.error().kind == ErrorKind::Invalid);
    require(found->collection.starts_with("https://"));
    const std::string addresses = found->api() + found->page_of(1) + found->identities;
    for (const char c : addresses) require(c > 0x20 && c < 0x7F && c != '\\');
    // An address that git takes is read as the same place again.
    if (!found->ssh) require(azdo::site_of(found->git_url, "")->git_url == found->git_url);
}

void check_refusal(int code, std::string_view body, std::string_view header) {
    sdk::HttpResponse response;
    response.code = code;
    response.headers = {{"Retry-After", std::string(header)},
                        {"X-TFS-ServiceError", std::string(header)},
                        {"Content-Type", code == 200 ? "text/html" : std::string(header)},
                        {"Location", std::string(header)}};
    response.body = body;
    const auto error = azdo::read_problem(
        response, {kToken},
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
    const auto one = azdo::read_pull_request(all, site());
    if (one) {
        require(one->request.number > 0);
        require(one->request.url == site().page_of(one->request.number));
    } else {
        require(one.error().kind == ErrorKind::Transient);
    }
    const auto page = azdo::read_page(all, site(), "promotion-a", "main");
    if (page && page->number) require(*page->number > 0);
    if (!page) require(page.error().kind == ErrorKind::Transient);
    const auto own = azdo::read_own_identity(all);
    if (own) require(azdo::is_guid(*own));
    (void)azdo::read_list(all, "name");

    const auto line = all.substr(0, all.find('\n'));
    for (const int code : {200, 203, 301, 302, 400, 401, 403, 404, 409, 429, 503}) {
        check_refusal(code, all, line);
    }
    check_site(std::string(line));
    check_site("https://dev.azure.com/" + std::string(line));
    const auto fit = azdo::fitted({std::string(all), std::string(all) + std::string(3990, 'x')});
    require(fit.title.size() <= all.size() || fit.title.size() <= 400 * 3);
    return 0;
}
