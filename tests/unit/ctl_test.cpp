#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "catch.hpp"
#include "ctl/ctl.hpp"
#include "tests/simulators/http_server.hpp"

using namespace promotiond;
using simulators::HttpServer;
using simulators::whole;

namespace {

struct Ran {
    int code;
    std::string out;
    std::string err;
};

Ran run(std::vector<std::string> words, const std::string& server = "http://127.0.0.1:1") {
    std::ostringstream out;
    std::ostringstream err;
    words.push_back("--server=" + server);
    const int code = ctl::run(words, {out, err, [](const char*) { return std::nullopt; }});
    return {code, out.str(), err.str()};
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("ctl: help begins with examples and names the exit codes") {
    const auto ran = run({"--help"});
    CHECK(ran.code == ctl::kOk);
    CHECK(ran.out.starts_with("Examples:"));
    CHECK(has(ran.out, "75 try again later"));
}

TEST_CASE("ctl: wrong usage is told apart and the likely word is offered") {
    CHECK(has(run({"pipelinse"}).err, "did you mean pipelines?"));
    CHECK(has(run({"why", "a/b", "--outptu", "json"}).err, "did you mean --output?"));
    for (const auto& words : std::vector<std::vector<std::string>>{{"pipelinse"},
                                                                   {},
                                                                   {"show"},
                                                                   {"approve", "a/b", "prod"},
                                                                   {"show", "x", "--target=t"},
                                                                   {"why", "a/b/c"},
                                                                   {"pipelines", "-o", "xml"},
                                                                   {"validate"}})
        CHECK(run(words).code == ctl::kUsage);
}

TEST_CASE("ctl: why tells what is waited for, since when and what would unblock it") {
    const HttpServer server({whole(
        200,
        R"({"environments":[{"environment":"prod","headline":"waits for approval of 7","reasons":[{"code":"c","text":"manual is true"}],"since":"2026-11-21T05:10:00.000Z","unblock":"promotionctl approve default/app prod 7"}]})")});
    const auto ran = run({"why", "app"}, server.url(""));
    CHECK(ran.code == ctl::kOk);
    CHECK(has(ran.out, "prod: waits for approval of 7\n  - manual is true\n"));
    CHECK(has(ran.out, "unblock: promotionctl approve default/app prod 7"));
    CHECK(server.requests().at(0).starts_with("GET /api/v1/pipelines/default/app/why HTTP/1.1"));
    CHECK(run({"why", "app", "qa"}, server.url("")).code == ctl::kNotFound);
}

TEST_CASE("ctl: why of a Pipeline that is gone says so, and which of its requests stay open") {
    const HttpServer server(
        {whole(200, R"({"environments":[]})"),
         whole(
             200,
             R"({"promotions":[{"id":"p1","environment":"qa","revision":"v2","location":"https://host/pull/5"}]})")});
    const auto ran = run({"why", "ns/app"}, server.url(""));
    CHECK(ran.code == ctl::kNotFound);
    CHECK(has(ran.err, "there is no Pipeline ns/app any more"));
    CHECK(has(ran.err, "qa v2 (https://host/pull/5)"));
    CHECK(server.requests().at(1).starts_with(
        "GET /api/v1/promotions?pipeline=ns%2Fapp&unfinished=true HTTP/1.1"));
}

TEST_CASE("ctl: approve asks for exactly that revision") {
    const HttpServer server({whole(200, R"({"verdict":"promote","promotions":["p1"]})")});
    const auto ran = run({"approve", "ns/app", "prod", "1/2", "--target", "t"}, server.url(""));
    CHECK(ran.code == ctl::kOk);
    CHECK(has(ran.out, "promotion p1"));
    const auto sent = server.requests().at(0);
    CHECK(sent.starts_with("POST /api/v1/pipelines/ns/app/environments/prod/approve HTTP/1.1"));
    CHECK(sent.ends_with(R"({"revision":"1/2","target":"t"})"));
}

TEST_CASE("ctl: exit codes tell not found from refused from try again") {
    const auto code = [](int status) {
        const HttpServer server({whole(status, R"({"title":"T","detail":"the reason"})")});
        const auto ran = run({"show", "p1"}, server.url(""));
        CHECK(has(ran.err, "the reason"));
        CHECK(ran.out.empty());
        return ran.code;
    };
    CHECK(code(404) == ctl::kNotFound);
    CHECK(code(409) == ctl::kFailed);
    CHECK(code(401) == ctl::kFailed);
    CHECK(code(503) == ctl::kTryAgain);
    CHECK(run({"show", "p1"}).code == ctl::kTryAgain);  // nobody listens
}

TEST_CASE("ctl: tables are aligned and do not let the server draw on the terminal") {
    const HttpServer server({whole(
        200,
        R"({"promotions":[{"id":"p1","pipeline":"ns/app","environment":"prod","revision":"1\u001b[2J","phase":"Pending"}]})")});
    const auto ran = run({"promotions", "--unfinished"}, server.url(""));
    CHECK(has(ran.out, "ID  PIPELINE  ENVIRONMENT  REVISION"));
    CHECK_FALSE(has(ran.out, "\x1b"));
    CHECK(has(server.requests().at(0), "/api/v1/promotions?unfinished=true "));
}

TEST_CASE("ctl: json output is the server's document") {
    const HttpServer server({whole(200, R"({"promotions":[]})")});
    CHECK(run({"promotions", "--output=json"}, server.url("")).out == "{\"promotions\":[]}\n");
}

TEST_CASE("ctl: an environment without targets is in the table") {
    const HttpServer server({whole(
        200,
        R"({"pipelines":[{"namespace":"ns","name":"app","environments":[{"name":"dev","targets":[],"promotions":[]}]}],"problems":[]})")});
    CHECK(has(run({"pipelines"}, server.url("")).out, "ns/app    dev          -"));
}

TEST_CASE("ctl: a problem's place is printed once") {
    const HttpServer server({whole(
        200,
        R"({"pipelines":[],"problems":[{"file":"a.yaml","line":3,"column":4,"message":"a.yaml:3:4: broken"},{"file":"b.yaml","line":1,"column":2,"message":"odd"}]})")});
    CHECK(run({"pipelines"}, server.url("")).err ==
          "problem: a.yaml:3:4: broken\nproblem: b.yaml:1:2: odd\n");
}

TEST_CASE("ctl: a plan reads title, branch, base, diff, body, whatever order the server has") {
    const HttpServer server({whole(
        200,
        R"({"outcome":"done","summary":"s","details":{"number":0,"diff":"-a\n+b\n","body":"one\ntwo","extra":"x","base":"main","warnings":["w"],"title":"T","branch":"p/x"}})")});
    const auto ran = run({"plan", "ns/app", "prod", "1"}, server.url(""));
    CHECK(ran.code == ctl::kOk);
    CHECK(ran.out ==
          "done: s\nTitle: T\nBranch: p/x\nBase: main\n\nWarnings:\nw\n\nDiff:\n-a\n+b\n\n"
          "Body:\none\ntwo\nextra: x\n");
}

TEST_CASE("ctl: what the server refuses is no wrong usage, however it begins") {
    const HttpServer server(
        {whole(422, R"({"title":"T","detail":"usage: of the disk is too high"})")});
    CHECK(run({"show", "p1"}, server.url("")).code == ctl::kFailed);
}

TEST_CASE("ctl: validate gives each mistake of a file a line of its own") {
    const std::string file = "/tmp/promotionctl-odd-" + std::to_string(::getpid()) + ".yaml";
    std::ofstream(file) << "apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\n"
                           "metadata: {name: a, namespace: b}\n"
                           "spec:\n  apRef: 1\n  enviroments: []\n";
    std::ostringstream out;
    std::ostringstream err;
    const auto nothing = [](const char*) { return std::nullopt; };
    CHECK(ctl::run({"validate", file}, {out, err, nothing}) == ctl::kFailed);
    CHECK(has(err.str(), file + ":5:3: spec.apRef"));
    CHECK(has(err.str(), "\n" + file + ":6:3: spec.enviroments"));
    std::remove(file.c_str());
}

TEST_CASE("ctl: validate asks a server that is named whether it has the strategies") {
    const std::string file = "/tmp/promotionctl-" + std::to_string(::getpid()) + ".yaml";
    std::ofstream(file)
        << "apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\n"
           "metadata: {name: app}\nspec:\n  appRef: {kind: HelmRelease, name: app}\n"
           "  environments: [{name: dev, targets: []}]\n"
           "  promotion: {canary: {percent: 5}}\n";
    const HttpServer other(
        {whole(200, R"({"strategies":[{"key":"pullRequest","provider":"github"}]})")});
    const auto refused = run({"validate", file}, other.url(""));
    CHECK(refused.code == ctl::kFailed);
    CHECK(has(refused.err, file + ":7:"));
    CHECK(has(refused.err, "serves canary; served are: pullRequest of type github"));

    const HttpServer right({whole(200, R"({"strategies":[{"key":"canary"}]})")});
    CHECK(run({"validate", file}, right.url("")).code == ctl::kOk);
    CHECK(run({"validate", file}).code == ctl::kTryAgain);  // nobody listens

    std::ostringstream out;
    std::ostringstream err;
    const auto nothing = [](const char*) { return std::nullopt; };
    CHECK(ctl::run({"validate", file}, {out, err, nothing}) == ctl::kOk);
    CHECK(has(err.str(), "not looked at: whether a strategy serves them"));
    std::remove(file.c_str());
}
