// LineCutter: cuts a stream of bytes into lines of bounded length. Internal to the client.
//
// Not thread-safe. Lifetime: on_line outlives it.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace promotiond::platform {

class LineCutter {
public:
    // on_line says false when it has had enough; a line is valid during its call.
    LineCutter(std::size_t longest, const std::function<bool(std::string_view)>& on_line)
        : longest_(longest), on_line_(on_line) {}

    // False: enough, or a line is too long.
    bool take(std::string_view piece) {
        for (auto end = piece.find('\n'); end != piece.npos; end = piece.find('\n')) {
            const auto part = piece.substr(0, end);
            piece.remove_prefix(end + 1);
            if (rest_.size() + part.size() > longest_) return too_long();
            const bool on = rest_.empty() ? given(part) : given(rest_.append(part));
            rest_.clear();
            if (!on) return false;
        }
        if (rest_.size() + piece.size() > longest_) return too_long();
        rest_.append(piece);
        return true;
    }
    [[nodiscard]] bool was_too_long() const { return too_long_; }
    [[nodiscard]] bool has_rest() const { return !rest_.empty(); }
    [[nodiscard]] bool enough() const { return enough_; }

private:
    bool given(std::string_view line) {
        if (line.empty() || line == "\r") return true;
        enough_ = !on_line_(line);
        return !enough_;
    }
    bool too_long() {
        too_long_ = true;
        return false;
    }

    std::size_t longest_;
    const std::function<bool(std::string_view)>& on_line_;
    std::string rest_;
    bool too_long_ = false;
    bool enough_ = false;
};

}  // namespace promotiond::platform
