// The engine's inside: its inbox, its thread, and what that thread alone knows. Included by this
// folder only. signals.cpp stages what came in, dispatcher.cpp what is due and what came of it,
// awaiting.cpp what waits for a secret, overtaking.cpp what that means for older promotions,
// takeover.cpp what another leader told of its own, remembered.cpp what needs the journal's memory,
// renewals.cpp what a new secret lets go on; turn.cpp commits and answers, loop.cpp waits,
// engine.cpp is the way in.
#pragma once

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <unordered_map>
#include <variant>

#include "engine/carrier.hpp"
#include "engine/engine.hpp"
#include "engine/meters.hpp"
#include "engine/renewals.hpp"
#include "engine/schedule.hpp"
#include "engine/unannounced.hpp"
#include "engine/views.hpp"
#include "engine/workers.hpp"

namespace promotiond::engine {

using CallNumber = std::uint64_t;

struct EventSignal {
    model::ReceivedEvent event;
    Engine::OnAccepted done;
};
struct ApprovalSignal {
    model::PipelineName pipeline;
    decision::Approval approval;
    Engine::OnAccepted done;
};
enum class Command { Retry, Cancel };
struct CommandSignal {
    Command command;
    model::PromotionId id;
    std::string actor;
    std::string reason;  // empty: who it was says it all
    Engine::OnPromotion done;
};
struct WaitSignal {
    std::vector<model::PromotionId> ids;
    SteadyTime deadline;
    Engine::OnSettled done;
};
struct PipelinesSignal {
    platform::Pipelines pipelines;
    std::promise<void> applied;
};
struct ObservationSignal {
    std::vector<model::Observation> seen;
};
struct LookSignal {
    std::vector<std::string> locations;
    std::string commit;
};
struct OutcomeSignal {
    CallNumber call = 0;
    strategy::Answer answer;
};
struct RenewalSignal {};
using Signal = std::variant<EventSignal, ApprovalSignal, CommandSignal, WaitSignal, PipelinesSignal,
                            ObservationSignal, LookSignal, OutcomeSignal, RenewalSignal>;

// A verb that runs.
struct Call {
    Slot slot;
    std::vector<std::string> lanes;
    std::stop_source stop;
    SteadyTime started{};
    bool can_observe = false;  // the strategy that runs it
};
// A verb that returned, until the journal has what it said.
struct Returned {
    Slot slot;
    strategy::Answer answer;
    bool can_observe = false;  // the strategy that said it
};
// Somebody who wants to hear when all of these have settled.
struct Waiter {
    std::vector<std::pair<model::Scope, model::PromotionId>> promotions;
    SteadyTime deadline;
    Engine::OnSettled done;
};
// What is planned once the batch is durable, though it changed no phase.
struct Again {
    Slot slot;
    std::chrono::milliseconds wait{0};
};
// What to launch once the batch is durable.
struct Launch {
    Call call;
    const strategy::Description* by = nullptr;  // null with Work::Await
    strategy::Request request;
    model::Promotion promotion;
};

// One turn of the engine's thread: changes and who waits for them.
struct Turn {
    explicit Turn(const Views& views) : stage(views) {}
    Stage stage;
    std::vector<std::function<void(const Error*)>> answers;  // null: the batch is durable
    std::vector<Launch> launches;
    std::vector<Returned> returned;
    std::vector<model::Observation> seen;   // of which something follows
    std::set<model::PipelineName> touched;  // whose state is new, apart from steps
    std::vector<Again> again;
    std::vector<model::PromotionId> overtaken;  // while they run
};

[[nodiscard]] Error stopping_error();

class Engine::State {
public:
    State(Options chosen, journal::Journal& durable, std::shared_ptr<Carrier> by, const Clock& time,
          Metrics& registry, platform::StatusSink* sink);

    [[nodiscard]] Result<void> load();
    [[nodiscard]] Result<void> take_over(const std::vector<platform::ToldPromotion>& told);
    // False: the queue is full or the engine stops; why says which.
    [[nodiscard]] std::optional<Error> post(Signal signal, bool bounded);
    void run();
    // Answers what came too late for the engine's thread, which has ended.
    void turn_away();
    // Names what is new, changed or gone.
    std::set<model::PipelineName> apply(platform::Pipelines pipelines);
    void tell_status(const std::set<model::PipelineName>& names);
    [[nodiscard]] Result<strategy::Request> request_for(const model::Pipeline& pipeline,
                                                        const model::Promotion& promotion) const;
    [[nodiscard]] Result<const strategy::Description*> route(const model::Pipeline& pipeline,
                                                             const std::string& environment) const;

    const Options options;
    journal::Journal& journal;
    const std::shared_ptr<Carrier> carrier;
    const Clock& clock;
    Metrics& metrics;
    platform::StatusSink* const status;
    Views views;

    // Shared with other threads, under the mutex.
    mutable std::mutex mutex;
    std::condition_variable changed;
    std::deque<Signal> inbox;
    bool started = false;
    bool stopping = false;
    bool poked = false;
    std::chrono::milliseconds grace{0};
    std::optional<Error> failing;           // why the journal takes no writes
    SteadyTime turn_began{};                // of the turn that runs; zero between turns
    std::optional<SteadyTime> oldest_call;  // when it was launched; none: no call runs

    // Why the engine does not move, if so; under the mutex.
    [[nodiscard]] std::optional<std::string> stuck() const;

    std::jthread thread;

private:
    // signals.cpp. Events, approvals and commands stay whole: they may be staged a second time.
    void handle(Turn& turn, const EventSignal& signal);
    void handle(Turn& turn, const ApprovalSignal& signal);
    void handle(Turn& turn, const CommandSignal& signal);
    void handle(Turn& turn, WaitSignal& signal);
    void handle(Turn& turn, PipelinesSignal& signal);
    void handle(Turn& turn, OutcomeSignal& signal);
    // observing.cpp
    void handle(Turn& turn, const ObservationSignal& signal);
    void handle(Turn& turn, const LookSignal& signal);
    void stage_seen(Turn& turn, const model::Observation& seen);
    [[nodiscard]] Result<model::Promotion> known(const Stage& stage,
                                                 const model::PromotionId& id) const;
    void add_due(Turn& turn, const decision::Due& due);
    [[nodiscard]] Result<bool> left_unapproved(const Stage& stage,
                                               const model::PromotionId& id) const;
    // Why a promotion that this one waits for cannot begin now.
    [[nodiscard]] std::optional<Error> unserved(const Stage& stage, const Waiter& waiter) const;
    // Those whose promotions have all settled, or whose time is up by then.
    void answer_waiters(SteadyTime now);

    // remembered.cpp
    using Decider = std::function<Result<decision::Decision>(const model::History&)>;
    [[nodiscard]] Result<decision::Decision> decide(const Stage& stage,
                                                    const model::Pipeline& pipeline,
                                                    const std::string& environment,
                                                    const std::string& revision,
                                                    const Decider& by) const;
    [[nodiscard]] Result<std::optional<model::Promotion>> forgotten(
        const model::Scope& scope, const std::string& revision) const;
    [[nodiscard]] Result<bool> is_repeat(const Stage& stage,
                                         const model::ReceivedEvent& event) const;
    [[nodiscard]] Result<decision::Decision> unless_repeated(const Stage& stage,
                                                             const model::ReceivedEvent& event,
                                                             decision::Decision decided) const;

    // overtaking.cpp
    void overtake(Turn& turn, const model::Promotion& newer,
                  const std::vector<model::PromotionId>& elders);
    void settle_arrival(Turn& turn, const model::PipelineName& pipeline,
                        const decision::Arrival& arrival);
    void give_way(Turn& turn, model::Promotion elder, const model::Promotion& newer,
                  const std::string& actor);
    void yield(Turn& turn, const model::Promotion& queued);
    [[nodiscard]] std::vector<model::PromotionId> elders_of(const Stage& stage,
                                                            const model::Promotion& newer) const;
    void stage_taken_over(Turn& turn, const model::Promotion& newer, bool can_observe);
    [[nodiscard]] bool stage_overtaken(Turn& turn, const model::Promotion& closed);
    // takeover.cpp
    void leave_behind(Turn& turn, const model::Promotion& newer,
                      const platform::ToldPromotion& told);
    void take_over(Turn& turn, const platform::ToldPromotion& told);
    void take_over_unknown(Turn& turn, const model::Pipeline& pipeline, model::Promotion promotion,
                           const platform::ToldPromotion& told);
    void lead_to(Turn& turn, model::Promotion promotion, model::Phase goal,
                 const std::string& reason);

    // dispatcher.cpp
    void stage_due(Turn& turn);
    [[nodiscard]] std::optional<Slot> next_due(std::size_t launching);
    void stage_slot(Turn& turn, Slot slot);
    void stage_returned(Turn& turn, const Returned& returned);
    void stage_promoted(Turn& turn, model::Promotion promotion, const strategy::Answer& answer);
    void stage_observed(Turn& turn, model::Promotion promotion, const Returned& returned);
    void launch(Launch launch);
    void plan(const model::Promotion& promotion, std::chrono::milliseconds interval = {});
    void wait_for_strategy(Turn& turn, model::Promotion promotion, const Error& missing);
    [[nodiscard]] std::chrono::milliseconds backoff(std::uint32_t attempt,
                                                    const strategy::Answer& answer);

    // awaiting.cpp
    void wait_for_secret(Turn& turn, model::Promotion promotion, const strategy::Answer& answer);
    void stage_look(Turn& turn, Slot slot, const model::Promotion& promotion);
    void stage_looked(const Turn& turn, const Returned& returned);

    // renewals.cpp
    void handle(Turn&, const RenewalSignal&) { renewals_.hurry(); }
    void look_for_renewals();

    // loop.cpp
    [[nodiscard]] bool wait(std::deque<Signal>& taken);
    [[nodiscard]] std::optional<SteadyTime> next_wake() const;
    [[nodiscard]] bool drained();
    void idle();
    void sweep();

    // turn.cpp
    void take_turn(std::deque<Signal> signals);
    [[nodiscard]] Result<void> write(const Turn& turn);
    void settle(Turn& turn);
    void failed(Turn& turn, const Error& error);
    void put_back(const Turn& turn, std::chrono::milliseconds pause);
    void one_by_one(const Turn& whole, std::deque<Signal>& signals);
    void conclude(Turn& turn);
    void refuse(Turn& turn, const Error& error);
    void set_right(const model::Promotion& touched, const Error& refusal);
    [[nodiscard]] bool believe_journal(const model::Promotion& touched);
    void tell(const model::Transition& transition, const model::Promotion& promotion);

    Schedule schedule_;
    std::unordered_map<CallNumber, Call> calls_;
    CallNumber last_call_ = 0;
    std::vector<model::Observation> unheeded_;  // seen while the journal took no writes
    std::vector<Returned> unwritten_;  // said by strategies while the journal took no writes
    std::vector<Waiter> waiters_;
    Unannounced unannounced_;
    Renewals renewals_;
    std::minstd_rand random_;
    Meters meters_;
    std::optional<SteadyTime> retry_commit_;
    std::optional<SteadyTime> checkpoint_;
    std::optional<SteadyTime> sweep_;         // none: nothing is ever removed
    std::int64_t swept_ = 0;                  // how far, in the journal's order
    std::optional<SteadyTime> cancel_calls_;  // end of the grace, while stopping
    bool calls_cancelled_ = false;
    int last_tries_ = 0;
    Workers workers_;  // last: its threads end before the rest goes
};

}  // namespace promotiond::engine
