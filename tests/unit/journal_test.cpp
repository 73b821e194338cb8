#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <list>

#include "journal/lists.hpp"
#include "journal/readers.hpp"
#include "unit/journal_fixture.hpp"

using namespace promotiond;
using namespace promotiond::test;

TEST_CASE("journal: what was committed is there after a kill without warning") {
    const Folder folder;
    const pid_t child = ::fork();
    if (child == 0) {
        auto journal = Journal::open({folder.file()});
        const bool kept = journal && (*journal)->commit(batch_of({first(promotion("p-1"))}));
        ::kill(::getpid(), kept ? SIGKILL : SIGTERM);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WTERMSIG(status) == SIGKILL);
    CHECK(opened(folder)->promotion("p-1")->revision == "1.0.0");
}

TEST_CASE("journal: an illegal transition is refused and nothing of its batch stays") {
    const Folder folder;
    auto journal = opened(folder);
    const auto refused = journal->commit(
        batch_of({first(promotion("p-1")), step(promotion("p-1"), Phase::Succeeded)}));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::Internal);
    CHECK(journal->promotion("p-1").error().kind == ErrorKind::NotFound);
    CHECK(journal->commit(batch_of({first(promotion("p-2"))})));
}

TEST_CASE("journal: every transition is kept in order") {
    const Folder folder;
    auto journal = opened(folder);
    REQUIRE(journal->commit(batch_of({first(promotion("p-1"))})));
    REQUIRE(journal->commit(batch_of({step(promotion("p-1"), Phase::Running)})));
    const auto steps = journal->transitions("p-1");
    REQUIRE(steps->size() == 2);
    CHECK_FALSE(steps->front().from);
    CHECK(steps->back().to == Phase::Running);
    CHECK(journal->promotion("p-1")->phase == Phase::Running);
}

TEST_CASE("journal: load gives evidence and promotions of each scope, oldest first") {
    const Folder folder;
    {
        auto journal = opened(folder);
        Batch batch = batch_of({first(promotion("p-1", "1")), first(promotion("p-2", "2"))});
        batch.evidence.emplace_back(
            model::PipelineName{"apps", "shop"},
            model::Evidence{"dev", "apps", "2", "1", WallTime{}, WallTime{}, "d"});
        REQUIRE(journal->commit(batch));
    }
    const auto all = opened(folder)->load();
    REQUIRE(all->size() == 1);
    const auto& history = all->front().second;
    CHECK(history.running.at({"dev", "apps"}).revision == "2");
    CHECK(history.latest("prod", "")->id == "p-2");
}

TEST_CASE("journal: pages go on where the last one ended, newest first") {
    const Folder folder;
    auto journal = opened(folder);
    for (const char* id : {"p-1", "p-2", "p-3"}) {
        REQUIRE(journal->commit(batch_of({first(promotion(id))})));
    }
    journal::Filter filter;
    filter.limit = 2;
    auto page = journal->promotions(filter);
    REQUIRE(page->promotions.size() == 2);
    CHECK(page->promotions.front().id == "p-3");
    filter.after = page->next;
    page = journal->promotions(filter);
    REQUIRE(page->promotions.size() == 1);
    CHECK(page->promotions.front().id == "p-1");
    CHECK(page->next.empty());
}

TEST_CASE("journal: every list that can be asked for is served by an index, without a sort") {
    const Folder folder;
    opened(folder).reset();
    // As written by a promotiond that had no such indexes yet.
    auto file = journal::sqlite::Connection::open(folder.file().string(),
                                                  journal::sqlite::Connection::Access::ReadWrite);
    REQUIRE(file);
    for (const char* drop :
         {"DROP INDEX promotion_by_pipeline", "DROP INDEX promotion_by_phase",
          "DROP INDEX promotion_by_environment", "DROP INDEX promotion_unfinished"}) {
        REQUIRE(file->run(drop));
    }
    const auto journal = opened(folder);
    std::list<std::string> texts;
    for (unsigned set = 0; set < 16; ++set) {
        journal::Filter filter;
        if ((set & 1) != 0) filter.pipeline = model::PipelineName{"apps", "shop"};
        if ((set & 2) != 0) filter.environment = "prod";
        if ((set & 4) != 0) filter.phase = Phase::Queued;
        filter.unfinished_only = (set & 8) != 0;
        // A connection keeps statements by the address of their text.
        const auto& text =
            texts.emplace_back("EXPLAIN QUERY PLAN " + journal::promotions_query(filter));
        auto plan = file->prepared(text.c_str());
        REQUIRE(plan);
        while (*plan->next()) {
            const auto step = plan->text(3);
            INFO(text << ": " << step);
            CHECK(step.find("SCAN") == std::string::npos);
            CHECK(step.find("TEMP B-TREE") == std::string::npos);
        }
        CHECK(journal->promotions(filter));
    }
}

TEST_CASE("journal: a list that is read slowly holds up neither another read nor a commit") {
    const Folder folder;
    const auto journal = opened(folder);
    REQUIRE(journal->commit(batch_of({first(promotion("p-1"))})));
    journal::Readers readers(folder.file().string());
    REQUIRE_FALSE(readers.lend());
    REQUIRE(readers.open());
    auto slow = readers.lend();
    REQUIRE(slow);
    auto rows = (**slow).prepared("SELECT id FROM promotion");
    REQUIRE(*rows->next());
    REQUIRE(journal->commit(batch_of({first(promotion("p-2"))})));
    auto other = readers.lend();
    REQUIRE(other);
    CHECK((**other).number("SELECT count(*) FROM promotion").value() == 2);
    CHECK_FALSE(*rows->next());  // as of when it began
}

TEST_CASE("journal: its lists filter by pipeline, environment, phase and what is unfinished") {
    const Folder folder;
    const auto journal = opened(folder);
    auto other = promotion("p-2");
    other.scope = {{"apps", "till"}, "qa", ""};
    REQUIRE(
        journal->commit(batch_of({first(promotion("p-1")), first(other), first(promotion("p-3")),
                                  step(promotion("p-1"), Phase::Failed)})));
    const auto ids = [&journal](const std::function<void(journal::Filter&)>& set) {
        journal::Filter filter;
        set(filter);
        std::string all;
        const auto page = journal->promotions(filter);
        for (const auto& found : page->promotions) all += found.id + " ";
        return all;
    };
    const model::PipelineName shop{"apps", "shop"};
    CHECK(ids([](auto&) {}) == "p-3 p-2 p-1 ");
    CHECK(ids([&](auto& f) { f.pipeline = shop; }) == "p-3 p-1 ");
    CHECK(ids([](auto& f) { f.environment = "qa"; }) == "p-2 ");
    CHECK(ids([](auto& f) { f.phase = Phase::Failed; }) == "p-1 ");
    CHECK(ids([](auto& f) { f.unfinished_only = true; }) == "p-3 p-2 ");
    CHECK(ids([&](auto& f) { f.pipeline = shop, f.unfinished_only = true; }) == "p-3 ");
    CHECK(ids([](auto& f) { f.environment = "prod", f.phase = Phase::Failed; }) == "p-1 ");
    CHECK(ids([](auto& f) { f.phase = Phase::Failed, f.unfinished_only = true; }).empty());
    CHECK(ids([](auto& f) { f.environment = "prod", f.after = "3"; }) == "p-1 ");
}

TEST_CASE("journal: retention removes what settled long ago, never the newest or the unfinished") {
    const Folder folder;
    const auto journal = opened(folder);
    Batch batch;
    for (int i = 0; i < 40; ++i) {
        auto made = promotion("p-" + std::to_string(i));
        batch.steps.push_back(first(made));
        if (i != 3) batch.steps.push_back(step(made, Phase::Failed));
    }
    auto other = promotion("p-other");
    other.scope.environment = "qa";
    batch.steps.push_back(first(other));
    batch.steps.push_back(step(other, Phase::Cancelled));
    batch.events.push_back({});
    REQUIRE(journal->commit(batch));
    const WallTime long_after{std::chrono::hours{1}};

    CHECK(journal->sweep(WallTime{}, 0, 10)->removed == 0);
    journal::Sweep swept;
    int sweeps = 0;
    do {
        swept = journal->sweep(long_after, swept.after, 10).value();
        ++sweeps;
    } while (!swept.done);
    CHECK(sweeps > 3);
    CHECK(journal->promotion("p-other"));
    CHECK(journal->promotion("p-3"));
    CHECK(journal->events({}, 10)->empty());
    for (int i = 0; i < 40; ++i) {
        const auto id = "p-" + std::to_string(i);
        const bool stays = i == 3 || i >= 8;
        CHECK(journal->promotion(id).has_value() == stays);
        CHECK(*journal->removed(id) == !stays);
        CHECK(journal->transitions(id)->empty() == !stays);
    }
    CHECK(journal->load()->front().second.latest("prod", "")->id == "p-39");
}

TEST_CASE("journal: a second daemon is refused") {
    const Folder folder;
    const auto held = opened(folder);
    const auto second = Journal::open({folder.file()});
    REQUIRE_FALSE(second);
    CHECK(second.error().kind == ErrorKind::Conflict);
}

TEST_CASE("journal: its file is for its owner alone, whatever the umask") {
    const Folder folder;
    const auto before = ::umask(0);
    const auto journal = opened(folder);
    ::umask(before);
    struct stat about {};
    REQUIRE(::stat(folder.file().c_str(), &about) == 0);
    CHECK((about.st_mode & 0777) == 0600);
}

TEST_CASE("journal: never begins anew over an empty or foreign file") {
    const Folder folder;
    {
        std::ofstream file(folder.file());
        file << GENERATE("", "this is not a database, but it is long enough to look");
    }
    const auto refused = Journal::open({folder.file()});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::Invalid);
    CHECK(refused.error().message.find("backup") != std::string::npos);
}
