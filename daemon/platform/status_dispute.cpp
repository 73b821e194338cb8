#include "platform/status_dispute.hpp"

#include <algorithm>

#include "platform/kube_pause.hpp"

namespace promotiond::platform {

bool StatusDispute::rewritten(SteadyTime now, const DisputePace& pace) {
    if (now >= over_) {
        rewrites_ = 0;
        pause_ = {};
    }
    pause_ = std::clamp(pause_ * 2, pace.first, pace.most);
    next_ = now + jittered(pause_);
    over_ = now + pace.quiet;
    return ++rewrites_ == 2;
}

std::string last_status_writer(const KubeObject& object, const std::string& own) {
    std::string writer;
    std::string latest;  // RFC 3339 in UTC: sorts as text
    object.json.at({"metadata", "managedFields"}).each_item([&](JsonView entry) {
        if (entry["subresource"].text() != "status") return true;
        const auto name = entry["manager"].text();
        const auto time = entry["time"].text();
        if (time > latest || (time == latest && name != own)) {
            writer = name;
            latest = time;
        }
        return true;
    });
    return writer;
}

}  // namespace promotiond::platform
