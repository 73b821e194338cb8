// TokenReview and SubjectAccessReview: who callers are, and what they may.
#include "platform/kubernetes.hpp"
#include "tests/unit/platform_kube_fixture.hpp"

using namespace promotiond;
using namespace promotiond::platform;
using namespace promotiond::platform::testing;
using namespace std::chrono_literals;

namespace {

const std::string kUser =
    R"({"username":"ann","uid":"7","groups":["ops"],"extra":{"scopes":["a","b"]}})";

ScriptedAnswer token_review(const std::string& status) {
    return whole(201, R"({"kind":"TokenReview","status":)" + status + "}");
}
ScriptedAnswer known() { return token_review(R"({"authenticated":true,"user":)" + kUser + "}"); }
ScriptedAnswer access(bool allowed) {
    return whole(201, std::string(R"({"kind":"SubjectAccessReview","status":{"allowed":)") +
                          (allowed ? "true" : "false") + "}}");
}
std::string body_of(const std::string& request) {
    return request.substr(request.find("\r\n\r\n") + 4);
}

struct Reviews {
    explicit Reviews(std::vector<ScriptedAnswer> answers, KubeCallersOptions options = {})
        : cluster(std::move(answers)) {
        options.timeout = 60s;
        callers = kube_callers(cluster.client, clock, cluster.metrics, std::move(options));
    }
    Result<std::optional<Caller>> who(const std::string& token) { return callers->who(token, {}); }
    Result<bool> may(Verb verb = Verb::Get, const model::PipelineName& name = {"team", "app"}) {
        return callers->may({"ann", R"({"user":"ann","groups":["ops"]})"}, verb, name, {});
    }
    std::size_t asked() { return cluster.server.requests().size(); }

    Cluster cluster;
    ManualClock clock;
    std::unique_ptr<Callers> callers;
};

}  // namespace

TEST_CASE("kube callers: a token is reviewed once a minute, and all of its user is kept") {
    Reviews reviews({known(), known()});
    for (int i = 0; i < 2; ++i) {
        const auto caller = reviews.who("abc.def");
        REQUIRE(caller);
        REQUIRE(*caller);
        CHECK((*caller)->name == "ann");
        for (const char* part :
             {R"("user":"ann")", R"("uid":"7")", R"("groups":["ops"])", R"("scopes":["a","b"])"})
            CHECK((*caller)->identity.find(part) != std::string::npos);
    }
    CHECK(reviews.asked() == 1);
    CHECK(reviews.cluster.server.requests()[0].starts_with(
        "POST /apis/authentication.k8s.io/v1/tokenreviews "));
    CHECK(body_of(reviews.cluster.server.requests()[0]).find(R"("token":"abc.def")") !=
          std::string::npos);
    CHECK(reviews.callers->remembers("abc.def"));
    reviews.clock.advance(60s);
    CHECK_FALSE(reviews.callers->remembers("abc.def"));
    CHECK(reviews.who("abc.def")->has_value());
    CHECK(reviews.asked() == 2);
}

TEST_CASE("kube callers: a token that is nobody's is asked about again after ten seconds") {
    Reviews reviews({token_review(R"({"authenticated":false,"error":"expired"})"), known()});
    CHECK_FALSE(reviews.who("abc")->has_value());
    CHECK_FALSE(reviews.who("abc")->has_value());
    CHECK_FALSE(reviews.callers->remembers("abc"));
    CHECK(reviews.asked() == 1);
    reviews.clock.advance(10s);
    CHECK(reviews.who("abc")->has_value());
}

TEST_CASE("kube callers: a token for another audience is nobody's") {
    const auto answer = [](const std::string& audiences) {
        return token_review(R"({"authenticated":true,"user":)" + kUser + audiences + "}");
    };
    Reviews reviews(
        {answer(R"(,"audiences":["promotiond"])"), answer(R"(,"audiences":["other"])"), answer("")},
        {.audiences = {"promotiond"}});
    CHECK(reviews.who("a")->has_value());
    CHECK(body_of(reviews.cluster.server.requests()[0]).find(R"("audiences":["promotiond"])") !=
          std::string::npos);
    CHECK_FALSE(reviews.who("b")->has_value());
    CHECK_FALSE(reviews.who("c")->has_value());
}

TEST_CASE("kube callers: what is no token is nobody's, and the server is not troubled") {
    Reviews reviews({known()});
    for (const char* text : {"", "two words", "line\nbreak", "\xff\xfe", "a\"b"})
        CHECK_FALSE(reviews.who(text)->has_value());
    CHECK(reviews.asked() == 0);
}

TEST_CASE("kube callers: odd answers are nobody's, never a yes") {
    for (const char* odd :
         {"null", "{}", R"({"authenticated":"true","user":{"username":"x"}})",
          R"({"authenticated":true})", R"({"authenticated":true,"user":{"username":""}})"}) {
        Reviews reviews({token_review(odd)});
        CHECK_FALSE(reviews.who("abc")->has_value());
    }
    for (const char* odd :
         {"null", "{}", R"({"allowed":"yes"})", R"({"allowed":true,"denied":true})"}) {
        Reviews reviews({whole(201, std::string(R"({"status":)") + odd + "}")});
        CHECK_FALSE(*reviews.may());
    }
}

TEST_CASE("kube callers: a right is asked for by verb, namespace and name, and remembered") {
    Reviews reviews({access(true), access(false), access(true)});
    CHECK(*reviews.may(Verb::Approve));
    CHECK(*reviews.may(Verb::Approve));
    CHECK(reviews.asked() == 1);
    const auto body = body_of(reviews.cluster.server.requests()[0]);
    for (const char* part : {R"("user":"ann")", R"("groups":["ops"])",
                             R"("group":"pipelines.weave.works")", R"("resource":"pipelines")",
                             R"("verb":"approve")", R"("namespace":"team")", R"("name":"app")"})
        CHECK(body.find(part) != std::string::npos);
    CHECK_FALSE(*reviews.may(Verb::List, {}));
    CHECK(body_of(reviews.cluster.server.requests()[1]).find("namespace") == std::string::npos);
    reviews.clock.advance(10s);
    CHECK(*reviews.may(Verb::List, {}));
}

TEST_CASE("kube callers: a server that fails or refuses says neither yes nor no") {
    Reviews reviews({status(500, "InternalError", "etcd is away"),
                     status(403, "Forbidden", "promotiond cannot create tokenreviews"), known(),
                     status(403, "Forbidden", "promotiond cannot create subjectaccessreviews")});
    CHECK(reviews.who("abc").error().kind == ErrorKind::Transient);
    CHECK(reviews.who("abc").error().message.find("tokenreviews") != std::string::npos);
    CHECK(reviews.who("abc")->has_value());
    CHECK(reviews.may().error().kind == ErrorKind::Transient);
}

TEST_CASE("kube callers: names come without control characters, and not too long") {
    Reviews reviews({token_review(R"({"authenticated":true,"user":{"username":"a\nb\u0001)" +
                                  std::string(400, 'x') + "\"}}")});
    const auto caller = reviews.who("abc");
    CHECK((*caller)->name.starts_with("a?b?x"));
    CHECK((*caller)->name.size() <= 256);
}
