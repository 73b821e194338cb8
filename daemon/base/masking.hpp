// Masking: the values that no text may show, and the search for them.
//
// A search looks at an immutable index and holds no lock meanwhile; where a text has nothing to
// hide, it costs a table look-up a character, however many values there are. Thread-safety: all
// functions from any thread.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/guarded.hpp"
#include "base/result.hpp"

namespace promotiond {

class Masking {
public:
    static constexpr std::size_t kShortest = 6;  // bytes; shorter ones would eat ordinary words

    // Keeps the newest `most` values.
    explicit Masking(std::size_t most) : most_(most) {}

    // False: the oldest value was given up for this one, and is shown from now on.
    [[nodiscard]] bool add(std::string_view value);
    // Each stretch that values cover, also overlapping ones, becomes "***".
    [[nodiscard]] std::string masked(std::string_view text);

private:
    class Index;
    struct Known {
        std::deque<std::shared_ptr<const Secret>> values;  // oldest first
        std::unordered_set<std::string_view> views;        // of the same values
        std::shared_ptr<const Index> index;                // null: made anew by the next search
    };
    std::shared_ptr<const Index> index();

    const std::size_t most_;
    Guarded<Known> known_;
};

}  // namespace promotiond
