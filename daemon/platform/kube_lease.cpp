#include "platform/kube_lease.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <random>
#include <stop_token>
#include <thread>
#include <utility>

#include "base/log.hpp"
#include "platform/kube_pause.hpp"
#include "platform/lease_record.hpp"

namespace promotiond::platform {
namespace {

using std::chrono::milliseconds;

const KubeResource kLeases{"coordination.k8s.io", "v1", "leases"};

}  // namespace

std::string lease_identity() {
    // In a pod the host's name is the pod's.
    std::array<char, 256> host{};
    if (::gethostname(host.data(), host.size() - 1) != 0) host.front() = '\0';
    std::random_device lot;
    static constexpr std::string_view kHex = "0123456789abcdef";
    std::string random;
    for (int i = 0; i < 16; ++i) random += kHex[lot() & 15U];
    return std::string(host.data()) + "_" + random;
}

class LeaderElector::State {
public:
    State(KubeClient& client, const Clock& clock, Metrics& metrics, LeaseOptions options,
          LeaderCallbacks callbacks)
        : client_(client),
          clock_(clock),
          metrics_(metrics),
          options_(std::move(options)),
          callbacks_(std::move(callbacks)),
          leads_(metrics.gauge("promotiond_leader", "1 while this replica leads.")) {}

    ~State() { end(); }

    void start() {
        thread_ = std::jthread([this](const std::stop_token& stop) {
            pthread_setname_np(pthread_self(), "lease");
            stop_ = stop;
            while (!stop.stop_requested()) {
                const auto wait = round();
                if (!wait || !pause(*wait, stop)) return;
            }
        });
    }

    void stop() {
        end();
        if (!leading_ || !valid()) return;
        leading_ = false;
        valid_until_ = SteadyTime{};
        leads_.set(0);
        const auto given = client_.update(kLeases, name(), released(seen_, clock_.now()), {},
                                          call(options_.retry));
        if (given) {
            log::info("PROMO-5203", "the lease was given up", {{"lease", name().text()}});
        } else {
            log::warn("PROMO-5204", "the lease could not be given up; it expires by itself",
                      {{"lease", name().text()}, {"reason", given.error().error.message}});
        }
    }

    bool valid() const noexcept { return clock_.steady_now() < valid_until_.load(); }

    std::optional<Leader> leader() const {
        if (valid()) return Leader{options_.identity, options_.address};
        const std::lock_guard held(mutex_);
        if (known_.identity.empty() || known_.identity == options_.identity) return std::nullopt;
        if (clock_.steady_now() >= expires_) return std::nullopt;
        return known_;
    }

    std::optional<milliseconds> round() {
        if (lost_) return std::nullopt;
        if (leading_ && !valid()) return lose("it could not be renewed in time");
        if (!leading_) return stand();
        if (!write() && conflict_) settle_conflict();
        if (lost_) return std::nullopt;
        if (!valid()) return lose("it could not be renewed in time");
        return next();
    }

private:
    [[nodiscard]] KubeName name() const { return {options_.ns, options_.name}; }
    [[nodiscard]] LeaseClaim claim() const {
        return {options_.ns, options_.name, options_.identity, options_.address, options_.duration};
    }
    // The HTTP client keeps time of its own, so the limit is given in that.
    [[nodiscard]] KubeCall call(milliseconds most) const {
        return {.stop = stop_, .deadline = SystemClock().steady_now() + most};
    }
    // Half of what is left, so that a server that hangs is asked twice.
    [[nodiscard]] KubeCall call() const { return call(options_.renew_deadline / 2); }
    [[nodiscard]] std::optional<milliseconds> next() const {
        return leading_ ? options_.retry : jittered(options_.retry);
    }

    // Tries to become leader.
    std::optional<milliseconds> stand() {
        if (look() && free() && write()) lead();
        return next();
    }

    // False: the server cannot be asked.
    bool look() {
        auto found = client_.get(kLeases, name(), call());
        if (!found && found.error().reason != KubeReason::NotFound) {
            failing(&found.error());
            return false;
        }
        failing(nullptr);
        // Deleted under a leader that may not know it yet: it still has its time.
        if (!found && !free()) return false;
        see(found ? lease_record(std::move(*found)) : LeaseRecord{});
        return true;
    }

    // What the server says, and when that was first seen here.
    void see(LeaseRecord record) {
        const auto now = clock_.steady_now();
        const bool another = record.holder != seen_.holder;
        {
            const std::lock_guard held(mutex_);
            const bool changed = !looked_ || record.version != seen_.version;
            looked_ = true;
            known_ = {record.holder, record.address};
            if (changed) expires_ = now + std::max(record.duration, options_.duration);
            seen_ = std::move(record);
        }
        if (another && callbacks_.changed) callbacks_.changed();
    }

    [[nodiscard]] bool free() const {
        const bool held = !seen_.holder.empty() && seen_.holder != options_.identity;
        return !held || clock_.steady_now() >= expires_;
    }

    // Claims or renews the lease as it was seen; true if the server took it.
    bool write() {
        const auto began = clock_.steady_now();
        auto object = claimed(seen_, claim(), clock_.now());
        auto written = seen_.object.empty()
                           ? client_.create(kLeases, options_.ns, std::move(object), {}, call())
                           : client_.update(kLeases, name(), std::move(object), {}, call());
        conflict_ = !written && (written.error().reason == KubeReason::Conflict ||
                                 written.error().reason == KubeReason::AlreadyExists ||
                                 written.error().reason == KubeReason::NotFound);
        if (!written) {
            if (!conflict_) failing(&written.error());
            return false;
        }
        failing(nullptr);
        valid_until_ = began + options_.renew_deadline;
        see(lease_record(std::move(*written)));
        return true;
    }

    // After a conflict: whose is it? It may be ours, where an answer was lost or a person put a
    // label on it, or be gone; then it is written again.
    void settle_conflict() {
        if (!look()) return;
        if (seen_.holder == options_.identity || seen_.object.empty()) {
            (void)write();
            return;
        }
        (void)lose("it is " + (seen_.holder.empty() ? "nobody's" : seen_.holder + "'s"));
    }

    void lead() {
        leading_ = true;
        leads_.set(1);
        log::info("PROMO-5201", "this replica leads",
                  {{"lease", name().text()}, {"identity", options_.identity}});
        if (callbacks_.leading) callbacks_.leading();
    }

    std::nullopt_t lose(const std::string& why) {
        valid_until_ = SteadyTime{};
        leading_ = false;
        lost_ = true;
        leads_.set(0);
        log::error("PROMO-5202", "the lease was lost; nothing is carried out any more",
                   {{"lease", name().text()}, {"reason", why}});
        if (callbacks_.lost) callbacks_.lost();
        return std::nullopt;
    }

    // Null: the server answered. Said once, however often it happens.
    void failing(const KubeError* error) {
        if (error == nullptr) {
            told_ = false;
            return;
        }
        if (error->reason == KubeReason::Cancelled) return;
        metrics_
            .counter("promotiond_lease_failures_total",
                     "Tries to read or write the lease that failed, by reason.",
                     {{"reason", std::string(name_of(error->reason))}})
            .add();
        if (std::exchange(told_, true)) return;
        log::warn("PROMO-5205", "the lease cannot be read or written; tried again",
                  {{"lease", name().text()}, {"reason", error->error.message}});
    }

    void end() {
        if (!thread_.joinable()) return;
        thread_.request_stop();
        thread_.join();
        stop_ = {};
    }

    KubeClient& client_;
    const Clock& clock_;
    Metrics& metrics_;
    const LeaseOptions options_;
    const LeaderCallbacks callbacks_;
    Gauge& leads_;

    std::atomic<SteadyTime> valid_until_{SteadyTime{}};

    // What other threads ask for.
    mutable std::mutex mutex_;
    Leader known_;
    SteadyTime expires_{};

    // Of the elector's thread alone.
    LeaseRecord seen_;
    bool looked_ = false;
    bool leading_ = false;
    bool lost_ = false;
    bool conflict_ = false;
    bool told_ = false;
    std::stop_token stop_;
    std::jthread thread_;
};

LeaderElector::LeaderElector(KubeClient& client, const Clock& clock, Metrics& metrics,
                             LeaseOptions options, LeaderCallbacks callbacks)
    : state_(std::make_unique<State>(client, clock, metrics, std::move(options),
                                     std::move(callbacks))) {}
LeaderElector::~LeaderElector() = default;

void LeaderElector::start() { state_->start(); }
void LeaderElector::stop() { state_->stop(); }
bool LeaderElector::valid() const noexcept { return state_->valid(); }
std::optional<Leader> LeaderElector::leader() const { return state_->leader(); }
std::optional<milliseconds> LeaderElector::round() { return state_->round(); }

}  // namespace promotiond::platform
