#include "payload.hpp"

#include <strings.h>
#include <boost/json.hpp>

namespace promotiond::webhook {
namespace {

namespace json = boost::json;

json::string_view view(std::string_view text) { return {text.data(), text.size()}; }

json::value parsed(std::string_view text) {
    json::error_code error;
    auto value = json::parse(view(text), error);
    return error ? json::value() : value;
}

json::value member(const json::value& value, std::string_view key) {
    const auto* object = value.if_object();
    const auto* found = object != nullptr ? object->if_contains(view(key)) : nullptr;
    return found != nullptr ? *found : json::value();
}

std::string pipeline_of(const sdk::Promotion& promotion) {
    return std::string(promotion.pipeline_namespace) + "/" + std::string(promotion.pipeline_name);
}

json::value timestamp_of(const sdk::Promotion& promotion) {
    auto time = member(parsed(promotion.event), "timestamp");
    return time.is_string() && !time.get_string().empty() ? time : json::value();
}

// RFC 3986 unreserved characters stay; ce- headers and URI references take the rest encoded.
std::string percent_encoded(std::string_view text) {
    constexpr char kHex[] = "0123456789ABCDEF";
    constexpr std::string_view kPlain =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    std::string out;
    for (const char c : text) {
        if (kPlain.find(c) != std::string_view::npos) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += {'%', kHex[byte >> 4], kHex[byte & 0xf]};
    }
    return out;
}

}  // namespace

std::string payload_of(const sdk::Promotion& promotion) {
    const auto pipeline = pipeline_of(promotion);
    json::object metadata{{"environment", view(promotion.environment)},
                          {"version", view(promotion.revision)},
                          {"revision", view(promotion.revision)},
                          {"pipeline", pipeline},
                          {"promotion", view(promotion.id)}};
    if (!promotion.target.empty()) metadata["target"] = view(promotion.target);
    auto targets = member(parsed(promotion.targets), "targets");
    if (!targets.is_array()) targets = json::array();
    const json::object body{
        {"involvedObject", json::object{{"kind", "Pipeline"},
                                        {"namespace", view(promotion.pipeline_namespace)},
                                        {"name", view(promotion.pipeline_name)},
                                        {"apiVersion", "pipelines.weave.works/v1alpha1"}}},
        {"severity", "info"},
        {"timestamp", timestamp_of(promotion)},
        {"message", "Promote pipeline " + pipeline + " to " + std::string(promotion.environment) +
                        " with version " + std::string(promotion.revision)},
        {"reason", "Promote"},
        {"metadata", std::move(metadata)},
        {"reportingController", "promotiond"},
        {"promotion",
         json::object{{"id", view(promotion.id)},
                      {"pipelineNamespace", view(promotion.pipeline_namespace)},
                      {"pipelineName", view(promotion.pipeline_name)},
                      {"environment", json::object{{"name", view(promotion.environment)},
                                                   {"targets", std::move(targets)}}},
                      {"version", view(promotion.revision)},
                      {"previousVersion", view(promotion.previous_revision)},
                      {"target", view(promotion.target)}}},
    };
    return json::serialize(body);
}

Headers headers_of(const sdk::Promotion& promotion, CloudEvents cloud_events) {
    Headers headers{{"Content-Type", "application/json"},
                    {"Gotk-Component", "promotiond"},
                    {"X-Promotiond-Delivery", std::string(promotion.id)}};
    if (cloud_events == CloudEvents::No) return headers;
    headers.emplace_back("ce-specversion", "1.0");
    headers.emplace_back("ce-id", std::string(promotion.id));
    headers.emplace_back("ce-source", "/promotiond/" +
                                          percent_encoded(promotion.pipeline_namespace) + "/" +
                                          percent_encoded(promotion.pipeline_name));
    headers.emplace_back("ce-type", "io.promotiond.promotion.v1");
    headers.emplace_back("ce-subject", percent_encoded(promotion.environment));
    return headers;
}

void set_header(Headers& headers, const std::string& name, const std::string& value) {
    std::erase_if(headers, [&](const auto& header) {
        return ::strcasecmp(header.first.c_str(), name.c_str()) == 0;
    });
    headers.emplace_back(name, value);
}

}  // namespace promotiond::webhook
