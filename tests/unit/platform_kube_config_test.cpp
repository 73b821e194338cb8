#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "catch.hpp"
#include "platform/base64.hpp"
#include "platform/json_view.hpp"
#include "platform/kube_config.hpp"
#include "platform/kube_credentials.hpp"

using namespace promotiond;
using namespace promotiond::platform;

namespace {

std::string kubeconfig(const std::string& cluster, const std::string& user) {
    return "apiVersion: v1\nkind: Config\npreferences: {}\ncurrent-context: here\n"
           "contexts:\n- name: there\n  context: {cluster: gone, user: gone}\n"
           "- name: here\n  context: {cluster: c, user: u, namespace: team}\n"
           "clusters:\n- name: c\n  cluster:\n    server: https://api.test:6443/\n" +
           cluster + "users:\n- name: u\n  user:\n    token: abc\n" + user;
}

std::string complaint(const std::string& text, const KubeconfigOptions& options = {}) {
    const auto read = kubeconfig_from_yaml(text, "config", options);
    return read ? "" : read.error().message;
}

class Directory {
public:
    Directory() {
        std::string name = (std::filesystem::temp_directory_path() / "kube-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~Directory() { std::filesystem::remove_all(path); }
    std::filesystem::path write(const std::string& name, const std::string& text) const {
        std::ofstream(path / name) << text;
        return path / name;
    }
    std::filesystem::path path;
};

}  // namespace

TEST_CASE("kubeconfig: the current context's cluster, user and namespace are taken") {
    const auto config = kubeconfig_from_yaml(
        kubeconfig("    certificate-authority-data: UEVN\n    tls-server-name: kubernetes\n"
                   "    proxy-url: http://proxy.test:3128\n",
                   "    client-certificate: tls.crt\n    client-key: /keys/tls.key\n"),
        "config", {.directory = "/home/me"});
    REQUIRE(config.has_value());
    CHECK(config->server == "https://api.test:6443");
    CHECK(config->server_name() == "api.test:6443");
    CHECK(config->ca.text.reveal() == "PEM");
    CHECK(config->tls_server_name == "kubernetes");
    CHECK(config->proxy == "http://proxy.test:3128");
    CHECK(config->ns == "team");
    CHECK(config->token.text.reveal() == "abc");
    CHECK(config->client_certificate.file == "/home/me/tls.crt");
    CHECK(config->client_key.file == "/keys/tls.key");
}

TEST_CASE("kubeconfig: what cannot be used is refused with its position and a way out") {
    CHECK(complaint("a: 1").starts_with("config:1:1: current-context: is missing"));
    CHECK(complaint(kubeconfig("", ""), {.context = "nowhere"})
              .find("contexts: has no entry named \"nowhere\"") != std::string::npos);
    CHECK(complaint(kubeconfig("", ""), {.context = "there"})
              .find("clusters: has no entry named \"gone\"") != std::string::npos);
    CHECK(complaint(kubeconfig("    insecure-skip-tls-verify: true\n", ""))
              .starts_with("config:14:31: clusters[0].cluster.insecure-skip-tls-verify: "));
    CHECK(
        complaint(kubeconfig("    certificate-authority-data: '%'\n", "")).find("is not base64") !=
        std::string::npos);
    CHECK(complaint(kubeconfig("    proxy-url: socks5://p:1\n", ""))
              .find("must be http://host:port") != std::string::npos);
    CHECK(complaint(kubeconfig("", "    auth-provider: {name: gcp}\n"))
              .find("users[0].user.auth-provider: is not offered") != std::string::npos);
    CHECK(complaint(kubeconfig("", "    username: me\n")).find("use a token") != std::string::npos);
    CHECK(complaint(kubeconfig("", "    as: admin\n")).find("users[0].user.as: ") !=
          std::string::npos);
    CHECK(complaint(kubeconfig("", "    client-key-data: UEVN\n")).find("come together") !=
          std::string::npos);
}

TEST_CASE("kubeconfig: credentials do not go over plain http, but to loopback") {
    const auto with_server = [](const std::string& server) {
        auto text = kubeconfig("", "");
        return text.replace(text.find("https://api.test:6443/"), 22, server);
    };
    CHECK(complaint(with_server("http://api.test:80")).find("must begin with https://") !=
          std::string::npos);
    CHECK(complaint(with_server("http://127.0.0.1:8001")).empty());
}

TEST_CASE("kubeconfig: plugins run only if they are on the list") {
    const std::string exec =
        "    exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/get-token}\n";
    CHECK(complaint(kubeconfig("", exec)).find("platform.kubernetes.execAllowed") !=
          std::string::npos);
    CHECK(complaint(kubeconfig("", exec), {.exec_allowed = {"/bin/get-token"}}).empty());
    CHECK(complaint(kubeconfig("", exec),
                    {.exec_allowed = {"/bin/get-token"}, .origin = KubeconfigOrigin::Secret})
              .find("refused in a kubeconfig from a Secret") != std::string::npos);
}

TEST_CASE("kubeconfig: one from a Secret may not make the daemon read files") {
    for (const char* user : {"    tokenFile: /etc/shadow\n",
                             "    client-certificate: /etc/shadow\n    client-key-data: UEVN\n"}) {
        CHECK(complaint(kubeconfig("", user), {.origin = KubeconfigOrigin::Secret})
                  .find("refused in a kubeconfig from a Secret") != std::string::npos);
    }
}

TEST_CASE("in-cluster: address, authority, token and namespace come from the pod") {
    const Directory pod;
    pod.write("ca.crt", "PEM");
    pod.write("token", "abc\n");
    pod.write("namespace", "flux-system\n");
    const auto config = in_cluster_config({"fd00::1", "443", pod.path});
    REQUIRE(config.has_value());
    CHECK(config->server == "https://[fd00::1]:443");
    CHECK(config->ns == "flux-system");
    CHECK(in_cluster_config({"", "", pod.path}).error().message.starts_with("this is no pod"));
    std::filesystem::remove(pod.path / "token");
    CHECK(in_cluster_config({"h", "443", pod.path})
              .error()
              .message.find("automountServiceAccountToken") != std::string::npos);
}

TEST_CASE("kube credentials: a token that is rotated is used from then on") {
    const Directory files;
    KubeConfig config;
    config.token.file = files.write("token", "first\n");
    const SystemClock clock;
    KubeCredentials credentials(std::move(config), clock);
    CHECK(credentials.current()->token.reveal() == "first");
    files.write("token", "second one\n");
    CHECK(credentials.current()->token.reveal() == "second one");
}

TEST_CASE("kube credentials: a plugin runs once until what it gave expires or is refused") {
    const Directory files;
    const auto plugin =
        files.write("plugin",
                    "#!/bin/sh\necho x >> \"$0.runs\"\n"
                    "echo '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":"
                    "\"ExecCredential\",\"status\":{\"token\":\"'$1$SUFFIX'\","
                    "\"expirationTimestamp\":\"2023-11-14T22:30:00Z\"}}'\n");
    ::chmod(plugin.c_str(), 0700);
    KubeConfig config;
    config.exec = KubeExec{
        plugin.string(), {"to"}, {{"SUFFIX", "ken-1"}}, "client.authentication.k8s.io/v1", false};
    ManualClock clock;  // 2023-11-14T22:13:20Z
    KubeCredentials credentials(std::move(config), clock);
    const auto runs = [&] { return std::filesystem::file_size(plugin.string() + ".runs") / 2; };
    for (int i = 0; i < 2; ++i) CHECK(credentials.current()->token.reveal() == "token-1");
    CHECK(runs() == 1);
    credentials.refused();
    CHECK(credentials.current().has_value());
    CHECK(runs() == 2);
    clock.advance(std::chrono::minutes{17});
    CHECK(credentials.current().has_value());
    CHECK(runs() == 3);
}

TEST_CASE("kube credentials: a plugin that fails is named, with its exit code") {
    const Directory files;
    const auto plugin = files.write("plugin", "#!/bin/sh\nexit 7\n");
    ::chmod(plugin.c_str(), 0700);
    KubeConfig config;
    config.exec = KubeExec{plugin.string(), {}, {}, "client.authentication.k8s.io/v1", false};
    const SystemClock clock;
    KubeCredentials credentials(std::move(config), clock);
    const auto failed = credentials.current();
    REQUIRE_FALSE(failed.has_value());
    CHECK(failed.error().message.find(plugin.string() + " failed with exit code 7") !=
          std::string::npos);
}

TEST_CASE("base64: RFC 4648's own examples, and what is none") {
    for (const auto& [text, bytes] : {std::pair{"", ""},
                                      {"Zg==", "f"},
                                      {"Zm8=", "fo"},
                                      {"Zm9v", "foo"},
                                      {"Zm9v\nYg==", "foob"},
                                      {"Zm9vYmE=", "fooba"},
                                      {"Zm9vYmFy", "foobar"}}) {
        INFO(text);
        REQUIRE(base64_decoded(text).has_value());
        CHECK(base64_decoded(text)->reveal() == bytes);
    }
    for (const char* text : {"Z", "Zg=", "Z===", "Zg==Zg==", "Zm9-", "Zm9v!"}) {
        INFO(text);
        CHECK_FALSE(base64_decoded(text).has_value());
    }
}

TEST_CASE("json view: members and items are found without reading the rest") {
    const JsonView json(R"( {"a":{"b":[1,"x\"]}",{"c":null}]},"k\u0065y":"caf\u00e9","n":-7,)"
                        R"("t":true} tail)");
    CHECK(json["key"].text() == "caf\u00e9");
    CHECK(json["n"].number() == -7);
    CHECK(json["t"].is_true());
    CHECK_FALSE(json.at({"a", "b", "c"}));
    std::vector<std::string> items;
    CHECK(json.at({"a", "b"}).each_item([&](JsonView item) {
        items.emplace_back(item.raw());
        return true;
    }));
    CHECK(items == std::vector<std::string>{"1", R"("x\"]}")", R"({"c":null})"});
}

TEST_CASE("json view: broken text has no members and does no harm") {
    for (const char* text : {"", "{", "{\"a\"", "{\"a\":", "{\"a\":[1,", "[", "\"", "{\"a\":\"\\",
                             "{]", "]", "{\"a\" 1}", "{1:2}"}) {
        INFO(text);
        const JsonView json(text);
        CHECK(json["a"].text().empty());
        CHECK_FALSE(json.each_item([](JsonView) { return true; }));
    }
}
