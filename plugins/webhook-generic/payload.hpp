// payload: the body of the request (payload.schema.json) and the headers that describe it.
//
// Pure: the same promotion gives the same bytes, so that a repeat carries the same signature.
#pragma once

#include <promotiond/strategy.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace promotiond::webhook {

using Headers = std::vector<std::pair<std::string, std::string>>;

[[nodiscard]] std::string payload_of(const sdk::Promotion& promotion);
// Content-Type, Gotk-Component and the delivery id; with cloud_events those of CloudEvents 1.0, too
// (HTTP protocol binding 3.1, binary mode).
enum class CloudEvents { No, Yes };
[[nodiscard]] Headers headers_of(const sdk::Promotion& promotion, CloudEvents cloud_events);

// Replaces each header of that name (case-insensitive), or appends.
void set_header(Headers& headers, const std::string& name, const std::string& value);

}  // namespace promotiond::webhook
