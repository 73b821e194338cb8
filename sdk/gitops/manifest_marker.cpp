#include "manifest_marker.hpp"

#include <cstdint>

namespace promotiond::sdk::inline v1::gitops {
namespace {

// A reader of one flat JSON object (RFC 8259) whose members are strings; deliberately no more.
class FlatObject {
public:
    explicit FlatObject(std::string_view text) : text_(text) {}

    std::optional<std::string> value_of(std::string_view key) {
        std::optional<std::string> found;
        if (!take('{')) return std::nullopt;
        if (take('}')) return std::nullopt;
        do {
            const auto name = string();
            if (!name || !take(':')) return std::nullopt;
            auto value = string();
            if (!value) return std::nullopt;
            if (*name == key) found = std::move(value);
        } while (take(','));
        if (!take('}')) return std::nullopt;
        skip_space();
        return at_ == text_.size() ? found : std::nullopt;
    }

private:
    void skip_space() {
        while (at_ < text_.size() &&
               std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) {
            ++at_;
        }
    }
    bool take(char wanted) {
        skip_space();
        if (at_ == text_.size() || text_[at_] != wanted) return false;
        ++at_;
        return true;
    }
    std::optional<std::string> string() {
        if (!take('"')) return std::nullopt;
        std::string out;
        while (at_ < text_.size()) {
            const char c = text_[at_++];
            if (c == '"') return out;
            if (static_cast<unsigned char>(c) < 0x20) return std::nullopt;
            if (c != '\\') {
                out += c;
            } else if (!escape(out)) {
                return std::nullopt;
            }
        }
        return std::nullopt;
    }
    bool escape(std::string& out) {
        if (at_ == text_.size()) return false;
        const char c = text_[at_++];
        if (c == 'u') return unicode(out);
        constexpr std::string_view kLetters = "\"\\/bfnrt";
        constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
        const auto index = kLetters.find(c);
        if (index == std::string_view::npos) return false;
        out += kMeanings[index];
        return true;
    }
    // Only ASCII escapes: names of Pipelines hold nothing else, so such a marker cannot be ours.
    bool unicode(std::string& out) {
        if (text_.size() - at_ < 4) return false;
        std::uint32_t code = 0;
        for (int i = 0; i < 4; ++i) {
            const auto digit =
                std::string_view("0123456789abcdef")
                    .find(static_cast<char>(text_[at_] | (text_[at_] >= 'A' ? 0x20 : 0)));
            if (digit == std::string_view::npos) return false;
            code = code * 16 + static_cast<std::uint32_t>(digit);
            ++at_;
        }
        if (code >= 0x80) return false;
        out += static_cast<char>(code);
        return true;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace

std::optional<std::string> marker_in(std::string_view comment, std::string_view key) {
    const auto begin = comment.find_first_not_of('#');
    if (begin == std::string_view::npos) return std::nullopt;
    return FlatObject(comment.substr(begin)).value_of(key);
}

}  // namespace promotiond::sdk::inline v1::gitops
