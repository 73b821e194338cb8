#include "app/missing_secrets.hpp"

#include <Poco/Exception.h>
#include <Poco/JSON/Parser.h>

#include <algorithm>
#include <set>
#include <system_error>

#include "model/yaml_document.hpp"

namespace promotiond::app {
namespace {

namespace fs = std::filesystem;

// A strategy's `secretRef`: a name, or an object with one. Empty if it has none.
std::string secret_of(const model::StrategyCall& call) {
    try {
        Poco::JSON::Parser parser;
        const auto config = parser.parse(call.config).extract<Poco::JSON::Object::Ptr>();
        const auto nested = config->getObject("secretRef");
        return nested.isNull() ? config->optValue<std::string>("secretRef", {})
                               : nested->optValue<std::string>("name", {});
    } catch (const Poco::Exception&) {
        return {};  // a strategy of its own kind
    }
}

void collect(const std::optional<model::PromotionPolicy>& policy, std::set<std::string>& names) {
    if (!policy) return;
    if (policy->hmac_secret) names.insert(*policy->hmac_secret);
    if (policy->strategy) names.insert(secret_of(*policy->strategy));
}

// A folder with keys, or files as systemd hands them over (see platform/local_secrets.cpp).
bool is_there(const fs::path& directory, const std::string& ns, const std::string& name) {
    std::error_code failed;
    const fs::path folder = directory / ns / name;
    if (fs::is_directory(folder, failed) && !fs::is_empty(folder, failed)) return true;
    const std::string credential = "secrets_" + ns + "_" + name + "_";
    const fs::directory_iterator files(directory, failed);
    return std::any_of(begin(files), end(files), [&](const fs::directory_entry& file) {
        return file.path().filename().string().starts_with(credential);
    });
}

}  // namespace

std::vector<std::string> missing_secrets(
    const std::vector<std::shared_ptr<const model::Pipeline>>& pipelines,
    const fs::path& directory) {
    std::vector<std::string> missing;
    std::set<fs::path> told;
    for (const auto& pipeline : pipelines) {
        std::set<std::string> names;
        collect(pipeline->promotion, names);
        for (const auto& environment : pipeline->environments)
            collect(environment.promotion, names);
        for (const auto& name : names) {
            const std::string& ns = pipeline->id.ns;
            const fs::path secret = directory / ns / name;
            if (name.empty() || is_there(directory, ns, name)) continue;
            if (!told.insert(secret).second) continue;
            missing.push_back(
                model::yaml_error(pipeline->where,
                                  "secret " + ns + "/" + name + " is not there yet: give " +
                                      secret.string() +
                                      " a file for each key; until then its events are refused, or "
                                      "its promotions wait")
                    .message);
        }
    }
    return missing;
}

}  // namespace promotiond::app
