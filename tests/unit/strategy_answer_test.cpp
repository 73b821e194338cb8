// What of a plugin's words is believed.
#include "strategy/answer.hpp"

#include "catch.hpp"

using namespace promotiond::strategy;

TEST_CASE("strategy: UTF-8 is judged as RFC 3629 does") {
    CHECK(is_utf8("plain \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"));
    for (const char* broken : {"\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                               "\xF8\x88\x80\x80\x80", "\xE2\x82", "\x80"}) {
        INFO(broken);
        CHECK_FALSE(is_utf8(broken));
        CHECK(is_utf8(as_utf8(broken)));
    }
    CHECK(as_utf8("a\xFFz") == "a\xEF\xBF\xBDz");
}

TEST_CASE("strategy: a location is an http(s) URL that can be shown") {
    CHECK(is_web_url("https://github.com/a/b/pull/7"));
    CHECK(is_web_url("http://10.0.0.1:8080/x?y=@z"));
    for (const char* bad : {"javascript:alert(1)", "https://user:pass@host/", "https://",
                            "https:///x", "https://host/a b", "https://host/\n", "ftp://host/",
                            "host/x", "https://host/\"><script>", "https://a\\@b/"}) {
        INFO(bad);
        CHECK_FALSE(is_web_url(bad));
    }
}

TEST_CASE("strategy: what breaks the contract is dropped, named, and the rest is kept") {
    RawAnswer raw;
    raw.answered = true;
    raw.summary = "fine";
    raw.location = "javascript:x";
    raw.details = "[]";
    raw.retry_after_ms = -1;
    const auto answer = judge(0, raw);
    CHECK(answer.outcome == Outcome::Done);
    CHECK(answer.summary == "fine");
    CHECK(answer.location.empty());
    CHECK(answer.details.empty());
    CHECK_FALSE(answer.retry_after);
    CHECK(answer.misbehaved);
    CHECK_THAT(answer.message, Catch::Contains("location") && Catch::Contains("details"));
}

TEST_CASE("strategy: an unknown outcome is final and is misbehaviour") {
    for (const int code : {-1, 5, 42}) {
        const auto answer = judge(code, {});
        CHECK(answer.outcome == Outcome::Rejected);
        CHECK(answer.misbehaved);
    }
    CHECK_FALSE(judge(3, {}).misbehaved);
}

TEST_CASE("strategy: a wait is kept within a day") {
    RawAnswer raw;
    raw.retry_after_ms = 1'000'000'000'000;
    CHECK(judge(2, raw).retry_after == std::chrono::hours{24});
}
