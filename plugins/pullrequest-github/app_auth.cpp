#include "app_auth.hpp"

#include <Poco/Crypto/RSAKey.h>
#include <Poco/DateTimeFormat.h>
#include <Poco/DateTimeParser.h>
#include <Poco/Exception.h>
#include <Poco/JSON/Parser.h>
#include <Poco/JWT/Signer.h>
#include <Poco/JWT/Token.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "github.hpp"

namespace promotiond::github {
namespace {

using sdk::Error;
using sdk::ErrorKind;
using sdk::Result;
using sdk::Secret;
using Object = Poco::JSON::Object;

constexpr std::chrono::minutes kMargin{5};     // before the expiry, in which no work is begun
constexpr std::chrono::hours kLongestLife{1};  // GitHub's own rule, whatever an answer says
constexpr std::size_t kMostCached = 1000;      // tokens; one per repository at most

bool is_number(const std::string& text) {
    return !text.empty() && text.size() <= 18 &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// 2026-11-21T05:00:00 and a zone; Poco's parser takes any text for some time.
bool is_time(const std::string& text) {
    constexpr std::string_view kShape = "0000-00-00T00:00:00";
    const auto fits = [](char shape, char c) {
        return shape == '0' ? c >= '0' && c <= '9' : c == shape;
    };
    return text.size() > kShape.size() &&
           std::equal(kShape.begin(), kShape.end(), text.begin(), fits);
}

Result<std::string> installation_of(const sdk::Call& call, const Site& site, const Access& as_app) {
    sdk::HttpRequest request;
    request.url = site.api + "/repos/" + site.owner + "/" + site.repo + "/installation";
    const std::string doing =
        "cannot find the GitHub App's installation for " + site.owner + "/" + site.repo;
    const auto response = exchange(call, as_app, std::move(request), doing);
    if (!response) return Error(response.error());
    try {
        Poco::JSON::Parser parser;
        const auto id = parser.parse(response->body).extract<Object::Ptr>()->get("id");
        if (id.isInteger() && !id.isBoolean() && id.convert<Poco::Int64>() > 0)
            return id.toString();
    } catch (const Poco::Exception&) {
        // told below
    }
    return Error{ErrorKind::Transient, doing + ": bad answer"};
}

}  // namespace

Result<Secret> app_jwt(const AppKey& key, std::chrono::sys_time<std::chrono::milliseconds> now) {
    using std::chrono::seconds;
    const auto second = std::chrono::floor<seconds>(now).time_since_epoch().count();
    try {
        std::istringstream pem{std::string(key.private_key_pem.reveal())};
        Poco::JWT::Token token;
        token.setIssuer(key.app_id);
        // Not setIssuedAt: it writes fractions, and GitHub takes whole seconds only.
        token.payload().set("iat", static_cast<Poco::Int64>(second - 60));
        token.payload().set("exp", static_cast<Poco::Int64>(second + 540));
        Poco::JWT::Signer signer;
        signer.setRSAKey(new Poco::Crypto::RSAKey(nullptr, &pem));  // the signer shares it
        return Secret(signer.sign(token, Poco::JWT::Signer::ALGO_RS256));
    } catch (const Poco::Exception&) {
        // The library's text may quote the key.
        return Error{ErrorKind::Invalid,
                     "the secret's githubAppPrivateKey is not an RSA private key in PEM"};
    }
}

Result<Secret> AppTokens::token(const sdk::Call& call, const Site& site, const AppKey& key,
                                const Access& access) {
    const std::string installed = key.installation_id;
    if (!is_number(key.app_id) || (!installed.empty() && !is_number(installed))) {
        return Error{ErrorKind::Invalid,
                     "githubAppID and githubAppInstallationID in the secret must be numbers"};
    }
    const std::string slot =
        site.api + " " + key.app_id + " " +
        (installed.empty() ? site.owner + "/" + site.repo : installed) + " " +
        std::to_string(std::hash<std::string_view>{}(key.private_key_pem.reveal()));
    if (const auto found = cached_.find(slot);
        found != cached_.end() && call.now() + kMargin < found->second.expires) {
        return found->second.token.duplicate();
    }
    auto jwt = app_jwt(key, call.now());
    if (!jwt) return std::move(jwt).error();
    const Access as_app{*std::move(jwt), access.ca_pem, access.proxy};
    auto id =
        installed.empty() ? installation_of(call, site, as_app) : Result<std::string>(installed);
    if (!id) return std::move(id).error();

    const std::string doing = "cannot get a token for the GitHub App's installation " + *id;
    sdk::HttpRequest request;
    request.method = "POST";
    request.url = site.api + "/app/installations/" + *id + "/access_tokens";
    const auto response = exchange(call, as_app, std::move(request), doing);
    if (!response) return Error(response.error());
    try {
        Poco::JSON::Parser parser;
        const auto root = parser.parse(response->body).extract<Object::Ptr>();
        Secret token(root->getValue<std::string>("token"));
        const auto expiry = root->getValue<std::string>("expires_at");
        if (!is_time(expiry) || token.empty()) {
            return Error{ErrorKind::Transient, doing + ": bad answer"};
        }
        int zone = 0;
        auto expires =
            Poco::DateTimeParser::parse(Poco::DateTimeFormat::ISO8601_FRAC_FORMAT, expiry, zone);
        expires.makeUTC(zone);
        if (cached_.size() >= kMostCached) cached_.clear();
        const std::chrono::sys_time<std::chrono::milliseconds> told(
            std::chrono::seconds(expires.timestamp().epochTime()));
        cached_[slot] = {token.duplicate(), std::min(told, call.now() + kLongestLife)};
        return token;
    } catch (const Poco::Exception&) {
        return Error{ErrorKind::Transient, doing + ": bad answer"};
    }
}

}  // namespace promotiond::github
