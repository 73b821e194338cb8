#include "http/target.hpp"

#include <charconv>
#include <cstdint>
#include <optional>

namespace promotiond::http {
namespace {

std::optional<unsigned> hex_digit(char c) {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
    return std::nullopt;
}

Result<std::string> decoded(std::string_view text, bool plus_is_space) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '+' && plus_is_space) c = ' ';
        if (text[i] == '%') {
            const auto high = i + 2 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
            const auto low = high ? hex_digit(text[i + 2]) : std::nullopt;
            if (!low) {
                return Error{ErrorKind::Invalid, "the address has a '%' without two hex digits"};
            }
            c = static_cast<char>(*high * 16 + *low);
            i += 2;
        }
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte >= 0x7f) {
            return Error{ErrorKind::Invalid,
                         "the address has a control character or one outside of ASCII"};
        }
        out.push_back(c);
    }
    return out;
}

Result<std::vector<std::string>> path_segments(std::string_view path) {
    std::vector<std::string> segments;
    if (!path.empty() && path.front() == '/') path.remove_prefix(1);
    if (!path.empty() && path.back() == '/') path.remove_suffix(1);
    while (!path.empty() || !segments.empty()) {
        const std::size_t slash = path.find('/');
        auto segment = decoded(path.substr(0, slash), false);
        if (!segment) return std::move(segment).error();
        if (segment->empty() || *segment == "." || *segment == "..") {
            return Error{ErrorKind::NotFound, "there is nothing at this address"};
        }
        segments.push_back(std::move(*segment));
        if (slash == std::string_view::npos) break;
        path.remove_prefix(slash + 1);
    }
    return segments;
}

}  // namespace

const std::string* Target::parameter(std::string_view name) const {
    for (const auto& [key, value] : query) {
        if (key == name) return &value;
    }
    return nullptr;
}

Result<Target> parse_target(std::string_view text) {
    Target target;
    const std::size_t mark = text.find('?');
    auto segments = path_segments(text.substr(0, mark));
    if (!segments) return std::move(segments).error();
    target.segments = std::move(*segments);
    std::string_view query =
        mark == std::string_view::npos ? std::string_view() : text.substr(mark + 1);
    while (!query.empty()) {
        const std::size_t end = query.find('&');
        const std::string_view pair = query.substr(0, end);
        const std::size_t equals = pair.find('=');
        auto key = decoded(pair.substr(0, equals), true);
        auto value = decoded(
            equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1), true);
        if (!key) return std::move(key).error();
        if (!value) return std::move(value).error();
        if (!pair.empty()) target.query.emplace_back(std::move(*key), std::move(*value));
        if (end == std::string_view::npos) break;
        query.remove_prefix(end + 1);
    }
    return target;
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    const std::int64_t factor = unit == "ms" ? 1 : unit == "s" ? 1000 : unit == "m" ? 60'000 : 0;
    const std::int64_t total = factor * static_cast<std::int64_t>(number);
    if (error != std::errc{} || factor == 0 || total > 86'400'000) {
        return Error{ErrorKind::Invalid,
                     "a time is a number and a unit, as in 500ms, 20s or 1m, and at most a day"};
    }
    return std::chrono::milliseconds{total};
}

}  // namespace promotiond::http
