// An HttpClient that answers from a script. It defines net::HttpClient itself, so a program that
// links this file never takes the real one from its library.
#pragma once

#include <functional>
#include <variant>

#include "net/http_client.hpp"

namespace promotiond::test {

using HttpAnswer = std::variant<net::Response, net::HttpError>;

// Receives every request of the program; set by the test that runs.
std::function<HttpAnswer(const net::Request&, std::stop_token)>& http_script();

}  // namespace promotiond::test
