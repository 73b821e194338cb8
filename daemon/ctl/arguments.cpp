#include "ctl/arguments.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include "ctl/gitops/options.hpp"

namespace promotiond::ctl {
namespace {

struct Option {
    std::string_view name;
    bool takes_value;
    std::string_view commands;  // that take it, separated by blanks; empty = all
};

constexpr std::array<Option, 14> kOptions{{
    {"server", true, ""},
    {"token-file", true, ""},
    {"ca-file", true, ""},
    {"output", true, ""},
    {"namespace", true, ""},
    {"help", false, ""},
    {"version", false, ""},
    {"pipeline", true, "promotions"},
    {"environment", true, "promotions"},
    {"phase", true, "promotions"},
    {"unfinished", false, "promotions"},
    {"limit", true, "promotions"},
    {"after", true, "promotions"},
    {"target", true, "plan approve"},
}};

struct Command {
    std::string_view name;
    std::string_view operands;  // as the usage shows them
    std::size_t least;
    std::size_t most;
};

constexpr std::size_t kMany = 1u << 20;
constexpr std::array<Command, 11> kCommands{{
    {"pipelines", "[PIPELINE]", 0, 1},
    {"promotions", "[--pipeline P] [--unfinished] ...", 0, 0},
    {"show", "ID", 1, 1},
    {"why", "PIPELINE [ENVIRONMENT]", 1, 2},
    {"plan", "PIPELINE ENVIRONMENT REVISION [--target T]", 3, 3},
    {"approve", "PIPELINE ENVIRONMENT REVISION [--target T]", 3, 3},
    {"retry", "ID", 1, 1},
    {"cancel", "ID", 1, 1},
    {"validate", "FILE...", 1, kMany},
    {"plugins", "(no operands)", 0, 0},
    {"version", "(no operands)", 0, 0},
}};

Error usage(std::string message) { return Error{ErrorKind::Invalid, std::move(message)}; }

std::string hint(std::string_view word, const std::vector<std::string_view>& candidates,
                 std::string_view before) {
    const auto likely = closest(word, candidates);
    if (likely.empty()) return "; see promotionctl --help";
    return "; did you mean " + std::string(before) + likely + "?";
}

const Option* find_option(std::string_view name) {
    const auto* found = std::find_if(kOptions.begin(), kOptions.end(),
                                     [&](const Option& option) { return option.name == name; });
    return found == kOptions.end() ? nullptr : found;
}

Error unknown_option(std::string_view name) {
    std::vector<std::string_view> names;
    for (const auto& option : kOptions) names.push_back(option.name);
    return usage("there is no option --" + std::string(name) + hint(name, names, "--"));
}

bool takes(std::string_view commands_of_option, std::string_view command) {
    if (commands_of_option.empty()) return true;
    return (" " + std::string(commands_of_option) + " ").find(" " + std::string(command) + " ") !=
           std::string::npos;
}

std::string long_form(const std::string& word) {
    if (word == "-n") return "--namespace";
    if (word == "-o") return "--output";
    if (word == "-h") return "--help";
    return word;
}

const Command* find_command(std::string_view name) {
    const auto* found = std::find_if(kCommands.begin(), kCommands.end(),
                                     [&](const Command& each) { return each.name == name; });
    return found == kCommands.end() ? nullptr : found;
}

Error unknown_command(const std::string& name) {
    if (gitops::is_command(name))
        return usage(name + " comes first: promotionctl " + name + " ...");
    return usage("there is no command \"" + name + "\"" + hint(name, commands(), ""));
}

Result<void> check_command(const Arguments& arguments) {
    if (arguments.command.empty()) return {};
    const auto* command = find_command(arguments.command);
    if (command == nullptr) return unknown_command(arguments.command);
    for (const auto& [name, value] : arguments.options) {
        const auto* option = find_option(name);
        if (option != nullptr && !takes(option->commands, arguments.command))
            return usage(arguments.command + " takes no --" + name + "; that is for " +
                         std::string(option->commands));
    }
    if (arguments.has("help") || arguments.has("version")) return {};
    const auto count = arguments.operands.size();
    if (count < command->least || count > command->most)
        return usage("usage: promotionctl " + arguments.command + " " +
                     std::string(command->operands));
    const bool pipeline = count > 0 && command->operands.find("PIPELINE") != std::string::npos;
    if (!pipeline) return {};
    const auto named = pipeline_named(arguments);
    return named ? Result<void>() : named.error();
}

}  // namespace

const std::vector<std::string_view>& commands() {
    static const std::vector<std::string_view> names = [] {
        std::vector<std::string_view> all;
        for (const auto& command : kCommands) all.push_back(command.name);
        all.insert(all.end(), gitops::commands().begin(), gitops::commands().end());
        return all;
    }();
    return names;
}

Result<PipelineOperand> pipeline_named(const Arguments& arguments) {
    const auto& operand = arguments.operands.at(0);
    const auto slash = operand.find('/');
    PipelineOperand named;
    named.ns = slash == std::string::npos ? arguments.value("namespace", "default")
                                          : operand.substr(0, slash);
    named.name = slash == std::string::npos ? operand : operand.substr(slash + 1);
    if (named.ns.empty() || named.name.empty() || named.name.find('/') != std::string::npos)
        return usage("a pipeline is NAMESPACE/NAME, or NAME with --namespace");
    return named;
}

std::string Arguments::value(const std::string& option, std::string other) const {
    const auto found = options.find(option);
    return found == options.end() ? std::move(other) : found->second;
}

// Levenshtein distance; at most a third of the word may differ.
std::string closest(std::string_view word, const std::vector<std::string_view>& candidates) {
    std::string_view best;
    std::size_t least = std::max<std::size_t>(2, word.size() / 3) + 1;
    for (const auto candidate : candidates) {
        std::vector<std::size_t> row(candidate.size() + 1);
        std::iota(row.begin(), row.end(), std::size_t{0});
        for (std::size_t i = 0; i < word.size(); ++i) {
            std::size_t diagonal = row[0];
            row[0] = i + 1;
            for (std::size_t j = 0; j < candidate.size(); ++j) {
                const std::size_t replaced = diagonal + (word[i] == candidate[j] ? 0 : 1);
                diagonal = row[j + 1];
                row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, replaced});
            }
        }
        if (row.back() < least) {
            least = row.back();
            best = candidate;
        }
    }
    return std::string(best);
}

Result<Arguments> parse_arguments(const std::vector<std::string>& words) {
    Arguments arguments;
    bool only_operands = false;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto word = only_operands ? words[i] : long_form(words[i]);
        if (only_operands || word.size() < 2 || word.front() != '-') {
            if (arguments.command.empty()) arguments.command = word;
            else arguments.operands.push_back(word);
            continue;
        }
        if (word == "--") {
            only_operands = true;
            continue;
        }
        if (!word.starts_with("--")) return usage("there is no option " + word);
        const auto equals = word.find('=');
        const auto name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
        const auto* option = find_option(name);
        const bool lost = !arguments.command.empty() && find_command(arguments.command) == nullptr;
        if (option == nullptr)
            return lost ? unknown_command(arguments.command) : unknown_option(name);
        if (arguments.has(name)) return usage("--" + name + " is given twice");
        std::string value = "true";
        if (option->takes_value) {
            if (equals != std::string::npos) value = word.substr(equals + 1);
            else if (i + 1 < words.size()) value = words[++i];
            else return usage("--" + name + " needs a value");
            if (value.empty()) return usage("--" + name + " needs a value");
        } else if (equals != std::string::npos) {
            return usage("--" + name + " takes no value");
        }
        arguments.options[name] = value;
    }
    if (auto checked = check_command(arguments); !checked) return std::move(checked).error();
    return arguments;
}

}  // namespace promotiond::ctl
