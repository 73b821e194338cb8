// How people may see an address that can hold a password or a token.
#pragma once

#include <string>
#include <string_view>

namespace promotiond::webhook {

// The user before the host, the query and the fragment become ***; control characters and whatever
// is not ASCII become ?. Cut to 2,048 bytes. Takes what is no URL as well.
[[nodiscard]] std::string shown_url(std::string_view url);

}  // namespace promotiond::webhook
