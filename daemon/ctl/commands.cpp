#include "ctl/commands.hpp"

#include <boost/json/serialize.hpp>
#include <ostream>
#include <span>

#include "ctl/table.hpp"

namespace promotiond::ctl {
namespace {

namespace json = boost::json;

constexpr const char* kDefaultServer = "http://127.0.0.1:8082";

Error usage(std::string message) { return Error{ErrorKind::Invalid, std::move(message)}; }

// Missing members and other types read as empty: an older or newer server is no reason to fail.
const json::value* member(const json::value& value, std::string_view key) {
    const auto* object = value.if_object();
    return object != nullptr ? object->if_contains({key.data(), key.size()}) : nullptr;
}
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

std::string joined(std::string_view a, std::string_view b) {
    return b.empty() ? std::string(a) : std::string(a) + "/" + std::string(b);
}

void print_problems(const Session& session, const json::value& document) {
    for (const auto& problem : list(document, "problems"))
        session.surroundings.err << "problem: " << shown(text(problem, "file")) << ":"
                                 << text(problem, "line") << ":" << text(problem, "column") << ": "
                                 << shown(text(problem, "message")) << '\n';
}

void print_pipelines(const Session& session, const json::value& document) {
    Table table({"PIPELINE", "ENVIRONMENT", "TARGET", "REVISION", "PROMOTION", "PHASE"});
    const auto pipelines = member(document, "pipelines") != nullptr
                               ? list(document, "pipelines")
                               : std::span<const json::value>(&document, 1);
    for (const auto& pipeline : pipelines) {
        const auto name = joined(text(pipeline, "namespace"), text(pipeline, "name"));
        for (const auto& environment : list(pipeline, "environments")) {
            const auto promotions = list(environment, "promotions");
            for (const auto& target : list(environment, "targets")) {
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
    table.print(session.surroundings.out);
    print_problems(session, document);
}

void print_promotions(const Session& session, const json::value& document) {
    Table table({"ID", "PIPELINE", "ENVIRONMENT", "REVISION", "PHASE", "UPDATED", "LOCATION"});
    for (const auto& promotion : list(document, "promotions"))
        table.add({text(promotion, "id"), text(promotion, "pipeline"),
                   joined(text(promotion, "environment"), text(promotion, "target")),
                   text(promotion, "revision"), text(promotion, "phase"),
                   text(promotion, "updated"), text(promotion, "location")});
    table.print(session.surroundings.out);
    if (const auto next = text(document, "next"); !next.empty())
        session.surroundings.err << "there are more: --after " << shown(next) << '\n';
}

void print_promotion(const Session& session, const json::value& promotion) {
    auto& out = session.surroundings.out;
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

void print_why(const Session& session, const json::value& document, std::string_view only) {
    auto& out = session.surroundings.out;
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

void print_plan(const Session& session, const json::value& plan) {
    auto& out = session.surroundings.out;
    out << shown(text(plan, "outcome"));
    for (const char* key : {"summary", "message"})
        if (const auto value = text(plan, key); !value.empty()) out << ": " << shown(value);
    out << '\n';
    const auto* details = member(plan, "details");
    if (details == nullptr || !details->is_object()) return;
    for (const auto& [key, value] : details->get_object()) {
        const std::string name(key);
        const auto body = text(*details, name);
        if (body.empty()) continue;
        out << '\n' << shown(name) << ":\n" << shown_lines(body);
        if (!body.ends_with('\n')) out << '\n';
    }
}

void print_plugins(const Session& session, const json::value& document) {
    Table table({"NAME", "KEY", "TYPE", "VERSION", "OBSERVES", "PLANS", "SUMMARY"});
    for (const auto& one : list(document, "strategies"))
        table.add({text(one, "name"), text(one, "key"), text(one, "provider"), text(one, "version"),
                   text(one, "observes"), text(one, "plans"), text(one, "summary")});
    table.print(session.surroundings.out);
    for (const auto& one : list(document, "refused"))
        session.surroundings.err << "refused: " << shown(text(one, "file")) << ": "
                                 << shown(text(one, "message")) << '\n';
}

// Operands are counted by names, which then serve the message.
Result<void> expect(const Session& session, std::string_view names, std::size_t least,
                    std::size_t most) {
    const auto count = session.arguments.operands.size();
    if (count >= least && count <= most) return {};
    return usage("usage: promotionctl " + session.arguments.command + " " + std::string(names));
}

Result<std::string> pipeline_path(const Session& session) {
    const auto& name = session.arguments.operands.at(0);
    const auto slash = name.find('/');
    const auto ns = slash == std::string::npos ? session.arguments.value("namespace", "default")
                                               : name.substr(0, slash);
    const auto rest = slash == std::string::npos ? name : name.substr(slash + 1);
    if (ns.empty() || rest.empty() || rest.find('/') != std::string::npos)
        return usage("a pipeline is NAMESPACE/NAME, or NAME with --namespace");
    return "/api/v1/pipelines/" + encoded(ns) + "/" + encoded(rest);
}

template <class Print>
Result<void> finish(const Session& session, Result<json::value> answer, const Print& print) {
    if (!answer) return std::move(answer).error();
    if (session.json) session.surroundings.out << json::serialize(*answer) << '\n';
    else print(*answer);
    return {};
}

Result<void> list_pipelines(const Session& session) {
    if (auto fits = expect(session, "[PIPELINE]", 0, 1); !fits) return fits;
    std::string path = "/api/v1/pipelines";
    if (!session.arguments.operands.empty()) {
        auto one = pipeline_path(session);
        if (!one) return std::move(one).error();
        path = std::move(*one);
    }
    return finish(session, session.client.get(path),
                  [&](const auto& document) { print_pipelines(session, document); });
}

Result<void> list_promotions(const Session& session) {
    if (auto fits = expect(session, "[--pipeline P] [--unfinished] ...", 0, 0); !fits) return fits;
    std::string query;
    for (const char* key : {"pipeline", "environment", "phase", "unfinished", "limit", "after"}) {
        auto value = session.arguments.value(key);
        if (value.empty()) continue;
        if (std::string_view(key) == "pipeline" && value.find('/') == std::string::npos)
            value.insert(0, session.arguments.value("namespace", "default") + "/");
        query += (query.empty() ? "?" : "&") + std::string(key) + "=" + encoded(value);
    }
    return finish(session, session.client.get("/api/v1/promotions" + query),
                  [&](const auto& document) { print_promotions(session, document); });
}

Result<void> why(const Session& session) {
    if (auto fits = expect(session, "PIPELINE [ENVIRONMENT]", 1, 2); !fits) return fits;
    const auto path = pipeline_path(session);
    if (!path) return path.error();
    const auto& operands = session.arguments.operands;
    const std::string only = operands.size() > 1 ? operands[1] : "";
    auto answer = session.client.get(*path + "/why");
    if (answer && !only.empty()) {
        bool found = false;
        for (const auto& one : list(*answer, "environments"))
            found = found || text(one, "environment") == only;
        if (!found)
            return Error{ErrorKind::NotFound,
                         "pipeline " + operands[0] + " has no environment " + only};
    }
    return finish(session, std::move(answer),
                  [&](const auto& document) { print_why(session, document, only); });
}

Result<json::value> wish(const Session& session) {
    if (auto fits = expect(session, "PIPELINE ENVIRONMENT REVISION [--target T]", 3, 3); !fits)
        return std::move(fits).error();
    const auto path = pipeline_path(session);
    if (!path) return path.error();
    const auto& operands = session.arguments.operands;
    json::object body{{"revision", operands[2]}};
    if (session.arguments.has("target")) body["target"] = session.arguments.value("target");
    return session.client.post(
        *path + "/environments/" + encoded(operands[1]) + "/" + session.arguments.command, body);
}

Result<void> plan(const Session& session) {
    auto answer = wish(session);
    const auto outcome = answer ? text(*answer, "outcome") : std::string();
    const auto message = answer ? text(*answer, "message") : std::string();
    auto done = finish(session, std::move(answer),
                       [&](const auto& document) { print_plan(session, document); });
    if (!done || outcome == "done" || outcome == "pending") return done;
    return Error{outcome == "retry" ? ErrorKind::Transient : ErrorKind::Internal,
                 "the promotion would not go through: " + message};
}

Result<void> approve(const Session& session) {
    return finish(session, wish(session), [&](const auto& document) {
        auto& out = session.surroundings.out;
        out << "approved " << shown(session.arguments.operands[2]) << " for "
            << shown(session.arguments.operands[1]);
        for (const auto& id : list(document, "promotions"))
            if (id.is_string()) out << "; promotion " << shown(std::string(id.get_string()));
        out << '\n';
        for (const auto& reason : list(document, "reasons"))
            out << "  - " << shown(text(reason, "text")) << '\n';
    });
}

Result<void> show(const Session& session) {
    if (auto fits = expect(session, "ID", 1, 1); !fits) return fits;
    return finish(
        session, session.client.get("/api/v1/promotions/" + encoded(session.arguments.operands[0])),
        [&](const auto& document) { print_promotion(session, document); });
}

// retry and cancel
Result<void> steer(const Session& session) {
    if (auto fits = expect(session, "ID", 1, 1); !fits) return fits;
    const auto& id = session.arguments.operands[0];
    const auto& verb = session.arguments.command;
    return finish(
        session, session.client.post("/api/v1/promotions/" + encoded(id) + "/" + verb, nullptr),
        [&](const auto&) {
            session.surroundings.out << (verb == "retry" ? "will try again: " : "cancelled: ")
                                     << shown(id) << '\n';
        });
}

Result<void> version(const Session& session) {
    auto answer = session.client.get("/api/v1/version");
    if (!answer) return std::move(answer).error();
    if (session.json) {
        session.surroundings.out << json::serialize(json::object{{"client", PROMOTIOND_VERSION},
                                                                 {"server", *answer}})
                                 << '\n';
        return {};
    }
    session.surroundings.out << "promotionctl " PROMOTIOND_VERSION "\n";
    session.surroundings.out << "promotiond " << shown(text(*answer, "version")) << '\n';
    return {};
}

int exit_code(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::NotFound: return kNotFound;
        case ErrorKind::Throttled:
        case ErrorKind::Transient: return kTryAgain;
        default: return kFailed;
    }
}

Result<Client::Options> client_options(const Arguments& arguments,
                                       const Surroundings& surroundings) {
    const auto setting = [&](const char* option, const char* variable) {
        return arguments.has(option) ? arguments.value(option)
                                     : surroundings.variable(variable).value_or("");
    };
    Client::Options options;
    options.server = setting("server", "PROMOTIONCTL_SERVER");
    if (options.server.empty()) options.server = kDefaultServer;
    if (const auto file = setting("token-file", "PROMOTIONCTL_TOKEN_FILE"); !file.empty()) {
        auto token = read_file(file);
        if (!token) return std::move(token).error();
        while (token->ends_with('\n') || token->ends_with('\r')) token->pop_back();
        if (token->empty()) return usage("the token file " + file + " is empty");
        options.token = Secret(*token);
    }
    if (const auto file = setting("ca-file", "PROMOTIONCTL_CA_FILE"); !file.empty()) {
        auto pem = read_file(file);
        if (!pem) return std::move(pem).error();
        options.ca_pem = std::move(*pem);
    }
    return options;
}

int fail(const Surroundings& surroundings, const std::string& message, int code) {
    surroundings.err << "promotionctl: " << shown(message) << '\n';
    return code;
}

}  // namespace

Result<void> run_command(const Session& session) {
    const auto& command = session.arguments.command;
    if (command == "pipelines") return list_pipelines(session);
    if (command == "promotions") return list_promotions(session);
    if (command == "why") return why(session);
    if (command == "plan") return plan(session);
    if (command == "approve") return approve(session);
    if (command == "show") return show(session);
    if (command == "retry" || command == "cancel") return steer(session);
    if (auto fits = expect(session, "(no operands)", 0, 0); !fits) return fits;
    if (command == "version") return version(session);
    return finish(session, session.client.get("/api/v1/strategies"),
                  [&](const auto& document) { print_plugins(session, document); });
}

int run(const std::vector<std::string>& words, const Surroundings& surroundings) {
    const auto arguments = parse_arguments(words);
    if (!arguments) return fail(surroundings, arguments.error().message, kUsage);
    if (arguments->has("help")) {
        surroundings.out << help_text();
        return kOk;
    }
    if (arguments->has("version")) {
        surroundings.out << "promotionctl " PROMOTIOND_VERSION "\n";
        return kOk;
    }
    const auto output = arguments->value("output", "table");
    if (output != "table" && output != "json")
        return fail(surroundings, "--output takes table or json", kUsage);
    if (arguments->command.empty())
        return fail(surroundings, "say what to do; see promotionctl --help", kUsage);
    if (arguments->command == "validate") {
        if (arguments->operands.empty())
            return fail(surroundings, "usage: promotionctl validate FILE...", kUsage);
        return validate(*arguments, surroundings);
    }
    auto options = client_options(*arguments, surroundings);
    if (!options) return fail(surroundings, options.error().message, kUsage);
    Client client(std::move(*options));
    const auto done = run_command({*arguments, surroundings, client, output == "json"});
    if (done) return kOk;
    const auto& message = done.error().message;
    const bool wrong_usage = message.starts_with("usage: ") || message.starts_with("a pipeline is");
    return fail(surroundings, message, wrong_usage ? kUsage : exit_code(done.error().kind));
}

}  // namespace promotiond::ctl
