// JSON text as boost::json has it, where text that cannot be parsed counts as nothing.
//
// Thread-safety: a pure function.
#pragma once

#include <boost/json.hpp>
#include <string_view>

namespace promotiond::platform {

[[nodiscard]] inline boost::json::value parsed(std::string_view text) {
    boost::system::error_code error;
    auto value = boost::json::parse(text, error);
    return error ? boost::json::value() : value;
}

}  // namespace promotiond::platform
