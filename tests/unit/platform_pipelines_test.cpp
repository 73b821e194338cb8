// Pipelines from a directory: changes come by themselves, broken files break nothing.
#include <condition_variable>
#include <mutex>

#include "platform/local.hpp"
#include "platform_folder.hpp"

using namespace promotiond;
using namespace promotiond::platform;

namespace {

std::string pipeline_text(const std::string& name, const std::string& environment = "dev") {
    return "apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\nmetadata: {name: " + name +
           "}\nspec:\n  appRef: {kind: HelmRelease, name: app}\n  environments: [{name: " +
           environment + ", targets: []}]\n";
}

// The newest set that the source gave, to wait on.
class Received {
public:
    [[nodiscard]] std::function<void(Pipelines)> taker() {
        return [this](Pipelines pipelines) {
            const std::lock_guard lock(mutex_);
            last_ = std::move(pipelines);
            ++count_;
            changed_.notify_all();
        };
    }
    template <class Predicate>
    [[nodiscard]] bool comes(Predicate predicate) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds{60}, [&] { return predicate(last_); });
    }
    [[nodiscard]] Pipelines last() {
        const std::lock_guard lock(mutex_);
        return last_;
    }
    [[nodiscard]] int count() {
        const std::lock_guard lock(mutex_);
        return count_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    Pipelines last_;
    int count_ = 0;
};

bool has(const Pipelines& pipelines, const std::string& name,
         const std::string& environment = "dev") {
    for (const auto& pipeline : pipelines.all) {
        if (pipeline->id.name == name && pipeline->environments.at(0).name == environment)
            return true;
    }
    return false;
}

}  // namespace

TEST_CASE("pipelines: what is there at start is given from within start") {
    const Folder folder;
    folder.write("one.yaml", pipeline_text("one"));
    folder.write("team/two.yml", pipeline_text("two") + "---\n" + pipeline_text("three"));
    folder.write("notes.txt", "not: [yaml");
    folder.write(".one.yaml.swp", "\xFF");
    Received received;
    const auto source = local_pipelines(folder.path());
    REQUIRE(source->start(received.taker()));
    CHECK(received.count() == 1);
    CHECK(received.last().all.size() == 3);
    CHECK(received.last().problems.empty());
}

TEST_CASE("pipelines: a directory that is missing at start is an error that names it") {
    Received received;
    const auto source = local_pipelines("/nonexistent/pipelines");
    const auto started = source->start(received.taker());
    REQUIRE_FALSE(started);
    CHECK(started.error().message.find("/nonexistent/pipelines") != std::string::npos);
    CHECK(received.count() == 0);
}

TEST_CASE("pipelines: files that come, change, move and go are taken without a restart") {
    const Folder folder;
    Received received;
    const auto source = local_pipelines(folder.path());
    REQUIRE(source->start(received.taker()));
    folder.write("a.yaml", pipeline_text("a"));
    CHECK(received.comes([](const Pipelines& p) { return has(p, "a"); }));
    folder.write("a.yaml", pipeline_text("a", "qas"));
    CHECK(received.comes([](const Pipelines& p) { return has(p, "a", "qas"); }));
    folder.replace("a.yaml", pipeline_text("a", "pre"));
    CHECK(received.comes([](const Pipelines& p) { return has(p, "a", "pre"); }));
    folder.write("new/deep/b.yaml", pipeline_text("b"));
    CHECK(received.comes([](const Pipelines& p) { return has(p, "b"); }));
    folder.write("new/deep/b.yaml", pipeline_text("b", "qas"));
    CHECK(received.comes([](const Pipelines& p) { return has(p, "b", "qas"); }));
    std::filesystem::remove(folder.path() / "a.yaml");
    CHECK(received.comes([](const Pipelines& p) { return p.all.size() == 1; }));
}

TEST_CASE(
    "pipelines: a file that breaks keeps its last good version and is reported with its place") {
    const Folder folder;
    folder.write("a.yaml", pipeline_text("a"));
    folder.write("b.yaml", pipeline_text("b"));
    Received received;
    const auto source = local_pipelines(folder.path());
    REQUIRE(source->start(received.taker()));
    const std::string file = (folder.path() / "a.yaml").string();
    folder.write("a.yaml", "kind: Pipeline\nspec: {a: 1, a: 2}\n");
    // Written in place, it may be seen while it is still empty.
    REQUIRE(received.comes([&](const Pipelines& p) {
        return p.problems.size() == 1 && p.problems[0].message.starts_with(file + ":2:14: ");
    }));
    CHECK(has(received.last(), "a"));
    CHECK(has(received.last(), "b"));
    const Problem problem = received.last().problems[0];
    CHECK(problem.where.file == file);
    CHECK(problem.where.line == 2);
    CHECK(problem.where.column == 14);
    folder.write("a.yaml", pipeline_text("a", "qas"));
    CHECK(received.comes(
        [](const Pipelines& p) { return p.problems.empty() && has(p, "a", "qas"); }));
}

TEST_CASE("pipelines: a file that is rewritten in place loses no Pipeline while it is empty") {
    const Folder folder;
    folder.write("a.yaml", pipeline_text("a") + "---\n" + pipeline_text("b"));
    Received received;
    const auto source = local_pipelines(folder.path());
    REQUIRE(source->start(received.taker()));
    for (const char* meanwhile : {"", "# to be continued\n", "apiVersion: pipelines.wea"}) {
        folder.write("a.yaml", meanwhile);
        REQUIRE(received.comes([](const Pipelines& p) { return p.problems.size() == 1; }));
        CHECK(has(received.last(), "a"));
        CHECK(has(received.last(), "b"));
        CHECK(received.last().problems[0].where.line == 1);
        folder.write("a.yaml", pipeline_text("a") + "---\n" + pipeline_text("b"));
        REQUIRE(received.comes([](const Pipelines& p) { return p.problems.empty(); }));
    }
    folder.write("a.yaml", pipeline_text("a"));
    CHECK(received.comes([](const Pipelines& p) { return has(p, "a") && !has(p, "b"); }));
    std::filesystem::remove(folder.path() / "a.yaml");
    CHECK(received.comes([](const Pipelines& p) { return p.all.empty(); }));
}

TEST_CASE("pipelines: a ConfigMap beside a Pipeline is a problem with its place, and no more") {
    const Folder folder;
    folder.write("a.yaml", pipeline_text("a") + "---\napiVersion: v1\nkind: ConfigMap\n");
    Received received;
    const auto source = local_pipelines(folder.path());
    REQUIRE(source->start(received.taker()));
    CHECK(has(received.last(), "a"));
    const auto problems = received.last().problems;
    REQUIRE(problems.size() == 1);
    const auto& problem = problems[0];
    CHECK(problem.where.line == 9);
    CHECK(problem.message.find("\"ConfigMap\"") != std::string::npos);
}

TEST_CASE("pipelines: a file too large and a link that leads out are problems") {
    const Folder folder;
    const Folder elsewhere;
    elsewhere.write("x.yaml", pipeline_text("x"));
    folder.write("good.yaml", pipeline_text("good"));
    folder.write("large.yaml", std::string((1 << 20) + 1, '#'));
    std::filesystem::create_symlink(elsewhere.path() / "x.yaml", folder.path() / "link.yaml");
    Received received;
    const auto source = local_pipelines(folder.path());
    REQUIRE(source->start(received.taker()));
    CHECK(received.last().all.size() == 1);
    REQUIRE(received.last().problems.size() == 2);
    CHECK(received.last().problems[1].message.find("link.yaml: is a symbolic link") !=
          std::string::npos);
    CHECK(received.last().problems[0].message.find("large.yaml: is larger than") !=
          std::string::npos);
}

TEST_CASE("pipelines: one that two files define stays that of the first, and both are named") {
    const Folder folder;
    folder.write("a.yaml", pipeline_text("app", "one"));
    folder.write("b.yaml", pipeline_text("app", "two"));
    Received received;
    const auto source = local_pipelines(folder.path());
    REQUIRE(source->start(received.taker()));
    REQUIRE(received.last().all.size() == 1);
    CHECK(has(received.last(), "app", "one"));
    REQUIRE(received.last().problems.size() == 1);
    const std::string message = received.last().problems[0].message;
    CHECK(message.rfind((folder.path() / "b.yaml").string() + ":1:1: ", 0) == 0);
    CHECK(message.find((folder.path() / "a.yaml").string()) != std::string::npos);
    std::filesystem::remove(folder.path() / "a.yaml");
    CHECK(received.comes(
        [](const Pipelines& p) { return p.problems.empty() && has(p, "app", "two"); }));
}

TEST_CASE(
    "pipelines: a mounted ConfigMap is read through the kubelet's links and follows their "
    "exchange") {
    const Folder folder;
    folder.mount("", "app.yaml", pipeline_text("app", "one"), 1);
    Received received;
    const auto source = local_pipelines(folder.path());
    REQUIRE(source->start(received.taker()));
    CHECK(has(received.last(), "app", "one"));
    CHECK(received.last().problems.empty());
    folder.mount("", "app.yaml", pipeline_text("app", "two"), 2);
    CHECK(received.comes([](const Pipelines& p) { return has(p, "app", "two"); }));
}

TEST_CASE(
    "pipelines: when the whole directory goes away, everything stays and the problem is told") {
    const Folder folder;
    folder.write("pipelines/a.yaml", pipeline_text("a"));
    Received received;
    const auto source = local_pipelines(folder.path() / "pipelines");
    REQUIRE(source->start(received.taker()));
    std::filesystem::rename(folder.path() / "pipelines", folder.path() / "gone");
    REQUIRE(received.comes([](const Pipelines& p) { return p.problems.size() == 1; }));
    CHECK(has(received.last(), "a"));
}

TEST_CASE("pipelines: a source that was never started, or was, ends at once with its destructor") {
    const Folder folder;
    Received received;
    local_pipelines(folder.path()).reset();
    const auto source = local_pipelines(folder.path());
    REQUIRE(source->start(received.taker()));
}
