#include "platform/status_patch.hpp"

#include <algorithm>

#include "platform/parsed_json.hpp"

namespace promotiond::platform {
namespace {

namespace json = boost::json;

const json::object* member(const json::value& value, std::string_view key) {
    const auto* object = value.if_object();
    const auto* found = object == nullptr ? nullptr : object->if_contains(key);
    return found == nullptr ? nullptr : found->if_object();
}

// Every member that wanted has is in current and says the same; arrays are compared as a whole.
bool contains(const json::value& current, const json::value& wanted) {
    const auto* object = wanted.if_object();
    if (object == nullptr) return current == wanted;
    const auto* other = current.if_object();
    if (other == nullptr) return false;
    return std::all_of(object->begin(), object->end(), [other](const auto& each) {
        const auto* found = other->if_contains(each.key());
        return found != nullptr && contains(*found, each.value());
    });
}

// What both say; where they differ in more than members, `over` counts.
json::object laid_over(json::object under, const json::object& over) {
    for (const auto& each : over) {
        auto& kept = under[each.key()];
        if (kept.is_object() && each.value().is_object()) {
            kept = laid_over(kept.get_object(), each.value().get_object());
        } else {
            kept = each.value();
        }
    }
    return under;
}

// Null for each member that wanted does not have.
json::object surplus(const json::object& current, const json::object& wanted) {
    json::object patch;
    for (const auto& each : current) {
        const auto* kept = wanted.if_contains(each.key());
        if (kept == nullptr) patch[each.key()] = nullptr;
        if (kept == nullptr || !kept->is_object() || !each.value().is_object()) continue;
        auto below = surplus(each.value().get_object(), kept->get_object());
        if (!below.empty()) patch[each.key()] = std::move(below);
    }
    return patch;
}

}  // namespace

bool says_already(std::string_view current, std::string_view wanted) {
    return contains(parsed(current), parsed(wanted)) && leftovers(current, wanted).empty();
}

std::string leftovers(std::string_view current, std::string_view wanted) {
    const json::value now = parsed(current);
    const json::value then = parsed(wanted);
    if (!contains(now, then)) return {};
    const auto* old = member(now, "environments");
    const auto* fresh = member(then, "environments");
    if (old == nullptr || fresh == nullptr) return {};
    auto gone = surplus(*old, *fresh);
    if (gone.empty()) return {};
    return json::serialize(json::object{{"environments", std::move(gone)}});
}

std::string replacement(std::string_view current, std::string_view wanted) {
    const json::value now = parsed(current);
    const json::value then = parsed(wanted);
    const auto* old = now.if_object();
    const auto* fresh = then.if_object();
    if (old == nullptr || fresh == nullptr) return std::string(wanted);
    return json::serialize(laid_over(*fresh, surplus(*old, *fresh)));
}

}  // namespace promotiond::platform
