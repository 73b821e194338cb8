#include "forge/answer.hpp"

#include <Poco/JSON/Parser.h>

#include <algorithm>
#include <charconv>
#include <sstream>

namespace promotiond::forge {
namespace {

constexpr std::size_t kDeepestAnswer = 30;
constexpr std::size_t kLongestWords = 300;  // bytes of the other side's text in a message
constexpr std::chrono::seconds kLeastPause{1};
constexpr std::chrono::seconds kUsualPause{60};  // what GitHub asks for without a number
constexpr std::chrono::seconds kMostPause{3600};

}  // namespace

Poco::Dynamic::Var parse(std::string_view json) {
    Poco::JSON::Parser parser;
    parser.setDepth(kDeepestAnswer);
    return parser.parse(std::string(json));
}

std::string text_of(const Poco::JSON::Object& object) {
    std::ostringstream out;
    object.stringify(out);
    return out.str();
}

std::string text(const Poco::JSON::Object& object, const std::string& key) {
    const auto value = object.get(key);
    return value.isString() ? value.extract<std::string>() : std::string();
}

bool truth(const Poco::JSON::Object& object, const std::string& key) {
    const auto value = object.get(key);
    return value.isBoolean() && value.extract<bool>();
}

std::uint64_t positive_number(const Poco::JSON::Object& object, const std::string& key) {
    const auto value = object.get(key);
    if (!value.isInteger() || value.isBoolean()) return 0;
    const auto number = value.convert<Poco::Int64>();
    return number > 0 ? static_cast<std::uint64_t>(number) : 0;
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    }
    return out;
}

std::optional<std::int64_t> number_in(std::string_view text) {
    std::int64_t number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
    return number;
}

sdk::Error bad_answer(std::string_view what) {
    return {sdk::ErrorKind::Transient, "bad answer: " + std::string(what)};
}

// Secrets go before anything is cut, so that no part of one is left at the end.
std::string words(std::string_view raw, const std::vector<std::string_view>& secrets) {
    std::string out;
    while (!raw.empty() && out.size() < kLongestWords) {
        const auto found = std::find_if(
            secrets.begin(), secrets.end(),
            [&](std::string_view secret) { return !secret.empty() && raw.starts_with(secret); });
        const bool secret = found != secrets.end();
        out += secret ? "***" : std::string(1, raw.front());
        raw.remove_prefix(secret ? found->size() : 1);
    }
    out.resize(std::min(out.size(), kLongestWords));
    for (char& c : out) {
        if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7E) c = ' ';
    }
    return out;
}

std::chrono::milliseconds pause_of(const sdk::HttpResponse& response,
                                   std::chrono::sys_time<std::chrono::milliseconds> now) {
    std::chrono::seconds pause = kUsualPause;
    if (const auto after = number_in(response.header("retry-after"))) {
        pause = std::chrono::seconds(std::clamp<std::int64_t>(*after, 0, kMostPause.count()));
    } else if (const auto reset = number_in(response.header("x-ratelimit-reset"));
               reset && response.header("x-ratelimit-remaining") == "0") {
        const auto second =
            std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
        const bool ahead = *reset > second;
        pause = std::chrono::seconds(
            ahead ? std::min<std::int64_t>(*reset - second, kMostPause.count()) : 0);
    }
    return std::clamp(pause, kLeastPause, kMostPause);
}

}  // namespace promotiond::forge
