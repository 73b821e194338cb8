#include "platform/kube_watch.hpp"

#include <algorithm>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "base/guarded.hpp"
#include "base/log.hpp"
#include "platform/kube_pause.hpp"
#include "platform/kube_status.hpp"

namespace promotiond::platform {
namespace {

using std::chrono::milliseconds;

// A watch that ended before it was so old makes the next one wait: whoever closes it at once would
// otherwise be called in a hot loop.
constexpr std::chrono::seconds kSoundWatch{5};

KubeError error_from(KubeReason reason, std::string message) {
    return {reason, 0, {kind_of(reason), std::move(message)}};
}

bool is_refusal(KubeReason reason) {
    return reason == KubeReason::Forbidden || reason == KubeReason::Unauthorized ||
           reason == KubeReason::NotFound;
}

}  // namespace

class KubeWatch::State {
public:
    State(KubeClient& client, KubeWatchOptions options, KubeWatchHandler handler, Metrics& metrics)
        : client_(client),
          options_(std::move(options)),
          handler_(std::move(handler)),
          metrics_(metrics),
          resource_(options_.resource.text()),
          part_("watch " + resource_ +
                (options_.selection.ns.empty() ? "" : " in " + options_.selection.ns)),
          lists_(metrics.counter("promotiond_kube_lists_total",
                                 "Lists of Kubernetes objects begun, by resource.",
                                 {{"resource", resource_}})),
          watches_(metrics.counter("promotiond_kube_watches_total",
                                   "Watches of Kubernetes objects begun, by resource.",
                                   {{"resource", resource_}})),
          objects_(metrics.gauge("promotiond_kube_objects",
                                 "Kubernetes objects that are kept up with, by resource.",
                                 {{"resource", resource_}})),
          backoff_(options_.pause_first, options_.pause_most),
          refusals_(options_.pause_first, options_.pause_refused) {
        thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
    }
    ~State() {
        thread_.request_stop();
        thread_.join();
        objects_.add(-static_cast<double>(known_.size()));
        client_.forget(part_);
    }

    [[nodiscard]] bool synced() { return told_.access()->synced; }
    [[nodiscard]] std::optional<KubeError> trouble() { return told_.access()->trouble; }

private:
    // An object as it was last told.
    struct Known {
        std::string uid;
        std::string resource_version;
    };
    struct Told {
        bool synced = false;
        std::optional<KubeError> trouble;
    };
    struct NameHash {
        std::size_t operator()(const KubeName& name) const {
            const std::hash<std::string> hash;
            return hash(name.ns) * 31 + hash(name.name);
        }
    };
    using Names = std::unordered_set<KubeName, NameHash>;

    void run(const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            const auto began = std::chrono::steady_clock::now();
            const bool listing = position_.empty();
            opened_ = false;
            auto done = listing ? list(stop) : watch(stop);
            if (stop.stop_requested()) return;
            const bool sound = opened_ && std::chrono::steady_clock::now() - began >= kSoundWatch;
            if (sound) backoff_.reset();
            if (sound || (listing && done)) refusals_.reset();
            if (!done) {
                if (!wait_out(done.error(), stop)) return;
            } else if (!listing && !sound) {
                if (!pause(backoff_.next(), stop)) return;
            }
        }
    }

    bool wait_out(const KubeError& error, const std::stop_token& stop) {
        failed(error);
        // A place that is gone, or an event that cannot be read: only a list tells what is there.
        if (error.reason == KubeReason::Expired || error.reason == KubeReason::Malformed)
            position_.clear();
        const auto wait = (is_refusal(error.reason) ? refusals_ : backoff_).next();
        // That a watch which was up ends is nothing to worry about; everything else is trouble.
        if (!opened_ && error.reason != KubeReason::Expired) troubled(error);
        return pause(std::max(wait, error.error.retry_after.value_or(milliseconds{0})), stop);
    }

    // All objects in pages; on success position_ is where to watch from.
    KubeDone list(const std::stop_token& stop) {
        lists_.add();
        Names seen;
        std::string next;
        std::size_t limit = options_.page;
        do {
            auto page = client_.list(options_.resource, options_.selection, limit, next, {stop});
            if (!page && page.error().reason == KubeReason::Malformed && limit > 1) {
                limit = (limit + 3) / 4;  // most likely objects so large that a page is too long
                continue;
            }
            if (!page) return std::move(page).error();
            if (!take(*page, seen))
                return error_from(KubeReason::Malformed, "a list of " + resource_ + " at " +
                                                             client_.server_name() + " is broken");
            next = std::move(page->next);
            if (next.empty()) position_ = std::move(page->resource_version);
            if (next.empty()) break;
        } while (!stop.stop_requested());
        if (stop.stop_requested()) return error_from(KubeReason::Cancelled, "stopped");
        if (position_.empty())
            return error_from(KubeReason::Malformed, "a list of " + resource_ + " at " +
                                                         client_.server_name() +
                                                         " has no resourceVersion");
        drop_all_but(seen);
        recovered();
        told_.access()->synced = true;
        handler_.synced();
        return std::monostate{};
    }

    bool take(const KubePage& page, Names& seen) {
        const JsonView items = JsonView(page.body)["items"];
        if (!items) return true;  // null: a list of nothing
        return items.each_item([&](JsonView item) {
            const auto object = kube_object(item);
            if (!object) return true;
            seen.insert(object->name);
            upsert(*object);
            return true;
        });
    }

    // What the complete list does not have is gone.
    void drop_all_but(const Names& seen) {
        std::vector<KubeName> gone;
        for (const auto& [name, known] : known_) {
            if (!seen.contains(name)) gone.push_back(name);
        }
        for (const auto& name : gone) drop(name);
    }

    void upsert(const KubeObject& object) {
        auto known = known_.find(object.name);
        if (known != known_.end() && known->second.uid != object.uid) {
            drop(object.name);
            known = known_.end();
        }
        if (known == known_.end()) {
            known = known_.emplace(object.name, Known{object.uid, {}}).first;
            objects_.add(1);
        }
        if (known->second.resource_version == object.resource_version) return;
        known->second.resource_version = object.resource_version;
        handler_.upserted(object);
    }

    void drop(KubeName name) {
        if (known_.erase(name) == 0) return;
        objects_.add(-1);
        handler_.deleted(name);
    }

    KubeDone watch(const std::stop_token& stop) {
        watches_.add();
        // By lot, so that many watches do not come back all at once.
        const auto half = jittered(options_.lasts);
        const auto lasts = std::chrono::ceil<std::chrono::seconds>(options_.lasts + half) / 2 +
                           std::chrono::seconds{1};
        std::optional<KubeError> error;
        auto done = client_.watch(
            options_.resource,
            {options_.selection, position_, lasts, options_.idle,
             [this] {
                 opened_ = true;
                 recovered();
             }},
            [&](std::string_view line) {
                error = event(line);
                return !error;
            },
            stop);
        if (error) return std::move(*error);
        return done;
    }

    // One line of a watch; an error ends it.
    std::optional<KubeError> event(std::string_view line) {
        const JsonView event(line);
        const auto type = event["type"].text();
        const JsonView json = event["object"];
        if (type == "ERROR")
            return error_of_status("watch " + resource_ + " at " + client_.server_name(), 0, json);
        const auto object = json.is_object() ? read(type, json) : std::nullopt;
        if (!object || object->resource_version.empty())
            return error_from(KubeReason::Malformed, "an event of " + resource_ + " at " +
                                                         client_.server_name() +
                                                         " is broken; watching again");
        if (type == "DELETED") drop(object->name);
        if (type == "ADDED" || type == "MODIFIED") upsert(*object);
        // Only now: what the handler did not hear of must come again.
        position_ = object->resource_version;
        return std::nullopt;
    }

    static std::optional<KubeObject> read(std::string_view type, JsonView json) {
        if (type != "BOOKMARK") return kube_object(json);
        KubeObject bookmark;
        bookmark.resource_version = json.at({"metadata", "resourceVersion"}).text();
        return bookmark;
    }

    void failed(const KubeError& error) {
        metrics_
            .counter("promotiond_kube_watch_failures_total",
                     "Lists and watches of Kubernetes objects that failed, by resource and reason.",
                     {{"resource", resource_}, {"reason", std::string(name_of(error.reason))}})
            .add();
    }

    void troubled(const KubeError& error) {
        {
            auto told = told_.access();
            if (told->trouble && told->trouble->error.message == error.error.message) return;
            told->trouble = error;
        }
        log::warn("PROMO-5101", "a Kubernetes resource cannot be kept up with",
                  {{"resource", resource_},
                   {"reason", std::string(name_of(error.reason))},
                   {"message", error.error.message}});
        client_.tell(part_, &error);
        if (handler_.troubled) handler_.troubled(error);
    }

    void recovered() {
        {
            auto told = told_.access();
            if (!told->trouble) return;
            told->trouble.reset();
        }
        log::info("PROMO-5102", "a Kubernetes resource is kept up with again",
                  {{"resource", resource_}});
        client_.tell(part_, nullptr);
        if (handler_.troubled) handler_.troubled(std::nullopt);
    }

    KubeClient& client_;
    const KubeWatchOptions options_;
    const KubeWatchHandler handler_;
    Metrics& metrics_;
    const std::string resource_;
    const std::string part_;  // as /readyz names it
    Counter& lists_;
    Counter& watches_;
    Gauge& objects_;
    // Invariant: the following are touched by thread_ only.
    Backoff backoff_;
    Backoff refusals_;  // a right or a definition that is applied with us comes in a moment
    std::unordered_map<KubeName, Known, NameHash> known_;
    std::string position_;  // resourceVersion to watch from; empty = list first
    bool opened_ = false;   // the watch under way
    Guarded<Told> told_;
    std::jthread thread_;
};

KubeWatch::KubeWatch(KubeClient& client, KubeWatchOptions options, KubeWatchHandler handler,
                     Metrics& metrics)
    : state_(std::make_unique<State>(client, std::move(options), std::move(handler), metrics)) {}
KubeWatch::~KubeWatch() = default;

bool KubeWatch::synced() const { return state_->synced(); }
std::optional<KubeError> KubeWatch::trouble() const { return state_->trouble(); }

}  // namespace promotiond::platform
