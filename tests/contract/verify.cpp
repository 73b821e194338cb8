// promotiond-verify: what every strategy must do, checked on any library through the C ABI.
//
//   promotiond-verify [--config JSON] [--settings JSON] [--secret NAME/KEY=VALUE]... FILE.so
//
// The strategy runs in this process against a scripted host: no network, no daemon. Exit code 0:
// all promises kept. 1: some are broken, each named. 2: wrong usage.
#include <dlfcn.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <optional>
#include <promotiond/testing.hpp>
#include <string>
#include <thread>

#include "symbols.hpp"

namespace {

using namespace promotiond::sdk;
using testing::FakeHost;
using testing::HttpAsked;
using testing::HttpScripted;
using testing::Instance;
using testing::Verdict;

struct Options {
    std::string file;
    std::string config = "{}";
    std::string settings = "{}";
    std::vector<std::string> secrets;
};

class Report {
public:
    void expect(bool holds, const std::string& promise, const std::string& seen = {}) {
        std::printf("%s  %s%s\n", holds ? "ok    " : "BROKEN", promise.c_str(),
                    holds || seen.empty() ? "" : (": " + seen).c_str());
        broken_ += holds ? 0 : 1;
    }
    [[nodiscard]] int broken() const { return broken_; }

private:
    int broken_ = 0;
};

std::string name_of(promotiond_outcome outcome) {
    static constexpr const char* kNames[] = {"DONE", "PENDING", "RETRY", "REJECTED", "CANCELLED"};
    return outcome >= 0 && outcome <= 4 ? kNames[outcome] : std::to_string(outcome);
}

std::string told(const Verdict& verdict) {
    return name_of(verdict.outcome) + " '" + verdict.message + "'";
}

bool succeeded(const Verdict& verdict) {
    return verdict.outcome == PROMOTIOND_DONE || verdict.outcome == PROMOTIOND_PENDING;
}

// Runs promotions of one plugin, each on a fresh host, and checks what must hold for all of them.
class Kit {
public:
    Kit(const promotiond_plugin& plugin, const Options& options, Report& report)
        : plugin_(plugin), options_(options), report_(report) {}

    using Setup = std::function<void(FakeHost&)>;
    struct Run {
        std::vector<Verdict> verdicts;
        std::size_t requests = 0;
    };

    Run promote(const std::string& situation, const Setup& setup, int times = 1) {
        FakeHost host;
        for (const auto& secret : options_.secrets) add_secret(host, secret);
        Run run;
        Instance instance(host, plugin_, options_.settings);
        if (instance.created().outcome != PROMOTIOND_DONE) {
            report_.expect(false, situation + ": an instance is made", told(instance.created()));
            return run;
        }
        setup(host);
        for (int i = 0; i < times; ++i) {
            run.verdicts.push_back(instance.promote({.config = options_.config}));
        }
        run.requests = host.requests().size();
        check_always(situation, host, run);
        return run;
    }

private:
    static void add_secret(FakeHost& host, const std::string& text) {
        const auto slash = text.find('/');
        const auto equals = text.find('=', slash);
        host.add_secret(text.substr(0, slash), text.substr(slash + 1, equals - slash - 1),
                        text.substr(equals + 1));
    }

    void check_always(const std::string& situation, const FakeHost& host, const Run& run) {
        for (const auto& breach : host.breaches()) {
            report_.expect(false, situation + ": the contract is kept", breach);
        }
        for (const auto& verdict : run.verdicts) {
            const bool explained = succeeded(verdict) || verdict.outcome == PROMOTIOND_CANCELLED ||
                                   !verdict.message.empty();
            if (!explained) {
                report_.expect(false, situation + ": a failure says why", told(verdict));
            }
            check_secrets(situation, host, verdict);
        }
    }

    void check_secrets(const std::string& situation, const FakeHost& host, const Verdict& verdict) {
        auto words = host.log_lines();
        for (const auto& line : host.progress()) words.push_back(line);
        words.insert(words.end(), {verdict.message, verdict.summary, verdict.location,
                                   verdict.external_id, verdict.details});
        for (const auto& secret : options_.secrets) {
            const auto value = secret.substr(secret.find('=') + 1);
            for (const auto& text : words) {
                if (value.size() < 6 || text.find(value) == std::string::npos) continue;
                report_.expect(false, situation + ": no secret is told", text);
            }
        }
    }

    const promotiond_plugin& plugin_;
    const Options& options_;
    Report& report_;
};

void check_constants(const promotiond_plugin& plugin, Report& report) {
    const auto filled = [](promotiond_view view) { return view.data != nullptr && view.size > 0; };
    report.expect(filled(plugin.name), "it has a name");
    report.expect(filled(plugin.key), "it serves a key");
    report.expect(filled(plugin.version), "it has a version");
    report.expect(filled(plugin.summary), "it has a summary");
    report.expect(plugin.create != nullptr, "it has a create function");
    report.expect(plugin.target_minor <= PROMOTIOND_ABI_MINOR,
                  "its target is not above this kit's");
}

void check_idempotence(Kit& kit, Report& report) {
    const auto run = kit.promote(
        "twice",
        [](FakeHost& host) {
            host.on_http([](const HttpAsked&) { return HttpScripted{.body = "{}"}; });
        },
        2);
    if (run.verdicts.size() < 2) return;
    const auto& one = run.verdicts[0];
    const auto& two = run.verdicts[1];
    report.expect(one.outcome == two.outcome && one.external_id == two.external_id &&
                      one.location == two.location,
                  "promote twice comes to the same", told(one) + " then " + told(two));
}

void check_stop(Kit& kit, Report& report) {
    const auto cancelled = kit.promote("cancelled", [](FakeHost& host) { host.cancel(); });
    for (const auto& verdict : cancelled.verdicts) {
        report.expect(verdict.outcome == PROMOTIOND_CANCELLED ||
                          verdict.outcome == PROMOTIOND_RETRY || (cancelled.requests == 0),
                      "a cancelled call ends without success", told(verdict));
    }
    const auto late = kit.promote(
        "deadline passed", [](FakeHost& host) { host.set_deadline(std::chrono::milliseconds{0}); });
    for (const auto& verdict : late.verdicts) {
        report.expect(late.requests == 0 || !succeeded(verdict),
                      "a call past its deadline ends without success", told(verdict));
    }
}

// Every exchange of the promotion gets the same bad answer.
void check_answers(Kit& kit, Report& report) {
    struct Case {
        std::string name;
        HttpScripted answer;
        std::vector<promotiond_outcome> allowed;
    };
    const std::vector<promotiond_outcome> final{PROMOTIOND_REJECTED};
    const std::vector<promotiond_outcome> failed{PROMOTIOND_REJECTED, PROMOTIOND_RETRY};
    const std::vector<promotiond_outcome> later{PROMOTIOND_RETRY, PROMOTIOND_CANCELLED};
    const std::vector<promotiond_outcome> any{PROMOTIOND_DONE, PROMOTIOND_PENDING, PROMOTIOND_RETRY,
                                              PROMOTIOND_REJECTED};
    const std::vector<Case> cases{
        {"401", {.code = 401, .body = "{}"}, final},
        {"403", {.code = 403, .body = "{}"}, final},
        {"404", {.code = 404, .body = "{}"}, failed},
        {"409", {.code = 409, .body = "{}"}, any},  // "exists already" may be as good as done
        {"422", {.code = 422, .body = "{}"}, any},
        {"429", {.code = 429, .headers = {{"Retry-After", "17"}}, .body = "{}"}, later},
        {"500", {.code = 500, .body = "oops"}, later},
        {"503", {.code = 503, .body = "<html>"}, later},
        {"no connection", {.status = PROMOTIOND_HTTP_CONNECT, .error = "refused"}, later},
        {"timeout", {.status = PROMOTIOND_HTTP_TIMEOUT, .error = "timeout"}, later},
        {"half a body", {.status = PROMOTIOND_HTTP_BAD_ANSWER, .error = "cut off"}, later},
        {"half a document", {.code = 200, .body = "{\"number\":"}, any},
        {"not a document", {.code = 200, .body = "\xff\xfe<html>"}, any},
    };
    for (const auto& [name, answer, allowed] : cases) {
        const auto run = kit.promote(name, [&answer = answer](FakeHost& host) {
            host.on_http([&answer](const HttpAsked&) { return answer; });
        });
        // One that asked nobody has not met the answer.
        if (run.requests == 0) continue;
        for (const auto& verdict : run.verdicts) {
            report.expect(
                std::find(allowed.begin(), allowed.end(), verdict.outcome) != allowed.end(),
                "answer " + name + " comes to a sane outcome", told(verdict));
        }
    }
}

void check_poverty(Kit& kit, Report& report) {
    const auto bare = kit.promote("no services", [](FakeHost& host) {
        for (const auto* id : {PROMOTIOND_EXT_HTTP, PROMOTIOND_EXT_SECRETS,
                               PROMOTIOND_EXT_WORKSPACE, PROMOTIOND_EXT_DIAL}) {
            host.remove_service(id);
        }
    });
    report.expect(!bare.verdicts.empty(), "a host without services is survived");
    const auto broken = kit.promote("secrets down", [](FakeHost& host) { host.break_secrets(); });
    report.expect(!broken.verdicts.empty(), "a broken secret store is survived");
}

// Instances share no state that needs a lock; meant to be run under a thread sanitizer, too. They
// are made and ended on this thread, as the host does.
void check_parallel(const promotiond_plugin& plugin, const Options& options, Report& report) {
    FakeHost hosts[2];
    for (auto& host : hosts) {
        host.on_http([](const HttpAsked&) { return HttpScripted{.code = 503}; });
    }
    Instance one(hosts[0], plugin, options.settings);
    Instance two(hosts[1], plugin, options.settings);
    const auto work = [&](Instance& instance) {
        for (int i = 0; i < 20; ++i) {
            static_cast<void>(instance.promote({.config = options.config}));
        }
    };
    {
        const std::jthread first([&] { work(one); });
        const std::jthread second([&] { work(two); });
    }
    report.expect(hosts[0].breaches().empty() && hosts[1].breaches().empty(),
                  "two instances run side by side");
}

std::optional<Options> parse(int count, char** words) {
    Options options;
    for (int i = 1; i < count; ++i) {
        const std::string word = words[i];
        const bool more = i + 1 < count;
        if (word == "--config" && more) {
            options.config = words[++i];
        } else if (word == "--settings" && more) {
            options.settings = words[++i];
        } else if (word == "--secret" && more) {
            options.secrets.emplace_back(words[++i]);
        } else if (options.file.empty() && !word.starts_with("-")) {
            options.file = word;
        } else {
            return std::nullopt;
        }
    }
    for (const auto& secret : options.secrets) {
        const auto slash = secret.find('/');
        if (slash == std::string::npos || secret.find('=', slash) == std::string::npos) return {};
    }
    return options.file.empty() ? std::nullopt : std::optional(options);
}

const promotiond_plugin* open(const std::string& file, Report& report) {
    // Never closed: as the daemon, this program never unloads a strategy.
    // A name without a slash would be looked for where libraries are.
    const std::string path = std::filesystem::absolute(file).string();
    void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    const auto* why = library == nullptr ? ::dlerror() : nullptr;
    report.expect(library != nullptr, "the library loads", why == nullptr ? "" : why);
    if (library == nullptr) return nullptr;
    const auto symbols = exported_symbols(file);
    report.expect(symbols == std::vector<std::string>{PROMOTIOND_PLUGIN_SYMBOL},
                  "it exports " PROMOTIOND_PLUGIN_SYMBOL " and nothing else",
                  std::to_string(symbols.size()) + " symbols");
    const auto* plugin =
        static_cast<const promotiond_plugin*>(::dlsym(library, PROMOTIOND_PLUGIN_SYMBOL));
    if (plugin == nullptr) return nullptr;
    report.expect(plugin->size >= sizeof *plugin, "its plugin object has the size of ABI 1.0");
    return plugin->size >= sizeof *plugin ? plugin : nullptr;
}

}  // namespace

int main(int count, char** words) try {
    const auto options = parse(count, words);
    if (!options) {
        std::fprintf(stderr,
                     "usage: promotiond-verify [--config JSON] [--settings JSON] "
                     "[--secret NAME/KEY=VALUE]... FILE.so\n");
        return 2;
    }
    Report report;
    const auto* plugin = open(options->file, report);
    if (plugin == nullptr) return 1;
    check_constants(*plugin, report);
    if (plugin->create == nullptr) return 1;
    {
        FakeHost host;
        promotiond_strategy* strategy = nullptr;
        const auto verdict = host.run([&](const promotiond_call* call) {
            return plugin->create(&host.c_host(), call,
                                  {options->settings.data(), options->settings.size()}, &strategy);
        });
        const bool whole = verdict.outcome == PROMOTIOND_DONE && strategy != nullptr &&
                           strategy->size >= sizeof *strategy && strategy->promote != nullptr &&
                           strategy->destroy != nullptr;
        report.expect(whole, "create makes a whole strategy", told(verdict));
        if (!whole) return 1;
        strategy->destroy(strategy);
    }
    Kit kit(*plugin, *options, report);
    check_idempotence(kit, report);
    check_stop(kit, report);
    check_answers(kit, report);
    check_poverty(kit, report);
    check_parallel(*plugin, *options, report);
    std::printf("%d broken\n", report.broken());
    return report.broken() == 0 ? 0 : 1;
} catch (const std::exception& thrown) {
    std::fprintf(stderr, "promotiond-verify: cannot try the strategy: %s\n", thrown.what());
    return 2;
}
