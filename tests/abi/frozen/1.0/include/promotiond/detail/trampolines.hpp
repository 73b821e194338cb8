// Part of strategy.hpp: the C functions behind a Strategy class. Include that, not this.
//
// Every function here is called by the host and lets no exception out.
#ifndef PROMOTIOND_DETAIL_TRAMPOLINES_HPP
#define PROMOTIOND_DETAIL_TRAMPOLINES_HPP

namespace promotiond::sdk::inline v1::detail {

template <class S>
concept IsStrategy = std::derived_from<S, Strategy> &&
    (std::constructible_from<S, const Settings&> || std::default_initializable<S>);

[[nodiscard]] inline Promotion promotion_of(const promotiond_request& request) noexcept {
    const auto* from = &request;
    Promotion to;
#define PROMOTIOND_TAKE(field, member)                         \
    if (PROMOTIOND_COVERS(from, promotiond_request, member)) { \
        to.field = text_of(from->member);                      \
    }
    PROMOTIOND_TAKE(id, promotion_id)
    PROMOTIOND_TAKE(pipeline_namespace, pipeline_namespace)
    PROMOTIOND_TAKE(pipeline_name, pipeline_name)
    PROMOTIOND_TAKE(environment, environment)
    PROMOTIOND_TAKE(target, target)
    PROMOTIOND_TAKE(revision, revision)
    PROMOTIOND_TAKE(previous_revision, previous_revision)
    PROMOTIOND_TAKE(actor, actor)
    PROMOTIOND_TAKE(config, config)
    PROMOTIOND_TAKE(targets, targets)
    PROMOTIOND_TAKE(event, event)
#undef PROMOTIOND_TAKE
    to.attempt = request.attempt;
    return to;
}

inline promotiond_outcome deliver(const promotiond_call* call, const Outcome& outcome) {
    if (!outcome.why.empty()) call->fail(call, view_of(outcome.why));
    promotiond_result result{};
    result.size = sizeof result;
    result.summary = view_of(outcome.summary);
    result.location = view_of(outcome.location);
    result.external_id = view_of(outcome.external_id);
    result.retry_after_ms = outcome.not_before.count();
    result.details = view_of(outcome.details);
    const bool empty = outcome.summary.empty() && outcome.location.empty() &&
                       outcome.external_id.empty() && outcome.details.empty() &&
                       outcome.not_before.count() == 0;
    if (!empty) call->answer(call, &result);
    return outcome.code;
}

// Runs a verb; unknown exceptions are RETRY, since the host's retry budget ends them.
template <class Verb>
[[nodiscard]] promotiond_outcome run_verb(const promotiond_call* call, Verb&& verb) noexcept {
    try {
        try {
            return deliver(call, verb());
        } catch (const Rejected& error) {
            return deliver(call, Outcome::rejected(error.what()));
        } catch (const Retry& error) {
            return deliver(call, Outcome::retry_after(error.after, error.what()));
        } catch (const std::exception& error) {
            return deliver(call, Outcome::retry_after(
                                     {}, std::string("unexpected exception: ") + error.what()));
        } catch (...) {
            return deliver(call, Outcome::retry_after({}, "unexpected exception of unknown type"));
        }
    } catch (...) {
        return PROMOTIOND_RETRY;  // not even memory for the reason
    }
}

// One instance: the C table and the author's object behind it.
template <class S>
class Adapter {
public:
    static promotiond_outcome create(const promotiond_host* host, const promotiond_call* call,
                                     promotiond_view settings, promotiond_strategy** out) noexcept {
        *out = nullptr;
        return run_verb(call, [&]() -> Outcome {
            try {
                *out = &(new Adapter(host, Settings{text_of(settings)}))->table_;
            } catch (const Retry&) {
                throw;
            } catch (const std::exception& error) {
                return Outcome::rejected(error.what());
            }
            return Outcome::done();
        });
    }

private:
    Adapter(const promotiond_host* host, const Settings& settings)
        : host_(host), strategy_(make(settings)) {
        table_.size = sizeof table_;
        table_.impl = this;
        table_.promote = &promote;
        table_.get_extension = &get_extension;
        table_.destroy = &destroy;
    }

    [[nodiscard]] static std::unique_ptr<S> make(const Settings& settings) {
        if constexpr (std::constructible_from<S, const Settings&>) {
            return std::make_unique<S>(settings);
        } else {
            return std::make_unique<S>();
        }
    }

    [[nodiscard]] static Adapter& of(promotiond_strategy* table) noexcept {
        return *static_cast<Adapter*>(table->impl);
    }

    static promotiond_outcome promote(promotiond_strategy* table, const promotiond_call* call,
                                      const promotiond_request* request) noexcept {
        return run_verb(call, [&] {
            Call wrapped(*of(table).host_, *call);
            return of(table).strategy_->promote(promotion_of(*request), wrapped);
        });
    }

    static promotiond_outcome observe(promotiond_strategy* table, const promotiond_call* call,
                                      const promotiond_request* request,
                                      promotiond_view external_id,
                                      promotiond_view details) noexcept {
        return run_verb(call, [&] {
            Call wrapped(*of(table).host_, *call);
            return of(table).strategy_->observe(promotion_of(*request), text_of(external_id),
                                                text_of(details), wrapped);
        });
    }

    static promotiond_outcome plan(promotiond_strategy* table, const promotiond_call* call,
                                   const promotiond_request* request) noexcept {
        return run_verb(call, [&] {
            Call wrapped(*of(table).host_, *call);
            return of(table).strategy_->plan(promotion_of(*request), wrapped);
        });
    }

    static void lane(promotiond_strategy* table, const promotiond_request* request,
                     promotiond_sink sink, void* user) noexcept {
        try {
            const std::string name = of(table).strategy_->lane(promotion_of(*request));
            sink(user, view_of(name));
        } catch (...) {
            // No lane delivered: the host falls back to one per pipeline and environment.
        }
    }

    static const void* get_extension(promotiond_strategy*, promotiond_view id) noexcept {
        if constexpr (std::derived_from<S, Observes>) {
            static constexpr promotiond_observe kTable{sizeof(promotiond_observe), 0, &observe};
            if (text_of(id) == PROMOTIOND_EXT_OBSERVE) return &kTable;
        }
        if constexpr (std::derived_from<S, Plans>) {
            static constexpr promotiond_plan kTable{sizeof(promotiond_plan), 0, &plan};
            if (text_of(id) == PROMOTIOND_EXT_PLAN) return &kTable;
        }
        if constexpr (std::derived_from<S, HasLane>) {
            static constexpr promotiond_lane kTable{sizeof(promotiond_lane), 0, &lane};
            if (text_of(id) == PROMOTIOND_EXT_LANE) return &kTable;
        }
        static_cast<void>(id);
        return nullptr;
    }

    static void destroy(promotiond_strategy* table) noexcept {
        const std::unique_ptr<Adapter> last(&of(table));
    }

    promotiond_strategy table_{};
    const promotiond_host* host_;
    std::unique_ptr<S> strategy_;
};

template <IsStrategy S>
[[nodiscard]] constexpr promotiond_plugin plugin_of(const About& about) noexcept {
    promotiond_plugin plugin{};
    plugin.size = sizeof plugin;
    plugin.target_minor = PROMOTIOND_TARGET_MINOR;
    plugin.name = view_of(about.name);
    plugin.key = view_of(about.key);
    plugin.provider = view_of(about.provider);
    plugin.hosts = view_of(about.hosts);
    plugin.version = view_of(about.version);
    plugin.summary = view_of(about.summary);
    plugin.schema = view_of(about.schema);
    plugin.create = &Adapter<S>::create;
    return plugin;
}

}  // namespace promotiond::sdk::inline v1::detail

#endif
