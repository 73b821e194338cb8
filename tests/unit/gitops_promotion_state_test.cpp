#include "catch.hpp"
#include "promotiond/gitops/promotion_state.hpp"

using namespace promotiond::sdk;
using namespace promotiond::sdk::gitops;

namespace {

const PromotionState kState{"g", "a", "t", "e", "s", "", PromotionState::Type::Promote};
const std::string kDescription =
    R"(<!-- metadata = {"group":"g","app":"a","tag":"t","env":"e","sha":"s","feature":"","type":"promote"} -->)"
    "\n\tENV: e\n\tAPP: a\n\tTAG: t";

}  // namespace

TEST_CASE("promotion state: a description is read back as it was written") {
    CHECK(description_of(kState) == kDescription);
    const auto read = state_in(kDescription);
    REQUIRE(read);
    REQUIRE(*read);
    CHECK(**read == kState);
    CHECK(**state_in("Looks good\r\n" + kDescription + "\r\nmore") == kState);
}

TEST_CASE("promotion state: nothing in it ends the comment that holds it") {
    auto state = kState;
    state.tag = "a --> <b> & \"c\"\\ \n\xe2\x80\xa8";
    const auto description = description_of(state);
    CHECK_THAT(description,
               Catch::Contains(R"("tag":"a --\u003e \u003cb\u003e \u0026 \"c\"\\ \n\u2028")"));
    CHECK(**state_in(description) == state);
}

TEST_CASE("promotion state: a missing type is a promotion, a feature says so") {
    const auto older = state_in(R"(<!-- metadata = {"group":"g","app":"a"} -->)");
    REQUIRE(older);
    CHECK((*older)->type == PromotionState::Type::Promote);
    const auto feature = state_in(R"(<!-- metadata = {"type":"feature","x":1} -->)");
    REQUIRE(feature);
    CHECK((*feature)->type == PromotionState::Type::Feature);
}

TEST_CASE("promotion state: a description of somebody else's has none") {
    for (const std::string text : {"Some other data", "", "<!-- a comment -->"}) {
        const auto read = state_in(text);
        REQUIRE(read);
        CHECK_FALSE(*read);
    }
}

TEST_CASE("promotion state: one that was changed by hand is an error, not a guess") {
    for (const std::string text :
         {"<!-- metadata = {{ asdasd } -->", "<!-- metadata = {\"group\":\"g\"}",
          "<!-- metadata = [] -->", "<!-- metadata = {\"group\":1} -->",
          "<!-- metadata = {\"type\":\"other\"} -->"}) {
        INFO(text);
        const auto read = state_in(text);
        REQUIRE_FALSE(read);
        CHECK(read.error().kind == ErrorKind::Invalid);
        CHECK_THAT(read.error().message, Catch::Contains("by hand"));
    }
}

TEST_CASE("promotion state: branch and title follow from it") {
    const PromotionState promote{
        "group", "app", "v1", "dev", "", "", PromotionState::Type::Promote};
    auto feature = promote;
    feature.type = PromotionState::Type::Feature;
    feature.feature = "feature";
    CHECK(branch_of(promote, BranchPer::App) == "promote/group-app");
    CHECK(branch_of(promote, BranchPer::Environment) == "promote/dev/group-app");
    CHECK(branch_of(feature, BranchPer::App) == "feature/group-app-feature");
    CHECK(branch_of(feature, BranchPer::Environment) == "feature/dev/group-app-feature");
    CHECK(title_of(promote) == "Promote group/app version v1 to environment dev");
    CHECK(title_of(feature) == "Review group/app feature v1 in environment dev");
}

TEST_CASE("promotion state: a feature's name is what a label may hold of the wish") {
    CHECK(*feature_name("Feature/ABC_12-x y") == "featureabc12-xy");
    CHECK(*feature_name("-_fix--it-/") == "fix--it");
    CHECK(feature_name(std::string(63, 'a')));
    CHECK_THAT(feature_name(std::string(300, 'a')).error().message,
               Catch::Contains("300 characters; at most 63"));
    for (const char* nothing : {"", "---", "/_ä"})
        CHECK_THAT(feature_name(nothing).error().message, Catch::Contains("no letter or digit"));
}
