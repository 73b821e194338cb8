#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cerrno>
#include <fstream>
#include <ostream>
#include <set>
#include <sstream>
#include <system_error>

#include "ctl/answers.hpp"
#include "ctl/commands.hpp"
#include "ctl/table.hpp"
#include "model/codec.hpp"
#include "model/yaml_document.hpp"

namespace promotiond::ctl {
namespace {

constexpr std::size_t kMostFileBytes = 16u << 20;

// Whether one of the server's strategies takes the call, by key and type. Which of several, by the
// host of the URL, and whether its settings fit are the daemon's to say.
bool serves(const boost::json::value& strategies, const model::StrategyCall& call) {
    for (const auto& one : list(strategies, "strategies")) {
        if (text(one, "key") != call.key) continue;
        const auto provider = text(one, "provider");
        if (call.type.empty() || provider.empty() || provider == call.type) return true;
    }
    return false;
}

std::string not_served(const boost::json::value& strategies, const model::StrategyCall& call) {
    std::set<std::string> served;
    for (const auto& one : list(strategies, "strategies")) {
        const auto provider = text(one, "provider");
        served.insert(text(one, "key") + (provider.empty() ? "" : " of type " + provider));
    }
    std::string names;
    for (const auto& each : served) names += (names.empty() ? "" : ", ") + each;
    const std::string wanted = call.key + (call.type.empty() ? "" : " of type " + call.type);
    return model::yaml_error(call.where, "no strategy of the server serves " + wanted +
                                             "; served are: " + (names.empty() ? "none" : names))
        .message;
}

struct Verdict {
    std::size_t pipelines = 0;
    std::vector<std::string> problems;
};

// strategies: null = do not look at routes.
Verdict judge(const std::string& path, const boost::json::value& strategies) {
    Verdict verdict;
    const auto bytes = read_file(path);
    const auto read = bytes ? model::pipelines_from_yaml(*bytes, path)
                            : Result<model::PipelineFile>(bytes.error());
    if (!read) {
        std::istringstream mistakes(read.error().message);
        for (std::string line; std::getline(mistakes, line);) verdict.problems.push_back(line);
        return verdict;
    }
    verdict.pipelines = read->pipelines.size();
    verdict.problems = read->foreign;
    const auto check = [&](const std::optional<model::PromotionPolicy>& policy) {
        if (strategies.is_null() || !policy || !policy->strategy) return;
        if (!serves(strategies, *policy->strategy))
            verdict.problems.push_back(not_served(strategies, *policy->strategy));
    };
    for (const auto& pipeline : read->pipelines) {
        check(pipeline.promotion);
        for (const auto& environment : pipeline.environments) check(environment.promotion);
    }
    return verdict;
}

boost::json::object to_json(const std::string& path, const Verdict& verdict) {
    return {{"file", path},
            {"valid", verdict.problems.empty()},
            {"pipelines", verdict.pipelines},
            {"problems", boost::json::array(verdict.problems.begin(), verdict.problems.end())}};
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    if (file) text << file.rdbuf();
    if (!file || file.bad())
        return Error{ErrorKind::Invalid,
                     "cannot read " + path + ": " + std::generic_category().message(errno)};
    if (text.str().size() > kMostFileBytes)
        return Error{ErrorKind::Invalid, path + " is longer than 16 MiB"};
    return text.str();
}

int validate(const Arguments& arguments, const Surroundings& surroundings, Client& client) {
    boost::json::value strategies;
    if (names_server(arguments, surroundings)) {
        auto answer = client.get("/api/v1/strategies");
        if (!answer)
            return fail(surroundings, answer.error().message, exit_code(answer.error().kind));
        strategies = std::move(*answer);
    }
    const bool json = arguments.value("output") == "json";
    boost::json::array files;
    bool good = true;
    for (const auto& path : arguments.operands) {
        const auto verdict = judge(path, strategies);
        good = good && verdict.problems.empty();
        if (json) {
            files.push_back(to_json(path, verdict));
            continue;
        }
        for (const auto& problem : verdict.problems) surroundings.err << shown(problem) << '\n';
        if (verdict.problems.empty())
            surroundings.out << shown(path) << ": " << verdict.pipelines
                             << (verdict.pipelines == 1 ? " pipeline\n" : " pipelines\n");
    }
    if (json)
        surroundings.out << boost::json::serialize(boost::json::object{{"files", files}}) << '\n';
    else if (strategies.is_null())
        surroundings.err << "not looked at: whether a strategy serves them; name a --server, or "
                            "run promotiond --check\n";
    return good ? kOk : kFailed;
}

}  // namespace promotiond::ctl
