// ctl: promotionctl as a function, so that it can be tested without a process.
//
// Answers go to `out`, everything said to a person about the run itself goes to `err`.
// Thread-safety: one call at a time for a pair of streams.
#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace promotiond::ctl {

// Documented in --help and docs/promotionctl.md.
enum ExitCode : int {
    kOk = 0,
    kFailed = 1,
    kUsage = 2,
    kNotFound = 3,
    kTryAgain = 75,  // EX_TEMPFAIL of sysexits.h
};

struct Surroundings {
    std::ostream& out;
    std::ostream& err;
    // An environment variable, or nothing.
    std::function<std::optional<std::string>(const char*)> variable;
};

// `words` are the arguments after the program's name.
[[nodiscard]] int run(const std::vector<std::string>& words, const Surroundings& surroundings);

}  // namespace promotiond::ctl
