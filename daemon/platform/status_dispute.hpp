// StatusDispute: how often a status is written again that somebody else keeps overwriting.
//
// The first time it is at once, as somebody may just have edited it by hand. From then on each
// pause is twice as long as the one before, for two writers that disagree answer each other as fast
// as the server lets them. After a quiet time it is as it was in the beginning.
//
// Thread-safety: none; a value of whoever writes.
#pragma once

#include <chrono>
#include <string>

#include "base/clock.hpp"
#include "platform/kube_object.hpp"

namespace promotiond::platform {

struct DisputePace {
    std::chrono::milliseconds first{1'000};  // doubles, 20 % shorter or longer by lot
    std::chrono::milliseconds most{300'000};
    std::chrono::milliseconds quiet{600'000};  // without a rewrite: it is over; well above most
};

class StatusDispute {
public:
    // The same may be written again from then on.
    [[nodiscard]] SteadyTime next() const { return next_; }
    // It was. True once in a dispute: it is one now.
    bool rewritten(SteadyTime now, const DisputePace& pace);

private:
    int rewrites_ = 0;
    std::chrono::milliseconds pause_{0};
    SteadyTime next_{};
    SteadyTime over_{};
};

// Who wrote the object's status last, by metadata.managedFields: a field manager; empty: it does
// not say. Times there are in seconds; of one second it is the one that is not `own`
// (kubernetes.io/docs/reference/using-api/server-side-apply, read 2026-11).
[[nodiscard]] std::string last_status_writer(const KubeObject& object, const std::string& own);

}  // namespace promotiond::platform
