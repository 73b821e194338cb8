#include "catch.hpp"
#include "promotiond/gitops/manifest.hpp"

using namespace promotiond::sdk;
using namespace promotiond::sdk::gitops;

namespace {

const ImageRelease kRelease{"team1", "app1", "v1.0.1"};

std::string edited(const std::string& text, const ImageRelease& release = kRelease) {
    const auto result = set_image_values(text, release);
    INFO((result ? std::string() : result.error().message));
    REQUIRE(result);
    CHECK(result->changed == (result->text != text));
    return result->text;
}

std::string refusal(const std::string& text, const ImageRelease& release = kRelease) {
    const auto result = set_image_values(text, release);
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == ErrorKind::Invalid);
    return result.error().message;
}

}  // namespace

TEST_CASE("image marker: the line's image gets the tag and keeps its repository") {
    struct Case {
        std::string before;
        std::string after;
    };
    for (const auto& [before, after] :
         std::vector<Case>{{"app1:v1.0.0", "app1:v1.0.1"},
                           {"ghcr.io/org/web:v1", "ghcr.io/org/web:v1.0.1"},
                           {"localhost:5000/web", "localhost:5000/web:v1.0.1"},
                           {"\"ghcr.io/org/web:v1\"", "\"ghcr.io/org/web:v1.0.1\""},
                           {"web@sha256:0f00", "web:v1.0.1"},
                           {"web:v1@sha256:0f00", "web:v1.0.1"}}) {
        INFO(before);
        const std::string mark = R"( # {"$imagepolicy": "team1:app1"})";
        CHECK(edited("a: 1\nimage: " + before + mark + "\nb: 2\n") ==
              "a: 1\nimage: " + after + mark + "\nb: 2\n");
    }
}

TEST_CASE("image marker: tag and name stand alone, and quotes stay") {
    const std::string tag = R"( # {"$imagepolicy": "team1:app1:tag"})";
    const std::string name = R"( # {"$imagepolicy": "team1:app1:name"})";
    CHECK(edited("tag: v1.0.0" + tag) == "tag: v1.0.1" + tag);
    CHECK(edited("tag: \"1234\"" + tag) == "tag: \"v1.0.1\"" + tag);
    CHECK(edited("newName: other" + name) == "newName: app1" + name);
    CHECK(edited("newName: ghcr.io/org/web" + name) == "newName: ghcr.io/org/web" + name);
}

TEST_CASE("image marker: a number becomes a string, whichever side it stands on") {
    const std::string tag = R"( # {"$imagepolicy": "team1:app1:tag"})";
    CHECK(edited("tag: 1234" + tag) == "tag: v1.0.1" + tag);
    CHECK(edited("tag: v1" + tag, {"team1", "app1", "1234"}) == "tag: \"1234\"" + tag);
}

TEST_CASE("image marker: other policies, and markers that stand alone, change nothing") {
    for (const std::string text : {"image: a:1 # {\"$imagepolicy\": \"team1:app2\"}\n",
                                   "image: a:1 # {\"$imagepolicy\": \"team1:app1:digest\"}\n",
                                   "# {\"$imagepolicy\": \"team1:app1\"}\nimage: a:1\n",
                                   "image: a:1 # {\"$promotion\": \"team1:app1\"}\n"})
        CHECK(edited(text) == text);
}

TEST_CASE("image marker: where no single value can be meant, the line is named") {
    CHECK_THAT(refusal("a: 1\nimages: # {\"$imagepolicy\": \"team1:app1\"}\n  - x\n"),
               Catch::Contains("line 2:"));
}

TEST_CASE("image marker: what no image can be called is refused before any file is looked at") {
    for (const ImageRelease& release :
         std::vector<ImageRelease>{{"g", "App", "v1"},
                                   {"g", "", "v1"},
                                   {"g", "../app", "v1"},
                                   {"g", "a/", "v1"},
                                   {"g", "app", ""},
                                   {"g", "app", "v1 -->"},
                                   {"g", "app", "-v1"},
                                   {"g", "app", std::string(129, '1')}})
        CHECK_THAT(refusal("a: b\n", release), Catch::StartsWith("encountered invalid image ref"));
    CHECK(check_image({"g", "org/app_1--x.y", "V1.0_2-rc"}));
}
