// One exchange with Azure DevOps: who asks, and what its refusals mean.
//
// Facts: REST API 7.1 (learn.microsoft.com and MicrosoftDocs/vsts-rest-api-specs, 2026-11). A token
// that has expired is answered with a page for people to sign in, as 203, 302 or HTML with 200.
// Refusals are told apart by their typeKey, never by their text. No redirect is followed, and no
// credential is in any message.
#pragma once

#include <promotiond/strategy.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "forge/budget.hpp"

namespace promotiond::azdo {

// How requests are made. A personal access token goes as the password of nobody, a bearer token as
// it is; without both, username and password.
struct Access {
    sdk::Secret token;
    sdk::Secret bearer;
    std::string username;
    sdk::Secret password;
    std::string ca_pem;  // trusted instead of the system's
    std::string proxy;
    forge::Urgency urgency = forge::Urgency::Open;  // of what is done

    // The value of the Authorization header.
    [[nodiscard]] sdk::Secret authorization() const;
    // What no message may hold. Views into this object.
    [[nodiscard]] std::vector<std::string_view> secrets() const;
};

// 2xx with JSON is a value, anything else an error by kind; `doing` begins its message.
[[nodiscard]] sdk::Result<sdk::HttpResponse> exchange(const sdk::Call& call, const Access& access,
                                                      sdk::HttpRequest request,
                                                      const std::string& doing);

// The error that an answer stands for which is no success. The message holds Azure's own words,
// cut, in one line and without the secrets.
[[nodiscard]] sdk::Error read_problem(const sdk::HttpResponse& response,
                                      const std::vector<std::string_view>& secrets,
                                      std::chrono::sys_time<std::chrono::milliseconds> now);

}  // namespace promotiond::azdo
