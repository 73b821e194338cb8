// Reading events: what Flux really sends, and everything that is not an event.
#include "catch.hpp"
#include "model/codec.hpp"

using namespace promotiond;
using namespace promotiond::model;

namespace {

constexpr std::string_view kFromFlux =
    R"({"involvedObject":{"kind":"HelmRelease","namespace":"shopping","name":"search",)"
    R"("uid":"57c3579b-0000-0000-0000-000000000000","apiVersion":"helm.toolkit.fluxcd.io/v2beta1",)"
    R"("resourceVersion":"155540"},"severity":"info","timestamp":"2022-09-13T16:01:01Z",)"
    R"("message":"Helm upgrade succeeded \u003c1\u003e","reason":"info",)"
    R"("metadata":{"revision":"0.13.4","summary":"foobar"},"reportingController":"helm-controller",)"
    R"("reportingInstance":"helm-controller-7cdc7874f8-9qpft"})";

// A good event with one member replaced.
std::string event_with(const std::string& member) {
    return R"({"metadata":{"revision":"5.0.0"},)" + member + "}";
}

std::string error_of(const std::string& body) {
    const auto event = event_from_json(body);
    return event ? "no error" : event.error().message;
}

bool begins_with(const std::string& text, const std::string& start) {
    return text.rfind(start, 0) == 0;
}

std::string repeated(std::string_view piece, std::size_t times) {
    std::string out;
    for (std::size_t i = 0; i < times; ++i) out += piece;
    return out;
}

}  // namespace

TEST_CASE("event: what Flux's notification-controller sends is read whole") {
    const auto event = event_from_json(kFromFlux);
    REQUIRE(event);
    CHECK(event->object.kind == "HelmRelease");
    CHECK(event->object.ns == "shopping");
    CHECK(event->object.name == "search");
    CHECK(event->object.api_version == "helm.toolkit.fluxcd.io/v2beta1");
    CHECK(event->severity == "info");
    CHECK(event->reason == "info");
    CHECK(event->message == "Helm upgrade succeeded <1>");
    CHECK(event->revision == "0.13.4");
    CHECK(event->metadata.at("summary") == "foobar");
    CHECK(event->reporting_controller == "helm-controller");
    REQUIRE(event->timestamp);
    CHECK(time_to_text(*event->timestamp) == "2022-09-13T16:01:01.000Z");
}

TEST_CASE("event: null and missing members read as empty, as Go's senders mean them") {
    const auto event = event_from_json(
        R"({"involvedObject":null,"severity":"","timestamp":null,"message":"","reason":null,)"
        R"("metadata":{"revision":"main@sha1:8d9f"},"reportingController":"","more":{"a":[1,1e9]}})");
    REQUIRE(event);
    CHECK(event->object.kind.empty());
    CHECK_FALSE(event->timestamp);
    CHECK(event->revision == "main@sha1:8d9f");
}

TEST_CASE("event: no revision is NotFound with the text that clients know") {
    for (const char* body :
         {"{}", "null", R"({"metadata":null})", R"({"metadata":{"revision":""}})",
          R"({"metadata":{"Revision":"1"}})"}) {
        INFO(body);
        const auto event = event_from_json(body);
        REQUIRE_FALSE(event);
        CHECK(event.error().kind == ErrorKind::NotFound);
        CHECK(event.error().message == "event has no 'revision' in the metadata field.");
    }
}

TEST_CASE("event: what is not strict JSON is refused with the byte") {
    for (const std::string& body : std::vector<std::string>{"",
                                                            " ",
                                                            "incompatible",
                                                            "[]",
                                                            "7",
                                                            "{",
                                                            "{}{}",
                                                            "{} x",
                                                            "{'a':1}",
                                                            "{\"a\":1,}",
                                                            "{\"a\":NaN}",
                                                            "{\"a\":01}",
                                                            "{\"a\":.5}",
                                                            "{\"a\":1e999}",
                                                            "{\"a\":\"\t\"}",
                                                            "{/*c*/}",
                                                            "\xEF\xBB\xBF{}",
                                                            std::string("{\0}", 3),
                                                            std::string("\xFF\xFE{\0}\0", 6),
                                                            "{\"a\":\"\xFF\"}",
                                                            "{\"a\":\"\xC0\x80\"}",
                                                            "{\"a\":\"\xED\xA0\x80\"}",
                                                            R"({"a":"\ud800"})",
                                                            R"({"a":"\ud800x"})",
                                                            R"({"a":"\udc00\ud800"})",
                                                            R"({"a":"\x"})"}) {
        INFO(body);
        const auto event = event_from_json(body);
        REQUIRE_FALSE(event);
        CHECK(event.error().kind == ErrorKind::Invalid);
        CHECK(begins_with(event.error().message, "byte "));
    }
    CHECK(begins_with(error_of("{\"a\":1} x"), "byte 8: text after the end"));
    CHECK(begins_with(error_of("{\"a\":\"\xFF\"}"), "byte 6: "));
}

TEST_CASE("event: a key that comes twice is refused, at any depth and after many others") {
    CHECK(error_of(R"({"metadata":{"revision":"1","revision":"2"}})")
              .find("\"revision\" is here twice") != std::string::npos);
    CHECK(error_of(R"({"a":1,"\u0061":2})").find("\"a\" is here twice") != std::string::npos);
    std::string many = "{";
    for (int i = 0; i < 100; ++i) many += "\"k" + std::to_string(i) + "\":1,";
    CHECK(error_of(many + "\"k0\":2}").find("\"k0\" is here twice") != std::string::npos);
    CHECK(error_of(many + "\"k99\":2}").find("\"k99\" is here twice") != std::string::npos);
    CHECK(error_of(many + "\"metadata\":{\"revision\":\"1\"}}") == "no error");
}

TEST_CASE("event: depth, number of values and length are capped") {
    const std::string deep = repeated("[", 31) + repeated("]", 31);
    CHECK(error_of(event_with("\"a\":" + deep)) == "no error");
    CHECK(error_of(event_with("\"a\":[" + deep + "]")).find("deeper than 32") != std::string::npos);
    CHECK(error_of(repeated("[", 1'000'000)).find("deeper than 32") != std::string::npos);
    CHECK(error_of(event_with("\"a\":[1" + repeated(",1", 20'000) + "]"))
              .find("more than 10000 values") != std::string::npos);
    CHECK(error_of(event_with("\"a\":" + repeated("1", 2'000'000))).find("longer than") !=
          std::string::npos);
}

TEST_CASE("event: a member of the wrong type is named") {
    for (const char* wrong : {"7", "-1", "1.5", "true", "[]", "[[]]", "99999999999999999999"}) {
        INFO(wrong);
        for (const char* field :
             {"severity", "reason", "message", "reportingController", "timestamp"}) {
            CHECK(error_of(event_with("\"" + std::string(field) + "\":" + wrong)) ==
                  std::string(field) + ": must be a string");
        }
        for (const char* field : {"apiVersion", "kind", "namespace", "name"}) {
            CHECK(error_of(event_with(R"("involvedObject":{")" + std::string(field) +
                                      "\":" + wrong + "}")) ==
                  "involvedObject." + std::string(field) + ": must be a string");
        }
        CHECK(error_of(event_with("\"involvedObject\":" + std::string(wrong))) ==
              "involvedObject: must be an object");
        CHECK(error_of("{\"metadata\":" + std::string(wrong) + "}") ==
              "metadata: must be an object");
        CHECK(error_of(R"({"metadata":{"revision":)" + std::string(wrong) + "}}") ==
              "metadata.revision: must be a string");
        CHECK(error_of(R"({"metadata":{"revision":"1","a":)" + std::string(wrong) + "}}") ==
              "metadata.a: must be a string");
    }
    CHECK(begins_with(error_of(event_with("\"timestamp\":\"soon\"")),
                      "timestamp: \"soon\" is not a time"));
}

TEST_CASE("event: control, bidirectional and invisible characters in names are refused by field") {
    for (const char* bad :
         {"\\u0000", "\\n", "\\r", "\\t", "\\u001b", "\\u007f", "\\u0085", "\\u200b", "\\u202e",
          "\\u2066", "\\ufeff", "\\u2028", "\\u00ad", "\\udb40\\udc41"}) {
        INFO(bad);
        const std::string text = "\"a" + std::string(bad) + "b\"";
        CHECK(begins_with(error_of(R"({"metadata":{"revision":)" + text + "}}"),
                          "metadata.revision: holds the control or invisible character U+"));
        CHECK(begins_with(error_of(event_with(R"("involvedObject":{"name":)" + text + "}")),
                          "involvedObject.name: holds"));
        CHECK(begins_with(error_of(event_with("\"reason\":" + text)), "reason: holds"));
        CHECK(begins_with(error_of(R"({"metadata":{"revision":"1",)" + text + R"(:"x"}})"),
                          "metadata."));
        CHECK(error_of(event_with("\"message\":" + text)) == "no error");
    }
    CHECK(error_of(event_with(R"("involvedObject":{"name":"\u00e9\u4e2d\ud83d\ude00"})")) ==
          "no error");
}

TEST_CASE("event: names and revisions have a length") {
    CHECK(error_of(R"({"metadata":{"revision":")" + repeated("r", 512) + "\"}}") == "no error");
    CHECK(error_of(R"({"metadata":{"revision":")" + repeated("r", 513) + "\"}}") ==
          "metadata.revision: longer than 512 bytes");
    CHECK(error_of(event_with(R"("involvedObject":{"name":")" + repeated("n", 10'000) + "\"}")) ==
          "involvedObject.name: longer than 253 bytes");
    CHECK(error_of(R"({"metadata":{"revision":"1.0 beta"}})") ==
          "metadata.revision: must not hold spaces");
}

TEST_CASE("event: characters that mean something to templates and shells stay as they are") {
    const auto event = event_from_json(
        R"({"metadata":{"revision":"%s{}${HOME}$(id){{x}}"},"message":"%n{0}@team"})");
    REQUIRE(event);
    CHECK(event->revision == "%s{}${HOME}$(id){{x}}");
    CHECK(event->message == "%n{0}@team");
}

TEST_CASE("event: written for strategies, it reads back the same") {
    const auto event = event_from_json(kFromFlux);
    REQUIRE(event);
    const std::string text = event_to_json(*event);
    const auto again = event_from_json(text);
    REQUIRE(again);
    CHECK(event_to_json(*again) == text);
    CHECK(again->metadata == event->metadata);
    CHECK(again->message == event->message);
    CHECK(again->timestamp == event->timestamp);
}

TEST_CASE("targets: written for strategies with cluster and name, all of them or one") {
    Environment environment;
    environment.name = "prod";
    environment.targets.push_back({"web", std::nullopt});
    environment.targets.push_back({"web", ClusterRef{"", "GitopsCluster", "fleet", "eu"}});
    CHECK(targets_to_json(environment, "") ==
          R"({"environment":"prod","targets":[{"name":"web","namespace":"web"},)"
          R"({"name":"eu/web","namespace":"web","cluster":)"
          R"({"kind":"GitopsCluster","namespace":"fleet","name":"eu"}}]})");
    CHECK(targets_to_json(environment, "web") ==
          R"({"environment":"prod","targets":[{"name":"web","namespace":"web"}]})");
    CHECK(targets_to_json(environment, "us/web") == R"({"environment":"prod","targets":[]})");
}
