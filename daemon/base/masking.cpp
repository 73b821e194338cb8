#include "base/masking.hpp"

#include <algorithm>
#include <bitset>
#include <unordered_map>
#include <vector>

namespace promotiond {
namespace {

constexpr std::string_view kMask = "***";

std::size_t first_two(std::string_view text) {
    return static_cast<std::size_t>(static_cast<unsigned char>(text[0])) << 8 |
           static_cast<unsigned char>(text[1]);
}

}  // namespace

// Values by how they begin: two bytes to pass over almost everything, then the shortest a value
// can be.
class Masking::Index {
public:
    explicit Index(const std::deque<std::shared_ptr<const Secret>>& values)
        : values_(values.begin(), values.end()) {
        for (const auto& each : values_) {
            const auto value = each->reveal();
            beginnings_.set(first_two(value));
            by_beginning_[value.substr(0, kShortest)].push_back(value);
        }
    }

    // Bytes of the longest value that the text begins with; 0 = none. At least kShortest bytes.
    [[nodiscard]] std::size_t match(std::string_view text) const {
        if (!beginnings_.test(first_two(text))) return 0;
        const auto found = by_beginning_.find(text.substr(0, kShortest));
        if (found == by_beginning_.end()) return 0;
        std::size_t longest = 0;
        for (const auto value : found->second) {
            if (text.substr(0, value.size()) == value) longest = std::max(longest, value.size());
        }
        return longest;
    }

private:
    std::vector<std::shared_ptr<const Secret>> values_;
    std::bitset<1u << 16> beginnings_;
    std::unordered_map<std::string_view, std::vector<std::string_view>> by_beginning_;
};

bool Masking::add(std::string_view value) {
    if (value.size() < kShortest) return true;
    auto known = known_.access();
    if (known->views.contains(value)) return true;
    known->values.push_back(std::make_shared<const Secret>(value));
    known->views.insert(known->values.back()->reveal());
    known->index.reset();
    if (known->values.size() <= most_) return true;
    known->views.erase(known->values.front()->reveal());
    known->values.pop_front();
    return false;
}

std::shared_ptr<const Masking::Index> Masking::index() {
    auto known = known_.access();
    if (known->values.empty()) return nullptr;
    if (!known->index) known->index = std::make_shared<const Index>(known->values);
    return known->index;
}

std::string Masking::masked(std::string_view text) {
    const auto values = text.size() < kShortest ? nullptr : index();
    if (!values) return std::string(text);
    std::string out;
    std::size_t shown = 0;   // what is before has been taken over
    std::size_t hidden = 0;  // where the stretch that is being hidden ends
    for (std::size_t at = 0; at + kShortest <= text.size(); ++at) {
        const std::size_t size = values->match(text.substr(at));
        if (size == 0) continue;
        if (hidden <= at) {
            out += text.substr(shown, at - shown);
            out += kMask;
        }
        hidden = std::max(hidden, at + size);
        shown = hidden;
    }
    out += text.substr(shown);
    return out;
}

}  // namespace promotiond
