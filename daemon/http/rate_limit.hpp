// RateLimit: so many requests per client and fixed window, which begins with the client's first.
//
// Requests beyond the limit count too, as pipeline-controller counts them. Thread-safety: none.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.hpp"

namespace promotiond::http {

class RateLimit {
public:
    // requests 0 = no limit.
    RateLimit(std::uint32_t requests, std::chrono::milliseconds interval)
        : requests_(requests), interval_(interval) {}

    // Nothing if the request may pass, else how long until the window ends.
    [[nodiscard]] std::optional<std::chrono::milliseconds> hit(const std::string& client,
                                                               SteadyTime now);
    // The same without counting the request.
    [[nodiscard]] std::optional<std::chrono::milliseconds> look(const std::string& client,
                                                                SteadyTime now) const;
    [[nodiscard]] std::size_t clients() const { return windows_.size(); }

private:
    struct Window {
        SteadyTime start;
        std::uint32_t count = 0;
    };
    void sweep(SteadyTime now);

    std::uint32_t requests_;
    std::chrono::milliseconds interval_;
    std::unordered_map<std::string, Window> windows_;
    SteadyTime swept_{};
};

}  // namespace promotiond::http
