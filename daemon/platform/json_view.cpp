#include "platform/json_view.hpp"

#include <boost/json/parse.hpp>
#include <charconv>

namespace promotiond::platform {
namespace {

constexpr std::size_t kBroken = std::string_view::npos;

std::size_t skip_blanks(std::string_view text, std::size_t at) {
    while (at < text.size() &&
           (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t'))
        ++at;
    return at;
}

// `at` is the opening quote; the place after the closing one.
std::size_t end_of_string(std::string_view text, std::size_t at) {
    for (++at; at < text.size(); ++at) {
        if (text[at] == '\\') {
            ++at;
        } else if (text[at] == '"') {
            return at + 1;
        }
    }
    return kBroken;
}

// Depth is a number here and no recursion: text of any depth is passed over in constant memory.
std::size_t end_of_nested(std::string_view text, std::size_t at) {
    std::size_t depth = 0;
    while (at < text.size()) {
        const char c = text[at];
        if (c == '"') {
            at = end_of_string(text, at);
            if (at == kBroken) return kBroken;
            continue;
        }
        ++at;
        if (c == '{' || c == '[') ++depth;
        if ((c == '}' || c == ']') && --depth == 0) return at;
    }
    return kBroken;
}

std::size_t end_of_value(std::string_view text, std::size_t at) {
    if (at >= text.size()) return kBroken;
    const char first = text[at];
    if (first == '"') return end_of_string(text, at);
    if (first == '{' || first == '[') return end_of_nested(text, at);
    const auto end = text.find_first_of(",]} \n\r\t", at);
    const auto stop = end == std::string_view::npos ? text.size() : end;
    return stop == at ? kBroken : stop;
}

std::string decoded(std::string_view quoted) {
    if (quoted.find('\\') == std::string_view::npos)
        return std::string(quoted.substr(1, quoted.size() - 2));
    boost::json::error_code error;
    const auto value =
        boost::json::parse(boost::json::string_view(quoted.data(), quoted.size()), error);
    if (error || !value.is_string()) return {};
    return {value.get_string().data(), value.get_string().size()};
}

// Walks over what stands between the brackets. `one` takes the place of an element and gives the
// place after it, or kBroken to end; `ended` tells whether that was its wish.
template <class One>
bool walk(std::string_view text, char open, char close, One one) {
    if (text.empty() || text.front() != open) return false;
    std::size_t at = skip_blanks(text, 1);
    if (at < text.size() && text[at] == close) return true;
    while (at < text.size()) {
        bool wanted = true;
        at = one(at, wanted);
        if (!wanted) return true;
        if (at == kBroken) return false;
        at = skip_blanks(text, at);
        if (at >= text.size()) return false;
        if (text[at] == close) return true;
        if (text[at] != ',') return false;
        at = skip_blanks(text, at + 1);
    }
    return false;
}

}  // namespace

JsonView::JsonView(std::string_view text) {
    const std::size_t at = skip_blanks(text, 0);
    const std::size_t end = end_of_value(text, at);
    if (end != kBroken) raw_ = text.substr(at, end - at);
}

bool JsonView::each_item(const std::function<bool(JsonView)>& item) const {
    return walk(raw_, '[', ']', [&](std::size_t at, bool& wanted) {
        const std::size_t end = end_of_value(raw_, at);
        if (end == kBroken) return kBroken;
        JsonView value;
        value.raw_ = raw_.substr(at, end - at);
        wanted = item(value);
        return end;
    });
}

bool JsonView::each_member(
    const std::function<bool(std::string_view key, JsonView)>& member) const {
    return walk(raw_, '{', '}', [&](std::size_t at, bool& wanted) {
        if (raw_[at] != '"') return kBroken;
        const std::size_t key_end = end_of_string(raw_, at);
        if (key_end == kBroken) return kBroken;
        const auto key = raw_.substr(at, key_end - at);
        at = skip_blanks(raw_, key_end);
        if (at >= raw_.size() || raw_[at] != ':') return kBroken;
        at = skip_blanks(raw_, at + 1);
        const std::size_t end = end_of_value(raw_, at);
        if (end == kBroken) return kBroken;
        JsonView value;
        value.raw_ = raw_.substr(at, end - at);
        const bool plain = key.find('\\') == std::string_view::npos;
        wanted = plain ? member(key.substr(1, key.size() - 2), value) : member(decoded(key), value);
        return end;
    });
}

JsonView JsonView::operator[](std::string_view key) const {
    JsonView found;
    each_member([&](std::string_view name, JsonView value) {
        if (name != key) return true;
        found = value;
        return false;
    });
    return found;
}

JsonView JsonView::at(std::initializer_list<std::string_view> path) const {
    JsonView value = *this;
    for (const auto key : path) value = value[key];
    return value;
}

std::string JsonView::text() const { return raw_.starts_with('"') ? decoded(raw_) : std::string(); }

std::optional<std::int64_t> JsonView::number() const {
    std::int64_t value = 0;
    const char* const end = raw_.data() + raw_.size();
    const auto read = std::from_chars(raw_.data(), end, value);
    if (raw_.empty() || read.ec != std::errc() || read.ptr != end) return std::nullopt;
    return value;
}

}  // namespace promotiond::platform
