// What the journal promises when the disk is full or failing, when the file is damaged, foreign or
// gone, and when the process is killed in the middle of a write.
#include <fcntl.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>

#include "unit/journal_fixture.hpp"

using namespace promotiond;
using namespace promotiond::test;

namespace {

// The disk as SQLite sees it; see the functions at the end of this file.
bool syncs_fail = false;
int kill_at = 0;  // the write or sync, from 1, that the process does not survive
int calls = 0;

bool dies_here() { return kill_at > 0 && ++calls == kill_at; }

Batch batch(const std::string& id) { return batch_of({first(promotion(id))}); }

void sql(const Folder& folder, const char* text) {
    sqlite3* database = nullptr;
    REQUIRE(sqlite3_open(folder.file().c_str(), &database) == SQLITE_OK);
    const int code = sqlite3_exec(database, text, nullptr, nullptr, nullptr);
    sqlite3_close(database);
    REQUIRE(code == SQLITE_OK);
}

// What a process of the user 65534 hears that opens the journal.
constexpr uid_t kNobody = 65534;
std::string refusal_of_nobody(const std::filesystem::path& file) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        if (::setresuid(kNobody, kNobody, kNobody) != 0) ::_exit(1);
        const auto journal = Journal::open({file});
        const std::string said = journal ? "opened" : journal.error().message;
        ::_exit(::write(ends[1], said.data(), said.size()) < 0 ? 1 : 0);
    }
    ::close(ends[1]);
    std::string said(4096, '\0');
    const auto size = ::read(ends[0], said.data(), said.size());
    ::close(ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    said.resize(static_cast<std::size_t>(std::max<ssize_t>(0, size)));
    return said;
}

// The whole of what is promised about a commit that the disk refused.
void check_refused(Journal& journal, const std::string& id) {
    const auto refused = journal.commit(batch(id));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::Transient);
    CHECK(refused.error().message.find("cannot write the journal") != std::string::npos);
    CHECK_FALSE(journal.probe());
}

void check_recovered(std::unique_ptr<Journal> journal, const Folder& folder) {
    CHECK(journal->probe());
    CHECK_FALSE(journal->promotion("p-bad"));
    CHECK(journal->commit(batch("p-after")));
    journal.reset();
    journal = opened(folder);
    CHECK(journal->promotion("p-before"));
    CHECK_FALSE(journal->promotion("p-bad"));
    CHECK(journal->promotion("p-after"));
}

// How many descriptors this process has open on files of the folder.
std::size_t descriptors_into(const Folder& folder) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code gone;  // the iterator's own
        const auto place = std::filesystem::read_symlink(entry.path(), gone).string();
        if (place.starts_with(folder.path.string() + "/")) ++count;
    }
    return count;
}

// A commit p-1, p-2, ... for each byte that arrives.
[[noreturn]] void commit_until_killed(const Folder& folder, int acknowledged) {
    auto journal = Journal::open({folder.file()});
    for (int i = 1; journal && i <= 8; ++i) {
        const auto id = "p-" + std::to_string(i);
        Batch both = batch(id);
        both.steps.push_back(step(promotion(id), Phase::Running));
        if (!(*journal)->commit(both)) ::_exit(1);
        if (::write(acknowledged, "x", 1) != 1) ::_exit(1);
        if (i % 3 == 0 && !(*journal)->checkpoint()) ::_exit(1);
    }
    ::_exit(journal ? 0 : 1);
}

}  // namespace

TEST_CASE("journal: a full disk refuses a commit whole, and takes the next when there is room") {
    const Folder folder;
    // A mount of this process alone, which ends with it.
    const bool mounted =
        ::unshare(CLONE_NEWNS) == 0 &&
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
        ::mount("none", folder.path.c_str(), "tmpfs", 0, "size=512k,mode=0700") == 0;
    if (!mounted) {
        WARN("not permitted to mount a small disk; the test of the largest size covers this path");
        return;
    }
    auto journal = opened(folder);
    REQUIRE(journal->commit(batch("p-before")));
    const auto filler = folder.path / "filler";
    {
        const int fd = ::open(filler.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        const std::string block(4096, 'x');
        while (::write(fd, block.data(), block.size()) > 0) {
        }
        ::close(fd);
    }
    // The write-ahead log still has the room of the page that it was grown by.
    for (int i = 0; i < 3 && journal->commit(batch("p-" + std::to_string(i))); ++i) {
    }
    check_refused(*journal, "p-bad");
    CHECK(journal->promotion("p-before"));
    std::filesystem::remove(filler);
    check_recovered(std::move(journal), folder);
    ::umount2(folder.path.c_str(), MNT_DETACH);
}

TEST_CASE("journal: a write that fails is not kept, and the file is opened anew") {
    const Folder folder;
    auto journal = opened(folder);
    REQUIRE(journal->commit(batch("p-before")));
    const auto before = std::signal(SIGXFSZ, SIG_IGN);
    rlimit usual{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &usual) == 0);
    rlimit tight = usual;
    tight.rlim_cur = std::filesystem::file_size(folder.file().string() + "-wal");
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
    check_refused(*journal, "p-bad");
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &usual) == 0);
    std::signal(SIGXFSZ, before);
    check_recovered(std::move(journal), folder);
}

TEST_CASE("journal: a commit whose sync failed is not kept, however long the disk fails") {
    const Folder folder;
    auto journal = opened(folder);
    REQUIRE(journal->commit(batch("p-before")));
    syncs_fail = true;
    check_refused(*journal, "p-bad");
    syncs_fail = false;
    check_recovered(std::move(journal), folder);
}

TEST_CASE("journal: a disk that fails for long costs no descriptors") {
    const Folder folder;
    auto journal = opened(folder);
    REQUIRE(journal->commit(batch("p-before")));
    REQUIRE(journal->promotion("p-before"));
    const auto usual = descriptors_into(folder);
    for (int round = 0; round < 5; ++round) {
        syncs_fail = true;
        check_refused(*journal, "p-bad");
        CHECK(descriptors_into(folder) <= usual);
        syncs_fail = false;
        REQUIRE(journal->probe());
        REQUIRE(journal->promotion("p-before"));
        CHECK(descriptors_into(folder) <= usual);
    }
    CHECK(usual < 8);
}

TEST_CASE("journal: every acknowledged commit survives a kill at any write or sync") {
    int killed = 0;
    for (int at = 1; at < 300; ++at) {
        const Folder folder;
        int pipe[2] = {-1, -1};
        REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
        const pid_t child = ::fork();
        if (child == 0) {
            kill_at = at;
            commit_until_killed(folder, pipe[1]);
        }
        ::close(pipe[1]);
        char byte = 0;
        int acknowledged = 0;
        while (::read(pipe[0], &byte, 1) == 1) ++acknowledged;
        ::close(pipe[0]);
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        const auto journal = opened(folder);
        const auto page = journal->promotions({});
        REQUIRE(page);
        const auto kept = static_cast<int>(page->promotions.size());
        INFO("killed at call " << at << " after " << acknowledged << " acknowledged commits");
        CHECK(kept >= acknowledged);
        CHECK(kept <= acknowledged + 1);
        for (const auto& each : page->promotions) {
            CHECK(each.phase == Phase::Running);
            CHECK(journal->transitions(each.id)->size() == 2);
        }
        if (WIFEXITED(status)) {
            REQUIRE(WEXITSTATUS(status) == 0);
            break;
        }
        ++killed;
    }
    CHECK(killed > 30);
    CHECK(killed < 298);
}

TEST_CASE("journal: a newer schema and another program's file are refused with what to do") {
    const Folder folder;
    opened(folder).reset();
    const bool newer = GENERATE(true, false);
    sql(folder, newer ? "PRAGMA user_version=2" : "PRAGMA application_id=1");
    const auto refused = Journal::open({folder.file()});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::Invalid);
    const auto* hint = newer ? "run the version that wrote it" : "another program's";
    CHECK(refused.error().message.find(hint) != std::string::npos);
}

TEST_CASE("journal: a damaged file is refused with how to repair it, and left as it is") {
    const Folder folder;
    {
        auto journal = opened(folder);
        for (int i = 0; i < 20; ++i) REQUIRE(journal->commit(batch("p-" + std::to_string(i))));
    }
    {
        std::fstream file(folder.file(), std::ios::in | std::ios::out | std::ios::binary);
        for (int page = 1; page < 6; ++page) {
            file.seekp(page * 4096);
            file << std::string(200, '\xff');
        }
    }
    const auto size = std::filesystem::file_size(folder.file());
    const auto refused = Journal::open({folder.file()});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::Invalid);
    CHECK(refused.error().message.find(".recover") != std::string::npos);
    CHECK(std::filesystem::file_size(folder.file()) == size);
}

TEST_CASE("journal: another user's file and a link are refused") {
    const Folder folder;
    opened(folder).reset();
    if (::geteuid() == 0) {
        REQUIRE(::chown(folder.file().c_str(), 12345, static_cast<gid_t>(-1)) == 0);
        const auto foreign = Journal::open({folder.file()});
        REQUIRE_FALSE(foreign);
        CHECK(foreign.error().kind == ErrorKind::Invalid);
        CHECK(foreign.error().message.find("belongs to user 12345") != std::string::npos);
    }
    std::filesystem::rename(folder.file(), folder.path / "elsewhere");
    std::filesystem::create_symlink(folder.path / "elsewhere", folder.file());
    const auto linked = Journal::open({folder.file()});
    REQUIRE_FALSE(linked);
    CHECK(linked.error().kind == ErrorKind::Invalid);
}

TEST_CASE("journal: who may not read another user's file or directory hears whose it is") {
    if (::geteuid() != 0) return;  // nobody else can give files away
    const Folder folder;
    opened(folder).reset();
    const auto lock = folder.file().string() + ".lock";
    const auto give = [](const std::filesystem::path& path, uid_t owner) {
        REQUIRE(::chown(path.c_str(), owner, static_cast<gid_t>(-1)) == 0);
    };
    give(folder.path, kNobody);
    give(lock, kNobody);
    const std::string owned = " belongs to user 0, we run as user 65534: run as its owner or chown";
    CHECK_THAT(refusal_of_nobody(folder.file()),
               Catch::Contains("journal " + folder.file().string() + owned));
    give(folder.path, 0);
    std::filesystem::remove(lock);
    std::filesystem::permissions(folder.path, std::filesystem::perms{0755});
    CHECK_THAT(refusal_of_nobody(folder.file()), Catch::Contains(folder.path.string() + owned));
    std::filesystem::permissions(folder.path, std::filesystem::perms{0700});
    CHECK_THAT(refusal_of_nobody(folder.file()), Catch::Contains(folder.path.string() + owned));
}

TEST_CASE("journal: moved away while in use it takes no commits until it is put back") {
    const Folder folder;
    auto journal = opened(folder);
    REQUIRE(journal->commit(batch("p-before")));
    const auto elsewhere = folder.path / "elsewhere";
    std::filesystem::rename(folder.file(), elsewhere);
    const auto refused = journal->commit(batch("p-bad"));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::Transient);
    CHECK(refused.error().message.find("put it back") != std::string::npos);
    std::filesystem::rename(elsewhere, folder.file());
    check_recovered(std::move(journal), folder);
}

// SQLite calls these instead of the C library's.
extern "C" {

int fsync(int fd) {
    if (dies_here()) ::kill(::getpid(), SIGKILL);
    if (syncs_fail) {
        errno = EIO;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_fsync, fd));
}

int fdatasync(int fd) { return fsync(fd); }

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t offset) {
    if (dies_here()) {
        // Torn: the first half came to the disk.
        (void)::syscall(SYS_pwrite64, fd, bytes, size / 2, offset);
        ::kill(::getpid(), SIGKILL);
    }
    return ::syscall(SYS_pwrite64, fd, bytes, size, offset);
}

}  // extern "C"
