// Mistakes of one file, collected so that a person hears of all of them at once. Internal to app.
//
// Thread-safety: none.
#pragma once

#include <string>

#include "base/result.hpp"

namespace promotiond::app {

class Mistakes {
public:
    // True if it is one.
    template <class T>
    bool found_in(const Result<T>& result) {
        if (result) return false;
        add(result.error());
        return true;
    }
    void add(const Error& mistake) { text_ += (text_.empty() ? "" : "\n") + mistake.message; }
    [[nodiscard]] bool none() const { return text_.empty(); }
    // Invalid, with a line for each; or nothing wrong.
    [[nodiscard]] Result<void> told() const {
        if (none()) return {};
        return Error{ErrorKind::Invalid, text_};
    }

private:
    std::string text_;
};

}  // namespace promotiond::app
