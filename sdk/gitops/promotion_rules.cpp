#include <promotiond/gitops/promotion_rules.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "manifest_tree.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

using std::chrono::milliseconds;

constexpr double kLongest = 100.0 * 365 * 24 * 3600 * 1000;  // milliseconds

Error not_found(std::string why) { return {ErrorKind::NotFound, std::move(why)}; }

// A number with a fraction off the front.
std::optional<double> take_number(std::string_view& text) {
    double number = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number, std::chars_format::fixed);
    if (read.ec != std::errc() || text.front() == '-') return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
    return number;
}

// Milliseconds of a unit off the front.
std::optional<double> take_unit(std::string_view& text) {
    static constexpr std::array<std::pair<std::string_view, double>, 7> kUnits{{{"ns", 1e-6},
                                                                                {"us", 1e-3},
                                                                                {"\xc2\xb5s", 1e-3},
                                                                                {"ms", 1},
                                                                                {"s", 1e3},
                                                                                {"m", 6e4},
                                                                                {"h", 3.6e6}}};
    for (const auto& [name, length] : kUnits) {
        if (!text.starts_with(name)) continue;
        text.remove_prefix(name.size());
        return length;
    }
    return std::nullopt;
}

class Reader {
public:
    explicit Reader(const std::string& file) : file_(file) {}

    Result<ReadRules> read(const YamlTree& root) {
        if (!is(root, YamlTree::Kind::Mapping, "the file", "keys and values")) return *failure_;
        for (const auto& [key, line, column, value] : root.members) {
            if (key == "prflow") read_flow(value);
            else if (key == "status_timeout_minutes") read_timeout(value);
            else if (key == "environments") read_environments(value);
            else if (key == "groups") read_groups(value);
            else ignore(key, line, column);
        }
        if (!failure_ && out_.rules.environments.empty()) {
            const auto* list = root.find("environments");
            fail(list != nullptr ? *list : root, "environments list cannot be empty");
        }
        if (failure_) return *failure_;
        return std::move(out_);
    }

private:
    std::string place(int line, int column) const {
        return file_ + ":" + std::to_string(line) + ":" + std::to_string(column);
    }
    // The first failure stays.
    void fail(const YamlTree& at, const std::string& why, const std::string& advice = {}) {
        if (failure_) return;
        failure_ = Error{ErrorKind::Invalid, why + " (" + place(at.line, at.column) +
                                                 (advice.empty() ? "" : ": " + advice) + ")"};
    }
    void ignore(const std::string& key, int line, int column) {
        out_.ignored.push_back(place(line, column) + ": the key \"" + key +
                               "\" means nothing here and is ignored");
    }
    bool is(const YamlTree& tree, YamlTree::Kind kind, const std::string& what,
            const std::string& wanted) {
        if (tree.kind != kind) fail(tree, what + " has to hold " + wanted);
        return tree.kind == kind;
    }
    bool is_text(const YamlTree& tree, const std::string& key) {
        return is(tree, YamlTree::Kind::Scalar, key, "one value");
    }

    void read_flow(const YamlTree& value) {
        if (!is_text(value, "prflow") || value.value.empty()) return;
        if (value.value == "per-env") out_.rules.branch_per = BranchPer::Environment;
        else if (value.value != "per-app")
            fail(value, "invalid prflow value: " + value.value, "write per-app or per-env");
    }

    void read_timeout(const YamlTree& value) {
        if (!is_text(value, "status_timeout_minutes")) return;
        const std::string& text = value.value;
        const bool bare =
            !text.empty() && text.find_first_not_of("0123456789.") == std::string::npos;
        const auto length = parse_duration(bare ? text + "m" : text);
        if (!length) {
            fail(value, "invalid status_timeout_minutes value: " + text,
                 "write minutes, or a duration such as 90s, 5m or 1h30m");
        } else if (length->count() > 0) {
            out_.rules.status_timeout = *length;
        }
    }

    bool truth(const YamlTree& value, const std::string& key) {
        static constexpr std::array<std::string_view, 4> kYes{"true", "yes", "on", "y"};
        static constexpr std::array<std::string_view, 4> kNo{"false", "no", "off", "n"};
        if (!is_text(value, key)) return false;
        std::string lower = value.value;
        for (char& c : lower)
            if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
        if (std::find(kYes.begin(), kYes.end(), lower) != kYes.end()) return true;
        if (std::find(kNo.begin(), kNo.end(), lower) == kNo.end() && !value.is_null())
            fail(value, "invalid " + key + " value: " + value.value, "write true or false");
        return false;
    }

    void read_environments(const YamlTree& list) {
        if (list.is_null() || !is(list, YamlTree::Kind::Sequence, "environments", "a list")) return;
        for (const auto& item : list.items) {
            if (!is(item, YamlTree::Kind::Mapping, "an environment", "name and auto")) return;
            RulesEnvironment environment;
            for (const auto& [key, line, column, value] : item.members) {
                if (key == "name" && is_text(value, "name")) environment.name = value.value;
                else if (key == "auto") environment.merges_itself = truth(value, "auto");
                else if (key != "name") ignore(key, line, column);
            }
            add(std::move(environment), item);
        }
    }

    void add(RulesEnvironment environment, const YamlTree& item) {
        const auto* name = item.find("name");
        const YamlTree& at = name != nullptr ? *name : item;
        if (auto good = check_tree_name("environment", environment.name); !good)
            fail(at, good.error().message);
        if (out_.rules.environment(environment.name))
            fail(at, "environment \"" + environment.name + "\" is listed twice",
                 "each environment has one place in the order");
        out_.rules.environments.push_back(std::move(environment));
    }

    void read_groups(const YamlTree& groups) {
        if (groups.is_null() || !is(groups, YamlTree::Kind::Mapping, "groups", "groups by name"))
            return;
        for (const auto& [name, line, column, group] : groups.members) {
            if (auto good = check_tree_name("group", name); !good)
                fail(group, good.error().message);
            auto& applications = out_.rules.groups[name];
            if (group.is_null() || !is(group, YamlTree::Kind::Mapping, "a group", "applications"))
                continue;
            for (const auto& [key, key_line, key_column, value] : group.members) {
                if (key == "applications") read_applications(value, applications);
                else ignore(key, key_line, key_column);
            }
        }
    }

    void read_applications(const YamlTree& list, std::map<std::string, ApplicationRules>& into) {
        if (list.is_null() ||
            !is(list, YamlTree::Kind::Mapping, "applications", "applications by name"))
            return;
        for (const auto& [name, line, column, application] : list.members) {
            if (auto good = check_tree_name("application", name); !good)
                fail(application, good.error().message);
            auto& rules = into[name];
            if (application.is_null() ||
                !is(application, YamlTree::Kind::Mapping, "an application", "its features' rules"))
                continue;
            for (const auto& [key, key_line, key_column, value] : application.members) {
                if (key == "featureOverwrite") rules.feature_overwrite = truth(value, key);
                else if (key == "featureLabelSelector") read_labels(value, rules);
                else ignore(key, key_line, key_column);
            }
        }
    }

    void read_labels(const YamlTree& labels, ApplicationRules& into) {
        if (labels.is_null() ||
            !is(labels, YamlTree::Kind::Mapping, "featureLabelSelector", "labels"))
            return;
        for (const auto& [key, line, column, value] : labels.members)
            if (is_text(value, key)) into.feature_labels[key] = value.value;
    }

    const std::string& file_;
    ReadRules out_;
    std::optional<Error> failure_;
};

}  // namespace

Result<const RulesEnvironment*> PromotionRules::environment(const std::string& name) const {
    for (const auto& each : environments)
        if (each.name == name) return &each;
    return not_found("environment named " + name + " does not exist");
}

Result<const RulesEnvironment*> PromotionRules::next(const std::string& name) const {
    const auto here = environment(name);
    if (!here) return here;
    if (*here == &environments.back())
        return not_found("last environment cannot have a next environment");
    return *here + 1;
}

Result<const RulesEnvironment*> PromotionRules::previous(const std::string& name) const {
    const auto here = environment(name);
    if (!here) return here;
    if (*here == &environments.front())
        return not_found("first environment cannot have a previous environment");
    return *here - 1;
}

Result<const ApplicationRules*> PromotionRules::application(const std::string& group,
                                                            const std::string& app) const {
    const auto applications = groups.find(group);
    if (applications == groups.end())
        return not_found("configuration does not contain group " + group);
    const auto found = applications->second.find(app);
    if (found == applications->second.end())
        return not_found("configuration for group " + group + " does not contain application " +
                         app);
    return &found->second;
}

Result<ReadRules> read_promotion_rules(std::string_view yaml, const std::string& file) {
    const auto documents = read_yaml(yaml);
    if (!documents) return context(Error(documents.error()), file);
    YamlTree nothing = YamlTree::mapping();
    nothing.line = nothing.column = 1;
    const bool empty = documents->empty() || documents->front().is_null();
    return Reader(file).read(empty ? nothing : documents->front());
}

Result<milliseconds> parse_duration(std::string_view text) {
    const Error wrong{ErrorKind::Invalid, "invalid duration \"" + std::string(text) +
                                              "\"; write one such as 90s, 5m or 168h"};
    if (text == "0") return milliseconds{0};
    if (text.empty()) return wrong;
    double total = 0;
    while (!text.empty()) {
        const auto number = take_number(text);
        const auto unit = number ? take_unit(text) : std::nullopt;
        if (!unit) return wrong;
        total += *number * *unit;
    }
    if (!(total <= kLongest)) return wrong;
    // Whatever is asked for is longer than nothing.
    return milliseconds{static_cast<milliseconds::rep>(std::ceil(total))};
}

Result<void> check_tree_name(std::string_view what, std::string_view name) {
    const auto wrong = [&](const std::string& why) {
        return Error{ErrorKind::Invalid,
                     std::string(what) + " \"" + std::string(name.substr(0, 80)) + "\" " + why};
    };
    if (name.empty()) return Error{ErrorKind::Invalid, std::string(what) + " name is empty"};
    if (name.front() == '/') return wrong("leaves the tree: it begins with a slash");
    for (std::size_t begin = 0; begin <= name.size();) {
        const auto end = std::min(name.find('/', begin), name.size());
        const auto part = name.substr(begin, end - begin);
        if (part == "..") return wrong("leaves the tree: a part of it is \"..\"");
        if (part.empty() || part == "." || part == ".git")
            return wrong("is no directory's name: a part of it is empty, \".\" or \".git\"");
        begin = end + 1;
    }
    const bool odd = std::any_of(name.begin(), name.end(), [](char c) {
        return (c >= 0 && c < 0x20) || c == 0x7F || c == '\\';
    });
    if (odd) return wrong("holds a control character or a backslash");
    return {};
}

}  // namespace promotiond::sdk::inline v1::gitops
