// Waiting for the network, for a lock or for time to pass, and never past the end of the call.
//
// Thread-safety: as the call's, any thread. Keeps a reference to the call: must not outlive it.
#ifndef PROMOTIOND_GITOPS_GIT_WAITING_HPP
#define PROMOTIOND_GITOPS_GIT_WAITING_HPP

#include <chrono>
#include <optional>

#include <promotiond/strategy.hpp>

namespace promotiond::sdk::inline v1::gitops {

class Waiting {
public:
    explicit Waiting(const Call& call) : call_(&call) {}

    // Why to stop now: Cancelled when asked to, Transient when the deadline has passed.
    [[nodiscard]] std::optional<Error> over() const;
    // Until the socket is ready for `events` of poll(2), with the call looked at every 100 ms.
    [[nodiscard]] Result<void> for_socket(int fd, short events) const;
    // A nap, cut short by the end of the call.
    [[nodiscard]] Result<void> nap(std::chrono::milliseconds length) const;

private:
    const Call* call_;
};

}  // namespace promotiond::sdk::inline v1::gitops

#endif
