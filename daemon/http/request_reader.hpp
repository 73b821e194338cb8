// RequestReader: bytes of one connection -> whole requests, or a refusal. No I/O of its own.
//
// Boost.Beast's parser does the reading; a scan in front of it and checks behind it refuse what it
// would let pass and what two parsers could take in two ways: folded lines, bare LF, control
// characters, doubled or signed lengths, any transfer coding but exactly "chunked", a missing or
// doubled Host, versions other than 1.0 and 1.1, request targets that are not a path. After a
// refusal the connection must be closed: where the next request begins is not known.
//
// Thread-safety: none; one reader a connection.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "http/message.hpp"

namespace promotiond::http {

struct ReadLimits {
    std::size_t head = 16 * 1024;   // bytes of request line and headers
    std::size_t target = 8 * 1024;  // bytes
    std::size_t fields = 100;
    std::uint64_t body = 1u << 20;  // bytes
};

class RequestReader {
public:
    explicit RequestReader(ReadLimits limits);
    ~RequestReader();
    RequestReader(const RequestReader&) = delete;
    RequestReader& operator=(const RequestReader&) = delete;

    enum class Step {
        NeedHead,  // more bytes please; the head is not whole
        Head,      // method, target and headers are there; said once, before the body is looked at
        NeedBody,  // more bytes please
        Whole,     // take() the request
        Refused,   // answer refusal() and close
    };
    // Takes from the front of the buffer what belongs to the current request; the rest is the next
    // one's.
    [[nodiscard]] Step advance(std::string& buffer);

    // After Head: what has been read. The body is only there after Whole.
    [[nodiscard]] Request& request();
    // True from Head on if a body is still to come and the sender waits for "100 Continue".
    [[nodiscard]] bool expects_continue() const;
    // Takes the whole request away and begins with the next.
    [[nodiscard]] Request take();

    struct Refusal {
        unsigned status = 400;
        std::string detail;
    };
    [[nodiscard]] const Refusal& refusal() const;

private:
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace promotiond::http
