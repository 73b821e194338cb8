// One instance, whatever its thread and its callers do meanwhile.
#include "strategy/instance.hpp"

#include <atomic>
#include <future>
#include <promotiond/strategy.hpp>
#include <semaphore>

#include "catch.hpp"
#include "unit/strategy_fixture.hpp"

using namespace std::chrono_literals;
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
