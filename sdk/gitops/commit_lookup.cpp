#include <promotiond/gitops/commit_lookup.hpp>

namespace promotiond::sdk::inline v1::gitops {
namespace {

constexpr std::string_view kGenre = "fluxcd";

constexpr std::string_view kOurs = "promotiond/";

bool is_flux(const CommitStatus& status) {
    if (status.context.starts_with(kOurs)) return false;
    if (!status.genre) return true;
    const std::string_view genre = *status.genre;
    return genre == kGenre || genre.starts_with(std::string(kGenre) + ':');
}

// The second part; empty where there is none.
std::string_view object_of(std::string_view context) {
    const auto slash = context.find('/');
    if (slash == std::string_view::npos) return {};
    context.remove_prefix(slash + 1);
    return context.substr(0, context.find('/'));
}

}  // namespace

std::optional<Verdict> verdict_on(const std::string& name,
                                  const std::vector<CommitStatus>& statuses) {
    for (const auto& status : statuses)
        if (is_flux(status) && object_of(status.context) == name) return status.verdict;
    return std::nullopt;
}

}  // namespace promotiond::sdk::inline v1::gitops
