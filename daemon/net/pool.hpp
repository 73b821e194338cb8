// Pool: connections that lie idle between exchanges, by origin.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/guarded.hpp"
#include "net/connection.hpp"

namespace promotiond::net {

class Pool {
public:
    // A quiet connection that has lain idle for less than `idle_most`; the most recent first.
    [[nodiscard]] std::optional<Connection> take(const std::string& key,
                                                 std::chrono::milliseconds idle_most);
    void give(const std::string& key, Connection connection);

private:
    struct Idle {
        Connection connection;
        SteadyTime since;
    };
    using Map = std::map<std::string, std::vector<Idle>>;
    // What has to be closed is handed out, so that it is closed without the lock.
    static void drop_old(Map& idle, std::vector<Idle>& closing);

    Guarded<Map> idle_;
};

}  // namespace promotiond::net
