// Reading YAML strictly: what is refused, where it says so, and what scalars become.
#include "catch.hpp"
#include "model/yaml_document.hpp"

using namespace promotiond;
using namespace promotiond::model;

namespace {

std::string error_of(std::string_view text, const YamlLimits& limits = {}) {
    const auto read = yaml_documents(text, "f.yaml", limits);
    return read ? "no error" : read.error().message;
}

bool begins_with(const std::string& text, const std::string& start) {
    return text.rfind(start, 0) == 0;
}

std::string json_of(std::string_view text) {
    const auto read = yaml_documents(text, "f.yaml");
    REQUIRE(read);
    REQUIRE(read->size() == 1);
    return yaml_to_json(read->front());
}

std::string repeated(std::string_view piece, std::size_t times) {
    std::string out;
    for (std::size_t i = 0; i < times; ++i) out += piece;
    return out;
}

}  // namespace

TEST_CASE("yaml: anchors, aliases, merge keys and tags are refused at their place") {
    CHECK(begins_with(error_of("a: 1\nb: &x 2\n"), "f.yaml:2:4: anchors"));
    CHECK(begins_with(error_of("a: &x [1]\n"), "f.yaml:1:4: anchors"));
    CHECK(begins_with(error_of("a: &x [*x]\n"), "f.yaml:1:4: anchors"));
    CHECK(begins_with(error_of("<<: {a: 1}\n"), "f.yaml:1:1: merge keys"));
    CHECK(begins_with(error_of("a: 1\nb: !!binary aGk=\n"), "f.yaml:2:4: tags"));
    CHECK(begins_with(error_of("a: !foo {b: 1}\n"), "f.yaml:1:4: tags"));
    CHECK(error_of("a: *x\n") != "no error");
    CHECK(error_of("\"<<\": {a: 1}\n") == "no error");
}

TEST_CASE("yaml: an alias bomb is refused at its first anchor") {
    const auto bomb = "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n";
    CHECK(begins_with(error_of(bomb), "f.yaml:1:4: anchors"));
}

TEST_CASE("yaml: a key may not come twice, and keys are text") {
    CHECK(begins_with(error_of("a: 1\nb: 2\na: 3\n"), "f.yaml:3:1: key \"a\" is here twice"));
    CHECK(begins_with(error_of("x: {a: 1, a: 2}\n"), "f.yaml:1:11: key \"a\" is here twice"));
    CHECK(error_of("? [a]\n: 1\n") != "no error");
    CHECK(error_of("~: 1\n") != "no error");
}

TEST_CASE("yaml: depth, number of values and size are capped") {
    CHECK(error_of(repeated("[", 32) + repeated("]", 32)) == "no error");
    CHECK(error_of(repeated("[", 33) + repeated("]", 33)).find("deeper than 32") !=
          std::string::npos);
    CHECK(error_of(repeated("- ", 100'000)).find("deeper than 32") != std::string::npos);
    CHECK(begins_with(error_of(repeated("[", 100'000)), "f.yaml:1:"));
    CHECK(begins_with(error_of(repeated("{a: ", 100'000)), "f.yaml:1:"));
    CHECK(begins_with(error_of(repeated("? ", 100'000)), "f.yaml:1:"));
    CHECK(error_of("[1, 2, 3]", {.nodes = 3}).find("more than 3 values") != std::string::npos);
    CHECK(error_of("[1, 2, 3]", {.nodes = 4}) == "no error");
    CHECK(begins_with(error_of("a: 12345\n", {.bytes = 8}), "f.yaml:1:1: 9 bytes"));
}

TEST_CASE("yaml: what is not UTF-8 text is refused at its line and column") {
    CHECK(begins_with(error_of("a: 1\nb: \xFF\n"), "f.yaml:2:4: not valid UTF-8"));
    CHECK(begins_with(error_of("a: \xED\xA0\x80\n"), "f.yaml:1:4: not valid UTF-8"));
    CHECK(begins_with(error_of(std::string("a: \0b\n", 6)), "f.yaml:1:4: holds a NUL"));
    CHECK(error_of("\xEF\xBB\xBF"
                   "a: 1\n") == "no error");
    CHECK(error_of(std::string("\xFF\xFE"
                               "a\0",
                               4)) != "no error");
}

TEST_CASE("yaml: broken syntax names its line and column") {
    CHECK(begins_with(error_of("a: 1\n b: 2\n"), "f.yaml:2:"));
    CHECK(begins_with(error_of("a:\n\tb: 2\n"), "f.yaml:2:"));
    CHECK(begins_with(error_of("a: [1, 2\nb: 3\n"), "f.yaml:2:"));
    CHECK(begins_with(error_of("a: \"x"), "f.yaml:1:"));
}

TEST_CASE("yaml: empty documents are left out, others come in order") {
    const auto read = yaml_documents("---\n---\na: 1\n---\n# nothing\n---\nb: 2\n", "f.yaml");
    REQUIRE(read);
    REQUIRE(read->size() == 2);
    CHECK((*read)[0].member("a") != nullptr);
    CHECK((*read)[1].member("b") != nullptr);
    CHECK((*read)[1].where.line == 7);
    CHECK(yaml_documents("", "f.yaml")->empty());
}

TEST_CASE("yaml: plain scalars become JSON by the core schema of YAML 1.2, quoted ones stay text") {
    CHECK(json_of("[true, False, no, yes, on]") == R"([true,false,"no","yes","on"])");
    CHECK(json_of("[~, null, '', 'null']") == R"([null,null,"","null"])");
    CHECK(json_of("[7, +7, -07, 0o17, 0xFF, 1:30]") == R"([7,7,-7,15,255,"1:30"])");
    CHECK(json_of("[1.5, .5, 5., -1e3, 1e9999, .inf, 1.2.3]") ==
          R"([1.5,0.5,5,-1e3,"1e9999",".inf","1.2.3"])");
    CHECK(json_of("['7', \"true\"]") == R"(["7","true"])");
    CHECK(json_of("{a: {b: [c, {}]}, d: []}") == R"({"a":{"b":["c",{}]},"d":[]})");
    CHECK(json_of("a: \"x\\\"\\n\\u0001\"") == "{\"a\":\"x\\\"\\n\\u0001\"}");
}

TEST_CASE("yaml: the nearest name is suggested only if it is near") {
    const std::vector<std::string> known{"environments", "appRef", "promotion"};
    CHECK(nearest("enviroments", known) == "environments");
    CHECK(nearest("appref", known) == "appRef");
    CHECK(nearest("banana", known) == std::nullopt);
    CHECK(nearest(repeated("promotion", 100'000), known) == std::nullopt);
}
