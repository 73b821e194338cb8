#include "forge/budget.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>

namespace promotiond::forge {
namespace {

constexpr std::string_view kHeader = "Promotiond-Budget";
constexpr std::array<std::string_view, 4> kUrgencies{"refresh", "open", "merge", "rollback"};

using Version = std::array<std::uint64_t, 3>;

std::optional<Version> version_of(std::string_view text) {
    if (text.starts_with('v')) text.remove_prefix(1);
    Version version{};
    const char* at = text.data();
    const char* const end = text.data() + text.size();
    for (std::size_t i = 0; i < version.size(); ++i) {
        if (i > 0 && (at == end || *at++ != '.')) return std::nullopt;
        const auto read = std::from_chars(at, end, version[i]);
        if (read.ec != std::errc()) return std::nullopt;
        at = read.ptr;
    }
    return version;
}

}  // namespace

void charge(sdk::HttpRequest& request, Urgency urgency, Cost cost, std::string_view resource) {
    const auto said = [](const auto& header) { return header.first == kHeader; };
    if (std::any_of(request.headers.begin(), request.headers.end(), said)) return;
    std::string value(kUrgencies[static_cast<std::size_t>(urgency)]);
    value += cost == Cost::Read ? " read " : " write ";
    value += resource;
    request.headers.emplace_back(kHeader, value);
}

void charge(sdk::HttpRequest& request, Urgency urgency) {
    const bool reads = request.method == "GET" || request.method == "HEAD";
    charge(request, urgency, reads ? Cost::Read : Cost::Write);
}

Urgency urgency_of(const sdk::Promotion& promotion) {
    const auto now = version_of(promotion.revision);
    const auto before = version_of(promotion.previous_revision);
    return now && before && *now < *before ? Urgency::Rollback : Urgency::Open;
}

}  // namespace promotiond::forge
