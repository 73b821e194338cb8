// FakeHost: runs a strategy in a unit test, with no daemon, no shared library and no network.
//
//   FakeHost host;
//   host.add_secret("forge", "token", "t0ken");
//   host.answer_http({.code = 201, .body = R"({"number":7})"});
//   auto strategy = host.make<MyStrategy>(R"({})");
//   const Verdict verdict = strategy.promote({.config = R"({"url":"https://forge.test/r"})"});
//   assert(verdict.outcome == PROMOTIOND_PENDING && host.requests()[0].method == "POST");
//
// Verbs run through the same C functions that the daemon calls. Time stands still until advance().
// What breaks the contract (two answers, an unknown outcome, a call used after its verb) is listed
// by breaches().
//
// Needs POSIX (mkdtemp, loopback sockets for dial). Thread-safety: a strategy may use the host from
// several threads; the test itself drives it from one, and runs one verb at a time. Lifetime: the
// host outlives what it made.
#ifndef PROMOTIOND_TESTING_HPP
#define PROMOTIOND_TESTING_HPP

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "strategy.hpp"

namespace promotiond::sdk::inline v1::testing {

// What is promoted, with values that suffice for most tests.
struct Request {
    std::string id = "p-1";
    std::string pipeline_namespace = "team";
    std::string pipeline_name = "podinfo";
    std::string environment = "prod";
    std::string target = {};
    std::string revision = "1.2.3";
    std::string previous_revision = "1.2.2";
    std::string actor = "event:dev";
    std::string config = "{}";
    std::string targets = R"({"environment":"prod","targets":[{"namespace":"prod"}]})";
    std::string event = "{}";
    std::uint32_t attempt = 1;
};

// What a verb came to, as the daemon would see it.
struct Verdict {
    promotiond_outcome outcome = PROMOTIOND_REJECTED;
    std::string message = {};  // of fail()
    bool answered = false;     // the rest is from answer()
    std::string summary = {};
    std::string location = {};
    std::string external_id = {};
    std::string details = {};
    std::chrono::milliseconds retry_after{0};
};

// One HTTP exchange as the strategy asked for it.
struct HttpAsked {
    std::string method;
    std::string url;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    std::chrono::milliseconds timeout{0};
    std::uint64_t max_response_bytes = 0;
    std::string ca_pem;
    std::string client_certificate_pem;
    std::string client_key_pem;
    std::string proxy;
    // Case-insensitive; the first of that name, else empty.
    [[nodiscard]] std::string_view header(std::string_view name) const;
};

// What the service answers. With a status other than PROMOTIOND_HTTP_OK there is no answer, and
// error says why.
struct HttpScripted {
    std::int32_t status = PROMOTIOND_HTTP_OK;
    int code = 200;
    std::vector<std::pair<std::string, std::string>> headers = {};
    std::string body = {};
    std::string error = {};
};

class FakeHost;

// One instance of a strategy; ended by the destructor. Keep it no longer than its host.
class Instance {
public:
    Instance(FakeHost& host, const promotiond_plugin& plugin, std::string_view settings);
    Instance(Instance&& other) noexcept;
    Instance& operator=(Instance&&) = delete;
    ~Instance();

    // How create ended; the verbs below may be used only if its outcome is DONE.
    [[nodiscard]] const Verdict& created() const noexcept { return created_; }
    [[nodiscard]] Verdict promote(const Request& request);
    // REJECTED with a message where the strategy does not offer the extension.
    [[nodiscard]] Verdict observe(const Request& request, std::string_view external_id,
                                  std::string_view details = {});
    [[nodiscard]] Verdict plan(const Request& request);
    // Empty where the strategy does not offer the extension.
    [[nodiscard]] std::string lane(const Request& request);
    [[nodiscard]] bool offers(std::string_view extension);

private:
    FakeHost* host_;
    promotiond_strategy* strategy_ = nullptr;
    Verdict created_;
};

class FakeHost {
public:
    FakeHost();
    FakeHost(const FakeHost&) = delete;
    FakeHost& operator=(const FakeHost&) = delete;
    ~FakeHost();

    // A strategy class, or a plugin's exported object. Throws std::runtime_error when create
    // refuses; use Instance itself to look at a refusal.
    template <class S>
    [[nodiscard]] Instance make(std::string_view settings = "{}");
    [[nodiscard]] Instance make(const promotiond_plugin& plugin, std::string_view settings = "{}");

    void add_secret(const std::string& name, const std::string& key, const std::string& value);
    // The store of secrets is down: every get answers UNAVAILABLE.
    void break_secrets(bool broken = true);

    // Answers are given in order; when there are none, by the handler; without one the connection
    // is refused. The handler may call cancel() and advance().
    void answer_http(HttpScripted answer);
    void on_http(std::function<HttpScripted(const HttpAsked&)> handler);
    [[nodiscard]] std::vector<HttpAsked> requests() const;

    // Time in ms since the epoch; the deadline is relative to the start of each verb.
    [[nodiscard]] std::int64_t now_ms() const;
    void set_now_ms(std::int64_t now);
    void advance(std::chrono::milliseconds by);
    void set_deadline(std::chrono::milliseconds after_start);
    // From now on every verb is told to stop, until cancel(false).
    void cancel(bool cancelled = true);
    // Names a service that this host then lacks, such as PROMOTIOND_EXT_HTTP.
    void remove_service(const std::string& id);
    // dial() connects to loopback at the port that was asked for, or at the one given here.
    void redirect_dial(std::uint16_t port);

    [[nodiscard]] std::vector<std::string> log_lines() const;
    [[nodiscard]] std::vector<std::string> progress() const;
    [[nodiscard]] std::vector<std::string> breaches() const;
    // Below it live the scratch and cache directories; removed by the destructor.
    [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }

    // The C side, for tests of plain C plugins.
    [[nodiscard]] const promotiond_host& c_host() const noexcept { return host_; }
    // Runs anything that takes a call as a verb and gathers its verdict.
    [[nodiscard]] Verdict run(
        const std::function<promotiond_outcome(const promotiond_call*)>& verb);

private:
    static FakeHost& of(const promotiond_host* host) { return *static_cast<FakeHost*>(host->impl); }
    static FakeHost& of(const promotiond_call* call) { return *static_cast<FakeHost*>(call->impl); }
    void wire();
    void breach(std::string what);
    void take_answer(const promotiond_result& result);
    [[nodiscard]] std::int64_t remaining_ms() const;
    [[nodiscard]] HttpScripted answer_for(const HttpAsked& asked);
    std::int32_t send(const promotiond_http_request& request,
                      void (*on_response)(void*, const promotiond_http_response*), void* user);
    std::int32_t give_secret(promotiond_view name, promotiond_view key, promotiond_sink sink,
                             void* user);
    std::int32_t connect(promotiond_view host, std::uint16_t port, int* fd, promotiond_sink sink,
                         void* user);
    bool give_directory(const std::string& name, promotiond_sink sink, void* user);

    promotiond_host host_{};
    promotiond_call call_{};
    promotiond_secrets secrets_service_{};
    promotiond_http http_service_{};
    promotiond_workspace workspace_service_{};
    promotiond_dial dial_service_{};
    std::map<std::string, const void*, std::less<>> services_;

    mutable std::recursive_mutex mutex_;  // recursive: a handler may turn the knobs
    std::map<std::string, std::map<std::string, std::string>> secrets_;
    bool secrets_broken_ = false;
    std::deque<HttpScripted> scripted_;
    std::function<HttpScripted(const HttpAsked&)> handler_;
    std::vector<HttpAsked> requests_;
    std::int64_t now_ms_ = 1'700'000'000'000;
    std::int64_t started_ms_ = 0;
    std::int64_t deadline_ms_ = 120'000;
    bool cancelled_ = false;
    std::uint16_t dial_port_ = 0;
    std::vector<std::string> log_;
    std::vector<std::string> progress_;
    std::vector<std::string> breaches_;
    bool running_ = false;
    Verdict verdict_;
    std::filesystem::path directory_;
};

}  // namespace promotiond::sdk::inline v1::testing

#include "detail/fake_host.hpp"

#endif
