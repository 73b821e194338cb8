#include "model/promotion.hpp"

#include <openssl/evp.h>

#include <array>
#include <stdexcept>

namespace promotiond::model {

namespace {

// "name:length:value;" cannot be read in two ways, whatever the value holds.
void append_field(std::string& text, std::string_view name, std::string_view value) {
    text.append(name).append(":").append(std::to_string(value.size())).append(":");
    text.append(value).append(";");
}

std::array<unsigned char, 32> sha256(std::string_view text) {
    std::array<unsigned char, 32> digest{};
    unsigned int size = 0;
    if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
        throw std::runtime_error("OpenSSL has no SHA-256");  // not a build we can run on
    }
    return digest;
}

}  // namespace

PromotionId promotion_id(const Scope& scope, const std::string& revision, std::uint32_t ordinal) {
    std::string text = "promotion-1;";
    append_field(text, "namespace", scope.pipeline.ns);
    append_field(text, "name", scope.pipeline.name);
    append_field(text, "environment", scope.environment);
    append_field(text, "target", scope.target);
    append_field(text, "revision", revision);
    append_field(text, "ordinal", std::to_string(ordinal));
    const auto digest = sha256(text);

    constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
    constexpr std::size_t kLetters = 26;  // of 5 bits
    PromotionId id = "p-";
    for (std::size_t letter = 0; letter < kLetters; ++letter) {
        const std::size_t bit = letter * 5;
        const unsigned pair = (static_cast<unsigned>(digest[bit / 8]) << 8) | digest[bit / 8 + 1];
        id += kAlphabet[(pair >> (11 - bit % 8)) & 31u];
    }
    return id;
}

}  // namespace promotiond::model
