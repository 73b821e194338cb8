// Where Pipelines and secrets come from, where status goes, and who may ask about them: small
// interfaces with one implementation a platform. The engine cannot tell which it has.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/history.hpp"
#include "model/observation.hpp"
#include "model/pipeline.hpp"
#include "model/promotion.hpp"

namespace promotiond::platform {

// A Pipeline that could not be read, and why. The last good version, if there was one, stays in
// force.
struct Problem {
    model::Position where;
    std::string message;
};

struct Pipelines {
    std::vector<std::shared_ptr<const model::Pipeline>> all;
    std::vector<Problem> problems;
};

class PipelineSource {
public:
    virtual ~PipelineSource() = default;
    // Reads what is there and begins to watch. changed is called with the whole new set after every
    // change, first from within start() itself, later from the source's own thread; never twice at
    // once. Ends with the destructor.
    [[nodiscard]] virtual Result<void> start(std::function<void(Pipelines)> changed) = 0;
};

class SecretStore {
public:
    virtual ~SecretStore() = default;
    // The exact bytes under a key. NotFound (which of secret and key is missing is in the message),
    // Invalid (the name is a path or has control characters), Transient (cannot be asked now).
    // Thread-safe. May block on I/O, briefly.
    [[nodiscard]] virtual Result<Secret> get(const std::string& ns, const std::string& name,
                                             const std::string& key) = 0;
};

// Someone who came with a token that the platform itself gave out.
struct Caller {
    std::string name;      // for the record; printable
    std::string identity;  // all that the platform knows of them, in its own words
};

// What a caller wants with Pipelines. Approve is also to retry, to cancel and to plan.
enum class Verb { Get, List, Approve };

// Who callers are and what they may, where the platform knows that better than a configuration.
//
// Thread-safe. who() and may() may block on the network; their errors are Transient: it cannot be
// asked now, which is neither a yes nor a no.
class Callers {
public:
    virtual ~Callers() = default;
    // True if who() would name somebody without asking; does not block.
    [[nodiscard]] virtual bool remembers(std::string_view token) const = 0;
    // Nothing: the token is nobody's.
    [[nodiscard]] virtual Result<std::optional<Caller>> who(std::string_view token,
                                                            const std::stop_token& stop) = 0;
    // An empty name is all Pipelines of the namespace, an empty namespace all there are.
    [[nodiscard]] virtual Result<bool> may(const Caller& caller, Verb verb,
                                           const model::PipelineName& pipelines,
                                           const std::stop_token& stop) = 0;
};

// A Pipeline with all that is known of it, as of one commit. Immutable.
struct PipelineState {
    model::PipelineName name;
    std::shared_ptr<const model::Pipeline> pipeline;  // null: gone
    std::shared_ptr<const model::History> history;
    std::shared_ptr<const model::Observations> observed;
    // Why it cannot be carried out with the strategies that are loaded; empty: it can.
    std::string unusable = {};
};

// The last promotion of an environment as a Pipeline's status tells it.
struct ToldPromotion {
    model::PipelineName pipeline;
    std::string environment;
    model::PromotionId id;
    std::string revision;
    model::Phase phase = model::Phase::Queued;
    std::string reason = {};    // of that phase
    std::string location = {};  // of the pull request; empty if there is none
};

// Called on the engine's thread, after what is said is durable; must not block. Failures are its
// own to retry.
class StatusSink {
public:
    virtual ~StatusSink() = default;
    // The promotion took this step.
    virtual void stepped(const model::Promotion& promotion, const model::Transition& step) = 0;
    // This is how the Pipeline stands now: after steps, observations and changes of the Pipeline
    // itself, and once for each at start.
    virtual void stands(const PipelineState& state) = 0;
};

}  // namespace promotiond::platform
