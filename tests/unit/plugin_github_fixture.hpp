// GitHub on the other side of a FakeHost: answers as its REST description has them, and a forge to
// ask.
#pragma once

#include <promotiond/testing.hpp>

#include <functional>
#include <string>
#include <utility>

#include "github.hpp"

namespace hub {

using namespace promotiond;
using namespace promotiond::sdk;
using namespace promotiond::sdk::gitops;
using sdk::testing::FakeHost;
using sdk::testing::HttpAsked;
using sdk::testing::HttpScripted;

inline const std::string kToken = "ghp_canary0123456789";
inline const std::string kHead = "promotion-team-podinfo-prod";

// One pull request as GitHub tells it; members are JSON, so that a test can put anything there.
struct Pull {
    std::string number = "7";
    std::string html_url = R"("https://github.com/acme/fleet/pull/7")";
    std::string state = R"("open")";
    std::string merged_at = "null";
    std::string head_repo = R"({"full_name":"acme/fleet"})";
    std::string head_ref = '"' + kHead + '"';
    std::string base_repo = R"({"full_name":"Acme/Fleet"})";
    std::string more = {};  // further members, each with a comma in front

    [[nodiscard]] std::string json() const {
        return R"({"id":1,"node_id":"PR_7","number":)" + number + R"(,"html_url":)" + html_url +
               R"(,"state":)" + state + R"(,"merged_at":)" + merged_at +
               R"(,"title":"T","body":null,"draft":false,"auto_merge":null,)"
               R"("head":{"ref":)" +
               head_ref + R"(,"sha":"0a1b","repo":)" + head_repo +
               R"(},"base":{"ref":"main","sha":"0c2d","repo":)" + base_repo + "}" + more + "}";
    }
};

// A forge for acme/fleet, made anew for each verb, as in the strategy.
class Desk {
public:
    FakeHost host;
    std::string url = "https://github.com/acme/fleet.git";
    std::string api_url = {};
    std::string token = kToken;

    template <class T>
    Result<T> ask(const std::function<Result<T>(github::GitHub&)>& what,
                  github::Remembered* remembered = nullptr) {
        return call<T>([&](const Call& call) {
            auto site = github::site_of(url, api_url);
            github::Access access{Secret(token), "ca", "http://proxy.test:3128"};
            access.remembered = remembered;
            github::GitHub forge(call, *site, std::move(access));
            return what(forge);
        });
    }
    template <class T>
    Result<T> call(const std::function<Result<T>(const Call&)>& what) {
        Result<T> out = Error{ErrorKind::Internal, "the verb did not run"};
        (void)host.run([&](const promotiond_call* c) {
            const Call call(host.c_host(), *c);
            out = what(call);
            return PROMOTIOND_DONE;
        });
        return out;
    }

    using Found = std::optional<PullRequest>;
    Result<Found> find() {
        return ask<Found>([](auto& forge) { return forge.find_open(kHead, "main"); });
    }
    Result<PullRequest> create(bool draft = false) {
        return ask<PullRequest>([&](auto& forge) {
            return forge.create(kHead, "main", {"Title", "Body \"quoted\""}, draft);
        });
    }
    Result<Found> look(std::uint64_t number, const std::string& etag = {},
                       github::Remembered* remembered = nullptr) {
        return ask<Found>([&](auto& forge) { return forge.by_number(number, etag); }, remembered);
    }
    Result<std::vector<std::string>> apply(const PullRequest& to,
                                           const PullRequestOptions& options) {
        return ask<std::vector<std::string>>([&](auto& forge) { return forge.apply(to, options); });
    }
};

}  // namespace hub
