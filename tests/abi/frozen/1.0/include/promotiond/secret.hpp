// Secret: bytes that must not be copied by accident, printed, or left in memory.
//
// Move-only; the storage is overwritten when it is released. There is no operator<< and no
// conversion to std::string: reveal() is the one door, so that a search for it finds every use.
//
// Thread-safety: a value like any other.
#ifndef PROMOTIOND_SECRET_HPP
#define PROMOTIOND_SECRET_HPP

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace promotiond::sdk::inline v1 {

class Secret {
public:
    Secret() = default;
    explicit Secret(std::string_view bytes) : bytes_(bytes.begin(), bytes.end()) {}

    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    Secret(Secret&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
    Secret& operator=(Secret&& other) noexcept {
        if (this != &other) {
            wipe();
            bytes_ = std::exchange(other.bytes_, {});
        }
        return *this;
    }
    ~Secret() { wipe(); }

    // A second, equally guarded holder; spelled out because copies of secrets should be seen in
    // review.
    [[nodiscard]] Secret duplicate() const { return Secret(reveal()); }

    // Valid while this object lives and is not moved from.
    [[nodiscard]] std::string_view reveal() const noexcept {
        return {bytes_.data(), bytes_.size()};
    }
    [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }

private:
    void wipe() noexcept {
        // volatile keeps the compiler from dropping stores to memory that is about to be freed.
        volatile char* at = bytes_.data();
        for (std::size_t i = 0; i < bytes_.size(); ++i) at[i] = 0;
    }

    // A vector, not a string: the small-string buffer of a moved-from std::string would keep the
    // bytes.
    std::vector<char> bytes_;
};

}  // namespace promotiond::sdk::inline v1

#endif
