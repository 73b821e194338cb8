#include "platform/cluster_references.hpp"

#include <utility>

namespace promotiond::platform {
namespace {

const KubeResource kGitopsClusters{"gitops.weave.works", "v1alpha1", "gitopsclusters"};

}  // namespace

ClusterReference cluster_reference(JsonView object) {
    ClusterReference reference;
    object.at({"status", "conditions"}).each_item([&reference](JsonView condition) {
        if (condition["type"].text() != "Ready") return true;
        reference.ready = condition["status"].text() == "True";
        return false;
    });
    if (auto capi = object.at({"spec", "capiClusterRef", "name"}).text(); !capi.empty()) {
        reference.secret = capi + "-kubeconfig";
        reference.keys = {"value"};
    } else {
        reference.secret = object.at({"spec", "secretRef", "name"}).text();
        reference.keys = {"value", "value.yaml", "kubeconfig"};
    }
    return reference;
}

ClusterReferences::ClusterReferences(KubeClient& client, Metrics& metrics,
                                     std::function<void(const KubeName* name)> changed)
    : client_(client), metrics_(metrics), changed_(std::move(changed)) {}

ClusterReferences::~ClusterReferences() = default;

void ClusterReferences::want(const std::set<std::string>& namespaces) {
    std::erase_if(watches_,
                  [&namespaces](const auto& entry) { return !namespaces.contains(entry.first); });
    {
        const std::lock_guard held(mutex_);
        std::erase_if(spaces_,
                      [this](const auto& entry) { return !watches_.contains(entry.first); });
        std::erase_if(references_, [this](const auto& entry) {
            return !watches_.contains("") && !watches_.contains(entry.first.ns);
        });
        for (const auto& ns : namespaces) spaces_[ns];
    }
    for (const auto& ns : namespaces) {
        if (!watches_.contains(ns)) watches_.emplace(ns, watch(ns));
    }
}

ClusterReferences::View ClusterReferences::of(const KubeName& name) const {
    const std::lock_guard held(mutex_);
    auto space = spaces_.find(name.ns);
    if (space == spaces_.end()) space = spaces_.find("");
    if (space == spaces_.end()) return {};
    View view{space->second.synced, space->second.trouble, std::nullopt};
    const auto found = references_.find(name);
    if (found != references_.end()) view.reference = found->second;
    return view;
}

std::unique_ptr<KubeWatch> ClusterReferences::watch(const std::string& ns) {
    KubeWatchHandler handler;
    handler.upserted = [this, ns](const KubeObject& object) {
        auto reference = cluster_reference(object.json);
        change(ns, &object.name, [&] {
            auto& kept = references_[object.name];
            const bool same = kept == reference;
            kept = std::move(reference);
            return !same;
        });
    };
    handler.deleted = [this, ns](const KubeName& name) {
        change(ns, &name, [&] { return references_.erase(name) != 0; });
    };
    handler.synced = [this, ns] {
        change(ns, nullptr, [&] { return !std::exchange(spaces_[ns].synced, true); });
    };
    handler.troubled = [this, ns](const std::optional<KubeError>& trouble) {
        change(ns, nullptr, [&] {
            spaces_[ns].trouble = trouble ? trouble->error.message : std::string();
            return true;
        });
    };
    KubeWatchOptions options;
    options.resource = kGitopsClusters;
    options.selection.ns = ns;
    return std::make_unique<KubeWatch>(client_, options, std::move(handler), metrics_);
}

// Tells if it changed anything; not under the lock.
void ClusterReferences::change(const std::string& ns, const KubeName* name,
                               const std::function<bool()>& apply) {
    {
        const std::lock_guard held(mutex_);
        if (!spaces_.contains(ns) || !apply()) return;
    }
    changed_(name);
}

}  // namespace promotiond::platform
