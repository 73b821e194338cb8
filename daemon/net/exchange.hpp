// exchange: one HTTP/1.1 request and its answer on a connection. Boost.Beast parses; this adds what
// a careful client checks.
//
// Thread-safety: pure apart from the connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <variant>

#include "net/connection.hpp"
#include "net/http_client.hpp"
#include "net/wire.hpp"

namespace promotiond::net {

// A proper end, or that of a handler that had enough; and whether the connection may carry another
// exchange.
enum class ExchangeEnd { Reusable, Closing };

struct ExchangeFailure {
    HttpError error;
    bool no_answer_begun = false;  // not one byte came: the connection may have been stale
};

struct ExchangeOptions {
    bool head = false;                                           // the answer has no body
    std::optional<std::uint64_t> max_body_bytes = {};            // none = no limit
    std::optional<std::chrono::milliseconds> idle_timeout = {};  // none = the limit alone
};

[[nodiscard]] std::variant<ExchangeEnd, ExchangeFailure> exchange(Connection& connection,
                                                                  const Wire& wire,
                                                                  const ExchangeOptions& options,
                                                                  const StreamHandler& handler,
                                                                  const Limit& limit);

// Reads the head of a proxy's answer to CONNECT and not one byte more; the status code.
[[nodiscard]] Attempt<int> read_connect_answer(Connection& connection, const Limit& limit);

}  // namespace promotiond::net
