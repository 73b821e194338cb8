#include "http/auth.hpp"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "base/log.hpp"

namespace promotiond::http {
namespace {

constexpr std::size_t kTokenLeast = 16;
constexpr std::size_t kTokenMost = 4096;

struct Algorithm {
    std::string_view name;
    Digest digest;
    std::size_t size;
    const EVP_MD* (*evp)();
};
constexpr std::array<Algorithm, 4> kAlgorithms{{{"sha224", Digest::Sha224, 28, EVP_sha224},
                                                {"sha256", Digest::Sha256, 32, EVP_sha256},
                                                {"sha384", Digest::Sha384, 48, EVP_sha384},
                                                {"sha512", Digest::Sha512, 64, EVP_sha512}}};

std::optional<std::string> from_hex(std::string_view hex) {
    std::string bytes;
    if (hex.size() % 2 != 0) return std::nullopt;
    bytes.reserve(hex.size() / 2);
    int high = 0;
    for (std::size_t i = 0; i < hex.size(); ++i) {
        const int digit = OPENSSL_hexchar2int(static_cast<unsigned char>(hex[i]));
        if (digit < 0) return std::nullopt;
        if (i % 2 == 0) {
            high = digit;
        } else {
            bytes.push_back(static_cast<char>(high * 16 + digit));
        }
    }
    return bytes;
}

std::string sha256(std::string_view bytes) {
    std::array<unsigned char, 32> digest{};
    EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Error unusable(const std::string& what, const std::filesystem::path& file, const std::string& why) {
    return {ErrorKind::Invalid, "the file of " + what + ", " + file.string() + ", " + why};
}

struct Descriptor {
    int fd = -1;
    ~Descriptor() {
        if (fd >= 0) ::close(fd);
    }
};

}  // namespace

std::optional<Signature> parse_signature(std::string_view header) {
    const std::size_t equals = header.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    for (const Algorithm& algorithm : kAlgorithms) {
        if (header.substr(0, equals) != algorithm.name) continue;
        const std::string_view hex = header.substr(equals + 1);
        if (hex.size() != algorithm.size * 2) return std::nullopt;
        auto mac = from_hex(hex);
        if (!mac) return std::nullopt;
        return Signature{algorithm.digest, std::move(*mac)};
    }
    return std::nullopt;
}

bool signed_with(std::string_view key, const Signature& signature, std::string_view body) {
    for (const Algorithm& algorithm : kAlgorithms) {
        if (algorithm.digest != signature.digest) continue;
        std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
        unsigned size = 0;
        if (key.empty() || key.size() > 1u << 16) return false;
        if (HMAC(algorithm.evp(), key.data(), static_cast<int>(key.size()),
                 reinterpret_cast<const unsigned char*>(body.data()), body.size(), mac.data(),
                 &size) == nullptr) {
            return false;
        }
        return size == signature.mac.size() &&
               CRYPTO_memcmp(mac.data(), signature.mac.data(), size) == 0;
    }
    return false;
}

void compare_in_vain(const std::optional<Signature>& signature, std::string_view body) {
    static const Signature kNone{Digest::Sha256, std::string(32, '\0')};
    (void)signed_with("no key is as long as this one", signature ? *signature : kNone, body);
}

bool same_in_constant_time(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Result<Secret> read_secret_file(const std::string& what, const std::filesystem::path& path) {
    // Links are followed: a mounted Kubernetes Secret is made of them.
    const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    struct stat status {};
    if (file.fd < 0 || ::fstat(file.fd, &status) != 0) {
        return unusable(what, path, "cannot be read; correct the path or its permissions");
    }
    if (!S_ISREG(status.st_mode)) return unusable(what, path, "is no regular file");
    if ((status.st_mode & (S_IRWXO)) != 0) {
        log::warn("PROMO-4002", "other users may read a secret file; take the permission away",
                  {{"secret", what}, {"file", path.string()}});
    }
    std::array<char, kTokenMost + 2> buffer{};
    const ssize_t got = ::read(file.fd, buffer.data(), buffer.size());
    std::string_view text(buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
    Secret secret(text);
    OPENSSL_cleanse(buffer.data(), buffer.size());
    if (secret.size() < kTokenLeast || secret.size() > kTokenMost) {
        return unusable(what, path, "must hold one text of 16 to 4096 characters");
    }
    for (const char c : secret.reveal()) {
        if (c <= 0x20 || c == 0x7f) {
            return unusable(what, path, "holds spaces, line breaks or other than ASCII characters");
        }
    }
    return secret;
}

std::string sha256_hex(std::string_view bytes) {
    static constexpr std::string_view kHex = "0123456789abcdef";
    std::string text;
    for (const char c : sha256(bytes)) {
        const auto byte = static_cast<unsigned char>(c);
        text.push_back(kHex[byte >> 4]);
        text.push_back(kHex[byte & 15]);
    }
    return text;
}

Result<Tokens> Tokens::load(const std::vector<ApiToken>& tokens) {
    Tokens out;
    for (const ApiToken& token : tokens) {
        auto secret = read_secret_file("API token '" + token.name + "'", token.file);
        if (!secret) return std::move(secret).error();
        log::redact(secret->reveal());
        out.known_.push_back({{token.name, token.scope}, sha256(secret->reveal())});
    }
    return out;
}

std::optional<std::string_view> bearer_of(const Request& request) {
    const std::string* header = request.single("authorization");
    if (header == nullptr || header->size() < 8) return std::nullopt;
    static constexpr std::string_view kScheme = "bearer ";
    for (std::size_t i = 0; i < kScheme.size(); ++i) {
        const char c = (*header)[i];
        const char small = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        if (small != kScheme[i]) return std::nullopt;
    }
    return std::string_view(*header).substr(kScheme.size());
}

Response no_token(const Request& request, bool platform) {
    Response response = problem(401,
                                platform ? "a bearer token is needed that this daemon knows or "
                                           "that the API server gave out"
                                         : "a bearer token of this daemon is needed",
                                request);
    response.rejected = "token";
    response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"promotiond\"");
    return response;
}

std::optional<Tokens::Bearer> Tokens::who(const Request& request) const {
    const auto token = bearer_of(request);
    if (!token) return std::nullopt;
    const std::string presented = sha256(*token);
    std::optional<Bearer> found;
    // Every token is compared, so that time does not tell which one came close.
    for (const Known& known : known_) {
        if (CRYPTO_memcmp(known.digest.data(), presented.data(), presented.size()) == 0) {
            found = known.bearer;
        }
    }
    return found;
}

}  // namespace promotiond::http
