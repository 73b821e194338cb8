// JSON objects that others wrote: what is missing, or of another kind than it should be, reads as
// nothing.
#pragma once

#include <Poco/JSON/Object.h>

#include <string>

#include "base/result.hpp"

namespace promotiond::http {

using JsonObject = Poco::JSON::Object::Ptr;

// Invalid: no JSON object, or one that is nested more than 30 deep.
[[nodiscard]] Result<JsonObject> json_object(const std::string& body);

// Null unless the member is an object; of a null object, null.
[[nodiscard]] JsonObject object_in(const JsonObject& object, const std::string& key);
[[nodiscard]] Poco::JSON::Array::Ptr array_in(const JsonObject& object, const std::string& key);
// Empty unless the member is a string.
[[nodiscard]] std::string text_in(const JsonObject& object, const std::string& key);

}  // namespace promotiond::http
