// How a daemon comes to lead: at once where it is the only one, else by the Lease, after it has
// taken over what the leader before told.
#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "app/daemon.hpp"
#include "base/log.hpp"
#include "platform/kube_pause.hpp"
#include "platform/told_promotions.hpp"

namespace promotiond::app {

Result<void> Daemon::lead() {
    if (!replica_) {
        engine_->start();
        return watch();
    }
    auto told = told_before();
    if (!told) return std::move(told).error();
    if (auto watching = watch(); !watching) return watching;
    const std::lock_guard held(begins_);
    const auto snapshot = engine_->snapshot();
    for (const auto& problem : snapshot->problems) {
        if (problem.where.file == platform::kKubernetesPlace) {
            return Error{ErrorKind::Transient, "cannot take over: " + problem.message};
        }
    }
    if (auto taken = engine_->take_over(*told); !taken) {
        return context(std::move(taken).error(), "cannot take over");
    }
    engine_->start();
    return {};
}

Result<void> Daemon::watch() {
    auto watching = pipelines_->start([this](platform::Pipelines all) { take(std::move(all)); });
    if (!watching) return context(std::move(watching).error(), "cannot read the pipelines");
    return {};
}

Result<std::vector<platform::ToldPromotion>> Daemon::told_before() {
    const auto stop = taking_over_.get_token();
    for (platform::Backoff backoff(std::chrono::milliseconds{200}, std::chrono::seconds{2});;) {
        auto told = platform::told_promotions(*platform_.client, *config_.kubernetes,
                                              platform::KubeCall{.stop = stop});
        if (told) return std::move(*told);
        if (!replica_->may_act() || !platform::pause(backoff.next(), stop)) {
            return context(std::move(told).error().error, "cannot take over");
        }
    }
}

Result<void> Daemon::stand_for_election() {
    platform::LeaderCallbacks callbacks;
    callbacks.leading = [this] {
        auto leading = leading_.access();
        if (!taking_over_.stop_requested()) *leading = std::jthread([this] { begin_to_lead(); });
    };
    callbacks.lost = [this] {
        lease_lost_ = true;
        end();
    };
    return replica_->start(server_->listen_address(), std::move(callbacks));
}

void Daemon::begin_to_lead() {
    pthread_setname_np(pthread_self(), "takeover");
    const auto led = lead();
    if (led) return replica_->serve();
    if (taking_over_.stop_requested()) return;
    if (!lease_lost_.exchange(true)) {
        log::error("PROMO-0015", "this replica cannot lead and ends",
                   {{"reason", led.error().message}});
    }
    end();
}

// The main thread waits for signals.
void Daemon::end() { ::kill(::getpid(), SIGTERM); }

}  // namespace promotiond::app
