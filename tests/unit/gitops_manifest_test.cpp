#include <array>
#include <random>

#include "catch.hpp"
#include "promotiond/gitops/manifest.hpp"

using namespace promotiond::sdk;
using namespace promotiond::sdk::gitops;

namespace {

const std::vector<std::string> kNames{"flux:app:prod"};
const std::string kMark = R"(# {"$promotion": "flux:app:prod"})";

struct Case {
    std::string what;
    std::string text;  // '@' stands for the marker
    std::string want;  // '@' as well; empty = refused
    std::string why;   // part of the refusal
};

std::string with_marker(std::string text) {
    for (auto at = text.find('@'); at != std::string::npos; at = text.find('@', at)) {
        text.replace(at, 1, kMark);
        at += kMark.size();
    }
    return text;
}

void check(const std::vector<Case>& cases, const std::string& value) {
    for (const Case& c : cases) {
        INFO(c.what);
        const auto edited = set_marked_values(with_marker(c.text), kNames, value);
        if (c.want.empty()) {
            REQUIRE_FALSE(edited);
            CHECK(edited.error().kind == ErrorKind::Invalid);
            CHECK_THAT(edited.error().message, Catch::Contains(c.why));
        } else {
            INFO((edited ? std::string() : edited.error().message));
            REQUIRE(edited);
            CHECK(edited->text == with_marker(c.want));
        }
    }
}

}  // namespace

TEST_CASE("manifest: only the marked scalar's bytes change, whatever stands around it") {
    check(
        {
            {"plain", "version: 1.0.0 @\n", "version: 2.0.0 @\n", ""},
            {"single quotes stay", "version: '1.0.0' @\n", "version: '2.0.0' @\n", ""},
            {"double quotes stay", "version: \"1.0.0\" @\n", "version: \"2.0.0\" @\n", ""},
            {"whole scalar", "image: nginx:1.22.0 @\n", "image: 2.0.0 @\n", ""},
            {"list item", "- 1.0.0 @\n", "- 2.0.0 @\n", ""},
            {"list of maps", "- name: a\n  tag: v1 @\n- name: b\n  tag: v1\n",
             "- name: a\n  tag: 2.0.0 @\n- name: b\n  tag: v1\n", ""},
            {"CRLF", "a: 1\r\nversion: x @\r\nb: 2\r\n", "a: 1\r\nversion: 2.0.0 @\r\nb: 2\r\n",
             ""},
            {"no line end", "version: x @", "version: 2.0.0 @", ""},
            {"tab before the comment", "version: x\t@\n", "version: 2.0.0\t@\n", ""},
            {"byte order mark", "\xef\xbb\xbfversion: x @\n", "\xef\xbb\xbfversion: 2.0.0 @\n", ""},
            {"several documents", "---\na: 1\n---\nversion: x @\n...\n---\nb: 1\n",
             "---\na: 1\n---\nversion: 2.0.0 @\n...\n---\nb: 1\n", ""},
            {"UTF-8 before it", "ключ: \"zażółć 🎉\"\nversion: \"ü\" @\nb: é\n",
             "ключ: \"zażółć 🎉\"\nversion: \"2.0.0\" @\nb: é\n", ""},
            {"anchor", "version: &v 1.0 @\nb: 2\n", "version: &v 2.0.0 @\nb: 2\n", ""},
            {"!!str tag", "version: !!str 1 @\n", "version: !!str 2.0.0 @\n", ""},
            {"merge key", "a: &a {x: 1}\nb:\n  <<: *a\n  version: x @\n",
             "a: &a {x: 1}\nb:\n  <<: *a\n  version: 2.0.0 @\n", ""},
            {"explicit key", "? version\n: 1.0.0 @\n", "? version\n: 2.0.0 @\n", ""},
            {"flow map of one", "chart: {version: 1.0.0} @\n", "chart: {version: 2.0.0} @\n", ""},
            {"flow list of one", "chart: [1.0.0] @\n", "chart: [2.0.0] @\n", ""},
            {"flow over lines", "x: {\n  a: 1,\n  tag: 1.0.0, @\n  b: 2\n}\n",
             "x: {\n  a: 1,\n  tag: 2.0.0, @\n  b: 2\n}\n", ""},
            {"old number", "tag: 1234 @\n", "tag: 2.0.0 @\n", ""},
            {"old boolean", "tag: true @\n", "tag: 2.0.0 @\n", ""},
            {"line above", "a: 1\n@\nversion: 1.0.0\nb: 1\n", "a: 1\n@\nversion: 2.0.0\nb: 1\n",
             ""},
            {"line above a list item", "l:\n  @\n  - 1.0.0\n  - 1.0.0\n",
             "l:\n  @\n  - 2.0.0\n  - 1.0.0\n", ""},
            {"line above, ordinary comment behind", "@\nversion: 1.0.0 # pinned\n",
             "@\nversion: 2.0.0 # pinned\n", ""},
            {"several '#'", "version: 1.0.0 ##@\n", "version: 2.0.0 ##@\n", ""},
            {"several markers", "a: x @\nb: 'y' @\nc: z\n", "a: 2.0.0 @\nb: '2.0.0' @\nc: z\n", ""},
            {"indentation and odd blanks", "a :   \n    b:    1.0.0      @   \n\n\n",
             "a :   \n    b:    2.0.0      @   \n\n\n", ""},
            {"block scalar elsewhere", "t: |\n  # text\n  more\nversion: x @\n",
             "t: |\n  # text\n  more\nversion: 2.0.0 @\n", ""},
            {"comment behind a block scalar", "t: |\n  text\n# c\n@\nversion: x\n",
             "t: |\n  text\n# c\n@\nversion: 2.0.0\n", ""},
            {"duplicate keys", "tag: a @\ntag: b\n", "tag: 2.0.0 @\ntag: b\n", ""},
            {"quoted text with '#'", "a: \"x # y\" # c\nb: 'v # w' @\n",
             "a: \"x # y\" # c\nb: '2.0.0' @\n", ""},
            {"list of kinds", "kind: List\nitems:\n- spec: {a: 1}\n- spec:\n    version: x @\n",
             "kind: List\nitems:\n- spec: {a: 1}\n- spec:\n    version: 2.0.0 @\n", ""},
        },
        "2.0.0");
}

TEST_CASE(
    "manifest: a marker that cannot mean exactly one scalar is refused with line and reason") {
    check(
        {
            {"in a block scalar", "t: |\n  a: 1 @\n", "", "line 2: the marker stands inside"},
            {"block header", "t: | @\n  text\n", "", "line 1: the marked value is a block scalar"},
            {"folded, line above", "@\nt: >\n  text\n", "", "line 1: the marked value is a block"},
            {"multi-line plain", "t: a\n  b @\n", "",
             "line 2: the marked value spans several lines"},
            {"multi-line quoted", "t: \"a\n  b\" @\n", "",
             "line 2: the marked value spans several"},
            {"alias", "a: &a 1\nversion: *a @\n", "", "line 2: the marked value is the alias *a"},
            {"empty value", "version: @\n", "", "line 1: the marker is not at a value"},
            {"mapping key line", "spec: @\n  version: 1\n", "",
             "line 1: the marker is not at a value"},
            {"two in a flow map", "x: {a: 1, b: 2} @\n", "", "line 1: several values"},
            {"nothing below", "a: 1\n@\n", "", "line 2: the marker"},
            {"comment below", "@\n# c\na: 1\n", "", "line 1: the marker is not at a value"},
            {"number tag", "a: !!int 5 @\n", "", "line 1: the marked value has a tag"},
            {"Helm template", "{{ if .x }}\nversion: 1 @\n{{ end }}\n", "", "line "},
            {"broken YAML", "a: [1\nversion: x @\n", "", "line "},
            {"tab indentation", "a:\n\tversion: x @\n", "", "line 2"},
            {"control character", std::string("a: \0\nv: x @\n", 11), "", "line 1"},
            {"not UTF-8", "a: \xff\nv: x @\n", "", "line "},
        },
        "2.0.0");
}

TEST_CASE("manifest: what is not our marker is left alone, even in a file that is not YAML") {
    const std::array<std::string, 12> texts{
        "version: 1 # {\"$promotion\": \"flux:app:dev\"}\n",
        "version: 1 # {\"$promotion\": \"flux:app:prod:tag\"}\n",
        "version: 1 # {\"$imagepolicy\": \"flux:app:prod\"}\n",
        "version: 1 # see {\"$promotion\": \"flux:app:prod\"}\n",
        "version: 1 # {\"$promotion\": \"flux:app:prod\"} !\n",
        "version: 1 # {\"$promotion\": [\"flux:app:prod\"]}\n",
        "version: 1 # {\"$promotion\": \"flux:app:prod\", \"n\": 1}\n",
        "# version: 1 # {\"$promotion\": \"flux:app:prod\"}\n",
        "version: '1# {\"$promotion\": \"flux:app:prod\"}'\n",
        "{{ template }}\n\tversion: 1 # {\"$promotion\": \"flux:app:dev\"}\n",
        "# {\"$promotion\": \"flux:app:prod\"}\nversion: 1 # {\"$promotion\": \"flux:app:dev\"}\n",
        "",
    };
    for (const auto& text : texts) {
        INFO(text);
        const auto edited = set_marked_values(text, kNames, "2.0.0");
        REQUIRE(edited);
        CHECK(edited->text == text);
        CHECK(edited->edits.empty());
        CHECK_FALSE(edited->changed);
    }
}

TEST_CASE("manifest: extra keys, escapes and blanks inside of the marker's JSON are fine") {
    for (const std::string marker : {R"(#{"$promotion":"flux:app:prod"})",
                                     R"(# { "note": "x \" y", "$promotion" : "flux:app:prod" } )",
                                     R"(# {"\u0024promotion": "flux:app:prod"})"}) {
        const auto edited = set_marked_values("v: 1.0.0 " + marker + "\n", kNames, "2.0.0");
        REQUIRE(edited);
        CHECK(edited->text == "v: 2.0.0 " + marker + "\n");
    }
}

TEST_CASE("manifest: a plain value that would read as another type gets double quotes") {
    for (const std::string value : {"6",
                                    "6.0",
                                    "1.10",
                                    "1e3",
                                    "123e4567",
                                    "0123",
                                    "0o17",
                                    "0x1F",
                                    "1_000",
                                    "+1",
                                    "-1",
                                    ".5",
                                    "12:30",
                                    "true",
                                    "No",
                                    "on",
                                    "OFF",
                                    "y",
                                    "null",
                                    "~",
                                    ".inf",
                                    "2026-11-21",
                                    "2026-11-21T05:00:00Z",
                                    "*a",
                                    "&a",
                                    "!x",
                                    "|",
                                    ">",
                                    "%x",
                                    "@x",
                                    "`x",
                                    "{a}",
                                    "[a]",
                                    "- a",
                                    "a: b",
                                    "a #b",
                                    "a:",
                                    "#a",
                                    "<<",
                                    "=",
                                    "'a",
                                    "---",
                                    "...",
                                    " a",
                                    "a,b"}) {
        const auto edited = set_marked_values(with_marker("v: x @\n"), kNames, value);
        INFO(value);
        REQUIRE(edited);
        CHECK(edited->text == with_marker("v: \"") + value + with_marker("\" @\n"));
    }
    for (const std::string value :
         {"1.2.3", "v1", "main@sha1:0a1b2c", "1.2.3-rc.1+build.5", "yesno", "abc123", "1.2.3.4",
          "latest", "v1.0/x", "0.1.x", "2026.11.21"}) {
        const auto edited = set_marked_values(with_marker("v: x @\n"), kNames, value);
        INFO(value);
        REQUIRE(edited);
        CHECK(edited->text == with_marker("v: ") + value + with_marker(" @\n"));
    }
}

TEST_CASE("manifest: quotes, backslashes and control characters in the value are escaped") {
    check({{"double", "v: \"x\" @\n", "v: \"a\\\"b\\\\c\" @\n", ""},
           {"single", "v: 'x' @\n", "v: 'a\"b\\c' @\n", ""},
           {"plain", "v: x @\n", "v: a\"b\\c @\n", ""}},
          "a\"b\\c");
    check({{"single", "v: 'x' @\n", "v: 'it''s' @\n", ""}}, "it's");
    check({{"single", "v: 'x' @\n", "v: \"a\\u000Ab\" @\n", ""}}, "a\nb");
    CHECK_FALSE(set_marked_values(with_marker("v: x @\n"), kNames, ""));
    CHECK_FALSE(set_marked_values(with_marker("v: x @\n"), kNames, "\xff"));
}

TEST_CASE("manifest: a value that is there already changes nothing and is reported") {
    const std::string text = with_marker("v: \"2.0.0\" @\n");
    const auto edited = set_marked_values(text, kNames, "2.0.0");
    REQUIRE(edited);
    CHECK_FALSE(edited->changed);
    CHECK(edited->text == text);
    REQUIRE(edited->edits.size() == 1);
    CHECK(edited->edits[0].line == 1);
    CHECK(edited->edits[0].before == "2.0.0");
}

TEST_CASE("manifest: an equal plain text that reads as a number is quoted") {
    const auto edited = set_marked_values(with_marker("v: 1.10 @\n"), kNames, "1.10");
    REQUIRE(edited);
    CHECK(edited->changed);
    CHECK(edited->text == with_marker("v: \"1.10\" @\n"));
}

TEST_CASE("manifest: files over a limit are refused before they cost anything") {
    ManifestLimits limits;
    limits.bytes = 10;
    const auto large = set_marked_values(with_marker("v: x @\n"), kNames, "2", limits);
    REQUIRE_FALSE(large);
    CHECK_THAT(large.error().message, Catch::Contains("the limit is 10"));
    const auto deep = set_marked_values(
        with_marker("v: x @\na: " + std::string(20000, '[') + std::string(20000, ']') + "\n"),
        kNames, "2");
    REQUIRE_FALSE(deep);
    CHECK_THAT(deep.error().message, Catch::Contains("nested deeper than 100"));
}

TEST_CASE("manifest: only YAML files with the marker's key are worth a look") {
    CHECK(may_hold_markers("a/b.yaml", "# {\"$promotion\": \"x\"}", "$promotion"));
    CHECK(may_hold_markers("b.yml", "{\"$promotion\"", "$promotion"));
    CHECK_FALSE(may_hold_markers("b.json", "{\"$promotion\"", "$promotion"));
    CHECK_FALSE(may_hold_markers("b.yaml", "$promotion", "$promotion"));
}

TEST_CASE("manifest: in any mixture of lines, all bytes outside of the marked scalars stay") {
    std::mt19937 random(20261121);
    const std::array<std::string, 12> lines{"a: 1",
                                            "b: \"ü # x\"",
                                            "# comment é",
                                            "",
                                            "c: 'it''s'",
                                            "d: [1, two]",
                                            "e: {x: 1, y: *z}",
                                            "f: &z value",
                                            "g: |\n    text # no\n    more",
                                            "h: \"\\u00e9\"",
                                            "i: 🎉",
                                            "j:\n    - k: 1\n    - l"};
    const std::array<std::string, 4> quotes{"", "'", "\"", ""};
    for (int round = 0; round < 400; ++round) {
        const std::string eol = random() % 2 == 0 ? "\n" : "\r\n";
        std::string before = random() % 4 == 0 ? "\xef\xbb\xbf" : "";
        std::string after = before;
        std::size_t marked = 0;
        const auto both = [&](const std::string& was, const std::string& is) {
            before += was;
            after += is;
        };
        both("f: &z 0" + eol, "f: &z 0" + eol);
        for (int line = 0; line < 30; ++line) {
            if (random() % 8 == 0) {
                const auto& quote = quotes[random() % quotes.size()];
                ++marked;
                both("m: " + quote + "old" + quote + " " + kMark + eol,
                     "m: " + quote + "v9.8.7" + quote + " " + kMark + eol);
            } else {
                const auto& text = lines[random() % lines.size()];
                both(text + eol, text + eol);
            }
        }
        const auto edited = set_marked_values(before, kNames, "v9.8.7");
        INFO(before << (edited ? std::string() : edited.error().message));
        REQUIRE(edited);
        CHECK(edited->text == after);
        CHECK(edited->edits.size() == marked);
    }
}
