#include "ctl/client.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace promotiond::ctl {
namespace {

namespace json = boost::json;

// A plan fetches a repository before it can answer.
constexpr std::chrono::minutes kTimeout{5};

net::HttpClient::Options http_options() {
    net::HttpClient::Options options;
    options.user_agent = "promotionctl/" PROMOTIOND_VERSION;
    options.timeout = kTimeout;
    options.max_response_bytes = 64u << 20;
    // The person at the terminal named the server; no address is off limits to them.
    options.egress.allow = {"*"};
    return options;
}

ErrorKind kind_of(int status) {
    switch (status) {
        case 404: return ErrorKind::NotFound;
        case 401:
        case 403: return ErrorKind::Unauthorized;
        case 409: return ErrorKind::Conflict;
        case 429: return ErrorKind::Throttled;
        case 502:
        case 503:
        case 504: return ErrorKind::Transient;
        default: return status >= 500 ? ErrorKind::Internal : ErrorKind::Invalid;
    }
}

std::string words_of(const json::value& document, int status) {
    const auto* object = document.if_object();
    for (const char* key : {"detail", "title"}) {
        const auto* member = object != nullptr ? object->if_contains(key) : nullptr;
        if (member != nullptr && member->is_string() && !member->get_string().empty())
            return std::string(member->get_string());
    }
    return "the server answered " + std::to_string(status);
}

std::string remedy(int status) {
    if (status == 401) return " (give a token with --token-file)";
    if (status == 403) return " (the token's scope does not allow this)";
    return {};
}

}  // namespace

std::string encoded(std::string_view text) {
    constexpr char kHex[] = "0123456789ABCDEF";
    constexpr std::string_view kPlain =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (kPlain.find(c) != std::string_view::npos) out += c;
        else out += {'%', kHex[byte >> 4], kHex[byte & 0xf]};
    }
    return out;
}

Client::Client(Options options) : options_(std::move(options)), http_(http_options(), metrics_) {
    while (options_.server.ends_with('/')) options_.server.pop_back();
}

Result<json::value> Client::get(const std::string& path) { return send({}, path); }

Result<json::value> Client::post(const std::string& path, const json::value& body) {
    net::Request request;
    request.method = "POST";
    request.headers.emplace_back("Content-Type", "application/json");
    if (!body.is_null()) request.body = json::serialize(body);
    return send(std::move(request), path);
}

Result<json::value> Client::send(net::Request request, const std::string& path) {
    request.url = options_.server + path;
    request.ca_pem = options_.ca_pem;
    request.headers.emplace_back("Accept", "application/json, application/problem+json");
    if (!options_.token.empty())
        request.headers.emplace_back("Authorization",
                                     "Bearer " + std::string(options_.token.reveal()));
    const auto sent = http_.send(request);
    if (const auto* error = std::get_if<net::HttpError>(&sent))
        return context(net::to_error(*error), "cannot ask promotiond");
    const auto& response = std::get<net::Response>(sent);
    json::error_code failed;
    auto document = response.body.empty() ? json::value() : json::parse(response.body, failed);
    if (response.code / 100 != 2)
        return Error{
            kind_of(response.code),
            words_of(failed ? json::value() : document, response.code) + remedy(response.code)};
    if (failed)
        return Error{ErrorKind::Internal,
                     "what answers at --server does not speak JSON; is it promotiond?"};
    return document;
}

}  // namespace promotiond::ctl
