#include "gitops/rules_pipelines.hpp"

#include <boost/json.hpp>

#include "model/release.hpp"

namespace promotiond::gitops {
namespace {

namespace json = boost::json;
using sdk::gitops::PromotionRules;
using sdk::gitops::RulesEnvironment;

struct Application {
    std::string group;
    std::string name;
};

// Parts of addresses and of names that promotionctl shows.
bool is_plain(const std::string& name) {
    return name.find_first_of("/ \t") == std::string::npos && name != "." && name != "..";
}

// `before`: the environment that must fare well; null for the first one.
std::string config_of(const Repository& repository, const Application& app,
                      const RulesEnvironment& into, const RulesEnvironment* before) {
    json::object image{
        {"group", app.group}, {"app", app.name}, {"directory", app.group + "/" + into.name}};
    json::object config{
        {"url", repository.url}, {"type", repository.type}, {"secretRef", repository.secret}};
    if (!repository.branch.empty()) config["branch"] = repository.branch;
    if (before != nullptr) {
        image["from"] = app.group + "/" + before->name;
        config["mergeAfter"] = app.group + "-" + before->name;
    }
    config["image"] = std::move(image);
    config[repository.type == "github" ? "autoMerge" : "autoComplete"] = into.merges_itself;
    return json::serialize(config);
}

model::Environment environment(std::string name, const std::string& group) {
    model::Environment made;
    made.name = std::move(name);
    made.targets.push_back({group, std::nullopt});
    return made;
}

std::shared_ptr<const model::Pipeline> pipeline_of(const Repository& repository,
                                                   const PromotionRules& rules,
                                                   const Application& app) {
    model::Pipeline made;
    made.id = {repository.ns, app.group + "." + app.name};
    made.app = {std::string(model::kReleaseApiVersion), std::string(model::kReleaseKind), app.name};
    made.where = {place_of(repository), 0, 0};
    made.environments.push_back(environment(std::string(model::kReleaseEnvironment), app.group));
    const RulesEnvironment* before = nullptr;
    for (const auto& each : rules.environments) {
        auto into = environment(each.name, app.group);
        model::StrategyCall call;
        call.key = "pullRequest";
        call.config = config_of(repository, app, each, before);
        call.type = repository.type;
        call.url = repository.url;
        call.where = made.where;
        into.promotion.emplace().strategy = std::move(call);
        made.environments.push_back(std::move(into));
        before = &each;
    }
    return std::make_shared<const model::Pipeline>(std::move(made));
}

}  // namespace

std::string place_of(const Repository& repository) {
    return repository.url + " " + std::string(sdk::gitops::kPromotionRulesFile);
}

platform::Pipelines pipelines_of(const Repository& repository, const PromotionRules& rules) {
    platform::Pipelines all;
    const auto place = place_of(repository);
    const auto problem = [&](const std::string& what) {
        all.problems.push_back({{place, 0, 0}, place + ": " + what});
    };
    for (const auto& each : rules.environments) {
        if (each.name != model::kReleaseEnvironment) continue;
        problem(
            "the environment \"release\" is what stands for the image registry here; give "
            "yours another name");
        return all;
    }
    for (const auto& [group, applications] : rules.groups) {
        for (const auto& [name, ignored] : applications) {
            if (is_plain(group) && is_plain(name)) {
                all.all.push_back(pipeline_of(repository, rules, {group, name}));
                continue;
            }
            problem("application \"" + name + "\" of group \"" + group +
                    "\" is left to promotionctl: names with slashes or blanks make no Pipeline");
        }
    }
    if (rules.groups.empty())
        problem(
            "groups is empty, so nothing is promoted here; list each application under "
            "groups.<group>.applications");
    return all;
}

}  // namespace promotiond::gitops
