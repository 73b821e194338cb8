#include "unit/strategy_fake_http.hpp"

namespace promotiond::test {

std::function<HttpAnswer(const net::Request&, std::stop_token)>& http_script() {
    static std::function<HttpAnswer(const net::Request&, std::stop_token)> script;
    return script;
}

}  // namespace promotiond::test

namespace promotiond::net {

class HttpClient::State {};

HttpClient::HttpClient(Options, Metrics&) {}
HttpClient::~HttpClient() = default;

std::variant<Response, HttpError> HttpClient::send(const Request& request, std::stop_token stop) {
    return test::http_script()(request, std::move(stop));
}

std::variant<int, HttpError> HttpClient::dial(const std::string& host, std::uint16_t,
                                              const std::string&, SteadyTime, std::stop_token) {
    return HttpError{Failure::Refused, "no way to " + host};
}

}  // namespace promotiond::net
