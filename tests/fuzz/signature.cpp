// The signature header: whatever it says, it is a digest of the right length or nothing, and no
// input signs a body without the key.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "http/auth.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view header(reinterpret_cast<const char*>(data), size);
    const auto signature = promotiond::http::parse_signature(header);
    if (!signature) return 0;
    const std::size_t length = signature->mac.size();
    if (length != 28 && length != 32 && length != 48 && length != 64) std::abort();
    if (header.size() != 7 + 2 * length) std::abort();
    if (promotiond::http::signed_with("a key nobody has", *signature, "body")) std::abort();
    return 0;
}
