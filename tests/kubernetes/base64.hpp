// RFC 4648's base64, as the `-data` members of a kubeconfig hold it.
#pragma once

#include <openssl/evp.h>

#include <string>

namespace promotiond::tests {

[[nodiscard]] inline std::string base64_of(const std::string& text) {
    std::string encoded((text.size() + 2) / 3 * 4 + 1, '\0');  // EVP_EncodeBlock ends it with a 0
    const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                       reinterpret_cast<const unsigned char*>(text.data()),
                                       static_cast<int>(text.size()));
    encoded.resize(static_cast<std::size_t>(length));
    return encoded;
}

}  // namespace promotiond::tests
