#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "platform/kube_watch.hpp"
#include "tests/unit/platform_kube_fixture.hpp"

using namespace promotiond;
using namespace promotiond::platform;
using namespace promotiond::platform::testing;
using namespace std::chrono_literals;

namespace {

// Watches kThings and writes down what it is told: "+a@2", "-a", "synced", "!forbidden", "ok".
class Follower {
public:
    explicit Follower(Cluster& cluster, KubeWatchOptions options = {}) {
        options.resource = kThings;
        if (options.pause_first == 250ms) options.pause_first = 1ms;
        options.pause_most = 5ms;
        if (options.pause_refused == 60s) options.pause_refused = 5ms;
        KubeWatchHandler handler;
        handler.upserted = [this](const KubeObject& object) {
            add("+" + object.name.name + "@" + object.resource_version);
        };
        handler.deleted = [this](const KubeName& name) { add("-" + name.name); };
        handler.synced = [this] { add("synced"); };
        handler.troubled = [this](const std::optional<KubeError>& trouble) {
            add(trouble ? "!" + std::string(name_of(trouble->reason)) : "ok");
        };
        watch_.emplace(cluster.client, std::move(options), std::move(handler), cluster.metrics);
    }
    // All that was told, once there is so much of it.
    std::string told(std::size_t count) {
        std::unique_lock lock(mutex_);
        (void)changed_.wait_for(lock, 60s, [&] { return told_.size() >= count; });
        std::string text;
        for (const auto& each : told_) text += (text.empty() ? "" : " ") + each;
        return text;
    }
    // True once this was told.
    bool tells(const std::string& what) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(
            lock, 60s, [&] { return std::find(told_.begin(), told_.end(), what) != told_.end(); });
    }
    [[nodiscard]] KubeWatch& watch() { return *watch_; }

private:
    void add(std::string what) {
        {
            const std::lock_guard held(mutex_);
            told_.push_back(std::move(what));
        }
        changed_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> told_;
    std::optional<KubeWatch> watch_;
};

std::size_t count_of(const std::vector<std::string>& requests, const std::string& part) {
    std::size_t count = 0;
    for (const auto& request : requests) count += request.find(part) != std::string::npos ? 1 : 0;
    return count;
}

const ScriptedAnswer kSilent = watch_of("", After::StaySilent);
const std::string kGone =
    R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}})"
    "\n";

}  // namespace

TEST_CASE("kube watch: a list comes in pages, and the watch goes on where the list ends") {
    Cluster cluster({list_of({object_json("a", "1")}, "7", "next/page"),
                     list_of({object_json("b", "2")}, "7"),
                     watch_of(event_json("MODIFIED", object_json("a", "8")) +
                                  event_json("ADDED", object_json("c", "9")) +
                                  event_json("DELETED", object_json("b", "10")),
                              After::StaySilent)});
    Follower follower(cluster);
    CHECK(follower.told(6) == "+a@1 +b@2 synced +a@8 +c@9 -b");
    CHECK(follower.watch().synced());
    const auto requests = cluster.server.requests();
    REQUIRE(requests.size() == 3);
    CHECK(requests[0].starts_with("GET /api/v1/things?limit=500 HTTP/1.1"));
    CHECK(requests[1].starts_with("GET /api/v1/things?limit=500&continue=next%2Fpage HTTP/1.1"));
    CHECK(requests[2].starts_with(
        "GET "
        "/api/v1/things?watch=true&allowWatchBookmarks=true&resourceVersion=7&timeoutSeconds="));
}

TEST_CASE("kube watch: after 410 everything is listed anew and only what differs is told") {
    Cluster cluster(
        {list_of({object_json("a", "1"), object_json("b", "2"), object_json("d", "3")}, "3"),
         watch_of(kGone, After::Close),
         list_of({object_json("a", "1"), object_json("b", "5"), object_json("c", "6"),
                  object_json("d", "9", "u2")},
                 "9"),
         kSilent});
    Follower follower(cluster);
    CHECK(follower.told(9) == "+a@1 +b@2 +d@3 synced +b@5 +c@6 -d +d@9 synced");
}

TEST_CASE(
    "kube watch: a continue token that expired begins the list anew without doubled objects") {
    Cluster cluster({list_of({object_json("a", "1")}, "7", "more"),
                     status(410, "Expired", "the continue token is too old"),
                     list_of({object_json("a", "1"), object_json("b", "2")}, "8"), kSilent});
    Follower follower(cluster);
    CHECK(follower.told(3) == "+a@1 +b@2 synced");
    CHECK(count_of(cluster.server.requests(), "continue=") == 1);
}

TEST_CASE("kube watch: a watch that ends is taken up where it was, with no list between") {
    const auto bookmark =
        event_json("BOOKMARK", R"({"kind":"Thing","metadata":{"resourceVersion":"30"}})");
    Cluster cluster({list_of({}, "7"), watch_of("", After::Close),
                     watch_of(event_json("ADDED", object_json("a", "8")), After::Close),
                     watch_of(bookmark, After::Close),
                     watch_of(event_json("MODIFIED", object_json("a", "31")), After::StaySilent)});
    Follower follower(cluster);
    CHECK(follower.told(3) == "synced +a@8 +a@31");
    const auto requests = cluster.server.requests();
    CHECK(count_of(requests, "limit=500") == 1);
    CHECK(count_of(requests, "resourceVersion=7&") == 2);
    CHECK(count_of(requests, "resourceVersion=8&") == 1);
    CHECK(count_of(requests, "resourceVersion=30&") == 1);
}

TEST_CASE("kube watch: a watch that falls silent is given up and taken up again") {
    Cluster cluster({list_of({}, "7"), kSilent,
                     watch_of(event_json("ADDED", object_json("a", "8")), After::StaySilent)});
    Follower follower(cluster, {.resource = {}, .idle = 100ms});
    // Trouble may be told as well: to be late with the head of an answer is to be silent.
    CHECK(follower.tells("+a@8"));
    CHECK(count_of(cluster.server.requests(), "limit=500") == 1);
}

TEST_CASE("kube watch: an event that is cut off comes again and is told once") {
    const auto event = event_json("ADDED", object_json("a", "8"));
    Cluster cluster({list_of({}, "7"), watch_of(event.substr(0, 40), After::Close),
                     list_of({}, "7"), watch_of(event, After::StaySilent)});
    Follower follower(cluster);
    CHECK(follower.told(3) == "synced synced +a@8");
}

TEST_CASE("kube watch: what may not be listed is named, and goes on when the right is given") {
    Cluster cluster({status(403, "Forbidden", "things is forbidden: User x cannot list"),
                     status(403, "Forbidden", "things is forbidden: User x cannot list"),
                     list_of({object_json("a", "1")}, "7"), kSilent});
    Follower follower(cluster);
    CHECK(follower.told(4) == "!forbidden +a@1 ok synced");
    CHECK_FALSE(follower.watch().trouble().has_value());
}

TEST_CASE(
    "kube watch: after a refusal it asks again soon, since rights are often given just then") {
    Cluster cluster({status(404, "NotFound", "the server could not find the requested resource"),
                     status(403, "Forbidden", "things is forbidden: User x cannot list"),
                     list_of({object_json("a", "1")}, "7"), kSilent});
    Follower follower(cluster, {.resource = {}, .pause_refused = 1h});
    CHECK(follower.told(5) == "!not-found !forbidden +a@1 ok synced");
}

TEST_CASE("kube watch: trouble says which resource, where, why and what to do") {
    Cluster cluster({status(403, "Forbidden", "User x cannot list resource things")});
    Follower follower(cluster);
    CHECK(follower.told(1) == "!forbidden");
    const auto trouble = follower.watch().trouble();
    REQUIRE(trouble.has_value());
    CHECK(trouble->error.message == "cannot list things at " + cluster.client.server_name() +
                                        ": User x cannot list resource things; grant it with a "
                                        "Role, see config/kubernetes");
    CHECK_FALSE(follower.watch().synced());
}

TEST_CASE("kube watch: a page that is too long is asked for in smaller pages") {
    const auto large = object_json("large", "1", std::string(3000, 'u'));
    Cluster cluster({list_of({large}, "7"), list_of({object_json("a", "1")}, "7", "more"),
                     list_of({object_json("b", "2")}, "7"), kSilent},
                    {}, {.max_answer_bytes = 2000});
    Follower follower(cluster);
    CHECK(follower.told(3) == "+a@1 +b@2 synced");
    CHECK(count_of(cluster.server.requests(), "limit=125") == 2);
}

TEST_CASE("kube watch: a line that never ends is given up and what is there is listed") {
    Cluster cluster({list_of({}, "7"), watch_of(std::string(5000, 'x'), After::StaySilent),
                     list_of({object_json("a", "8")}, "8"), kSilent},
                    {}, {.max_line_bytes = 2000});
    Follower follower(cluster);
    CHECK(follower.told(3) == "synced +a@8 synced");
}

TEST_CASE("kube watch: it stops at once while a watch is silent and while it waits") {
    Cluster silent({list_of({}, "7"), kSilent});
    { Follower(silent).told(1); }
    Cluster refusing({status(503, "ServiceUnavailable", "later", "Retry-After: 3600\r\n")}, {},
                     {.timeout = 50ms});
    { Follower(refusing).told(1); }
    SUCCEED();
}
