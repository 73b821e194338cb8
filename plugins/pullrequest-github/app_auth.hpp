// A GitHub App's key turned into an installation's token, which lives for an hour.
//
// One object per strategy instance; one thread at a time, as the instance's verbs are.
#pragma once

#include <promotiond/strategy.hpp>

#include <chrono>
#include <map>
#include <string>

namespace promotiond::github {

struct Access;
struct Site;

struct AppKey {
    std::string app_id;
    std::string installation_id;  // empty = found through the repository
    sdk::Secret private_key_pem;  // RSA, PKCS#1 or PKCS#8
    std::string base_url;         // of the API; empty = as for tokens
};

class AppTokens {
public:
    // A token for the repository, from the cache until five minutes before it expires. access
    // lends CA and proxy. Invalid: the key is none.
    [[nodiscard]] sdk::Result<sdk::Secret> token(const sdk::Call& call, const Site& site,
                                                 const AppKey& key, const Access& access);

private:
    struct Cached {
        sdk::Secret token;
        std::chrono::sys_time<std::chrono::milliseconds> expires;
    };
    std::map<std::string, Cached> cached_;  // by API, app, installation or repository
};

// RS256, valid from a minute ago (clocks differ) for nine minutes from now; GitHub takes at most
// ten.
[[nodiscard]] sdk::Result<sdk::Secret> app_jwt(
    const AppKey& key, std::chrono::sys_time<std::chrono::milliseconds> now);

}  // namespace promotiond::github
