// One instance, whatever its thread and its callers do meanwhile.
#include "strategy/instance.hpp"

#include <fcntl.h>
#include <promotiond/ext/workspace.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <future>
#include <promotiond/strategy.hpp>
#include <semaphore>

#include "catch.hpp"
#include "unit/strategy_fixture.hpp"

using namespace std::chrono_literals;
using promotiond::strategy::CallState;
using promotiond::strategy::Host;
using promotiond::strategy::HostServices;
using promotiond::strategy::Instance;
using promotiond::strategy::Outcome;
using promotiond::test::Services;
namespace sdk = promotiond::sdk;

namespace {

class Plain : public sdk::Strategy {
public:
    sdk::Outcome promote(const sdk::Promotion&, sdk::Call&) override {
        return sdk::Outcome::done();
    }
};
constexpr auto kPlain = sdk::detail::plugin_of<Plain>(
    {.name = "plain", .key = "webhook", .version = "1.0.0", .summary = "plain"});

// Standard error is a pipe that is full: who logs waits until somebody reads.
class FullLog {
public:
    FullLog() : before_(::dup(STDERR_FILENO)) {
        REQUIRE(::pipe2(ends_.data(), O_CLOEXEC | O_NONBLOCK) == 0);
        while (::write(ends_[1], "full\n", 5) > 0) {
        }
        REQUIRE(::fcntl(ends_[0], F_SETFL, 0) == 0);
        REQUIRE(::fcntl(ends_[1], F_SETFL, 0) == 0);
        ::dup2(ends_[1], STDERR_FILENO);
        ::close(ends_[1]);
    }
    ~FullLog() {
        ::dup2(before_, STDERR_FILENO);
        std::array<char, 4096> taken;
        while (::read(ends_[0], taken.data(), taken.size()) > 0) {
        }
        ::close(ends_[0]);
        ::close(before_);
    }
    FullLog(const FullLog&) = delete;
    FullLog& operator=(const FullLog&) = delete;

private:
    int before_;
    std::array<int, 2> ends_{};
};

}  // namespace

TEST_CASE("strategy: a verb that was given up before it began never begins") {
    Services services;
    const Host host("plain", std::make_shared<const HostServices>(services.host()));
    const auto made = Instance::make(host, kPlain, "{}");
    REQUIRE(made);
    Instance& instance = **made;
    // Free for the next verb, and its thread not there yet.
    std::binary_semaphore free{0};
    std::binary_semaphore goes_on{0};
    auto first = std::async(std::launch::async, [&] {
        return instance.run(
            {}, [](auto*, const auto*) { return PROMOTIOND_DONE; },
            {.deadline = 1h, .grace = 1h, .stop = {}},
            [&] {
                free.release();
                goes_on.acquire();
            });
    });
    free.acquire();
    std::atomic<bool> began{false};
    const auto late = instance.run(
        {},
        [&began](auto*, const auto*) {
            began = true;
            return PROMOTIOND_DONE;
        },
        {.deadline = 0ms, .grace = 0ms, .stop = {}}, [&] { free.release(); });
    CHECK(late.outcome == Outcome::Retry);
    goes_on.release();
    free.acquire();
    CHECK_FALSE(began);
    CHECK(first.get().outcome == Outcome::Done);
}

TEST_CASE("strategy: an instance answers while what a given up verb left is cleared away") {
    Services services;
    const Host host("plain", std::make_shared<const HostServices>(services.host()));
    const auto made = Instance::make(host, kPlain, "{}");
    REQUIRE(made);
    Instance& instance = **made;
    std::binary_semaphore begun{0};
    std::binary_semaphore goes_on{0};
    std::binary_semaphore free{0};
    const auto scratch = services.directory.path() / "scratch";
    const auto verb = [&](auto*, const promotiond_call* call) {
        const auto& table = host.table();
        const auto* workspace = static_cast<const promotiond_workspace*>(
            table.get_service(&table, promotiond::strategy::view_of(PROMOTIOND_EXT_WORKSPACE)));
        workspace->scratch(
            call, [](void*, promotiond_view) {}, nullptr);
        // Cannot be removed any more, which is logged.
        std::filesystem::remove_all(scratch);
        std::filesystem::create_symlink(scratch, scratch);
        begun.release();
        goes_on.acquire();
        return PROMOTIOND_DONE;
    };
    std::stop_source stop;
    auto given_up = std::async(std::launch::async, [&] {
        return instance.run({}, verb, {.deadline = 1h, .grace = 0ms, .stop = stop.get_token()},
                            [&] { free.release(); });
    });
    begun.acquire();
    std::future<void> answered;
    {
        const FullLog log;
        stop.request_stop();
        answered = std::async(std::launch::async, [&] {
            while (!instance.stuck()) std::this_thread::yield();
        });
        CHECK(answered.wait_for(10s) == std::future_status::ready);
    }
    answered.get();
    goes_on.release();
    free.acquire();
    CHECK(given_up.get().outcome == Outcome::Retry);
}

TEST_CASE("strategy: a call answers while the log waits for a disk") {
    Services services;
    const Host host("plain", std::make_shared<const HostServices>(services.host()));
    CallState call(host);
    std::future<bool> open;
    std::future<bool> cancelled;
    {
        const FullLog log;
        std::binary_semaphore says{0};
        open = std::async(std::launch::async, [&] {
            says.release();
            return call.still_open("log");
        });
        says.acquire();
        cancelled = std::async(std::launch::async, [&] { return call.cancelled(); });
        CHECK(cancelled.wait_for(10s) == std::future_status::ready);
    }
    CHECK(cancelled.get());
    CHECK_FALSE(open.get());
}

TEST_CASE("strategy: a call that ended while its scratch directory was made leaves none") {
    Services services;
    const Host host("plain", std::make_shared<const HostServices>(services.host()));
    CallState call(host);
    call.open({});
    CHECK(call.scratch());
    call.end().clear();
    CHECK_FALSE(call.scratch());
    CHECK(std::filesystem::is_empty(services.directory.path() / "scratch"));
}
