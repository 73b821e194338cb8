#include "ctl/commands.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <ostream>

#include "ctl/answers.hpp"
#include "ctl/gitops/gitops.hpp"
#include "ctl/gitops/options.hpp"
#include "ctl/table.hpp"

namespace promotiond::ctl {
namespace {

namespace json = boost::json;

constexpr const char* kDefaultServer = "http://127.0.0.1:8082";

Error usage(std::string message) { return Error{ErrorKind::Invalid, std::move(message)}; }

std::string pipeline_path(const Session& session) {
    const auto [ns, name] = *pipeline_named(session.arguments);
    return "/api/v1/pipelines/" + encoded(ns) + "/" + encoded(name);
}

template <class Print>
Result<void> finish(const Session& session, Result<json::value> answer, const Print& print) {
    if (!answer) return std::move(answer).error();
    if (session.json) session.surroundings.out << json::serialize(*answer) << '\n';
    else print(*answer);
    return {};
}

Result<void> list_pipelines(const Session& session) {
    std::string path = "/api/v1/pipelines";
    if (!session.arguments.operands.empty()) {
        path = pipeline_path(session);
    }
    return finish(session, session.client.get(path), [&](const auto& document) {
        print_pipelines(session.surroundings.out, session.surroundings.err, document);
    });
}

Result<void> list_promotions(const Session& session) {
    std::string query;
    for (const char* key : {"pipeline", "environment", "phase", "unfinished", "limit", "after"}) {
        auto value = session.arguments.value(key);
        if (value.empty()) continue;
        if (std::string_view(key) == "pipeline" && value.find('/') == std::string::npos)
            value.insert(0, session.arguments.value("namespace", "default") + "/");
        query += (query.empty() ? "?" : "&") + std::string(key) + "=" + encoded(value);
    }
    return finish(
        session, session.client.get("/api/v1/promotions" + query), [&](const auto& document) {
            print_promotions(session.surroundings.out, session.surroundings.err, document);
        });
}

// Of a Pipeline that the daemon remembers and that is nowhere defined any more.
Error gone(const Session& session) {
    const auto [ns, name] = *pipeline_named(session.arguments);
    std::string message = "there is no Pipeline " + ns + "/" + name + " any more";
    const auto open = session.client.get("/api/v1/promotions?pipeline=" + encoded(ns + "/" + name) +
                                         "&unfinished=true");
    if (!open) return Error(open.error());
    std::string left;
    for (const auto& one : list(*open, "promotions")) {
        left += (left.empty() ? "" : ", ") + text(one, "environment") + " " + text(one, "revision");
        if (const auto location = text(one, "location"); !location.empty())
            left += " (" + location + ")";
    }
    if (!left.empty())
        message +=
            "; nothing looks after its open promotions, and their requests stay open at the "
            "forge until somebody closes them: " +
            left;
    return {ErrorKind::NotFound, std::move(message)};
}

Result<void> why(const Session& session) {
    const auto path = pipeline_path(session);
    const auto& operands = session.arguments.operands;
    const std::string only = operands.size() > 1 ? operands[1] : "";
    auto answer = session.client.get(path + "/why");
    if (answer && list(*answer, "environments").empty()) return gone(session);
    if (answer && !only.empty()) {
        bool found = false;
        for (const auto& one : list(*answer, "environments"))
            found = found || text(one, "environment") == only;
        if (!found)
            return Error{ErrorKind::NotFound,
                         "pipeline " + operands[0] + " has no environment " + only};
    }
    return finish(session, std::move(answer), [&](const auto& document) {
        print_why(session.surroundings.out, document, only);
    });
}

Result<json::value> wish(const Session& session) {
    const auto path = pipeline_path(session);
    const auto& operands = session.arguments.operands;
    json::object body{{"revision", operands[2]}};
    if (session.arguments.has("target")) body["target"] = session.arguments.value("target");
    return session.client.post(
        path + "/environments/" + encoded(operands[1]) + "/" + session.arguments.command, body);
}

Result<void> plan(const Session& session) {
    auto answer = wish(session);
    const auto outcome = answer ? text(*answer, "outcome") : std::string();
    const auto message = answer ? text(*answer, "message") : std::string();
    auto done = finish(session, std::move(answer), [&](const auto& document) {
        print_plan(session.surroundings.out, document);
    });
    if (!done || outcome == "done" || outcome == "pending") return done;
    return Error{outcome == "retry" ? ErrorKind::Transient : ErrorKind::Internal,
                 "the promotion would not go through: " + message};
}

Result<void> approve(const Session& session) {
    return finish(session, wish(session), [&](const auto& document) {
        auto& out = session.surroundings.out;
        const auto reasons = list(document, "reasons");
        const bool there = std::any_of(reasons.begin(), reasons.end(), [](const auto& reason) {
            return text(reason, "code") == "already-there";
        });
        out << (there ? "nothing to approve of " : "approved ")
            << shown(session.arguments.operands[2]) << " for "
            << shown(session.arguments.operands[1]);
        for (const auto& id : list(document, "promotions"))
            if (id.is_string()) out << "; promotion " << shown(std::string(id.get_string()));
        out << '\n';
        for (const auto& reason : reasons) out << "  - " << shown(text(reason, "text")) << '\n';
    });
}

Result<void> show(const Session& session) {
    return finish(
        session, session.client.get("/api/v1/promotions/" + encoded(session.arguments.operands[0])),
        [&](const auto& document) { print_promotion(session.surroundings.out, document); });
}

// retry and cancel
Result<void> steer(const Session& session) {
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

}  // namespace

int exit_code(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::NotFound: return kNotFound;
        case ErrorKind::Throttled:
        case ErrorKind::Transient: return kTryAgain;
        default: return kFailed;
    }
}

int fail(const Surroundings& surroundings, const std::string& message, int code) {
    surroundings.err << "promotionctl: " << shown(message) << '\n';
    return code;
}

bool names_server(const Arguments& arguments, const Surroundings& surroundings) {
    return arguments.has("server") ||
           !surroundings.variable("PROMOTIONCTL_SERVER").value_or("").empty();
}

Result<void> run_command(const Session& session) {
    const auto& command = session.arguments.command;
    if (command == "pipelines") return list_pipelines(session);
    if (command == "promotions") return list_promotions(session);
    if (command == "why") return why(session);
    if (command == "plan") return plan(session);
    if (command == "approve") return approve(session);
    if (command == "show") return show(session);
    if (command == "retry" || command == "cancel") return steer(session);
    if (command == "version") return version(session);
    return finish(session, session.client.get("/api/v1/strategies"), [&](const auto& document) {
        print_plugins(session.surroundings.out, session.surroundings.err, document);
    });
}

int run(const std::vector<std::string>& words, const Surroundings& surroundings) {
    if (!words.empty() && gitops::is_command(words.front()))
        return gitops::run(words.front(), {words.begin() + 1, words.end()}, surroundings);
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
    auto options = client_options(*arguments, surroundings);
    if (!options) return fail(surroundings, options.error().message, kUsage);
    Client client(std::move(*options));
    if (arguments->command == "validate") return validate(*arguments, surroundings, client);
    const auto done = run_command({*arguments, surroundings, client, output == "json"});
    if (done) return kOk;
    return fail(surroundings, done.error().message, exit_code(done.error().kind));
}

}  // namespace promotiond::ctl
