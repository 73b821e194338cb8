#include "signature.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <stdexcept>

namespace promotiond::webhook {

std::string signature_of(std::string_view key, std::string_view body) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    const auto* bytes = reinterpret_cast<const unsigned char*>(body.data());
    if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes, body.size(),
             digest.data(), &size) == nullptr)
        throw std::runtime_error("cannot compute HMAC-SHA256");
    constexpr char kHex[] = "0123456789abcdef";
    std::string out = "sha256=";
    for (unsigned i = 0; i < size; ++i) {
        out += kHex[digest[i] >> 4];
        out += kHex[digest[i] & 0xf];
    }
    return out;
}

}  // namespace promotiond::webhook
