#include "http/json_object.hpp"

#include <Poco/Exception.h>
#include <Poco/JSON/Parser.h>

namespace promotiond::http {
namespace {

constexpr std::size_t kDeepest = 30;

}  // namespace

Result<JsonObject> json_object(const std::string& body) {
    try {
        Poco::JSON::Parser parser;
        parser.setDepth(kDeepest);
        return parser.parse(body).extract<JsonObject>();
    } catch (const Poco::Exception&) {
        return Error{ErrorKind::Invalid, "the body is no JSON object"};
    }
}

JsonObject object_in(const JsonObject& object, const std::string& key) {
    return object.isNull() ? object : object->getObject(key);
}

Poco::JSON::Array::Ptr array_in(const JsonObject& object, const std::string& key) {
    return object.isNull() ? Poco::JSON::Array::Ptr() : object->getArray(key);
}

std::string text_in(const JsonObject& object, const std::string& key) {
    if (object.isNull()) return {};
    const auto value = object->get(key);
    return value.isString() ? value.extract<std::string>() : std::string();
}

}  // namespace promotiond::http
