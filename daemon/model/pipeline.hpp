// Pipeline and its parts as plain values: what `pipelines.weave.works/v1alpha1` says, in one shape
// whatever spelling it was written in. Reading and writing is codec's business; deciding is
// decision's.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace promotiond::model {

// Where a value stood in its file; lines and columns count from 1, 0 = unknown.
struct Position {
    std::string file;
    int line = 0;
    int column = 0;
};

struct PipelineName {
    std::string ns;
    std::string name;
    auto operator<=>(const PipelineName&) const = default;
    [[nodiscard]] std::string text() const { return ns + "/" + name; }
};

// The application object that events speak of. Versions of one API group are the same application.
struct AppRef {
    std::string api_version;
    std::string kind;
    std::string name;
    [[nodiscard]] std::string group() const {
        const auto slash = api_version.find('/');
        return slash == std::string::npos ? std::string() : api_version.substr(0, slash);
    }
};

struct ClusterRef {
    std::string api_version;
    std::string kind;
    std::string ns;  // empty = the Pipeline's own
    std::string name;
};

// Cluster and namespace in which an environment runs the application. No cluster = the local one.
struct Target {
    std::string ns;
    std::optional<ClusterRef> cluster;
    // "namespace" or "cluster/namespace": unique within an environment, and what markers and lanes
    // call it.
    [[nodiscard]] std::string text() const { return cluster ? cluster->name + "/" + ns : ns; }
};

// How many targets of an environment must run a revision before the next environment is due.
struct When {
    enum class Kind { Any, All, Count };
    Kind kind = Kind::Any;
    std::uint32_t count = 1;  // with Count; at least 1
};

enum class Per { Environment, Target };

// The strategy that a Pipeline names, under its canonical key: "pullRequest", "webhook",
// "notification", or the key of a third party's strategy.
struct StrategyCall {
    std::string key;
    std::string config;  // JSON object; canonical member names for the keys above, verbatim for
                         // third parties
    std::string type;    // its `type` member, if any: selects among plugins of one key
    std::string url;     // its `url` member, if any: the host selects among plugins of one key
    Position where;
};

// `spec.promotion`, or an environment's own, which replaces it as a whole.
struct PromotionPolicy {
    bool manual = false;
    std::optional<StrategyCall> strategy;
    std::optional<std::string>
        hmac_secret;  // name of the secret that signs events, in the Pipeline's namespace
    std::optional<Per> per;
};

struct Environment {
    std::string name;
    std::vector<Target> targets;
    std::optional<PromotionPolicy> promotion;
    When when;
    std::optional<Per> per;
};

struct Pipeline {
    PipelineName id;
    AppRef app;
    std::vector<Environment> environments;  // in promotion order; names are unique
    std::optional<PromotionPolicy> promotion;
    Position where;
    // metadata.uid and metadata.generation of a Kubernetes object; empty and 0 for files.
    std::string uid;
    std::int64_t generation = 0;

    // Index of the environment, or npos.
    static constexpr std::size_t npos = static_cast<std::size_t>(-1);
    [[nodiscard]] std::size_t index_of(const std::string& environment) const {
        for (std::size_t i = 0; i < environments.size(); ++i) {
            if (environments[i].name == environment) return i;
        }
        return npos;
    }
    // The policy in force for promotions into an environment: its own, else the Pipeline's, else
    // none.
    [[nodiscard]] const PromotionPolicy* policy_for(const Environment& into) const {
        if (into.promotion) return &*into.promotion;
        return promotion ? &*promotion : nullptr;
    }
    [[nodiscard]] Per per_for(const Environment& into) const {
        if (into.per) return *into.per;
        const auto* policy = policy_for(into);
        return policy != nullptr && policy->per ? *policy->per : Per::Environment;
    }
};

}  // namespace promotiond::model
