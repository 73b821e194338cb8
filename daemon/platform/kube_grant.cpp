#include "platform/kube_grant.hpp"

#include <algorithm>
#include <optional>

namespace promotiond::platform {
namespace {

constexpr std::string_view kAccount = "system:serviceaccount:";
constexpr const char* kReadOn = "grant it with a Role, see config/kubernetes";

// The words between two others; none if they are not there, or could be more than a name.
std::optional<std::string> between(std::string_view text, std::string_view before,
                                   std::string_view after) {
    const auto begin = text.find(before);
    if (begin == std::string_view::npos) return std::nullopt;
    const auto rest = text.substr(begin + before.size());
    const auto name = rest.substr(0, rest.find(after));
    const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("-._:/@").find(c) != std::string_view::npos;
    });
    if (!plain || name.starts_with('-') || name.size() == rest.size()) return std::nullopt;
    return std::string(name);
}

// As kubectl takes it: "pipelines.pipelines.weave.works/status".
std::string resource_of(const std::string& resource, const std::string& group) {
    const auto slash = std::min(resource.find('/'), resource.size());
    return resource.substr(0, slash) + (group.empty() ? "" : "." + group) + resource.substr(slash);
}

std::string subject_of(const std::string& user) {
    if (user.starts_with(kAccount)) return "--serviceaccount=" + user.substr(kAccount.size());
    return "--user=" + user;
}

}  // namespace

std::string grant_for(std::string_view refusal) {
    const auto user = between(refusal, "User \"", "\"");
    const auto verb = between(refusal, "\" cannot ", " resource \"");
    const auto resource = between(refusal, " resource \"", "\"");
    const auto group = between(refusal, " in API group \"", "\"");
    const auto ns = between(refusal, " in the namespace \"", "\"");
    const bool everywhere = refusal.find(" at the cluster scope") != std::string_view::npos;
    if (!user || user->empty() || !verb || verb->empty() || !resource || resource->empty() ||
        !group || (!ns && !everywhere))
        return kReadOn;
    const bool follows = *verb == "list" || *verb == "watch";
    std::string name = "promotiond-" + *resource;
    std::replace(name.begin(), name.end(), '/', '-');
    const std::string kind = ns ? "role" : "clusterrole";
    const std::string where = ns ? " -n " + *ns : "";
    return "grant it: kubectl create " + kind + " " + name + where +
           " --verb=" + (follows ? "get,list,watch" : *verb) +
           " --resource=" + resource_of(*resource, *group) + " && kubectl create " + kind +
           "binding " + name + where + " --" + kind + "=" + name + " " + subject_of(*user);
}

}  // namespace promotiond::platform
