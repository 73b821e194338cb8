#include "platform/told_promotions.hpp"

#include <iterator>

namespace promotiond::platform {
namespace {

constexpr std::size_t kPage = 250;  // objects

KubeResult<std::vector<ToldPromotion>> told_in(KubeClient& client, const KubeSelection& selection,
                                               const KubeCall& how) {
    std::vector<ToldPromotion> all;
    std::string next;
    do {
        auto page = client.list(kPipelines, selection, kPage, next, how);
        if (!page) return std::move(page).error();
        JsonView(page->body)["items"].each_item([&all](JsonView item) {
            if (const auto object = kube_object(item)) {
                auto told = told_promotions(*object);
                std::move(told.begin(), told.end(), std::back_inserter(all));
            }
            return true;
        });
        next = page->next;
    } while (!next.empty());
    return all;
}

}  // namespace

std::vector<ToldPromotion> told_promotions(const KubeObject& pipeline) {
    std::vector<ToldPromotion> all;
    pipeline.json.at({"status", "environments"})
        .each_member([&](std::string_view environment, JsonView status) {
            const auto last = status["lastPromotion"];
            const auto phase = model::phase_named(last["phase"].text());
            auto id = last["id"].text();
            auto revision = last["revision"].text();
            if (phase && !id.empty() && !revision.empty()) {
                all.push_back({{pipeline.name.ns, pipeline.name.name},
                               std::string(environment),
                               std::move(id),
                               std::move(revision),
                               *phase,
                               last["reason"].text(),
                               last["url"].text()});
            }
            return true;
        });
    return all;
}

KubeResult<std::vector<ToldPromotion>> told_promotions(KubeClient& client,
                                                       const KubernetesOptions& options,
                                                       const KubeCall& how) {
    if (options.namespaces.empty()) return told_in(client, {.labels = options.selector}, how);
    std::vector<ToldPromotion> all;
    for (const auto& ns : options.namespaces) {
        auto told = told_in(client, {.ns = ns, .labels = options.selector}, how);
        if (!told) return told;
        std::move(told->begin(), told->end(), std::back_inserter(all));
    }
    return all;
}

}  // namespace promotiond::platform
