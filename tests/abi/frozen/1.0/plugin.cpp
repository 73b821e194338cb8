// A strategy in C++20 against the headers of 1.0, with every verb and service. Never edited: it
// stands for plugins that exist.
#include <promotiond/strategy.hpp>

namespace {

using namespace promotiond::sdk;

class Frozen : public Strategy, public Observes, public Plans, public HasLane {
public:
    explicit Frozen(const Settings& settings) : settings_(settings.json) {}

    Outcome promote(const Promotion& promotion, Call& call) override {
        if (promotion.revision == "throw") throw Retry("later", std::chrono::seconds{3});
        const auto token = call.secret("forge", "token");
        if (!token) return Outcome::from(token.error());
        const auto scratch = call.scratch_directory();
        if (!scratch) return Outcome::from(scratch.error());
        call.progress("promoting");
        return Outcome::pending("https://forge.test/7", "7")
            .with_summary(std::string(promotion.environment) + settings_)
            .with_details(R"({"number":7})");
    }
    Outcome observe(const Promotion&, std::string_view external_id, std::string_view,
                    Call&) override {
        return external_id == "7" ? Outcome::done() : Outcome::rejected("it was closed");
    }
    Outcome plan(const Promotion&, Call&) override {
        return Outcome::done().with_details(R"({"diff":"+x"})");
    }
    std::string lane(const Promotion& promotion) const override {
        return std::string(promotion.pipeline_name);
    }

private:
    std::string settings_;
};

}  // namespace

PROMOTIOND_STRATEGY(Frozen, {.name = "frozen-1.0-cpp",
                             .key = "frozenCpp",
                             .version = "1.0.0",
                             .summary = "stands for C++ plugins of 1.0"});
