// Pushes that are under way at the same time and go together.
#include <algorithm>
#include <deque>
#include <thread>

#include "catch.hpp"
#include "gitops_mirror_fixture.hpp"
#include "sdk/gitops/git_push_queue.hpp"

using namespace promotiond::gitops_test;

namespace {

std::shared_ptr<PushQueue> queue_of(const Site& site) {
    return PushQueue::of(push_queue_key(site.cache(), site.credentials()));
}

// A call's own branch p-<i>, on main, pushed from a thread.
class Pusher {
public:
    Pusher(Site& site, int i) : call_(site.cache()), site_(site), i_(i) {}

    void begin() {
        thread_ = std::jthread([this] {
            try {
                auto mirror = must(site_.open(call_));
                const auto base = must(mirror.fetch("main"));
                const auto commit =
                    must(mirror.commit(base, {{"docs/readme.md", std::to_string(i_)}}, kText));
                const auto done = mirror.push(commit, "p-" + std::to_string(i_), std::nullopt);
                if (!done) fault_ = done.error();
            } catch (const std::exception& thrown) {
                fault_ = Error{ErrorKind::Internal, thrown.what()};
            }
        });
    }
    void cancel() { call_.cancel(); }
    // Why nothing was pushed; no message when it was.
    const Error& fault() {
        if (thread_.joinable()) thread_.join();
        return fault_;
    }

private:
    TestCall call_;
    Site& site_;
    int i_;
    Error fault_;
    std::jthread thread_;
};

void until_waiting(PushQueue& queue, std::size_t count) {
    while (queue.waiting() < count) std::this_thread::yield();
}

std::string content_of(const Site& site, int i) {
    return site.git("show p-" + std::to_string(i) + ":docs/readme.md");
}

long pushes_to(Site& site) {
    const auto requests = site.server().requests();
    return std::count_if(requests.begin(), requests.end(), [](const auto& request) {
        return request.find("POST") == 0 && request.find("receive-pack") != std::string::npos;
    });
}

}  // namespace

TEST_CASE("mirror: pushes that wait for another become one, and each says what became of it") {
    Site site;
    site.change("b", "b");
    REQUIRE(site.git("branch p-3 main~1").empty());  // not what its pusher expects
    std::deque<Pusher> pushers;
    for (int i = 0; i < 4; ++i) pushers.emplace_back(site, i);
    const auto queue = queue_of(site);
    {
        TestCall first(site.cache());
        const auto turn = must(queue->join({}, Waiting(first.call()))).turn;
        REQUIRE(turn);
        for (auto& pusher : pushers) pusher.begin();
        until_waiting(*queue, pushers.size());
        CHECK(pushes_to(site) == 0);
    }
    for (int i = 0; i < 3; ++i) {
        CHECK(pushers[static_cast<std::size_t>(i)].fault().message.empty());
        CHECK(content_of(site, i) == std::to_string(i));
    }
    CHECK_THAT(pushers[3].fault().message, Catch::Contains("somebody else has changed it"));
    CHECK(pushes_to(site) == 1);
}

TEST_CASE("mirror: who comes to push while another connects is taken along") {
    Site site;
    TestCall first(site.cache());
    TestCall second(site.cache());
    const auto queue = PushQueue::of("a repository");
    auto turn = must(queue->join({.branch = "a"}, Waiting(first.call()))).turn;
    REQUIRE(turn);
    auto without = PushQueue::Without::Alone;
    std::jthread other(
        [&] { without = must(queue->join({.branch = "b"}, Waiting(second.call()))).without; });
    until_waiting(*queue, 1);
    const auto others = turn->gather();
    REQUIRE(others.size() == 1);
    CHECK(others[0].branch == "b");
    turn->pushed(0, std::make_shared<const RemoteHeads>());
    turn.reset();
    other.join();
    CHECK(without == PushQueue::Without::Pushed);
}

TEST_CASE("mirror: who leads a push waits for those who are about to come") {
    Site site;
    TestCall first(site.cache());
    TestCall second(site.cache());
    const auto queue = PushQueue::of("a repository");
    auto turn = must(queue->join({.branch = "a"}, Waiting(first.call()))).turn;
    REQUIRE(turn);
    PushQueue::Coming expected(queue);
    PushQueue::Coming thinks_better_of_it(queue);
    std::jthread other([&] {
        (void)must(queue->join({.branch = "b"}, Waiting(second.call()), std::move(expected)));
    });
    std::jthread stays_away([&] { thinks_better_of_it = PushQueue::Coming(); });
    CHECK(turn->gather(std::chrono::minutes{10}).size() == 1);
    turn.reset();
}

TEST_CASE("mirror: who is cancelled while waiting for a push is not pushed and holds up nobody") {
    Site site;
    std::deque<Pusher> pushers;
    for (int i = 0; i < 3; ++i) pushers.emplace_back(site, i);
    const auto queue = queue_of(site);
    {
        TestCall first(site.cache());
        const auto turn = must(queue->join({}, Waiting(first.call()))).turn;
        REQUIRE(turn);
        for (auto& pusher : pushers) pusher.begin();
        until_waiting(*queue, pushers.size());
        pushers[0].cancel();
        CHECK(pushers[0].fault().kind == ErrorKind::Cancelled);
    }
    for (int i = 1; i < 3; ++i) {
        CHECK(pushers[static_cast<std::size_t>(i)].fault().message.empty());
        CHECK(content_of(site, i) == std::to_string(i));
    }
    CHECK(site.git("branch --list p-0").empty());
    CHECK(pushes_to(site) == 1);
}

TEST_CASE("mirror: who is taken along and gone before the push harms no other") {
    Site site;
    Pusher leader(site, 0);
    Pusher other(site, 1);
    TestCall gone(site.cache());
    const auto queue = queue_of(site);
    auto without = PushQueue::Without::Pushed;
    std::jthread going;
    {
        TestCall first(site.cache());
        const auto turn = must(queue->join({}, Waiting(first.call()))).turn;
        REQUIRE(turn);
        leader.begin();
        until_waiting(*queue, 1);
        going = std::jthread([&] {
            OutgoingBranch branch{.commit = std::string(40, '1'), .branch = "p-gone"};
            branch.objects = (site.path() / "removed").native();
            without = must(queue->join(std::move(branch), Waiting(gone.call()))).without;
        });
        until_waiting(*queue, 2);
        other.begin();
        until_waiting(*queue, 3);
    }
    CHECK(leader.fault().message.empty());
    CHECK(other.fault().message.empty());
    going.join();
    CHECK(without == PushQueue::Without::Alone);
    CHECK(content_of(site, 0) == "0");
    CHECK(content_of(site, 1) == "1");
    CHECK(site.git("branch --list p-gone").empty());
}

TEST_CASE("mirror: who is cancelled while leading a push leaves it to the next") {
    Site site;
    Pusher leader(site, 0);
    Pusher next(site, 1);
    site.server().set_fault({.target = "service=git-receive-pack", .silent = true});
    leader.begin();
    site.server().wait_until_silent();
    next.begin();
    until_waiting(*queue_of(site), 1);
    site.server().set_fault({});
    leader.cancel();
    CHECK(leader.fault().kind == ErrorKind::Cancelled);
    CHECK(next.fault().message.empty());
    CHECK(content_of(site, 1) == "1");
    CHECK(site.git("branch --list p-0").empty());
}
