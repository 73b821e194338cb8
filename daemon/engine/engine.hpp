// Engine: the single writer. Signals come in (events, approvals, operators' commands, outcomes);
// each is decided against the current state, all that wait are written to the journal in one
// commit, and only then is anybody answered or any work done.
//
//   HTTP thread --submit()--> queue --> engine thread: decide, decide, ... --> journal.commit() -->
//   answers, dispatcher
//
// Readers never touch the engine's state: they get immutable snapshots. If the journal cannot be
// written the signals are answered with Transient, nothing has happened, and the state is as
// before.
//
// Thread-safety: all public functions from any thread. Completions run on the engine's thread and
// must not block.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "decision/decide.hpp"
#include "journal/journal.hpp"
#include "model/history.hpp"
#include "model/observation.hpp"
#include "model/pipeline.hpp"
#include "platform/platform.hpp"
#include "strategy/strategy.hpp"

namespace promotiond::engine {

class Carrier;

// What became of an event, once durable.
struct Accepted {
    decision::Verdict verdict = decision::Verdict::Ignore;
    std::vector<decision::Reason> reasons;
    std::vector<model::PromotionId> promotions;  // new or existing; may be empty
    bool awaiting_approval = false;              // all of them wait for a person
};

// One Pipeline with its history, as of one commit.
struct PipelineView {
    std::shared_ptr<const model::Pipeline>
        pipeline;  // null: the Pipeline is gone, its promotions are not
    std::shared_ptr<const model::History> history;
    std::shared_ptr<const model::Observations> observed =
        {};                                        // never null; empty where nobody looks
    std::vector<platform::Problem> problems = {};  // why no strategy can serve it; empty: all can
};

// Everything, as of one commit. Cheap to take, immutable.
struct Snapshot {
    std::map<model::PipelineName, PipelineView> pipelines;
    std::vector<platform::Problem> problems;
    std::uint64_t version = 0;  // grows with every change
};

struct Options {
    std::size_t workers = 8;           // promotions carried out at the same time
    std::size_t queue_limit = 10'000;  // signals waiting; beyond it submit() answers Throttled
    std::size_t batch_limit = 256;     // signals a commit
    std::chrono::milliseconds call_deadline{120'000};
    std::chrono::milliseconds backoff_first{1'000};  // doubled per try, with jitter
    std::chrono::milliseconds backoff_most{300'000};
    // Of the jitter; none: from the system, so that many daemons do not try in step.
    std::optional<std::uint32_t> jitter_seed = {};
    std::uint32_t attempts = 20;                      // then Failed
    std::chrono::milliseconds observe_every{30'000};  // at first; less often as time passes
    std::chrono::milliseconds observe_at_most{600'000};
    // How often the secrets of what was rejected are read again, to try once more with new ones.
    std::chrono::milliseconds renewed_every{60'000};
    std::chrono::milliseconds event_expected{
        60'000};  // after a change was seen; else it was missed
    std::chrono::milliseconds retry_after_most{3'600'000};  // a longer Retry-After is cut to this
    // Settled promotions and events older than this are removed when there is nothing else to do;
    // the newest of each scope stay. 0 = never.
    std::chrono::milliseconds retention{std::chrono::hours{24 * 90}};
};

class Engine {
public:
    // Loads the journal; anything that was Running goes back to Queued, and the try that was cut
    // off does not count: restarts alone fail nothing. Work begins with start().
    [[nodiscard]] static Result<std::unique_ptr<Engine>> open(Options options,
                                                              journal::Journal& journal,
                                                              strategy::Strategies& strategies,
                                                              const Clock& clock, Metrics& metrics,
                                                              platform::StatusSink* status);
    // The same over any carrier of promotions; see engine/carrier.hpp.
    [[nodiscard]] static Result<std::unique_ptr<Engine>> open_with(
        Options options, journal::Journal& journal, std::shared_ptr<Carrier> carrier,
        const Clock& clock, Metrics& metrics, platform::StatusSink* status);
    ~Engine();  // as stop(), without grace
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    // Goes on where another daemon stopped, by what it told: what is unfinished there and unknown
    // here is queued, or waits for its approval; what was decided there after this journal's newest
    // supersedes that. Not thread-safe: between set_pipelines() and start(). Errors: the journal's.
    [[nodiscard]] Result<void> take_over(const std::vector<platform::ToldPromotion>& told);

    // Starts the engine's and the workers' threads.
    void start();
    // Takes no more work, cancels running calls after the grace, journals what they said, answers
    // everybody who waits, joins all threads. A strategy that ignores its cancellation holds this
    // up for strategy::LoadOptions::grace, no longer.
    void stop(std::chrono::milliseconds grace);

    // Looks at the clock now; needed only by clocks that do not run with real time.
    void wake();

    // Secrets may have been replaced: what was rejected with an older one is tried again now, not
    // within Options::renewed_every.
    void secrets_may_be_new();

    // The whole new set of Pipelines, from the platform. In force when this returns; not to be
    // called from a completion.
    void set_pipelines(platform::Pipelines pipelines);

    // Errors: those of decide(); NotFound if there is no such Pipeline; Throttled if the queue is
    // full; Transient if the journal cannot be written now or the engine stops; Conflict if the
    // environment's strategy cannot be found (the Pipeline must be mended); Internal if the journal
    // refuses this event, which harms no other.
    using OnAccepted = std::function<void(Result<Accepted>)>;
    void submit(model::ReceivedEvent event, OnAccepted done);

    // What was seen of targets, from the platform. Those of one call are taken together, so that a
    // Pipeline's first look decides nothing before all of its targets are known. Dropped when the
    // engine stops: the platform sees the same again at the next start.
    void observe(std::vector<model::Observation> seen);

    // Somebody says that these pull requests (Promotion::location, or its end), or what is known of
    // this commit (one that a promotion's details name), have changed: the promotions that wait for
    // them are looked at now instead of at the next turn. Dropped when the queue is full or the
    // engine stops: they are looked at in any case.
    void look(std::vector<std::string> locations, std::string commit);

    // NotFound; Invalid "failed approving promotion" unless exactly that revision waits, or was
    // let go by an approval before and is the newest of its scope; Throttled; Transient.
    void approve(const model::PipelineName& pipeline, decision::Approval approval, OnAccepted done);

    // Operators' commands on one promotion. Conflict when its phase does not allow it. What was
    // cancelled before anybody approved it waits for its approval again when it is retried.
    using OnPromotion = std::function<void(Result<model::Promotion>)>;
    void retry(const model::PromotionId& id, const std::string& actor, OnPromotion done);
    void cancel(const model::PromotionId& id, const std::string& actor, OnPromotion done);

    // Calls once when every one of the promotions has come to a location or a phase past Queued and
    // Running (Pending, Succeeded, Failed, ...), when the time is up, or when the engine stops,
    // with their states then, in the order of the ids. NotFound if there is none of an id; Invalid,
    // at once, while one of them has no strategy that serves it.
    using OnSettled = std::function<void(Result<std::vector<model::Promotion>>)>;
    void when_settled(std::vector<model::PromotionId> ids, SteadyTime deadline, OnSettled done);

    // What carrying a revision to an environment would do, without effects; blocks while the
    // strategy works it out.
    [[nodiscard]] Result<strategy::Answer> plan(const model::PipelineName& pipeline,
                                                const std::string& environment,
                                                const std::string& target,
                                                const std::string& revision, std::stop_token stop);

    [[nodiscard]] std::shared_ptr<const Snapshot> snapshot() const;
    // One Pipeline of it, at a cost that does not grow with their number.
    [[nodiscard]] PipelineView view(const model::PipelineName& pipeline) const;
    [[nodiscard]] std::vector<decision::Why> why(const model::PipelineName& pipeline) const;
    [[nodiscard]] const journal::Journal& journal() const;  // for its readers

    // True while the journal takes writes, workers move and the queue is not full; else the reason.
    [[nodiscard]] Result<void> ready() const;

    // False while one turn, with its commit, takes longer than 30 seconds, or a lane's call is not
    // even given up a minute after its deadlines: something hangs that a restart may cure. A
    // journal that refuses writes does not count, nor a plugin that is late: it is given up.
    [[nodiscard]] bool moves() const;

private:
    class State;
    explicit Engine(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace promotiond::engine
