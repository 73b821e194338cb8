// What a replica that does not lead does with requests.
#include <atomic>
#include <future>
#include <semaphore>

#include "tests/unit/http_fixture.hpp"

using namespace http_test;

namespace {

class FakeLeader : public http::Forwarding {
public:
    [[nodiscard]] bool stands_by() const override { return standby; }
    [[nodiscard]] bool may_answer() const override { return valid; }
    [[nodiscard]] Result<void> ready() const override {
        if (there) return {};
        return Error{ErrorKind::Transient, "no replica leads"};
    }
    [[nodiscard]] Result<http::Response> forward(const http::Request& request,
                                                 const std::stop_token&) override {
        const std::lock_guard held(mutex);
        seen.push_back(request);
        if (!there) return Error{ErrorKind::Transient, "no replica leads now; send it again"};
        return http::Response{.status = 202,
                              .media = "application/json",
                              .body = R"({"a":1})",
                              .headers = headers,
                              .rejected = {}};
    }

    std::atomic<bool> standby{true};
    std::atomic<bool> valid{true};
    std::atomic<bool> there{true};
    http::Headers headers{{"Location", "/api/v1/promotions/p-9"}};
    std::mutex mutex;
    std::vector<http::Request> seen;
};

// Holds up who asks whether there is a leader: the loop of the health address.
class HoldingLeader final : public FakeLeader {
public:
    [[nodiscard]] Result<void> ready() const override {
        asked.release();
        may_go.acquire();
        return {};
    }
    mutable std::binary_semaphore asked{0};
    mutable std::binary_semaphore may_go{0};
};

http::Options with_token(const Folder& folder) {
    http::Options options;
    options.tokens = {{"ci", http::AccessScope::Read, folder.write("ci", "0123456789abcdef")}};
    return options;
}

}  // namespace

TEST_CASE("standby: events, approvals and API calls go to the leader as they came") {
    FakeLeader leader;
    const Folder folder;
    Running standby(with_token(folder), "app", nullptr, &leader);
    const auto answer = standby.ask(signed_event("?wait=2s"));
    CHECK(answer.status == 202);
    CHECK(answer.body == R"({"a":1})");
    CHECK(answer.header("Location") == "/api/v1/promotions/p-9");
    // Whether it is signed and who may ask is the leader's to say.
    CHECK(standby.ask(post("/approval/default/app/prod/5.0.0", "")).status == 202);
    CHECK(standby.ask(get("/api/v1/pipelines", "Authorization: Bearer unknown-token\r\n")).status ==
          202);
    REQUIRE(leader.seen.size() == 3);
    CHECK(leader.seen[0].method == "POST");
    CHECK(leader.seen[0].target == "/promotion/default/app/dev?wait=2s");
    CHECK(leader.seen[0].body == kEvent);
    CHECK(*leader.seen[0].single("x-signature") == kEventSignature);
    CHECK(*leader.seen[2].single("authorization") == "Bearer unknown-token");
    CHECK(standby.core.seen() == 0);
}

TEST_CASE("standby: without a leader nothing is taken, and the sender is told to come back") {
    FakeLeader leader;
    leader.there = false;
    Running standby({}, "app", nullptr, &leader);
    const auto answer = standby.ask(signed_event());
    CHECK(answer.status == 503);
    CHECK(answer.header("Retry-After") == "5");
    CHECK(standby.core.seen() == 0);
}

TEST_CASE("standby: it is ready while it knows a leader, and alive in any case") {
    FakeLeader leader;
    Running standby({}, "app", nullptr, &leader);
    standby.core.is_ready = false;
    CHECK(standby.health("/readyz").status == 200);
    leader.there = false;
    CHECK(standby.health("/readyz").status == 503);
    CHECK(standby.health("/livez").status == 200);
    CHECK(standby.health("/metrics").status == 200);
}

TEST_CASE("standby: a request that another standby has sent is not passed on") {
    FakeLeader leader;
    Running standby({}, "app", nullptr, &leader);
    const auto with_via = [&](const std::string& via) {
        return standby.ask(post("/promotion/default/app/dev", kEvent, "Via: " + via + "\r\n"))
            .status;
    };
    CHECK(with_via("1.1 promotiond") == 503);
    CHECK(with_via("1.1 edge, 1.1 promotiond,1.1 mesh") == 503);
    CHECK(leader.seen.empty());
    // Another proxy's name is no loop.
    CHECK(with_via("1.1 promotiond-ingress") == 202);
}

TEST_CASE("standby: what is no address of ours is refused without the leader") {
    FakeLeader leader;
    Running standby({}, "app", nullptr, &leader);
    CHECK(standby.ask(get("/nowhere")).status == 404);
    CHECK(standby.ask(get("/promotion/default/app/dev")).status == 405);
    CHECK(leader.seen.empty());
}

TEST_CASE("standby: once it leads it answers and authorizes by itself") {
    FakeLeader leader;
    const Folder folder;
    Running replica(with_token(folder), "app", nullptr, &leader);
    leader.standby = false;
    CHECK(replica.ask(signed_event()).status == 202);
    CHECK(replica.core.seen() == 1);
    CHECK(replica.ask(get("/api/v1/pipelines", "Authorization: Bearer unknown-token\r\n")).status ==
          401);
    CHECK(leader.seen.empty());
}

TEST_CASE("standby: a leader that lost its lease meanwhile tells nobody that it took anything") {
    FakeLeader leader;
    leader.standby = false;
    Running replica({}, "app", nullptr, &leader);
    replica.core.holds = true;
    Client sender(replica.server->listen_address());
    sender.send(signed_event());
    const auto done = replica.core.next_held();
    leader.valid = false;
    done(replica.core.accepted);
    const auto answer = sender.receive();
    CHECK(answer.status == 503);
    CHECK(answer.header("Retry-After") == "5");
    CHECK(answer.header("Location").empty());
}

TEST_CASE("standby: a former leader is ready only as far as it knows its successor") {
    FakeLeader leader;
    leader.standby = false;
    leader.valid = false;
    leader.there = false;
    Running replica({}, "app", nullptr, &leader);
    CHECK(replica.health("/readyz").status == 503);
    CHECK(replica.health("/livez").status == 200);
}

TEST_CASE("standby: the answer carries the id under which the leader's log has the request") {
    FakeLeader leader;
    leader.headers = {{"X-Request-Id", "leaders-7"}};
    Running standby({}, "app", nullptr, &leader);
    const auto answer = standby.ask(signed_event());
    CHECK(answer.header("X-Request-Id") == "leaders-7");
    CHECK(answer.head.find("X-Request-Id") == answer.head.rfind("X-Request-Id"));
}

TEST_CASE("http: a loop that is held up is told to the watchdog, and so is that it goes on") {
    HoldingLeader leader;
    Running house({}, "app", nullptr, &leader);
    const auto moves = [&] {
        (void)house.server->moves();  // gives both loops something to run
        REQUIRE(house.ask(signed_event()).status == 202);
        REQUIRE(house.health("/livez").status == 200);
        return house.server->moves();
    };
    CHECK(moves());

    auto probe = std::async(std::launch::async, [&] { return house.health("/readyz").status; });
    leader.asked.acquire();
    (void)house.server->moves();
    CHECK(house.ask(signed_event()).status == 202);  // the other loop is well
    CHECK_FALSE(house.server->moves());
    CHECK_FALSE(house.server->moves());

    leader.may_go.release();
    CHECK(probe.get() == 200);
    CHECK(moves());
}
