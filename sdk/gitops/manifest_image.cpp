// Image markers: which part of an image reference a line holds, and what it becomes.
#include <algorithm>

#include "manifest_edit.hpp"
#include "manifest_marker.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

constexpr std::size_t kLongestTag = 128;   // characters (OCI distribution specification)
constexpr std::size_t kLongestName = 255;  // likewise

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// A path component of a repository: [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*
bool is_component(std::string_view part) {
    if (part.empty() || !is_alphanumeric(part.front()) || !is_alphanumeric(part.back()))
        return false;
    for (std::size_t i = 0; i < part.size();) {
        if (is_alphanumeric(part[i])) {
            ++i;
            continue;
        }
        const auto end = std::find_if(part.begin() + static_cast<std::ptrdiff_t>(i), part.end(),
                                      is_alphanumeric);
        const auto joint = part.substr(i, static_cast<std::size_t>(end - part.begin()) - i);
        const bool dashes = joint.find_first_not_of('-') == std::string_view::npos;
        if (!dashes && joint != "." && joint != "_" && joint != "__") return false;
        i += joint.size();
    }
    return true;
}

bool is_name(std::string_view name) {
    for (std::size_t begin = 0; begin <= name.size();) {
        const auto end = std::min(name.find('/', begin), name.size());
        if (!is_component(name.substr(begin, end - begin))) return false;
        begin = end + 1;
    }
    return name.size() <= kLongestName;
}

bool is_tag(std::string_view tag) {
    const auto fits = [](char c) {
        return is_alphanumeric(c) || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '-';
    };
    return !tag.empty() && tag.size() <= kLongestTag && tag.front() != '.' && tag.front() != '-' &&
           std::all_of(tag.begin(), tag.end(), fits);
}

// Without tag and digest; the colon of a registry's port stands before a slash.
std::string repository_of(const std::string& image) {
    const std::string name = image.substr(0, image.find('@'));
    const auto colon = name.rfind(':');
    const auto slash = name.rfind('/');
    const bool tagged = colon != std::string::npos && (slash == std::string::npos || colon > slash);
    return tagged ? name.substr(0, colon) : name;
}

}  // namespace

Result<void> check_image(const ImageRelease& release) {
    const std::string reference =
        '"' + release.app.substr(0, 80) + ':' + release.tag.substr(0, 140) + '"';
    if (!is_name(release.app))
        return Error{ErrorKind::Invalid,
                     "encountered invalid image ref " + reference +
                         ": the application's name has lower-case letters and digits, with . _ - "
                         "and / between them"};
    if (release.tag.empty())
        return Error{ErrorKind::Invalid,
                     "encountered invalid image ref " + reference + ": the tag is empty; give one"};
    if (!is_tag(release.tag))
        return Error{ErrorKind::Invalid,
                     "encountered invalid image ref " + reference +
                         ": a tag has 1 to 128 letters, digits and . _ -, and begins with none of "
                         ". -"};
    return {};
}

Result<Edited> set_image_values(std::string_view text, const ImageRelease& release,
                                const ManifestLimits& limits) {
    if (auto good = check_image(release); !good) return std::move(good).error();
    const std::string whole = release.group + ':' + release.app;
    const Marking marking{
        .key = kImageMarkerKey,
        .is_ours =
            [&](const std::string& name) {
                return name == whole || name == whole + ":tag" || name == whole + ":name";
            },
        .value_for =
            [&](const std::string& name, const std::string& old) {
                if (name.ends_with(":tag") && name != whole) return release.tag;
                const std::string repository = repository_of(old);
                if (name == whole)
                    return (repository.empty() ? release.app : repository) + ':' + release.tag;
                return repository.find('/') == std::string::npos ? release.app : repository;
            }};
    return edit_marked(text, marking, limits);
}

}  // namespace promotiond::sdk::inline v1::gitops
