// progress: what is told while a command is at work, a line each with the time, as
// gitops-promotion's log has it.
//
// Thread-safety: one thread.
#pragma once

#include <iosfwd>
#include <string>

namespace promotiond::ctl::gitops {

class Progress {
public:
    explicit Progress(std::ostream& err) : err_(err) {}
    void say(const std::string& line) const;

private:
    std::ostream& err_;
};

}  // namespace promotiond::ctl::gitops
