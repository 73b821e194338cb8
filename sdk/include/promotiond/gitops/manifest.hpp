// Manifest editing: text -> text, changing exactly the bytes of the marked scalars.
//
// A marker is a comment that holds a JSON object with the key `$promotion`, at the end of a
// scalar's line or alone on the line directly above it: `version: "1.0.0" # {"$promotion":
// "flux-system:podinfo:prod"}`. Values are `ns:pipeline:env`, or, when each target is promoted by
// itself, `ns:pipeline:env/namespace` and `ns:pipeline:env/cluster/namespace`.
//
// A second kind of marker is that of image updates, `{"$imagepolicy": "<group>:<app>"}`, with
// `:tag` or `:name` behind it for a line that has only that part; it stands at the end of the line.
//
// The file is never re-serialised: quoting, comments, line ends, a byte order mark and everything
// else stay. libyaml's tokens say where a scalar begins and ends; the edited text is scanned again
// to prove that exactly the meant scalars changed. Pure; any thread. Standard library only in this
// header.
#ifndef PROMOTIOND_GITOPS_MANIFEST_HPP
#define PROMOTIOND_GITOPS_MANIFEST_HPP

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "../result.hpp"

namespace promotiond::sdk::inline v1::gitops {

// A file that may hold markers: cheap test by extension and bytes, before anything is parsed.
[[nodiscard]] bool may_hold_markers(std::string_view path, std::string_view text,
                                    std::string_view marker_key);

struct Edit {
    int line = 0;        // from 1
    std::string before;  // the scalar's value
    std::string after;
};

struct Edited {
    std::string text;         // equal to the input when no marker matched
    std::vector<Edit> edits;  // markers that matched, also those that already had the value
    bool changed = false;
};

struct ManifestLimits {
    std::size_t bytes = 1u << 20;
    std::size_t depth = 100;
};

// Sets every scalar marked `{"$promotion": "<one of names>"}` to value. Quote style is kept; a
// plain scalar that would no longer read as the same string gets double quotes. Invalid: the file
// is over a limit, does not parse, has an alias in the marked place, or a matching marker stands
// where no single scalar can be meant; the message holds line and reason.
[[nodiscard]] Result<Edited> set_marked_values(std::string_view text,
                                               const std::vector<std::string>& names,
                                               std::string_view value,
                                               const ManifestLimits& limits = {});

// One image of an application, as gitops-promotion is told of it.
struct ImageRelease {
    std::string group;
    std::string app;
    std::string tag;
};

// Invalid: no image reference can have this name or tag.
[[nodiscard]] Result<void> check_image(const ImageRelease& release);

// Sets what is marked `{"$imagepolicy": "<group>:<app>"}` to the tag, behind the image repository
// that the line has already; `:tag` to the tag alone; `:name` to the application's name, unless the
// line names a repository (one with a slash), which stays. Otherwise as set_marked_values.
[[nodiscard]] Result<Edited> set_image_values(std::string_view text, const ImageRelease& release,
                                              const ManifestLimits& limits = {});

}  // namespace promotiond::sdk::inline v1::gitops

#endif
