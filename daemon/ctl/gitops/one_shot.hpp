// one_shot: what a strategy's forge code stands on, for the length of one command: the daemon's own
// HTTP client and host services, without a daemon.
#pragma once

#include <promotiond/strategy.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"

namespace promotiond::ctl::gitops {

// One thread. Its directory is made on construction and removed with it.
class OneShot {
public:
    // Proxies by HTTPS_PROXY and NO_PROXY. The network's deadline is `lasting` from now.
    // Transient: no directory can be made.
    [[nodiscard]] static Result<OneShot> make(
        const std::function<std::optional<std::string>(const char*)>& variable,
        std::chrono::milliseconds lasting);
    OneShot(OneShot&&) noexcept;
    OneShot& operator=(OneShot&&) = delete;
    ~OneShot();

    // As a strategy's verb has it; lives as long as this object, wherever that is moved to.
    [[nodiscard]] sdk::Call& call();

private:
    class Parts;
    explicit OneShot(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

}  // namespace promotiond::ctl::gitops
