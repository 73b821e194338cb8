#include "shown_url.hpp"

namespace promotiond::webhook {
namespace {

constexpr std::size_t kMostShown = 2048;

}  // namespace

std::string shown_url(std::string_view url) {
    const auto path_end = url.find_first_of("?#");
    const auto hidden = path_end == std::string_view::npos ? std::string_view()
                        : url[path_end] == '?'             ? "?***"
                                                           : "#***";
    url = url.substr(0, path_end);
    const auto scheme_end = url.find("://");
    const auto scheme = url.substr(0, scheme_end == std::string_view::npos ? 0 : scheme_end + 3);
    url.remove_prefix(scheme.size());
    const auto user_end = url.substr(0, url.find('/')).rfind('@');
    std::string shown(scheme);
    if (user_end != std::string_view::npos) {
        shown += "***@";
        url.remove_prefix(user_end + 1);
    }
    for (const char c : url.substr(0, kMostShown)) shown += c > 0x20 && c < 0x7f ? c : '?';
    return shown.append(hidden);
}

}  // namespace promotiond::webhook
