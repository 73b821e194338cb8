// Azure DevOps on the other side of a FakeHost: answers as its REST description has them, and a
// forge to ask.
#pragma once

#include <promotiond/testing.hpp>

#include <functional>
#include <string>
#include <utility>

#include "azdo.hpp"

namespace azure {

using namespace promotiond;
using namespace promotiond::sdk;
using namespace promotiond::sdk::gitops;
using sdk::testing::FakeHost;
using sdk::testing::HttpAsked;
using sdk::testing::HttpScripted;

inline const std::string kToken = "azpat7canary0123456789";
inline const std::string kHead = "promotion-team-podinfo-prod";
inline const std::string kRoot = "https://dev.azure.com/acme";
inline const std::string kPulls = kRoot + "/My%20Team/_apis/git/repositories/fleet/pullrequests";
inline const std::string kMe = "11111111-2222-3333-4444-555555555555";
inline const std::string kAnn = "aaaaaaaa-0000-0000-0000-000000000001";
inline const std::string kNobody = "00000000-0000-0000-0000-000000000000";

// One pull request as Azure tells it; members are JSON, so that a test can put anything there.
struct Pull {
    std::string number = "7";
    std::string status = R"("active")";
    std::string title = R"("T")";
    std::string description = R"("B")";
    std::string head = R"("refs/heads/)" + kHead + '"';
    std::string repository =
        R"({"id":"r-1","name":"Fleet","project":{"id":"p-1","name":"my team"}})";
    std::string more = {};  // further members, each with a comma in front

    [[nodiscard]] std::string json() const {
        return R"({"pullRequestId":)" + number + R"(,"status":)" + status + R"(,"title":)" + title +
               R"(,"description":)" + description + R"(,"sourceRefName":)" + head +
               R"(,"targetRefName":"refs/heads/main","isDraft":false,"mergeStatus":"queued",)"
               R"("lastMergeSourceCommit":{"commitId":"0a1b"},"repository":)" +
               repository + more + "}";
    }
};

inline std::string list(const std::vector<std::string>& entries) {
    std::string out;
    for (const auto& entry : entries) out += (out.empty() ? "" : ",") + entry;
    return R"({"count":)" + std::to_string(entries.size()) + R"(,"value":[)" + out + "]}";
}

// As Azure words a refusal.
inline std::string refusal(const std::string& type_key, const std::string& message) {
    return R"({"$id":"1","innerException":null,"message":")" + message +
           R"(","typeName":"Microsoft.)" + type_key + R"(, Microsoft","typeKey":")" + type_key +
           R"(","errorCode":0,"eventId":3000})";
}

// A forge for acme/My Team/fleet, made anew for each verb, as in the strategy.
class Desk {
public:
    FakeHost host;
    std::string url = "https://dev.azure.com/acme/My%20Team/_git/fleet";
    azdo::Options options = {};

    template <class T>
    Result<T> ask(const std::function<Result<T>(azdo::AzureRepos&)>& what) {
        Result<T> out = Error{ErrorKind::Internal, "the verb did not run"};
        (void)host.run([&](const promotiond_call* c) {
            const Call call(host.c_host(), *c);
            azdo::Access access;
            access.token = Secret(kToken);
            access.ca_pem = "ca";
            access.proxy = "http://proxy.test:3128";
            azdo::AzureRepos forge(call, *azdo::site_of(url, {}), std::move(access), options);
            out = what(forge);
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
    Result<Found> look(std::uint64_t number) {
        return ask<Found>([&](auto& forge) { return forge.by_number(number, ""); });
    }
    Result<std::vector<std::string>> apply(const PullRequestOptions& given) {
        return ask<std::vector<std::string>>([&](auto& forge) {
            PullRequest existing;
            existing.number = 7;
            return forge.apply(existing, given);
        });
    }
    // "METHOD path?query body" of each request from this one on.
    [[nodiscard]] std::vector<std::string> asked(std::size_t from = 0) const {
        std::vector<std::string> out;
        const auto all = host.requests();
        for (std::size_t i = from; i < all.size(); ++i) {
            std::string target = all[i].url;
            if (target.starts_with(kPulls)) target = "~" + target.substr(kPulls.size());
            out.push_back(all[i].method + " " + target +
                          (all[i].body.empty() ? "" : " " + all[i].body));
        }
        return out;
    }
};

}  // namespace azure
