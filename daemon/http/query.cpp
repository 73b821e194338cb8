#include "http/query.hpp"

#include <algorithm>
#include <charconv>

namespace promotiond::http {
namespace {

constexpr std::size_t kUsualLimit = 100;
constexpr std::size_t kMostLimit = 1000;

Error invalid(std::string message) { return Error{ErrorKind::Invalid, std::move(message)}; }

template <class Number>
std::optional<Number> number_from(const std::string& text) {
    Number number = 0;
    const char* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || at != end) return std::nullopt;
    return number;
}

Result<model::PipelineName> pipeline_named(const std::string& text) {
    const std::size_t slash = text.find('/');
    if (slash == 0 || slash == std::string::npos || slash + 1 == text.size() ||
        text.find('/', slash + 1) != std::string::npos) {
        return invalid("pipeline= takes <namespace>/<name>");
    }
    return model::PipelineName{text.substr(0, slash), text.substr(slash + 1)};
}

Result<std::size_t> limit_from(const Target& target) {
    const std::string* text = target.parameter("limit");
    if (text == nullptr) return kUsualLimit;
    const auto limit = number_from<std::size_t>(*text);
    if (limit && *limit >= 1 && *limit <= kMostLimit) return *limit;
    return invalid("limit= takes a number from 1 to " + std::to_string(kMostLimit));
}

Result<void> set(journal::Filter& filter, const std::string& key, const std::string& value) {
    if (key == "pipeline") {
        auto name = pipeline_named(value);
        if (!name) return std::move(name).error();
        filter.pipeline = std::move(*name);
    } else if (key == "environment") {
        if (value.empty()) return invalid("environment= takes the name of an environment");
        filter.environment = value;
    } else if (key == "phase") {
        filter.phase = model::phase_named(value);
        if (!filter.phase) return invalid("phase= takes one of the phases, as in Pending");
    } else if (key == "unfinished") {
        filter.unfinished_only = value.empty() || value == "true" || value == "1";
        if (!filter.unfinished_only && value != "false" && value != "0")
            return invalid("unfinished= takes true or false");
    } else if (key == "after") {
        const auto cursor = number_from<std::int64_t>(value);
        if (!cursor || *cursor < 1) return invalid("after= takes the 'next' of the page before");
        filter.after = value;
    }
    return {};
}

}  // namespace

Result<void> check_parameters(const Target& target, std::span<const std::string_view> known) {
    for (auto at = target.query.begin(); at != target.query.end(); ++at) {
        const std::string& key = at->first;
        const auto same = [&](const auto& other) { return other.first == key; };
        if (std::any_of(target.query.begin(), at, same))
            return invalid("'" + key + "' is there more than once");
        if (std::find(known.begin(), known.end(), key) != known.end()) continue;
        std::string taken;
        for (const std::string_view name : known) {
            taken.append(taken.empty() ? "; it takes " : ", ").append(name);
        }
        return invalid("'" + key + "' is no parameter of this address" + taken);
    }
    return {};
}

Result<journal::Filter> promotions_query(const Target& target) {
    static constexpr std::string_view kKnown[] = {"pipeline",   "environment", "phase",
                                                  "unfinished", "limit",       "after"};
    if (auto checked = check_parameters(target, kKnown); !checked)
        return std::move(checked).error();
    journal::Filter filter;
    for (const auto& [key, value] : target.query) {
        if (auto done = set(filter, key, value); !done) return std::move(done).error();
    }
    const auto limit = limit_from(target);
    if (!limit) return limit.error();
    filter.limit = *limit;
    return filter;
}

Result<EventsQuery> events_query(const Target& target) {
    static constexpr std::string_view kKnown[] = {"pipeline", "limit"};
    if (auto checked = check_parameters(target, kKnown); !checked)
        return std::move(checked).error();
    const std::string* text = target.parameter("pipeline");
    if (text == nullptr) return invalid("say whose: ?pipeline=<namespace>/<name>");
    auto name = pipeline_named(*text);
    if (!name) return std::move(name).error();
    const auto limit = limit_from(target);
    if (!limit) return limit.error();
    return EventsQuery{std::move(*name), *limit};
}

}  // namespace promotiond::http
