#include "platform/kube_config.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "model/node_reader.hpp"
#include "model/text_check.hpp"
#include "model/yaml_document.hpp"
#include "platform/base64.hpp"
#include "platform/kube_files.hpp"

namespace promotiond::platform {
namespace {

using model::NameRule;
using model::NodeReader;
using model::YamlNode;

constexpr std::string_view kHttps = "https://";
constexpr std::string_view kHttp = "http://";

std::string_view authority_in(std::string_view server) {
    const auto begin = server.find("://");
    if (begin != std::string_view::npos) server.remove_prefix(begin + 3);
    return server.substr(0, server.find('/'));
}

bool is_loopback(std::string_view authority) {
    return authority.starts_with("127.") || authority.starts_with("localhost:") ||
           authority == "localhost" || authority.starts_with("[::1]");
}

// One kubeconfig on its way to a KubeConfig.
class KubeconfigReader {
public:
    KubeconfigReader(const YamlNode& root, const KubeconfigOptions& options)
        : root_(root), options_(options) {}

    Result<KubeConfig> read() {
        if (reader_.is_mapping(root_, "")) read_context();
        if (reader_.failed()) return reader_.take_error();
        return std::move(config_);
    }

private:
    void read_context() {
        std::string name = options_.context;
        if (name.empty()) {
            name = reader_.optional_text(root_, "current-context", "", NameRule::Text);
            if (name.empty()) {
                return reader_.fail(root_.where, "current-context",
                                    "is missing; add it, or name a context in the configuration");
            }
        }
        const YamlNode* context = entry("contexts", "context", name);
        if (context == nullptr) return;
        config_.ns = reader_.optional_text(*context, "namespace", path_, NameRule::Label);
        if (config_.ns.empty()) config_.ns = "default";
        const auto cluster = reader_.required_text(*context, "cluster", path_, NameRule::Text);
        const auto user = reader_.optional_text(*context, "user", path_, NameRule::Text);
        if (const YamlNode* node = entry("clusters", "cluster", cluster)) read_cluster(*node);
        if (user.empty()) return;
        if (const YamlNode* node = entry("users", "user", user)) read_user(*node);
    }

    // The body of the entry of that name in one of the three lists; path_ then leads to it.
    const YamlNode* entry(const std::string& list, const std::string& body,
                          const std::string& name) {
        if (reader_.failed()) return nullptr;
        const YamlNode* items = reader_.required(root_, list, "");
        if (items == nullptr) return nullptr;
        for (std::size_t i = 0; i < items->items.size(); ++i) {
            const YamlNode& item = items->items[i];
            const YamlNode* label = item.member("name");
            if (label == nullptr || label->scalar != name) continue;
            const std::string here = list + "[" + std::to_string(i) + "].";
            const YamlNode* found = reader_.required(item, body, here);
            if (found == nullptr || !reader_.is_mapping(*found, here + body)) return nullptr;
            path_ = here + body + ".";
            return found;
        }
        reader_.fail(items->where, list, "has no entry named \"" + model::shown(name) + "\"");
        return nullptr;
    }

    void refuse(const YamlNode& mapping, std::string_view key, const std::string& why) {
        if (const YamlNode* node = NodeReader::present(mapping, key))
            reader_.fail(node->where, path_ + std::string(key), why);
    }

    void read_cluster(const YamlNode& cluster) {
        if (const YamlNode* skip = NodeReader::present(cluster, "insecure-skip-tls-verify")) {
            if (reader_.truth(*skip, path_ + "insecure-skip-tls-verify")) {
                reader_.fail(skip->where, path_ + "insecure-skip-tls-verify",
                             "is refused: the server's certificate is always checked; give "
                             "certificate-authority-data instead");
            }
        }
        read_server(cluster);
        config_.ca = text_of(cluster, "certificate-authority-data", "certificate-authority");
        config_.tls_server_name =
            reader_.optional_text(cluster, "tls-server-name", path_, NameRule::Subdomain);
        config_.proxy = reader_.optional_text(cluster, "proxy-url", path_, NameRule::Text);
        if (!config_.proxy.empty() && !config_.proxy.starts_with(kHttp)) {
            reader_.fail(cluster.member("proxy-url")->where, path_ + "proxy-url",
                         "must be http://host:port; other proxies are not offered");
        }
    }

    void read_server(const YamlNode& cluster) {
        config_.server = reader_.required_text(cluster, "server", path_, NameRule::Text);
        while (config_.server.ends_with('/')) config_.server.pop_back();
        if (reader_.failed()) return;
        const auto& where = cluster.member("server")->where;
        const bool plain = config_.server.starts_with(kHttp);
        if (!plain && !config_.server.starts_with(kHttps))
            return reader_.fail(where, path_ + "server", "must begin with https://");
        if (config_.server.find_first_of("?#@") != std::string::npos)
            return reader_.fail(where, path_ + "server", "must be https://host:port and a path");
        if (plain && !is_loopback(authority_in(config_.server))) {
            reader_.fail(where, path_ + "server",
                         "must begin with https://: over plain http, which is taken for loopback "
                         "only, credentials could be read on the way");
        }
    }

    void read_user(const YamlNode& user) {
        refuse(user, "auth-provider",
               "is not offered, nor by Kubernetes since 1.26; use a token or an exec plugin");
        for (const char* key : {"username", "password"}) {
            refuse(user, key, "is not offered, nor by Kubernetes since 1.19; use a token");
        }
        for (const char* key : {"as", "as-uid", "as-groups", "as-user-extra"})
            refuse(user, key, "is not offered: give the user itself the rights");
        config_.client_certificate = text_of(user, "client-certificate-data", "client-certificate");
        config_.client_key = text_of(user, "client-key-data", "client-key");
        if (config_.client_certificate.given() != config_.client_key.given())
            reader_.fail(user.where, path_, "client-certificate and client-key come together");
        // client-go lets the file win where both are given: it is what gets rotated.
        config_.token.file = file_of(user, "tokenFile");
        const YamlNode* token = NodeReader::present(user, "token");
        if (config_.token.file.empty() && token != nullptr)
            config_.token.text = Secret(token->scalar);
        if (const YamlNode* exec = NodeReader::present(user, "exec")) read_exec(*exec);
    }

    // `<key>-data`, which wins as in client-go, or the file.
    KubeText text_of(const YamlNode& mapping, std::string_view data_key,
                     std::string_view file_key) {
        KubeText found;
        const YamlNode* data = NodeReader::present(mapping, data_key);
        if (data == nullptr || data->scalar.empty()) {
            found.file = file_of(mapping, file_key);
            return found;
        }
        auto decoded = base64_decoded(data->scalar);
        if (decoded) {
            found.text = std::move(*decoded);
        } else {
            reader_.fail(data->where, path_ + std::string(data_key), "is not base64");
        }
        return found;
    }

    std::filesystem::path file_of(const YamlNode& mapping, std::string_view key) {
        const auto name = reader_.optional_text(mapping, key, path_, NameRule::Text);
        if (name.empty()) return {};
        if (options_.origin == KubeconfigOrigin::Secret) {
            reader_.fail(mapping.member(key)->where, path_ + std::string(key),
                         "names a file, which is refused in a kubeconfig from a Secret; put the "
                         "content itself there");
        }
        return options_.directory / name;
    }

    void read_exec(const YamlNode& exec) {
        if (!reader_.is_mapping(exec, path_ + "exec")) return;
        path_ += "exec.";
        KubeExec found;
        found.command = reader_.required_text(exec, "command", path_, NameRule::Text);
        found.api_version = reader_.required_text(exec, "apiVersion", path_, NameRule::Text);
        if (reader_.failed()) return;
        allow(exec, found.command);
        if (found.api_version != "client.authentication.k8s.io/v1" &&
            found.api_version != "client.authentication.k8s.io/v1beta1") {
            reader_.fail(exec.member("apiVersion")->where, path_ + "apiVersion",
                         "must be client.authentication.k8s.io/v1 or v1beta1");
        }
        if (const YamlNode* arguments = NodeReader::present(exec, "args")) {
            for (const YamlNode& item : arguments->items)
                found.arguments.push_back(reader_.text(item, path_ + "args", NameRule::Text));
        }
        if (const YamlNode* variables = NodeReader::present(exec, "env")) {
            for (const YamlNode& item : variables->items) {
                auto name = reader_.required_text(item, "name", path_ + "env.", NameRule::Text);
                auto value = reader_.optional_text(item, "value", path_ + "env.", NameRule::Text);
                found.environment.emplace_back(std::move(name), std::move(value));
            }
        }
        if (const YamlNode* provide = NodeReader::present(exec, "provideClusterInfo"))
            found.provide_cluster_info = reader_.truth(*provide, path_ + "provideClusterInfo");
        config_.exec = std::move(found);
    }

    void allow(const YamlNode& exec, const std::string& command) {
        const auto& where = exec.member("command")->where;
        if (options_.origin == KubeconfigOrigin::Secret) {
            return reader_.fail(where, path_ + "command",
                                "exec plugins are refused in a kubeconfig from a Secret; use a "
                                "token or a client certificate");
        }
        const auto& allowed = options_.exec_allowed;
        if (std::find(allowed.begin(), allowed.end(), command) != allowed.end()) return;
        reader_.fail(where, path_ + "command",
                     "\"" + model::shown(command) +
                         "\" may not be run; write its absolute path here and add it to "
                         "platform.kubernetes.execAllowed if it is meant");
    }

    const YamlNode& root_;
    const KubeconfigOptions& options_;
    NodeReader reader_;
    KubeConfig config_;
    std::string path_;  // to the mapping that is being read, with a dot at the end
};

std::string from_environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : value;
}

}  // namespace

std::string KubeConfig::server_name() const { return std::string(authority_in(server)); }

Result<KubeConfig> kubeconfig_from_yaml(std::string_view text, const std::string& name,
                                        const KubeconfigOptions& options) {
    auto documents = model::yaml_documents(text, name);
    if (!documents) return std::move(documents).error();
    if (documents->size() != 1)
        return Error{ErrorKind::Invalid, name + ":1:1: a kubeconfig is one YAML document"};
    return KubeconfigReader(documents->front(), options).read();
}

Result<KubeConfig> load_kubeconfig(const std::filesystem::path& file, KubeconfigOptions options) {
    const auto text = contents_of(file);
    if (!text) return context(text.error(), "kubeconfig " + file.string());
    options.directory = file.parent_path();
    return kubeconfig_from_yaml(text->reveal(), file.string(), options);
}

InClusterOptions in_cluster_from_environment() {
    InClusterOptions options;
    options.host = from_environment("KUBERNETES_SERVICE_HOST");
    options.port = from_environment("KUBERNETES_SERVICE_PORT");
    return options;
}

Result<KubeConfig> in_cluster_config(const InClusterOptions& options) {
    if (options.host.empty() || options.port.empty()) {
        return Error{ErrorKind::Invalid,
                     "this is no pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not "
                     "set; name a kubeconfig in platform.kubernetes.kubeconfig"};
    }
    KubeConfig config;
    const bool bare_ipv6 = options.host.find(':') != std::string::npos;
    config.server = std::string(kHttps) + (bare_ipv6 ? "[" + options.host + "]" : options.host) +
                    ":" + options.port;
    config.ca.file = options.directory / "ca.crt";
    config.token.file = options.directory / "token";
    for (const auto& file : {config.ca.file, config.token.file}) {
        if (const auto text = contents_of(file); !text) {
            return context(text.error(), "the service account's file " + file.string() +
                                             " (is automountServiceAccountToken off?)");
        }
    }
    config.ns = "default";
    if (const auto ns = contents_of(options.directory / "namespace")) config.ns = ns->reveal();
    while (config.ns.ends_with('\n')) config.ns.pop_back();
    return config;
}

}  // namespace promotiond::platform
