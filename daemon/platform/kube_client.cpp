#include "platform/kube_client.hpp"

#include <algorithm>

#include "model/text_check.hpp"
#include "platform/kube_discovery.hpp"
#include "platform/kube_exchange.hpp"
#include "platform/kube_status.hpp"

namespace promotiond::platform {
namespace {

std::string_view media_type(KubePatchKind kind) {
    switch (kind) {
        case KubePatchKind::Merge: return "application/merge-patch+json";
        case KubePatchKind::Apply: return "application/apply-patch+yaml";  // JSON is YAML, too
        case KubePatchKind::Json: return "application/json-patch+json";
    }
    return "application/json";
}

// "?a=b&c=d" of the parts that are not empty.
std::string query_of(std::initializer_list<std::pair<std::string_view, std::string>> parts) {
    std::string query;
    for (const auto& [name, value] : parts) {
        if (value.empty()) continue;
        query += query.empty() ? '?' : '&';
        query += name;
        query += '=' + url_encoded(value);
    }
    return query;
}

std::string query_of(const KubeWrite& write) {
    return query_of({{"fieldManager", write.field_manager}, {"force", write.force ? "true" : ""}});
}

}  // namespace

net::HttpClient::Options kube_http_options(const KubeConfig& config, std::string user_agent) {
    net::HttpClient::Options options;
    options.user_agent = std::move(user_agent);
    options.egress.only_allowed = true;
    for (const auto& address : {config.server, config.proxy}) {
        const auto begin = address.find("://");
        if (begin == std::string::npos) continue;
        auto host = address.substr(begin + 3);
        host = host.substr(0, host.find('/'));
        host = host.substr(host.rfind('@') + 1);  // npos + 1 = 0
        const bool bracketed = host.starts_with('[');
        host = bracketed ? host.substr(1, host.find(']') - 1) : host.substr(0, host.find(':'));
        options.egress.allow.push_back(host);
    }
    return options;
}

class KubeClient::State {
public:
    State(KubeConfig config, net::HttpClient& http, const Clock& clock, Metrics& metrics,
          KubeClientOptions options)
        : readiness_(options.readiness),
          exchange_(std::move(config), http, clock, metrics, options),
          discovery_(exchange_),
          server_name_(exchange_.config().server_name()) {}

    [[nodiscard]] KubeResult<std::string> call(KubeAsk ask, const KubeCall& how) {
        ask.what += " at " + server_name_;
        return exchange_.call(std::move(ask), how);
    }
    [[nodiscard]] KubeExchange& exchange() { return exchange_; }
    [[nodiscard]] KubeDiscovery& discovery() { return discovery_; }
    [[nodiscard]] const std::string& server_name() const { return server_name_; }
    // A collection that is not found is not served any more.
    void learn(const KubeResource& resource, const KubeError& error) {
        if (error.reason == KubeReason::NotFound) discovery_.forget(resource.api_version());
    }

    [[nodiscard]] Readiness* readiness() const { return readiness_; }

private:
    Readiness* const readiness_;
    KubeExchange exchange_;
    KubeDiscovery discovery_;
    const std::string server_name_;
};

KubeClient::KubeClient(KubeConfig config, net::HttpClient& http, const Clock& clock,
                       Metrics& metrics, KubeClientOptions options)
    : state_(std::make_unique<State>(std::move(config), http, clock, metrics, options)) {}
KubeClient::~KubeClient() = default;

KubeResult<std::string> KubeClient::get(const KubeResource& resource, const KubeName& name,
                                        const KubeCall& how) {
    return state_->call(
        {"get " + resource.text() + " " + name.text(), "GET", resource.path(name.ns, name.name)},
        how);
}

KubeResult<std::string> KubeClient::create(const KubeResource& resource, const std::string& ns,
                                           std::string object, const KubeWrite& write,
                                           const KubeCall& how) {
    return state_->call(
        {"create " + resource.text() + " in " + ns, "POST", resource.path(ns) + query_of(write),
         "application/json", std::move(object)},
        how);
}

KubeResult<std::string> KubeClient::update(const KubeResource& resource, const KubeName& name,
                                           std::string object, const KubeWrite& write,
                                           const KubeCall& how) {
    return state_->call({"update " + resource.text() + " " + name.text(), "PUT",
                         resource.path(name.ns, name.name, write.subresource) + query_of(write),
                         "application/json", std::move(object)},
                        how);
}

KubeResult<std::string> KubeClient::patch(const KubeResource& resource, const KubeName& name,
                                          KubePatchKind kind, std::string body,
                                          const KubeWrite& write, const KubeCall& how) {
    return state_->call({"patch " + resource.text() + " " + name.text(), "PATCH",
                         resource.path(name.ns, name.name, write.subresource) + query_of(write),
                         media_type(kind), std::move(body)},
                        how);
}

KubeResult<std::string> KubeClient::remove(const KubeResource& resource, const KubeName& name,
                                           const std::string& uid, const KubeCall& how) {
    std::string body;
    if (!uid.empty()) {
        body = R"({"kind":"DeleteOptions","apiVersion":"v1","preconditions":{"uid":)" +
               model::json_string(uid) + "}}";
    }
    const std::string_view media = body.empty() ? "" : "application/json";
    return state_->call({"delete " + resource.text() + " " + name.text(), "DELETE",
                         resource.path(name.ns, name.name), media, std::move(body)},
                        how);
}

KubeResult<KubePage> KubeClient::list(const KubeResource& resource, const KubeSelection& selection,
                                      std::size_t limit, const std::string& next,
                                      const KubeCall& how) {
    const KubeAsk ask{
        "list " + resource.text(), "GET",
        resource.path(selection.ns) + query_of({{"limit", std::to_string(limit)},
                                                {"continue", next},
                                                {"labelSelector", selection.labels},
                                                {"fieldSelector", selection.fields}})};
    auto body = state_->call(ask, how);
    if (!body) {
        state_->learn(resource, body.error());
        return std::move(body).error();
    }
    KubePage page;
    page.body = std::move(*body);
    const JsonView list(page.body);
    if (!list["items"].is_array() && !list["metadata"])
        return malformed(ask.what, "the answer is no list");
    page.resource_version = list.at({"metadata", "resourceVersion"}).text();
    page.next = list.at({"metadata", "continue"}).text();
    return page;
}

KubeResult<std::string> KubeClient::get_path(const std::string& path, const KubeCall& how) {
    return state_->call({"get " + path, "GET", path}, how);
}

KubeResult<std::string> KubeClient::post_path(const std::string& path, std::string body,
                                              const KubeCall& how) {
    return state_->call({"post to " + path, "POST", path, "application/json", std::move(body)},
                        how);
}

KubeResult<KubeResource> KubeClient::resource_of(const std::string& api_version,
                                                 const std::string& kind, const KubeCall& how) {
    return state_->discovery().resource_of(api_version, kind, how);
}

KubeDone KubeClient::watch(const KubeResource& resource, const KubeWatchCall& call,
                           const std::function<bool(std::string_view line)>& on_line,
                           std::stop_token stop) {
    KubeAsk ask{"watch " + resource.text() + " at " + server_name(), "GET",
                resource.path(call.selection.ns) +
                    query_of({{"watch", "true"},
                              {"allowWatchBookmarks", "true"},
                              {"resourceVersion", call.resource_version},
                              {"timeoutSeconds", std::to_string(call.lasts.count())},
                              {"labelSelector", call.selection.labels},
                              {"fieldSelector", call.selection.fields}})};
    auto done = state_->exchange().watch(std::move(ask), call, on_line, stop);
    if (!done) state_->learn(resource, done.error());
    return done;
}

const std::string& KubeClient::server_name() const { return state_->server_name(); }

void KubeClient::tell(const std::string& part, const KubeError* trouble) const {
    Readiness* const readiness = state_->readiness();
    if (readiness == nullptr) return;
    if (trouble == nullptr) return readiness->ready(part);
    readiness->degraded(part, trouble->error.message);
}

void KubeClient::forget(const std::string& part) const {
    if (Readiness* const readiness = state_->readiness()) readiness->forget(part);
}

}  // namespace promotiond::platform
