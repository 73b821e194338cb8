#include "ctl/gitops/one_shot.hpp"

#include <stdlib.h>

#include <system_error>

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "net/http_client.hpp"
#include "strategy/host.hpp"

namespace promotiond::ctl::gitops {
namespace {

namespace fs = std::filesystem;
using Variable = std::function<std::optional<std::string>(const char*)>;

std::string first_of(const Variable& variable, std::initializer_list<const char*> names) {
    for (const char* name : names)
        if (auto value = variable(name); value && !value->empty()) return *value;
    return {};
}

std::vector<std::string> listed(const std::string& text) {
    std::vector<std::string> out;
    for (std::size_t begin = 0; begin <= text.size();) {
        const auto end = std::min(text.find(',', begin), text.size());
        auto item = text.substr(begin, end - begin);
        item.erase(0, item.find_first_not_of(" *."));
        item.erase(item.find_last_not_of(' ') + 1);
        if (!item.empty()) out.push_back(std::move(item));
        begin = end + 1;
    }
    return out;
}

net::HttpClient::Options http_options(const Variable& variable) {
    net::HttpClient::Options options;
    options.user_agent = "promotionctl/" PROMOTIOND_VERSION;
    // The person at the terminal named the repository; no address is off limits to them.
    options.egress.allow = {"*"};
    options.proxy = first_of(variable, {"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"});
    options.no_proxy = listed(first_of(variable, {"NO_PROXY", "no_proxy"}));
    return options;
}

class Directory {
public:
    explicit Directory(fs::path path) : path_(std::move(path)) {}
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    ~Directory() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    [[nodiscard]] const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

}  // namespace

class OneShot::Parts {
public:
    Parts(fs::path directory, const Variable& variable, std::chrono::milliseconds lasting)
        : directory_(std::move(directory)),
          http_(http_options(variable), metrics_),
          host_("promotionctl", services()),
          state_(host_),
          call_(host_.table(), state_.table()) {
        strategy::CallState::Scope scope;
        scope.deadline = clock_.steady_now() + lasting;
        state_.open(std::move(scope));
    }
    Parts(const Parts&) = delete;
    Parts& operator=(const Parts&) = delete;
    ~Parts() { (void)state_.close(); }

    sdk::Call& call() { return call_; }

private:
    std::shared_ptr<const strategy::HostServices> services() {
        strategy::HostServices services;
        services.http = &http_;
        services.clock = &clock_;
        services.metrics = &metrics_;
        services.scratch = directory_.path() / "scratch";
        services.cache = directory_.path() / "cache";
        return std::make_shared<const strategy::HostServices>(std::move(services));
    }

    Directory directory_;  // removed last
    SystemClock clock_;
    Metrics metrics_;
    net::HttpClient http_;
    strategy::Host host_;
    strategy::CallState state_;
    sdk::Call call_;
};

OneShot::OneShot(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
OneShot::OneShot(OneShot&&) noexcept = default;
OneShot::~OneShot() = default;

sdk::Call& OneShot::call() { return parts_->call(); }

Result<OneShot> OneShot::make(const Variable& variable, std::chrono::milliseconds lasting) {
    std::error_code failed;
    const auto temporary = fs::temp_directory_path(failed);
    const fs::path parent = failed ? fs::path("/tmp") : temporary;
    std::string path = parent / "promotionctl-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr)
        return Error{ErrorKind::Transient, "cannot make a directory in " + parent.string() + ": " +
                                               std::generic_category().message(errno)};
    fs::create_directory(fs::path(path) / "scratch", failed);
    return OneShot(std::make_unique<Parts>(path, variable, lasting));
}

}  // namespace promotiond::ctl::gitops
