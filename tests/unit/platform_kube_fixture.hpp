// An API server of scripted answers, and a client that talks to it.
#pragma once

#include <string>
#include <vector>

#include "base/clock.hpp"
#include "catch.hpp"
#include "platform/kube_client.hpp"
#include "tests/simulators/http_server.hpp"

namespace promotiond::platform::testing {

using simulators::ScriptedAnswer;
using simulators::whole;
using After = ScriptedAnswer::After;

inline KubeConfig config_for(const simulators::HttpServer& server, const std::string& token = {}) {
    KubeConfig config;
    config.server = "http://127.0.0.1:" + std::to_string(server.port());
    config.token.text = Secret(token);
    return config;
}

inline std::string object_json(const std::string& name, const std::string& version,
                               const std::string& uid = "u1") {
    return R"({"apiVersion":"v1","kind":"Thing","metadata":{"namespace":"team","name":")" + name +
           R"(","uid":")" + uid + R"(","resourceVersion":")" + version + R"("}})";
}

inline ScriptedAnswer list_of(const std::vector<std::string>& objects, const std::string& version,
                              const std::string& next = {}) {
    std::string items;
    for (const auto& object : objects) items += (items.empty() ? "" : ",") + object;
    return whole(200, R"({"kind":"List","metadata":{"resourceVersion":")" + version +
                          R"(","continue":")" + next + R"("},"items":[)" + items + "]}");
}

inline ScriptedAnswer status(int code, const std::string& reason, const std::string& message,
                             const std::string& headers = {}) {
    return whole(code,
                 R"({"kind":"Status","status":"Failure","reason":")" + reason + R"(","message":")" +
                     message + R"(","code":)" + std::to_string(code) + "}",
                 headers);
}

inline std::string event_json(const std::string& type, const std::string& object) {
    return R"({"type":")" + type + R"(","object":)" + object + "}\n";
}

// A watch that says these lines, and then as `after` tells.
inline ScriptedAnswer watch_of(const std::string& lines, After after) {
    return {
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + lines,
        after};
}

struct Cluster {
    explicit Cluster(std::vector<ScriptedAnswer> answers, const std::string& token = {},
                     KubeClientOptions options = {})
        : server(std::move(answers)),
          http(kube_http_options(config_for(server), "promotiond/test"), metrics),
          client(config_for(server, token), http, clock, metrics, options) {}

    // Answers each request by itself, for clients of several threads.
    explicit Cluster(simulators::HttpServer::Answering answer)
        : server(std::move(answer)),
          http(kube_http_options(config_for(server), "promotiond/test"), metrics),
          client(config_for(server), http, clock, metrics) {}

    simulators::HttpServer server;
    Metrics metrics;
    SystemClock clock;
    net::HttpClient http;
    KubeClient client;
};

inline const KubeResource kThings{"", "v1", "things"};

}  // namespace promotiond::platform::testing
