#include "platform/kube_object.hpp"

#include <array>

namespace promotiond::platform {

std::string url_encoded(std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string encoded;
    encoded.reserve(text.size());
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            encoded += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        encoded += '%';
        encoded += kHex[byte >> 4];
        encoded += kHex[byte & 15];
    }
    return encoded;
}

std::string KubeResource::api_version() const {
    return group.empty() ? version : group + "/" + version;
}

std::string KubeResource::text() const { return group.empty() ? plural : plural + "." + group; }

std::string KubeResource::path(std::string_view ns, std::string_view name,
                               std::string_view subresource) const {
    std::string path = group.empty() ? "/api" : "/apis/" + url_encoded(group);
    path += "/" + url_encoded(version);
    if (!ns.empty()) path += "/namespaces/" + url_encoded(ns);
    path += "/" + url_encoded(plural);
    if (!name.empty()) path += "/" + url_encoded(name);
    if (!subresource.empty()) path += "/" + url_encoded(subresource);
    return path;
}

std::optional<KubeObject> kube_object(JsonView json) {
    KubeObject object;
    object.json = json;
    json["metadata"].each_member([&](std::string_view key, JsonView value) {
        if (key == "name") object.name.name = value.text();
        if (key == "namespace") object.name.ns = value.text();
        if (key == "uid") object.uid = value.text();
        if (key == "resourceVersion") object.resource_version = value.text();
        if (key == "generation") object.generation = value.number().value_or(0);
        if (key == "deletionTimestamp") object.deleting = static_cast<bool>(value);
        return true;
    });
    if (object.name.name.empty()) return std::nullopt;
    return object;
}

}  // namespace promotiond::platform
