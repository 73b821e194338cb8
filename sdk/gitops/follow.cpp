#include "promotiond/gitops/follow.hpp"

#include <utility>

#include "promotiond/gitops/rebuild.hpp"

namespace promotiond::sdk::inline v1::gitops {

Outcome follow(const Promotion& promotion, std::string_view external_id, std::string_view details,
               Call& call, const PullRequestConfig& config, Forge& forge, CommitLookup& commits,
               MirroredBase::Open open) {
    auto seen = observe(promotion, external_id, details, call, config, forge);
    MirroredBase base(promotion, config, std::move(open));
    const auto held = MergeGate::held(config);
    Rebuild rebuild(promotion, held, forge, [&] { return base.mirror(); });
    return MergeGate(config, forge, commits, base).look(rebuild.look(std::move(seen), call), call);
}

}  // namespace promotiond::sdk::inline v1::gitops
