#include "http/registry_payloads.hpp"

#include <algorithm>
#include <chrono>

#include "http/json_object.hpp"
#include "model/codec.hpp"

namespace promotiond::http {
namespace {

using Pushes = std::vector<model::PushedTag>;

constexpr std::string_view kShapes =
    "the body is of no registry that is known: Distribution (events), Azure Container Registry "
    "(action, target), Docker Hub (push_data), Harbor (type, event_data), Quay (docker_url, "
    "updated_tags), GitHub Packages (package, registry_package)";
constexpr double kLatestSeconds = 253'402'300'799;  // the end of the year 9999

void add(Pushes& pushes, std::string image, std::string tag, std::optional<WallTime> at) {
    // A digest is no tag.
    if (image.empty() || tag.empty() || tag.find(':') != std::string::npos) return;
    pushes.push_back({std::move(image), std::move(tag), at});
}

std::optional<WallTime> time_in(const JsonObject& object, const std::string& key) {
    const auto time = model::time_from_text(text_in(object, key));
    return time ? std::optional(*time) : std::nullopt;
}

// Seconds since 1970; some write them with an exponent.
std::optional<WallTime> seconds_in(const JsonObject& object, const std::string& key) {
    if (object.isNull()) return {};
    const auto value = object->get(key);
    if (!value.isNumeric()) return {};
    const auto seconds = value.convert<double>();
    if (!(seconds > 0) || seconds > kLatestSeconds) return {};
    return WallTime(std::chrono::seconds(static_cast<std::int64_t>(seconds)));
}

// "host/name:tag", or with a digest.
std::string without_tag(const std::string& image) {
    const auto name = image.rfind('/');
    return image.substr(0, image.find_first_of(":@", name == std::string::npos ? 0 : name));
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return text;
}

// Distribution's event, which is Azure's whole body.
void add_event(const JsonObject& event, Pushes& pushes) {
    if (text_in(event, "action") != "push") return;
    const auto target = object_in(event, "target");
    const auto host = text_in(object_in(event, "request"), "host");
    const auto repository = text_in(target, "repository");
    if (host.empty() || repository.empty()) return;
    add(pushes, host + "/" + repository, text_in(target, "tag"), time_in(event, "timestamp"));
}

void add_events(const Poco::JSON::Array::Ptr& events, Pushes& pushes) {
    for (unsigned i = 0; i < events->size(); ++i) add_event(events->getObject(i), pushes);
}

void add_docker_hub(const JsonObject& body, Pushes& pushes) {
    const auto pushed = object_in(body, "push_data");
    const auto repository = text_in(object_in(body, "repository"), "repo_name");
    if (repository.empty()) return;
    add(pushes, "docker.io/" + repository, text_in(pushed, "tag"), seconds_in(pushed, "pushed_at"));
}

void add_harbor(const JsonObject& event, std::optional<WallTime> at, Pushes& pushes) {
    const auto resources = array_in(event, "resources");
    if (resources.isNull()) return;
    for (unsigned i = 0; i < resources->size(); ++i) {
        const auto resource = resources->getObject(i);
        add(pushes, without_tag(text_in(resource, "resource_url")), text_in(resource, "tag"), at);
    }
}

void add_quay(const JsonObject& body, Pushes& pushes) {
    const auto tags = array_in(body, "updated_tags");
    for (const auto& tag : *tags)
        if (tag.isString())
            add(pushes, text_in(body, "docker_url"), tag.extract<std::string>(), {});
}

// A manifest of one platform has no tag; its list has.
void add_github(const JsonObject& body, const JsonObject& package, Pushes& pushes) {
    const auto action = text_in(body, "action");
    if (action != "published" && action != "updated") return;
    const auto version = object_in(package, "package_version");
    const auto tag = object_in(object_in(version, "container_metadata"), "tag");
    add(pushes, lower(without_tag(text_in(version, "package_url"))), text_in(tag, "name"), {});
}

}  // namespace

Result<Pushes> read_registry_hook(const std::string& body) {
    const auto read = json_object(body);
    if (!read) return read.error();
    const JsonObject& root = *read;
    Pushes pushes;
    if (const auto events = array_in(root, "events"); !events.isNull()) {
        add_events(events, pushes);
    } else if (!object_in(root, "push_data").isNull()) {
        add_docker_hub(root, pushes);
    } else if (const auto event = object_in(root, "event_data"); !event.isNull()) {
        const bool push = text_in(root, "type") == "PUSH_ARTIFACT";
        if (push) add_harbor(event, seconds_in(root, "occur_at"), pushes);
    } else if (const auto data = object_in(root, "data");
               !data.isNull() && root->has("specversion")) {
        const bool push = text_in(root, "type") == "harbor.artifact.pushed";
        if (push) add_harbor(data, time_in(root, "time"), pushes);
    } else if (!array_in(root, "updated_tags").isNull()) {
        add_quay(root, pushes);
    } else if (const auto package = object_in(root, "registry_package"); !package.isNull()) {
        add_github(root, package, pushes);
    } else if (const auto other = object_in(root, "package"); !other.isNull()) {
        add_github(root, other, pushes);
    } else if (!object_in(root, "target").isNull() || text_in(root, "action") == "ping") {
        add_event(root, pushes);
    } else {
        return Error{ErrorKind::Invalid, std::string(kShapes)};
    }
    return pushes;
}

}  // namespace promotiond::http
