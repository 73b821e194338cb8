// The zoo, loaded by the real loader: whatever a plugin does wrong, the daemon says so and lives.
#include <elf.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <future>

#include "catch.hpp"
#include "strategy/strategy.hpp"
#include "unit/strategy_fixture.hpp"

using namespace std::chrono_literals;
using promotiond::strategy::LoadOptions;
using promotiond::strategy::Outcome;
using promotiond::strategy::Strategies;
using promotiond::test::Directory;
using promotiond::test::request;
using promotiond::test::Services;

namespace {

const std::filesystem::path kZoo = PROMOTIOND_ZOO;

struct Cage {
    Services services;
    Directory directory;
    std::unique_ptr<Strategies> strategies;

    explicit Cage(const std::vector<std::string>& animals) {
        for (const auto& animal : animals) directory.copy(kZoo / (animal + ".so"), animal + ".so");
    }

    promotiond::Result<void> load(std::map<std::string, std::string> pins = {}) {
        LoadOptions options;
        options.directory = directory.path();
        options.instances = 1;
        options.grace = 10ms;
        options.sha256 = std::move(pins);
        auto loaded = Strategies::load(options, services.host());
        if (!loaded) return loaded.error();
        strategies = std::move(*loaded);
        return {};
    }
    // The text of the only refusal.
    std::string refusal() {
        REQUIRE(load());
        REQUIRE(strategies->descriptions().empty());
        REQUIRE(strategies->refusals().size() == 1);
        return strategies->refusals()[0].message;
    }
    promotiond::strategy::Answer promote() {
        if (!strategies) REQUIRE(load());
        if (!strategies->refusals().empty()) FAIL(strategies->refusals()[0].message);
        return strategies->promote(strategies->descriptions().at(0), request(), {});
    }
};

}  // namespace

TEST_CASE("zoo: a library that is no strategy is refused with file and remedy") {
    const auto [animal, words] = GENERATE(table<std::string, std::vector<std::string>>({
        {"no_symbol", {"promotiond_plugin_v1", "rebuild"}},
        {"wrong_size", {"8 bytes", "rebuild"}},
        {"newer_minor", {"1.9999", "1.0", "update promotiond"}},
        {"null_create", {"create"}},
        {"null_verbs", {"promote"}},
        {"no_instance", {"made no strategy"}},
        {"bad_schema", {"schema", "JSON"}},
        {"throws_in_create", {"exception", "from create"}},
    }));
    Cage cage({animal});
    const auto message = cage.refusal();
    CHECK_THAT(message, Catch::Contains(animal + ".so"));
    for (const auto& word : words) CHECK_THAT(message, Catch::Contains(word));
}

TEST_CASE("zoo: bytes that are no library are refused under their own name") {
    Cage cage({});
    cage.directory.write("garbage.so", "#!/bin/sh\n");
    const auto message = cage.refusal();
    CHECK_THAT(message, Catch::Contains("garbage.so"));
    CHECK_THAT(message, !Catch::Contains("/proc/self"));
}

TEST_CASE("zoo: a library for another machine is refused with both machines and the remedy") {
    const auto [at, byte, machine] = GENERATE(table<std::streamoff, char, std::string>({
        {EI_CLASS, ELFCLASS32, "32 bit"},
        {offsetof(Elf64_Ehdr, e_machine), EM_S390, "ELF machine 22"},
    }));
    Cage cage({"short_answer"});
    std::fstream library(cage.directory.path() / "short_answer.so",
                         std::ios::in | std::ios::out | std::ios::binary);
    library.seekp(at).put(byte).flush();
    const auto message = cage.refusal();
    CHECK_THAT(message, Catch::Contains("short_answer.so: is built for "));
    CHECK_THAT(message, Catch::Contains(machine + ", this promotiond for "));
    CHECK_THAT(message, Catch::Contains("install the package for this architecture"));
}

TEST_CASE("zoo: an exception from any verb is contained") {
    Cage cage({"throws_everywhere"});
    const auto promoted = cage.promote();
    CHECK(promoted.outcome == Outcome::Retry);
    CHECK(promoted.misbehaved);
    CHECK_THAT(promoted.message, Catch::Contains("from promote"));
    const auto& strategy = cage.strategies->descriptions()[0];
    CHECK(cage.strategies->observe(strategy, request(), "1", "", {}).misbehaved);
    CHECK(cage.strategies->plan(strategy, request(), {}).misbehaved);
    CHECK(cage.strategies->lane(strategy, request()) == "team/podinfo/prod/");
}

TEST_CASE("zoo: an exception through the host's own frames is contained") {
    Cage cage({"throws_in_sink"});
    cage.services.secrets["team/forge/token"] = "value";
    const auto answer = cage.promote();
    CHECK(answer.outcome == Outcome::Retry);
    CHECK(answer.misbehaved);
}

TEST_CASE("zoo: an unknown outcome is final") {
    Cage cage({"unknown_outcome"});
    const auto answer = cage.promote();
    CHECK(answer.outcome == Outcome::Rejected);
    CHECK_THAT(answer.message, Catch::Contains("42"));
}

TEST_CASE("zoo: the first of two answers stands") {
    Cage cage({"answers_twice"});
    const auto answer = cage.promote();
    CHECK(answer.summary == "first");
    CHECK(answer.misbehaved);
}

TEST_CASE("zoo: a call that is used after its verb is closed, not freed") {
    Cage cage({"keeps_call"});
    CHECK(cage.promote().outcome == Outcome::Done);
    const auto& strategy = cage.strategies->descriptions()[0];
    CHECK(cage.strategies->lane(strategy, request()) == "cancelled");
    const auto next = cage.promote();
    CHECK_FALSE(next.answered);
    CHECK(next.message.empty());
}

TEST_CASE("zoo: a verb that does not return costs its instance and no more") {
    Cage cage({"never_returns"});
    REQUIRE(cage.load());
    const auto& strategy = cage.strategies->descriptions()[0];
    auto asked = request();
    asked.event = cage.directory.write("flag", "").string();
    const auto late = cage.strategies->promote(strategy, asked, {.deadline = 1ms});
    CHECK(late.outcome == Outcome::Retry);
    CHECK(late.misbehaved);
    CHECK(cage.strategies->promote(strategy, asked, {.deadline = 1ms}).outcome == Outcome::Retry);
    std::filesystem::remove(asked.event);
    CHECK(cage.strategies->promote(strategy, asked, {.deadline = 60s}).outcome == Outcome::Done);
}

TEST_CASE("zoo: a cancelled verb that does not return gives its caller back") {
    Cage cage({"never_returns"});
    REQUIRE(cage.load());
    auto asked = request();
    asked.event = cage.directory.write("flag", "").string();
    std::stop_source stop;
    stop.request_stop();
    const auto answer = cage.strategies->promote(cage.strategies->descriptions()[0], asked,
                                                 {.deadline = 60s, .stop = stop.get_token()});
    CHECK(answer.outcome == Outcome::Cancelled);
    std::filesystem::remove(asked.event);
}

TEST_CASE("zoo: broken UTF-8 does not get further than the border") {
    Cage cage({"invalid_utf8"});
    const auto answer = cage.promote();
    CHECK(answer.outcome == Outcome::Rejected);
    CHECK(answer.misbehaved);
    CHECK(answer.location.empty());
    CHECK(answer.details.empty());
    CHECK_THAT(answer.summary, Catch::Contains("\xEF\xBF\xBD"));
}

TEST_CASE("zoo: 100 MB of details are dropped and the outcome stands") {
    Cage cage({"huge_details"});
    const auto answer = cage.promote();
    CHECK(answer.outcome == Outcome::Done);
    CHECK_FALSE(answer.answered);
    CHECK(answer.misbehaved);
}

TEST_CASE("zoo: a location that a browser would run is dropped") {
    Cage cage({"bad_location"});
    const auto answer = cage.promote();
    CHECK(answer.location.empty());
    CHECK(answer.summary == "kept");
    CHECK(answer.external_id == "7");
    CHECK(answer.misbehaved);
}

TEST_CASE("zoo: an answer is read no further than its size") {
    Cage cage({"short_answer"});
    const auto answer = cage.promote();
    CHECK(answer.summary == "short");
    CHECK(answer.details.empty());
    CHECK_FALSE(answer.misbehaved);
}

TEST_CASE("loader: one bad library does not keep the others out") {
    Cage cage({"no_symbol", "short_answer", "answers_twice"});
    REQUIRE(cage.load());
    CHECK(cage.strategies->refusals().size() == 1);
    CHECK(cage.strategies->descriptions().size() == 2);
}

TEST_CASE("loader: libraries of a second load are not mistaken for those of the first") {
    Cage first({"short_answer"});
    Cage second({"answers_twice"});
    REQUIRE(first.load());
    REQUIRE(second.load());
    CHECK(first.strategies->descriptions()[0].name == "short-answer");
    CHECK(second.strategies->descriptions()[0].name == "answers-twice");
}

TEST_CASE("loader: a file that others can write is refused") {
    Cage cage({"short_answer"});
    std::filesystem::permissions(cage.directory.path() / "short_answer.so",
                                 std::filesystem::perms{GENERATE(0664u, 0646u)});
    CHECK_THAT(cage.refusal(), Catch::Contains("chmod go-w"));
}

TEST_CASE("loader: a symbolic link and a directory are refused as libraries") {
    Cage cage({});
    std::filesystem::create_symlink(kZoo / "short_answer.so", cage.directory.path() / "link.so");
    CHECK_THAT(cage.refusal(), Catch::Contains("symbolic link"));
    std::filesystem::remove(cage.directory.path() / "link.so");
    std::filesystem::create_directory(cage.directory.path() / "folder.so");
    CHECK_THAT(cage.refusal(), Catch::Contains("regular file"));
}

TEST_CASE("loader: a pipe in the directory does not stop the start") {
    Cage cage({});
    REQUIRE(::mkfifo((cage.directory.path() / "pipe.so").c_str(), 0600) == 0);
    CHECK_THAT(cage.refusal(), Catch::Contains("regular file"));
}

TEST_CASE("loader: an unsafe directory stops the start") {
    Cage cage({"short_answer"});
    std::filesystem::permissions(cage.directory.path(), std::filesystem::perms{0777});
    const auto writable = cage.load();
    REQUIRE_FALSE(writable);
    CHECK_THAT(writable.error().message, Catch::Contains("chmod go-w"));
    std::filesystem::permissions(cage.directory.path(), std::filesystem::perms{0700});

    LoadOptions options;
    const Directory elsewhere;
    std::filesystem::create_directory_symlink(cage.directory.path(), elsewhere.path() / "link");
    options.directory = elsewhere.path() / "link";
    const auto link = Strategies::load(options, cage.services.host());
    REQUIRE_FALSE(link);
    CHECK_THAT(link.error().message, Catch::Contains("symbolic link"));

    for (const auto* path : {"relative", "/nonexistent/strategies"}) {
        options.directory = path;
        CHECK_FALSE(Strategies::load(options, cage.services.host()));
    }
}

TEST_CASE("loader: an open parent makes the directory unsafe") {
    Cage cage({});
    const auto parent = cage.directory.path() / "open";
    std::filesystem::create_directories(parent / "strategies");
    std::filesystem::permissions(parent, std::filesystem::perms{0777});
    LoadOptions options;
    options.directory = parent / "strategies";
    const auto loaded = Strategies::load(options, cage.services.host());
    REQUIRE_FALSE(loaded);
    CHECK_THAT(loaded.error().message, Catch::Contains(parent.string() + ":"));
}

TEST_CASE("loader: a pinned file must have the pinned digest") {
    Cage cage({"short_answer"});
    REQUIRE(cage.load());
    const auto digest = cage.strategies->descriptions()[0].sha256;
    CHECK(digest.size() == 64);
    cage.strategies.reset();
    REQUIRE(cage.load({{"short_answer.so", digest}}));
    CHECK(cage.strategies->refusals().empty());
    REQUIRE(cage.load({{"short_answer.so", std::string(64, '0')}}));
    REQUIRE(cage.strategies->refusals().size() == 1);
    CHECK_THAT(cage.strategies->refusals()[0].message, Catch::Contains(digest));
}
