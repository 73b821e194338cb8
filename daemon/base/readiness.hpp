// Readiness: which parts of the daemon can do their work now, for /readyz and for people.
//
// A part says so itself, by a name of its own, whenever that changes. One that is degraded does
// less than it should - a right is missing, a server does not answer - while everything else goes
// on; one that is not ready keeps the daemon from work as a whole.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <map>
#include <string>

#include "base/guarded.hpp"

namespace promotiond {

class Readiness {
public:
    enum class State { Ready, Degraded, NotReady };
    struct Part {
        State state = State::Ready;
        std::string reason;  // for people; empty if it is ready
    };

    void ready(const std::string& part) { parts_.access()->insert_or_assign(part, Part{}); }
    void degraded(const std::string& part, std::string reason) {
        parts_.access()->insert_or_assign(part, Part{State::Degraded, std::move(reason)});
    }
    void not_ready(const std::string& part, std::string reason) {
        parts_.access()->insert_or_assign(part, Part{State::NotReady, std::move(reason)});
    }
    // The part is no more.
    void forget(const std::string& part) { parts_.access()->erase(part); }

    // By name.
    [[nodiscard]] std::map<std::string, Part> parts() const { return *parts_.access(); }
    [[nodiscard]] bool good() const {
        auto parts = parts_.access();
        for (const auto& [name, part] : *parts) {
            if (part.state == State::NotReady) return false;
        }
        return true;
    }

private:
    mutable Guarded<std::map<std::string, Part>> parts_;
};

}  // namespace promotiond
