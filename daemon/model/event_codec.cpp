#include "model/codec.hpp"
#include "model/json_document.hpp"
#include "model/text_check.hpp"

namespace promotiond::model {

namespace {

constexpr std::size_t kLongestName = 253;      // RFC 1123 subdomain
constexpr std::size_t kLongestRevision = 512;  // bytes
constexpr YamlLimits kEventLimits{.bytes = 1u << 20, .depth = 32, .nodes = 10'000};

Error field_error(std::string_view field, std::string_view message) {
    return Error{ErrorKind::Invalid, std::string(field) + ": " + std::string(message)};
}

bool absent(const YamlNode* node) { return node == nullptr || node->kind == YamlNode::Kind::Null; }

// Go's senders write null or nothing for what they do not know.
Result<std::string> text_of(const YamlNode* node, const std::string& field) {
    if (absent(node)) return std::string();
    if (node->kind != YamlNode::Kind::Scalar || !node->quoted) {
        return field_error(field, "must be a string");
    }
    return node->scalar;
}

// For what ends up in names, branches, logs and reasons.
Result<std::string> name_of_field(const YamlNode* node, const std::string& field,
                                  std::size_t longest) {
    auto text = text_of(node, field);
    if (!text) return text;
    if (text->size() > longest) {
        return field_error(field, "longer than " + std::to_string(longest) + " bytes");
    }
    if (const auto found = deceiving_character(*text)) {
        return field_error(field, "holds the control or invisible character " + *found);
    }
    return text;
}

struct NameField {
    const char* member;
    const char* field;  // its whole path, for errors
    std::string* into;
};

Result<void> read_names(const YamlNode& from, std::initializer_list<NameField> fields) {
    for (const NameField& field : fields) {
        auto text = name_of_field(from.member(field.member), field.field, kLongestName);
        if (!text) return std::move(text).error();
        *field.into = std::move(*text);
    }
    return {};
}

Result<void> read_object(const YamlNode* node, InvolvedObject& object) {
    if (absent(node)) return {};
    if (node->kind != YamlNode::Kind::Mapping) {
        return field_error("involvedObject", "must be an object");
    }
    return read_names(*node, {{"apiVersion", "involvedObject.apiVersion", &object.api_version},
                              {"kind", "involvedObject.kind", &object.kind},
                              {"namespace", "involvedObject.namespace", &object.ns},
                              {"name", "involvedObject.name", &object.name}});
}

Result<void> read_metadata(const YamlNode* node, Event& event) {
    if (absent(node)) return {};
    if (node->kind != YamlNode::Kind::Mapping) return field_error("metadata", "must be an object");
    for (const auto& [key, value] : node->members) {
        const std::string field = "metadata." + shown(key);
        if (const auto found = deceiving_character(key)) {
            return field_error(field, "the key holds the control or invisible character " + *found);
        }
        if (value.kind != YamlNode::Kind::Scalar || !value.quoted) {
            return field_error(field, "must be a string");
        }
        event.metadata[key] = value.scalar;
    }
    auto revision = name_of_field(node->member("revision"), "metadata.revision", kLongestRevision);
    if (!revision) return std::move(revision).error();
    if (revision->find(' ') != std::string::npos) {
        return field_error("metadata.revision", "must not hold spaces");
    }
    event.revision = std::move(*revision);
    return {};
}

Result<void> read_timestamp(const YamlNode* node, Event& event) {
    if (absent(node)) return {};
    auto text = text_of(node, "timestamp");
    if (!text) return std::move(text).error();
    auto time = time_from_text(*text);
    if (!time) return context(std::move(time).error(), "timestamp");
    event.timestamp = *time;
    return {};
}

Result<void> read_event(const YamlNode& root, Event& event) {
    if (auto done = read_object(root.member("involvedObject"), event.object); !done) return done;
    if (auto done = read_names(
            root, {{"severity", "severity", &event.severity},
                   {"reason", "reason", &event.reason},
                   {"reportingController", "reportingController", &event.reporting_controller}});
        !done) {
        return done;
    }
    auto message = text_of(root.member("message"), "message");
    if (!message) return std::move(message).error();
    event.message = std::move(*message);
    if (auto done = read_timestamp(root.member("timestamp"), event); !done) return done;
    return read_metadata(root.member("metadata"), event);
}

void append_member(std::string& out, std::string_view key, std::string_view value) {
    if (out.back() != '{') out += ',';
    out += json_string(key) + ":" + json_string(value);
}

std::string target_to_json(const Target& target) {
    std::string out = "{";
    append_member(out, "name", target.text());
    append_member(out, "namespace", target.ns);
    if (target.cluster) {
        out += ",\"cluster\":{";
        if (!target.cluster->api_version.empty()) {
            append_member(out, "apiVersion", target.cluster->api_version);
        }
        append_member(out, "kind", target.cluster->kind);
        if (!target.cluster->ns.empty()) append_member(out, "namespace", target.cluster->ns);
        append_member(out, "name", target.cluster->name);
        out += '}';
    }
    return out + '}';
}

}  // namespace

Result<Event> event_from_json(std::string_view body) {
    auto root = json_document(body, kEventLimits);
    if (!root) return std::move(root).error();
    Event event;
    if (root->kind != YamlNode::Kind::Null) {
        if (root->kind != YamlNode::Kind::Mapping) {
            return Error{ErrorKind::Invalid, "byte 0: an event must be a JSON object"};
        }
        if (auto done = read_event(*root, event); !done) return std::move(done).error();
    }
    if (event.revision.empty()) {
        return Error{ErrorKind::NotFound, "event has no 'revision' in the metadata field."};
    }
    return event;
}

std::string event_to_json(const Event& event) {
    std::string object = "{";
    append_member(object, "kind", event.object.kind);
    append_member(object, "namespace", event.object.ns);
    append_member(object, "name", event.object.name);
    append_member(object, "apiVersion", event.object.api_version);
    std::string metadata = "{";
    for (const auto& [key, value] : event.metadata) append_member(metadata, key, value);
    if (!event.metadata.contains("revision")) append_member(metadata, "revision", event.revision);

    std::string out = "{\"involvedObject\":" + object + "}";
    append_member(out, "severity", event.severity);
    if (event.timestamp) append_member(out, "timestamp", time_to_text(*event.timestamp));
    append_member(out, "message", event.message);
    append_member(out, "reason", event.reason);
    out += ",\"metadata\":" + metadata + "}";
    append_member(out, "reportingController", event.reporting_controller);
    return out + "}";
}

std::string targets_to_json(const Environment& environment, const std::string& only_target) {
    std::string targets;
    for (const Target& target : environment.targets) {
        if (!only_target.empty() && target.text() != only_target) continue;
        if (!targets.empty()) targets += ',';
        targets += target_to_json(target);
    }
    return "{\"environment\":" + json_string(environment.name) + ",\"targets\":[" + targets + "]}";
}

}  // namespace promotiond::model
