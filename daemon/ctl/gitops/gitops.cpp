#include "ctl/gitops/gitops.hpp"

#include <fstream>
#include <sstream>

#include "base/log.hpp"
#include "ctl/commands.hpp"
#include "ctl/gitops/commands.hpp"
#include "ctl/gitops/one_shot.hpp"
#include "ctl/table.hpp"

namespace promotiond::ctl::gitops {
namespace {

using sdk::gitops::PromotionRules;

// For git and the forge, beside the time that statuses are waited for.
constexpr std::chrono::minutes kNetworkTime{15};

Result<PromotionRules> load_rules(const Options& options, const Progress& progress) {
    const std::string name(sdk::gitops::kPromotionRulesFile);
    const auto text = read_file(options.directory + "/" + name);
    if (!text) {
        Error error(text.error());
        error.message +=
            "; run promotionctl at the root of the checkout, or name that with --sourcedir";
        return error;
    }
    auto read = sdk::gitops::read_promotion_rules(*text, name);
    if (!read) return std::move(read).error();
    for (const auto& ignored : read->ignored) progress.say(ignored);
    return std::move(read->rules);
}

Result<std::string> dispatch(const std::string& command, const Work& work) {
    if (command == "new") return start(work);
    if (command == "promote") return promote(work);
    if (command == "status") return status(work);
    if (command == "feature") return feature(work);
    return remove_stale_features(work);
}

Result<std::string> work_on(const std::string& command, const Options& options,
                            const Surroundings& surroundings) {
    const Progress progress(surroundings.err);
    const auto rules = load_rules(options, progress);
    if (!rules) return context(Error(rules.error()), "could not load config");
    auto base = OneShot::make(surroundings.variable, rules->status_timeout + kNetworkTime);
    if (!base) return std::move(base).error();
    const auto repository = open_repository(base->call(), options, surroundings.variable);
    if (!repository)
        return context(Error(repository.error()),
                       "could not load " + options.provider + " repository");
    return dispatch(
        command, {options, *rules, *repository, progress, surroundings.out, surroundings.variable});
}

}  // namespace

int run(const std::string& command, const std::vector<std::string>& words,
        const Surroundings& surroundings) {
    const auto parsed = parse_options(words);
    if (!parsed) {
        surroundings.err << help_text(command);
        return fail(surroundings, parsed.error().message, kUsage);
    }
    if (parsed->options.help) {
        surroundings.out << help_text(command);
        return kOk;
    }
    for (const auto& word : parsed->ignored)
        surroundings.err << "promotionctl: " << command << " has no use for " << shown(word)
                         << ", which is ignored\n";
    log::open({.level = log::Level::Warn, .format = log::Format::Logfmt});
    const auto done = work_on(command, parsed->options, surroundings);
    if (done) {
        surroundings.out << shown(*done) << '\n';
        return kOk;
    }
    surroundings.err << "Application failed with error: "
                     << shown(log::redacted(done.error().message)) << '\n';
    return kFailed;
}

}  // namespace promotiond::ctl::gitops
