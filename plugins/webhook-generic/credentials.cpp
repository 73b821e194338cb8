#include "credentials.hpp"

#include <openssl/evp.h>
#include <yaml-cpp/yaml.h>

namespace promotiond::webhook {
namespace {

using sdk::Error;
using sdk::ErrorKind;
using sdk::Result;
using sdk::Secret;

constexpr std::size_t kMostHeaderText = 64u << 10;
constexpr std::size_t kMostAddressBytes = 2048;

Error invalid(std::string message) { return Error{ErrorKind::Invalid, std::move(message)}; }

std::string trimmed(std::string_view text) {
    constexpr std::string_view kBlank = " \t\r\n";
    const auto first = text.find_first_not_of(kBlank);
    if (first == std::string_view::npos) return {};
    return std::string(text.substr(first, text.find_last_not_of(kBlank) - first + 1));
}

std::string base64(const std::string& bytes) {
    std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

// Reads keys of one secret; the first error stays.
class Reader {
public:
    Reader(const std::string& secret, const sdk::Call& call) : secret_(secret), call_(call) {}

    std::optional<Secret> get(std::string_view key) {
        if (error_) return std::nullopt;
        auto value = call_.optional_secret(secret_, key);
        if (value) return std::move(*value);
        error_ = std::move(value).error();
        return std::nullopt;
    }
    std::string text(std::string_view key) {
        const auto value = get(key);
        return value ? std::string(value->reveal()) : std::string();
    }
    // The standard name, else the older one.
    std::string text(std::string_view key, std::string_view older) {
        auto value = text(key);
        return value.empty() ? text(older) : value;
    }
    void fail(const std::string& what) {
        if (!error_) error_ = invalid("secret " + secret_ + ": " + what);
    }
    std::optional<Error> take_error() { return std::move(error_); }

private:
    const std::string& secret_;
    const sdk::Call& call_;
    std::optional<Error> error_;
};

void read_basic_auth(Reader& reader, Credentials& credentials) {
    const auto username = reader.get("username");
    const auto password = reader.get("password");
    if (username.has_value() != password.has_value())
        reader.fail("username and password come both or not at all");
    if (!username || !password) return;
    credentials.authorization =
        "Basic " + base64(trimmed(username->reveal()) + ":" + trimmed(password->reveal()));
}

void read_tls(Reader& reader, Credentials& credentials) {
    credentials.ca_pem = reader.text("ca.crt", "caFile");
    credentials.certificate_pem = reader.text("tls.crt", "certFile");
    credentials.key_pem = Secret(reader.text("tls.key", "keyFile"));
    if (credentials.certificate_pem.empty() != credentials.key_pem.empty())
        reader.fail("tls.crt and tls.key come both or not at all");
}

}  // namespace

Result<Headers> headers_from_yaml(const std::string& text) {
    if (text.size() > kMostHeaderText) return invalid("key headers is longer than 64 KiB");
    Headers headers;
    try {
        const auto map = YAML::Load(text);
        if (map.IsNull()) return headers;
        if (!map.IsMap()) return invalid("key headers is no YAML map of header to value");
        for (const auto& entry : map) {
            if (!entry.first.IsScalar() || !entry.second.IsScalar())
                return invalid("key headers takes one text for each header");
            set_header(headers, entry.first.Scalar(), entry.second.Scalar());
        }
    } catch (const YAML::Exception& error) {
        return invalid("key headers is not YAML (line " + std::to_string(error.mark.line + 1) +
                       ")");
    }
    return headers;
}

Result<Credentials> read_credentials(const std::string& secret, const sdk::Call& call) {
    Reader reader(secret, call);
    Credentials credentials;
    credentials.address = trimmed(reader.text("address"));
    if (credentials.address.size() > kMostAddressBytes)
        reader.fail("address is longer than 2048 bytes");
    credentials.proxy = trimmed(reader.text("proxy"));
    if (auto token = reader.get("token")) {
        if (token->empty())
            reader.fail("HMAC key is empty (key token); give it bytes or remove it");
        credentials.token = std::move(*token);
    }
    auto headers = headers_from_yaml(reader.text("headers"));
    if (headers) credentials.headers = std::move(*headers);
    else reader.fail(headers.error().message);
    read_basic_auth(reader, credentials);
    read_tls(reader, credentials);
    if (auto error = reader.take_error()) return std::move(*error);
    return credentials;
}

}  // namespace promotiond::webhook
