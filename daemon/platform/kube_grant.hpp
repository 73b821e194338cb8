// What to run so that an API server allows what it has just refused. Internal to the client.
//
// Thread-safety: a pure function.
#pragma once

#include <string>
#include <string_view>

namespace promotiond::platform {

// Commands for a shell, from the words of a 403: `User "..." cannot get resource "secrets" in API
// group "" in the namespace "team"` (k8s.io/apiserver pkg/endpoints/handlers/responsewriters
// errors.go, read 2026-11). Only of names that are plain, for the words are another machine's; else
// where to read on.
[[nodiscard]] std::string grant_for(std::string_view refusal);

}  // namespace promotiond::platform
