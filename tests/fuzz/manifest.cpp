// Any bytes as a manifest, and any as the new value: on success the output differs from the input
// only inside the marked scalars, all of which have the value then, and a second run changes
// nothing. The input is the value, a line break, and the file; without one the value is fixed.
#include <promotiond/gitops/manifest.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace promotiond::sdk;
using namespace promotiond::sdk::gitops;

const std::vector<std::string> kNames{"flux:app:prod", "flux:app:prod/team"};

void require(bool truth) {
    if (!truth) std::abort();
}

// Without the line breaks that end them: \n, \r\n and \r.
std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    for (std::size_t begin = 0; begin <= text.size();) {
        const auto end = std::min(text.find_first_of("\r\n", begin), text.size());
        lines.push_back(text.substr(begin, end - begin));
        begin = end + (text.substr(end).starts_with("\r\n") ? 2 : 1);
    }
    return lines;
}

bool is_reported(const Edited& edited, std::size_t line) {
    return std::any_of(edited.edits.begin(), edited.edits.end(),
                       [&](const Edit& edit) { return edit.line == static_cast<int>(line) + 1; });
}

// Same lines but for those reported, and in these a comment at the end stays.
void check_difference(std::string_view before, const Edited& edited) {
    const auto was = lines_of(before);
    const auto is = lines_of(edited.text);
    require(was.size() == is.size());
    for (std::size_t i = 0; i < was.size(); ++i) {
        if (was[i] != is[i]) require(is_reported(edited, i));
    }
    for (const Edit& edit : edited.edits) {
        require(edit.line >= 1 && static_cast<std::size_t>(edit.line) <= was.size());
        const auto at = static_cast<std::size_t>(edit.line) - 1;
        const auto indent = was[at].find_first_not_of(" \t");
        require(is[at].starts_with(was[at].substr(0, indent)));
    }
}

void check(std::string_view text, std::string_view value) {
    ManifestLimits limits;
    limits.bytes = 64u << 10;
    limits.depth = 20;
    const auto edited = set_marked_values(text, kNames, value, limits);
    if (!edited) {
        require(!edited.error().message.empty());
        // An edit that would have gone wrong is caught by the editor's own proof, but never needed.
        require(edited.error().kind == ErrorKind::Invalid);
        return;
    }
    require(edited->changed == (edited->text != text));
    if (edited->edits.empty()) require(!edited->changed);
    for (const Edit& edit : edited->edits) require(edit.after == value);
    check_difference(text, *edited);

    limits.bytes *= 8;  // longer by now
    const auto again = set_marked_values(edited->text, kNames, value, limits);
    require(again.has_value());
    require(!again->changed);
    require(again->edits.size() == edited->edits.size());
    for (std::size_t i = 0; i < again->edits.size(); ++i) {
        require(again->edits[i].before == value);
        require(again->edits[i].line == edited->edits[i].line);
    }
    // And back: the place is still the same one.
    const auto other = set_marked_values(edited->text, kNames, "0.0.0-other", limits);
    require(other.has_value() && other->edits.size() == edited->edits.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view all(reinterpret_cast<const char*>(bytes), size);
    check(all, "2.0.0");
    const auto cut = all.find('\n');
    if (cut != std::string_view::npos) check(all.substr(cut + 1), all.substr(0, cut));
    return 0;
}
