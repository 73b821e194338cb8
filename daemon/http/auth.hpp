// Authenticity: signatures of events, and bearer tokens for the API. All comparisons of secrets
// take the same time whatever differs.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "http/message.hpp"
#include "http/server.hpp"

namespace promotiond::http {

enum class Digest { Sha224, Sha256, Sha384, Sha512 };

// X-Signature as Flux sends it: "<alg>=<hex>".
struct Signature {
    Digest digest = Digest::Sha256;
    std::string mac;  // bytes, of exactly the digest's length
};

// Nothing: unknown algorithm, not hex, or of another length than the algorithm's.
[[nodiscard]] std::optional<Signature> parse_signature(std::string_view header);

// True if the signature is the HMAC (RFC 2104) of the body under the key.
[[nodiscard]] bool signed_with(std::string_view key, const Signature& signature,
                               std::string_view body);

// Does the work of a comparison that cannot succeed, so that a missing key does not show in time.
void compare_in_vain(const std::optional<Signature>& signature, std::string_view body);

// Of texts of one length; others differ.
[[nodiscard]] bool same_in_constant_time(std::string_view a, std::string_view b);

// A file's one secret. Invalid: it cannot be read, is no regular file, or holds fewer than 16 or
// more than 4096 characters; the message begins with "the file of <what>, <path>, " and says what
// to do. A file that others may read is warned of. Line ends at the end are not part of it.
[[nodiscard]] Result<Secret> read_secret_file(const std::string& what,
                                              const std::filesystem::path& file);

[[nodiscard]] std::string sha256_hex(std::string_view bytes);

// The token of an Authorization header with the scheme Bearer (RFC 6750); nothing without one.
[[nodiscard]] std::optional<std::string_view> bearer_of(const Request& request);
// 401 to whom nobody knows. platform: tokens of the platform's own would do, too.
[[nodiscard]] Response no_token(const Request& request, bool platform);

// The bearer tokens in force. Immutable; reading the files anew makes a new one.
class Tokens {
public:
    // Invalid: a file that cannot be read, is no regular file, or holds fewer than 16 or more than
    // 4096 bytes; the message names it and says what to do. A file that others may read is warned
    // of. Line ends at the end are not part of a token.
    [[nodiscard]] static Result<Tokens> load(const std::vector<ApiToken>& tokens);

    struct Bearer {
        std::string name;
        AccessScope scope = AccessScope::Read;
    };
    // Who presents an Authorization header; nothing if nobody we know.
    [[nodiscard]] std::optional<Bearer> who(const Request& request) const;
    [[nodiscard]] bool empty() const { return known_.empty(); }

private:
    struct Known {
        Bearer bearer;
        std::string digest;  // SHA-256 of the token, bytes
    };
    std::vector<Known> known_;
};

}  // namespace promotiond::http
