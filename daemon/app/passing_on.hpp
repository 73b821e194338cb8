// What a replica makes of a request that it passes on to the leader, and of the leader's answer
// (RFC 9110 7.6): everything goes on as it came, but what belongs to one connection alone.
//
// Thread-safety: functions without shared state.
#pragma once

#include <string>

#include "http/message.hpp"
#include "net/http_client.hpp"

namespace promotiond::app {

// The same request to the leader at that address ("http://10.0.0.7:8082"). X-Forwarded-For names
// the peer behind whom it names already, Via this replica.
[[nodiscard]] net::Request passed_on(const http::Request& from, const std::string& address);

[[nodiscard]] http::Response handed_back(net::Response from);

}  // namespace promotiond::app
