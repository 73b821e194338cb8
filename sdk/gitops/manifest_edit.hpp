// The edit that all kinds of markers share. Pure; any thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <promotiond/gitops/manifest.hpp>

namespace promotiond::sdk::inline v1::gitops {

struct Marking {
    std::string_view key;          // of the marker's JSON object
    bool may_stand_above = false;  // alone on the line above the value, too
    std::function<bool(const std::string& name)> is_ours;
    // The new value of a scalar with that marker; not empty, UTF-8.
    std::function<std::string(const std::string& name, const std::string& old)> value_for;
};

// Errors as set_marked_values.
[[nodiscard]] Result<Edited> edit_marked(std::string_view text, const Marking& marking,
                                         const ManifestLimits& limits);

}  // namespace promotiond::sdk::inline v1::gitops
