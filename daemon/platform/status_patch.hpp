// How a status becomes another one: what of it is said already, and merge patches for what an apply
// cannot do.
//
// Texts are JSON objects; what cannot be parsed says nothing.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace promotiond::platform {

// True if `current` says what `wanted` says, and of environments nothing else.
[[nodiscard]] bool says_already(std::string_view current, std::string_view wanted);

// What an apply of `wanted` leaves standing in the environments of `current`: fields that another
// field manager wrote. JSON merge patch (RFC 7396) of the status that takes them away; empty: there
// are none, or `wanted` is not applied yet.
[[nodiscard]] std::string leftovers(std::string_view current, std::string_view wanted);

// JSON merge patch of the status that makes it `wanted` and nothing else, whatever types it has
// now.
[[nodiscard]] std::string replacement(std::string_view current, std::string_view wanted);

}  // namespace promotiond::platform
