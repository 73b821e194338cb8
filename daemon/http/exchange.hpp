// Exchange: one request and the one chance to answer it, from any thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "http/message.hpp"
#include "http/routes.hpp"

namespace promotiond::http {

using Send = std::function<void(Response)>;

class Exchange {
public:
    Exchange(Request whole, Target address, Match found, Send send)
        : request(std::move(whole)),
          target(std::move(address)),
          match(std::move(found)),
          send_(std::move(send)) {}
    // Nobody answered: the core went down with the question.
    ~Exchange() {
        if (!answered_) {
            answer(problem(503, "the daemon is stopping; send the request again", request));
        }
    }
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    // Only the first answer counts.
    void answer(Response response) {
        if (!answered_.exchange(true)) send_(std::move(response));
    }
    void refuse(unsigned status, std::string_view detail, std::string_view rejected = {}) {
        Response response = problem(status, detail, request);
        response.rejected = rejected;
        if (status == 503) response.headers.emplace_back("Retry-After", "5");
        answer(std::move(response));
    }

    Request request;
    Target target;
    Match match;
    // Namespaces that the caller may see in lists; nothing = all.
    std::optional<std::set<std::string>> visible;

private:
    Send send_;
    std::atomic<bool> answered_{false};
};

using ExchangePtr = std::shared_ptr<Exchange>;

}  // namespace promotiond::http
