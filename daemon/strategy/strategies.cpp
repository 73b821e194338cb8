#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "base/log.hpp"
#include "strategy/instance.hpp"
#include "strategy/loader.hpp"
#include "strategy/routes.hpp"
#include "strategy/schema.hpp"
#include "strategy/strategy.hpp"
#include "strategy/vetting.hpp"

namespace promotiond::strategy {

namespace {

std::string fallback_lane(const Request& request) {
    return request.pipeline_namespace + "/" + request.pipeline_name + "/" + request.environment +
           "/" + request.target;
}

Answer refused(Outcome outcome, std::string message) {
    Answer answer;
    answer.outcome = outcome;
    answer.message = std::move(message);
    return answer;
}

// A library with its instances; the free ones wait in a pool.
class Library {
public:
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;

    [[nodiscard]] static Result<std::unique_ptr<Library>> make(
        const promotiond_plugin& plugin, Description& description,
        std::shared_ptr<const HostServices> services, const LoadOptions& options) {
        auto schema = Schema::compile(description.schema);
        if (!schema) return std::move(schema).error();
        std::unique_ptr<Library> library(
            new Library(description.name, std::move(services), std::move(*schema), options.grace));
        const auto found = options.settings.find(description.name);
        const auto settings = found == options.settings.end() ? "{}" : found->second;
        for (std::size_t i = 0; i < std::max<std::size_t>(1, options.instances); ++i) {
            auto instance = Instance::make(library->host_, plugin, settings);
            if (!instance) return std::move(instance).error();
            library->instances_.push_back(std::move(*instance));
            library->free_.push_back(library->instances_.back().get());
        }
        const auto& first = *library->instances_.front();
        library->observe_ = first.extension<promotiond_observe>(PROMOTIOND_EXT_OBSERVE);
        library->plan_ = first.extension<promotiond_plan>(PROMOTIOND_EXT_PLAN);
        library->lane_ = first.extension<promotiond_lane>(PROMOTIOND_EXT_LANE);
        description.can_observe = library->observe_ != nullptr && library->observe_->observe;
        description.can_plan = library->plan_ != nullptr && library->plan_->plan;
        return library;
    }

    [[nodiscard]] bool has_stuck() {
        return std::any_of(instances_.begin(), instances_.end(),
                           [](const auto& instance) { return instance->stuck(); });
    }

    [[nodiscard]] const std::string& name() const noexcept { return host_.strategy(); }
    [[nodiscard]] const Schema& schema() const noexcept { return schema_; }
    [[nodiscard]] const promotiond_observe* observe() const noexcept { return observe_; }
    [[nodiscard]] const promotiond_plan* plan() const noexcept { return plan_; }

    [[nodiscard]] Answer run(const Request& request, const CallOptions& options, Verb verb) {
        const auto& clock = *host_.services().clock;
        CallState::Scope scope{.promotion_id = request.promotion_id,
                               .pipeline_namespace = request.pipeline_namespace,
                               .deadline = clock.steady_now() + options.deadline,
                               .stop = options.stop,
                               .progress = options.progress};
        Instance* instance = take(options);
        if (instance == nullptr) {
            if (options.stop.stop_requested()) return refused(Outcome::Cancelled, "asked to stop");
            return refused(Outcome::Retry, "all instances of the strategy are busy");
        }
        return instance->run(std::move(scope), std::move(verb),
                             {options.deadline, grace_, options.stop},
                             [this, instance] { give_back(instance); });
    }

    [[nodiscard]] std::string lane(const Request& request) {
        if (lane_ == nullptr || lane_->lane == nullptr) return fallback_lane(request);
        const OwnedRequest owned(request);
        const auto name = instances_.front()->lane(*lane_, owned);
        if (name) return *name;
        log::warn("PROMO-6005", "a strategy named no usable lane",
                  {{"strategy", host_.strategy()}, {"promotion", request.promotion_id}});
        return fallback_lane(request);
    }

private:
    Library(std::string name, std::shared_ptr<const HostServices> services, Schema schema,
            std::chrono::milliseconds grace)
        : host_(std::move(name), std::move(services)), schema_(std::move(schema)), grace_(grace) {}

    // Null: stopped, or none came free within the deadline.
    [[nodiscard]] Instance* take(const CallOptions& options) {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, options.stop, options.deadline,
                               [&] { return !free_.empty(); })) {
            return nullptr;
        }
        auto* instance = free_.back();
        free_.pop_back();
        return instance;
    }

    void give_back(Instance* instance) {
        const std::scoped_lock lock(mutex_);
        free_.push_back(instance);
        changed_.notify_one();
    }

    Host host_;
    Schema schema_;
    std::chrono::milliseconds grace_;
    const promotiond_observe* observe_ = nullptr;
    const promotiond_plan* plan_ = nullptr;
    const promotiond_lane* lane_ = nullptr;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::vector<Instance*> free_;
    std::vector<std::unique_ptr<Instance>> instances_;  // last: their threads use the pool
};

}  // namespace

class Strategies::State {
public:
    explicit State(HostServices host_services)
        : services(std::make_shared<const HostServices>(std::move(host_services))) {}

    // A thread in foreign code that does not come back can be neither joined nor killed, so all
    // that it may touch is left behind; the process ends soon after.
    ~State() {
        for (auto& library : libraries) {
            if (!library->has_stuck()) continue;
            log::error("PROMO-6004", "a strategy did not return; it is left behind",
                       {{"strategy", library->name()}});
            static_cast<void>(library.release());
        }
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    [[nodiscard]] Result<void> load_directory(const LoadOptions& options);
    void add(const promotiond_plugin& plugin, const VettedFile& file, const LoadOptions& options);

    [[nodiscard]] Library& library_of(const Description& strategy) {
        const auto at = std::find_if(descriptions.begin(), descriptions.end(),
                                     [&](const auto& each) { return each.name == strategy.name; });
        return *libraries.at(static_cast<std::size_t>(at - descriptions.begin()));
    }

    std::shared_ptr<const HostServices> services;
    std::vector<Description> descriptions;
    std::vector<std::unique_ptr<Library>> libraries;  // in the order of descriptions
    std::vector<Refusal> refusals;
};

void Strategies::State::add(const promotiond_plugin& plugin, const VettedFile& file,
                            const LoadOptions& options) {
    const auto refuse = [&](const Error& error) {
        const auto origin = file.path.empty() ? "in memory" : file.path.string();
        refusals.push_back({file.path, origin + ": " + error.message});
    };
    auto description = describe(plugin);
    if (!description) return refuse(description.error());
    description->file = file.path;
    description->sha256 = file.sha256;
    auto library = Library::make(plugin, *description, services, options);
    if (!library) return refuse(library.error());
    descriptions.push_back(std::move(*description));
    libraries.push_back(std::move(*library));
}

Result<void> Strategies::State::load_directory(const LoadOptions& options) {
    const auto files = list_libraries(options.directory);
    if (!files) return context(files.error(), "strategies directory");
    for (const auto& path : files.value()) {
        const auto pin = options.sha256.find(path.filename().string());
        const auto file = vet(path, pin == options.sha256.end() ? std::optional<std::string>{}
                                                                : std::optional(pin->second));
        if (!file) {
            refusals.push_back({path, file.error().message});
            continue;
        }
        const auto plugin = open_library(*file);
        if (!plugin) {
            refusals.push_back({path, plugin.error().message});
            continue;
        }
        add(**plugin, *file, options);
    }
    return {};
}

Result<std::unique_ptr<Strategies>> Strategies::load(const LoadOptions& options,
                                                     HostServices services) {
    static const SystemClock system_clock;
    if (services.clock == nullptr) services.clock = &system_clock;
    auto state = std::make_unique<State>(std::move(services));
    for (const auto* plugin : options.in_memory) state->add(*plugin, {}, options);
    if (!options.directory.empty()) {
        if (const auto loaded = state->load_directory(options); !loaded) return loaded.error();
    }
    if (const auto found = conflict(state->descriptions)) return Error{ErrorKind::Invalid, *found};
    return std::unique_ptr<Strategies>(new Strategies(std::move(state)));
}

Strategies::Strategies(std::unique_ptr<State> state) : state_(std::move(state)) {}
Strategies::~Strategies() = default;

const std::vector<Description>& Strategies::descriptions() const { return state_->descriptions; }
const std::vector<Refusal>& Strategies::refusals() const { return state_->refusals; }

Result<const Description*> Strategies::route(std::string_view key, std::string_view type,
                                             std::string_view url) const {
    return strategy::route(state_->descriptions, key, type, url);
}

Result<void> Strategies::validate(const Description& strategy, std::string_view config) const {
    return state_->library_of(strategy).schema().check(config);
}

Answer Strategies::promote(const Description& strategy, const Request& request,
                           const CallOptions& options) {
    const auto owned = std::make_shared<OwnedRequest>(request);
    return state_->library_of(strategy).run(
        request, options, [owned](promotiond_strategy* object, const promotiond_call* call) {
            return object->promote(object, call, &owned->c());
        });
}

Answer Strategies::observe(const Description& strategy, const Request& request,
                           const std::string& external_id, const std::string& details,
                           const CallOptions& options) {
    auto& library = state_->library_of(strategy);
    if (!strategy.can_observe) {
        return refused(Outcome::Rejected, "the strategy " + strategy.name + " cannot observe");
    }
    const auto owned = std::make_shared<OwnedRequest>(request);
    return library.run(request, options,
                       [owned, table = library.observe(), external_id, details](
                           promotiond_strategy* object, const promotiond_call* call) {
                           return table->observe(object, call, &owned->c(), view_of(external_id),
                                                 view_of(details));
                       });
}

Answer Strategies::plan(const Description& strategy, const Request& request,
                        const CallOptions& options) {
    auto& library = state_->library_of(strategy);
    if (!strategy.can_plan) {
        return refused(Outcome::Rejected, "the strategy " + strategy.name + " cannot plan");
    }
    const auto owned = std::make_shared<OwnedRequest>(request);
    return library.run(
        request, options,
        [owned, table = library.plan()](promotiond_strategy* object, const promotiond_call* call) {
            return table->plan(object, call, &owned->c());
        });
}

bool Strategies::has_come(const std::string& ns, const std::vector<AbsentSecret>& absent) const {
    const auto& store = state_->services->secret;
    return store && std::any_of(absent.begin(), absent.end(), [&](const AbsentSecret& each) {
               const auto found = store(ns, each.name, each.key);
               return found || lack_of(found.error()).value_or(each.lack) > each.lack;
           });
}

std::vector<net::BudgetState> Strategies::budgets() const {
    const auto* budgets = state_->services->budgets;
    return budgets == nullptr ? std::vector<net::BudgetState>() : budgets->states();
}

bool Strategies::renewed(const std::vector<GivenSecret>& given) const {
    const auto& store = state_->services->secret;
    return store && std::any_of(given.begin(), given.end(), [&store](const GivenSecret& each) {
               const auto now = store(each.ns, each.name, each.key);
               return now && hash_of(*now) != each.value;
           });
}

std::string Strategies::lane(const Description& strategy, const Request& request) {
    return state_->library_of(strategy).lane(request);
}

}  // namespace promotiond::strategy
