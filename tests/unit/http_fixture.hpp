// A server over a fake core, and a client of raw bytes, for the tests of HTTP.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "http/core.hpp"
#include "http/server.hpp"

namespace http_test {

using namespace promotiond;

// A test that waits longer has failed.
constexpr std::chrono::seconds kPatience{30};
// Longer than that: what is ended by this was not ended in time.
constexpr std::chrono::seconds kTooLate{2 * kPatience};

// tests/unit: F-EVENT and its HMAC-SHA-256 under "hmac-secret", from pipeline-controller's suite.
inline const std::string kEvent =
    R"({"involvedObject":{"kind":"HelmRelease","namespace":"default","name":"app","apiVersion":"helm.toolkit.fluxcd.io/v2beta1"},"severity":"","timestamp":null,"message":"","reason":"","metadata":{"revision":"5.0.0"},"reportingController":""})";
inline const std::string kEventSignature =
    "sha256=a0e7a8316081044daf647e7b65d80bdd33e1ad1790e4b65b56b34d7b1dcfc8a0";
inline const std::string kEmptySignature =
    "sha256=4dbd2292025f21bd07ca900059e19286df5ad14c05c4f00f19a2959f2d1ac56b";

class FakeSecrets final : public platform::SecretStore {
public:
    Result<Secret> get(const std::string& ns, const std::string& name,
                       const std::string& key) override {
        if (failing) return *failing;
        const auto found = all.find(ns + "/" + name + "/" + key);
        if (found == all.end()) return Error{ErrorKind::NotFound, "no such secret"};
        return Secret(found->second);
    }
    std::map<std::string, std::string> all{{"default/app/hmac-key", "hmac-secret"}};
    std::optional<Error> failing;
};

// Answers at once with what the test has put in.
class FakeCore final : public http::Commands, public http::Views {
public:
    using Engine = engine::Engine;
    using Look = std::pair<std::vector<std::string>, std::string>;  // pages, commit

    void submit(model::ReceivedEvent event, Engine::OnAccepted done) override {
        {
            const std::lock_guard lock(mutex);
            events_seen.push_back(std::move(event));
            if (holds) {
                held.push_back(std::move(done));
                arrived.notify_all();
                return;
            }
        }
        done(accepted);
    }
    void approve(const model::PipelineName& pipeline, decision::Approval approval,
                 Engine::OnAccepted done) override {
        {
            const std::lock_guard lock(mutex);
            approvals.emplace_back(pipeline, std::move(approval));
        }
        done(accepted);
    }
    void retry(const model::PromotionId&, const std::string& actor,
               Engine::OnPromotion done) override {
        last_actor = actor;
        done(settled);
    }
    void cancel(const model::PromotionId&, const std::string& actor,
                Engine::OnPromotion done) override {
        last_actor = actor;
        done(settled);
    }
    void look(std::vector<std::string> locations, std::string commit) override {
        const std::lock_guard lock(mutex);
        looks.emplace_back(std::move(locations), std::move(commit));
    }
    void when_settled(std::vector<model::PromotionId> ids, SteadyTime deadline,
                      Engine::OnSettled done) override {
        settle_deadline = deadline;
        std::vector<model::Promotion> all;
        if (!settled) return done(settled.error());
        for (const auto& id : ids) all.push_back(id == second.id ? second : *settled);
        done(std::move(all));
    }
    std::shared_ptr<const engine::Snapshot> snapshot() const override {
        const std::lock_guard lock(mutex);
        return state;
    }
    std::shared_ptr<const model::Pipeline> pipeline(
        const model::PipelineName& name) const override {
        const std::lock_guard lock(mutex);
        const auto found = state->pipelines.find(name);
        return found == state->pipelines.end() ? nullptr : found->second.pipeline;
    }
    std::vector<decision::Why> why(const model::PipelineName&) override {
        return {{.environment = "prod",
                 .headline = "waits for dev",
                 .reasons = {{"no-evidence", "dev runs nothing yet"}},
                 .since = std::nullopt,
                 .unblock = "an event"}};
    }
    Result<void> ready() const override {
        if (is_ready) return {};
        return Error{ErrorKind::Transient, "the journal takes no writes"};
    }
    Result<journal::Page> promotions(const journal::Filter& filter) override {
        last_filter = filter;
        return journal::Page{{*settled}, "17"};
    }
    Result<model::Promotion> promotion(const model::PromotionId& id) override {
        if (id == settled->id) return settled;
        return Error{ErrorKind::NotFound, "there is no promotion " + id};
    }
    Result<std::vector<model::Transition>> transitions(const model::PromotionId& id) override {
        return std::vector<model::Transition>{{.id = id,
                                               .from = std::nullopt,
                                               .to = model::Phase::Queued,
                                               .at = {},
                                               .reason = "due",
                                               .actor = "event:x",
                                               .attempt = 0}};
    }
    Result<std::vector<journal::EventRecord>> events(const model::PipelineName&,
                                                     std::size_t) override {
        return std::vector<journal::EventRecord>{};
    }
    Result<strategy::Answer> plan(const model::PipelineName&, const std::string&,
                                  const std::string&, const std::string& revision,
                                  std::stop_token) override {
        strategy::Answer answer;
        answer.outcome = strategy::Outcome::Done;
        answer.summary = "would carry " + revision;
        return answer;
    }
    std::vector<strategy::Description> strategies() const override { return {}; }
    std::vector<strategy::Refusal> refused_strategies() const override { return {}; }

    std::size_t seen() const {
        const std::lock_guard lock(mutex);
        return events_seen.size();
    }

    // With holds: the completion of the next event that nobody has answered.
    Engine::OnAccepted next_held() {
        std::unique_lock lock(mutex);
        REQUIRE(arrived.wait_for(lock, kPatience, [&] { return !held.empty(); }));
        auto done = std::move(held.front());
        held.pop_front();
        return done;
    }

    mutable std::mutex mutex;
    std::condition_variable arrived;
    bool holds = false;  // events are not answered but held
    std::deque<Engine::OnAccepted> held;
    std::shared_ptr<const engine::Snapshot> state = std::make_shared<engine::Snapshot>();
    std::vector<model::ReceivedEvent> events_seen;
    std::vector<std::pair<model::PipelineName, decision::Approval>> approvals;
    Result<engine::Accepted> accepted = engine::Accepted{
        decision::Verdict::Promote, {{"runs-successfully", "dev runs it"}}, {"p-1"}, false};
    Result<model::Promotion> settled = model::Promotion{};
    model::Promotion second;  // settled with it, when its id is accepted too
    journal::Filter last_filter;
    std::vector<Look> looks;
    std::string last_actor;
    SteadyTime settle_deadline{};
    bool is_ready = true;
};

inline model::Pipeline pipeline(const std::optional<std::string>& secret) {
    model::Pipeline made;
    made.id = {"default", "app"};
    made.app = {"helm.toolkit.fluxcd.io/v2beta1", "HelmRelease", "app"};
    for (const char* name : {"dev", "prod"}) {
        model::Environment environment;
        environment.name = name;
        environment.targets.push_back({"default", std::nullopt});
        made.environments.push_back(environment);
    }
    made.promotion.emplace();
    made.promotion->hmac_secret = secret;
    return made;
}

// A directory of its own; files are the owner's alone.
class Folder {
public:
    Folder() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "http-test-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path_ = pattern;
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::filesystem::path write(const std::string& name, const std::string& text) const {
        const std::filesystem::path file = path_ / name;
        std::ofstream(file) << text;
        std::filesystem::permissions(
            file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
        return file;
    }
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

struct Answer {
    unsigned status = 0;
    std::string head;
    std::string body;
    [[nodiscard]] std::string header(const std::string& name) const {
        const std::size_t at = head.find("\r\n" + name + ": ");
        if (at == std::string::npos) return {};
        const std::size_t from = at + name.size() + 4;
        return head.substr(from, head.find("\r\n", from) - from);
    }
};

class Client {
public:
    // receive_bytes: of the socket's buffer; 0 = the system's.
    explicit Client(const std::string& address, const char* source = nullptr,
                    int receive_bytes = 0) {
        fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (receive_bytes > 0)
            ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
        const timeval limit{kPatience.count(), 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        if (source != nullptr) {
            ::inet_pton(AF_INET, source, &to.sin_addr);
            REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
        }
        const std::size_t colon = address.rfind(':');
        to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
        ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
        REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
    }
    ~Client() { ::close(fd_); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    void send(std::string_view bytes) const {
        while (!bytes.empty()) {
            const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n <= 0) return;  // the server may have had enough
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
    }
    void end() const { ::shutdown(fd_, SHUT_WR); }
    [[nodiscard]] int socket() const { return fd_; }
    // True if the server closes without another byte; false if it does not within the limit.
    bool closed() { return buffer_.empty() && !more() && !waited_in_vain_; }
    // status 0: the connection ended without an answer.
    Answer receive() {
        Answer answer;
        std::size_t blank = 0;
        while ((blank = buffer_.find("\r\n\r\n")) == std::string::npos) {
            if (!more()) return answer;
        }
        answer.head = buffer_.substr(0, blank + 2);
        buffer_.erase(0, blank + 4);
        answer.status = static_cast<unsigned>(std::stoi(answer.head.substr(9, 3)));
        const std::string length = answer.header("Content-Length");
        const std::size_t size = length.empty() ? 0 : std::stoul(length);
        while (buffer_.size() < size && more()) {
        }
        answer.body = buffer_.substr(0, size);
        buffer_.erase(0, size);
        return answer;
    }
    Answer ask(std::string_view bytes) {
        send(bytes);
        return receive();
    }

private:
    bool more() {
        std::array<char, 65536> chunk;
        const ssize_t n = ::recv(fd_, chunk.data(), chunk.size(), 0);
        waited_in_vain_ = n < 0 && errno == EAGAIN;
        if (n <= 0) return false;
        buffer_.append(chunk.data(), static_cast<std::size_t>(n));
        return true;
    }
    int fd_ = -1;
    bool waited_in_vain_ = false;
    std::string buffer_;
};

inline std::string post(const std::string& path, const std::string& body,
                        const std::string& headers = "") {
    return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
inline std::string get(const std::string& path, const std::string& headers = "") {
    return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n";
}
inline std::string signed_event(const std::string& query = "") {
    return post("/promotion/default/app/dev" + query, kEvent,
                "X-Signature: " + kEventSignature + "\r\n");
}

struct Running {
    explicit Running(http::Options options = {}, std::optional<std::string> secret = "app",
                     platform::Callers* callers = nullptr, http::Forwarding* forwarding = nullptr) {
        options.listen = "127.0.0.1:0";
        options.health = "127.0.0.1:0";
        if (options.rate_requests == 20) options.rate_requests = 0;
        use(pipeline(secret));
        core.settled->id = "p-1";
        auto opened = http::Server::open(
            options, http::Core{core, core, secrets, clock, callers, &readiness, forwarding},
            nullptr, metrics);
        REQUIRE(opened);
        server = std::move(*opened);
        server->start();
    }
    void use(model::Pipeline changed) {
        auto snapshot = std::make_shared<engine::Snapshot>();
        const auto name = changed.id;
        snapshot->pipelines[name] = {std::make_shared<model::Pipeline>(std::move(changed)),
                                     std::make_shared<model::History>(),
                                     {}};
        const std::lock_guard lock(core.mutex);
        core.state = snapshot;
    }
    Answer ask(const std::string& bytes) { return Client(server->listen_address()).ask(bytes); }
    Answer health(const std::string& path) {
        return Client(server->health_address()).ask(get(path));
    }
    // Fails the test unless a good event is taken now.
    void good_event_works() {
        const std::size_t before = core.seen();
        REQUIRE(ask(signed_event()).status == 202);
        REQUIRE(core.seen() == before + 1);
    }

    FakeCore core;
    FakeSecrets secrets;
    ManualClock clock;
    Metrics metrics;
    Readiness readiness;
    std::unique_ptr<http::Server> server;
};

}  // namespace http_test
