#include "ctl/answers.hpp"

#include <array>
#include <boost/json/serialize.hpp>
#include <ostream>
#include <set>

#include "ctl/table.hpp"

namespace promotiond::ctl {
namespace {

namespace json = boost::json;

const json::value* member(const json::value& value, std::string_view key) {
    const auto* object = value.if_object();
    return object != nullptr ? object->if_contains({key.data(), key.size()}) : nullptr;
}
std::string joined(std::string_view a, std::string_view b) {
    return b.empty() ? std::string(a) : std::string(a) + "/" + std::string(b);
}

void print_problems(std::ostream& err, const json::value& document) {
    for (const auto& problem : list(document, "problems")) {
        const auto file = text(problem, "file");
        const auto message = text(problem, "message");
        err << "problem: ";
        // The message of a file's problem begins with its place.
        if (!file.empty() && !message.starts_with(file))
            err << shown(file) << ":" << text(problem, "line") << ":" << text(problem, "column")
                << ": ";
        err << shown(message) << '\n';
    }
}

// What a plan tells, in the order in which a person asks; a strategy's own members follow.
constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kPlanLabels{{
    {"title", "Title"},
    {"branch", "Branch"},
    {"base", "Base"},
    {"commit", "Commit"},
    {"url", "URL"},
    {"files", "Files"},
    {"warnings", "Warnings"},
    {"request", "Request"},
    {"diff", "Diff"},
    {"body", "Body"},
    {"number", ""},  // of the pull request there is none yet,
    {"etag", ""},    // nor of an answer about it
}};

// One line behind its label; of several lines, or of several values, one each below it.
void print_detail(std::ostream& out, std::string_view label, const json::value* value) {
    if (label.empty() || value == nullptr || value->is_null()) return;
    std::string lines;
    if (value->is_array()) {
        for (const auto& item : value->get_array())
            lines +=
                (item.is_string() ? std::string(item.get_string()) : json::serialize(item)) + "\n";
    } else {
        lines = value->is_string() ? std::string(value->get_string()) : json::serialize(*value);
    }
    if (lines.empty()) return;
    const bool below = value->is_array() || lines.find('\n') != std::string::npos;
    out << (below ? "\n" : "") << shown(label) << ":" << (below ? "\n" : " ") << shown_lines(lines);
    if (!lines.ends_with('\n')) out << '\n';
}

}  // namespace

std::string text(const json::value& value, std::string_view key) {
    const auto* found = member(value, key);
    if (found == nullptr || found->is_null()) return {};
    return found->is_string() ? std::string(found->get_string()) : json::serialize(*found);
}
std::span<const json::value> list(const json::value& value, std::string_view key) {
    const auto* found = member(value, key);
    if (found == nullptr || !found->is_array()) return {};
    return {found->get_array().data(), found->get_array().size()};
}

void print_pipelines(std::ostream& out, std::ostream& err, const json::value& document) {
    Table table({"PIPELINE", "ENVIRONMENT", "TARGET", "REVISION", "PROMOTION", "PHASE"});
    const auto pipelines = member(document, "pipelines") != nullptr
                               ? list(document, "pipelines")
                               : std::span<const json::value>(&document, 1);
    for (const auto& pipeline : pipelines) {
        const auto name = joined(text(pipeline, "namespace"), text(pipeline, "name"));
        for (const auto& environment : list(pipeline, "environments")) {
            const auto promotions = list(environment, "promotions");
            const auto targets = list(environment, "targets");
            if (targets.empty()) table.add({name, text(environment, "name"), "", "", "", ""});
            for (const auto& target : targets) {
                const json::value* latest = nullptr;
                for (const auto& promotion : promotions) {
                    const auto of = text(promotion, "target");
                    if (of.empty() || of == text(target, "name")) latest = &promotion;
                }
                table.add({name, text(environment, "name"), text(target, "name"),
                           text(target, "revision"), latest ? text(*latest, "revision") : "",
                           latest ? text(*latest, "phase") : ""});
            }
        }
    }
    table.print(out);
    print_problems(err, document);
}

void print_promotions(std::ostream& out, std::ostream& err, const json::value& document) {
    Table table({"ID", "PIPELINE", "ENVIRONMENT", "REVISION", "PHASE", "UPDATED", "LOCATION"});
    for (const auto& promotion : list(document, "promotions"))
        table.add({text(promotion, "id"), text(promotion, "pipeline"),
                   joined(text(promotion, "environment"), text(promotion, "target")),
                   text(promotion, "revision"), text(promotion, "phase"),
                   text(promotion, "updated"), text(promotion, "location")});
    table.print(out);
    if (const auto next = text(document, "next"); !next.empty())
        err << "there are more: --after " << shown(next) << '\n';
}

void print_promotion(std::ostream& out, const json::value& promotion) {
    Table fields({"PROMOTION", text(promotion, "id")});
    for (const char* key :
         {"pipeline", "environment", "target", "revision", "previousRevision", "phase", "reason",
          "strategy", "actor", "attempt", "created", "updated", "notBefore", "summary", "location"})
        if (auto value = text(promotion, key); !value.empty()) fields.add({key, std::move(value)});
    fields.print(out);
    if (list(promotion, "history").empty()) return;
    out << '\n';
    Table history({"AT", "FROM", "TO", "ACTOR", "REASON"});
    for (const auto& step : list(promotion, "history"))
        history.add({text(step, "at"), text(step, "from"), text(step, "to"), text(step, "actor"),
                     text(step, "reason")});
    history.print(out);
}

void print_why(std::ostream& out, const json::value& document, std::string_view only) {
    for (const auto& environment : list(document, "environments")) {
        const auto name = text(environment, "environment");
        if (!only.empty() && name != only) continue;
        out << shown(name) << ": " << shown(text(environment, "headline")) << '\n';
        for (const auto& reason : list(environment, "reasons"))
            out << "  - " << shown(text(reason, "text")) << '\n';
        if (const auto since = text(environment, "since"); !since.empty())
            out << "  since:   " << shown(since) << '\n';
        if (const auto unblock = text(environment, "unblock"); !unblock.empty())
            out << "  unblock: " << shown(unblock) << '\n';
    }
}

void print_plan(std::ostream& out, const json::value& plan) {
    out << shown(text(plan, "outcome"));
    for (const char* key : {"summary", "message"})
        if (const auto value = text(plan, key); !value.empty()) out << ": " << shown(value);
    out << '\n';
    const auto* details = member(plan, "details");
    if (details == nullptr || !details->is_object()) return;
    std::set<std::string_view> printed;
    for (const auto& [key, label] : kPlanLabels) {
        printed.insert(key);
        print_detail(out, label, member(*details, key));
    }
    for (const auto& [key, value] : details->get_object()) {
        if (!printed.contains({key.data(), key.size()}))
            print_detail(out, std::string(key), &value);
    }
}

void print_plugins(std::ostream& out, std::ostream& err, const json::value& document) {
    Table table({"NAME", "KEY", "TYPE", "VERSION", "OBSERVES", "PLANS", "SUMMARY"});
    for (const auto& one : list(document, "strategies"))
        table.add({text(one, "name"), text(one, "key"), text(one, "provider"), text(one, "version"),
                   text(one, "observes"), text(one, "plans"), text(one, "summary")});
    table.print(out);
    for (const auto& one : list(document, "refused"))
        err << "refused: " << shown(text(one, "file")) << ": " << shown(text(one, "message"))
            << '\n';
}

}  // namespace promotiond::ctl
