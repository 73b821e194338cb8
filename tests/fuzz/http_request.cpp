// The request reader, fed whole and in small pieces: both must come to the same end, and nothing
// that is refused may leave a request behind.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "http/request_reader.hpp"
#include "http/routes.hpp"
#include "http/target.hpp"

namespace {

using promotiond::http::Request;
using promotiond::http::RequestReader;

void expect(bool truth) {
    if (!truth) std::abort();
}

struct Outcome {
    std::vector<std::string> requests;
    unsigned refused = 0;
    bool operator==(const Outcome&) const = default;
};

Outcome read(const std::string& input, std::size_t piece) {
    Outcome outcome;
    RequestReader reader({.head = 1024, .target = 512, .fields = 20, .body = 2048});
    std::string buffer;
    for (std::size_t at = 0; at < input.size(); at += piece) {
        buffer.append(input, at, piece);
        bool more = true;
        while (more) {
            switch (reader.advance(buffer)) {
                case RequestReader::Step::Head: break;
                case RequestReader::Step::Whole: {
                    const Request request = reader.take();
                    expect(request.body.size() <= 2048);
                    expect(!request.target.empty() && request.target.front() == '/');
                    outcome.requests.push_back(request.method + " " + request.target + "\n" +
                                               request.body);
                    more = !buffer.empty();
                    break;
                }
                case RequestReader::Step::Refused: {
                    outcome.refused = reader.refusal().status;
                    expect(outcome.refused >= 400);
                    return outcome;
                }
                default: more = false;
            }
        }
    }
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string input(reinterpret_cast<const char*>(data), size);
    const Outcome whole = read(input, input.size() + 1);
    const Outcome pieces = read(input, 1);
    // Pieces may still wait for bytes where the whole shows that none could help; never the
    // reverse.
    expect(whole.requests == pieces.requests);
    expect(pieces.refused == 0 || whole.refused != 0);
    for (const std::string& request : whole.requests) {
        const std::size_t space = request.find(' ');
        const auto target = promotiond::http::parse_target(
            request.substr(space + 1, request.find('\n') - space - 1));
        if (!target) continue;
        (void)promotiond::http::find_route(request.substr(0, space), *target, "/pipelines");
    }
    return 0;
}
