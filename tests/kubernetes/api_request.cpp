#include "tests/kubernetes/api_request.hpp"

#include <boost/json.hpp>
#include <fstream>
#include <string_view>
#include <unordered_set>

namespace promotiond::tests {
namespace {

std::string text_of(const boost::json::object& object, std::string_view key) {
    const auto* found = object.if_contains(key);
    return found != nullptr && found->is_string() ? std::string(found->get_string().c_str()) : "";
}

const boost::json::object& part_of(const boost::json::object& object, std::string_view key) {
    static const boost::json::object kNothing;
    const auto* found = object.if_contains(key);
    return found != nullptr && found->is_object() ? found->get_object() : kNothing;
}

ApiRequest request_of(const boost::json::object& entry) {
    const auto& target = part_of(entry, "objectRef");
    const std::string below = text_of(target, "subresource");
    ApiRequest request;
    request.verb = text_of(entry, "verb");
    request.resource = text_of(target, "resource") + (below.empty() ? "" : "/" + below);
    request.space = text_of(target, "namespace");
    request.name = text_of(target, "name");
    request.user = text_of(part_of(entry, "user"), "username");
    request.uri = text_of(entry, "requestURI");
    if (const auto* code = part_of(entry, "responseStatus").if_contains("code"))
        request.code = code->to_number<int>();
    return request;
}

}  // namespace

std::vector<ApiRequest> read_audit_log(const std::filesystem::path& log) {
    std::vector<ApiRequest> found;
    std::unordered_set<std::string> seen;  // a watch has a second line when it ends
    std::ifstream in(log);
    for (std::string line; std::getline(in, line) && !in.eof();) {
        const auto parsed = boost::json::parse(line);
        const auto& entry = parsed.as_object();
        if (seen.insert(text_of(entry, "auditID")).second) found.push_back(request_of(entry));
    }
    return found;
}

}  // namespace promotiond::tests
