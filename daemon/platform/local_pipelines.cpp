#include <fcntl.h>

#include <charconv>
#include <map>
#include <sstream>
#include <thread>

#include "base/log.hpp"
#include "model/codec.hpp"
#include "platform/directory_watch.hpp"
#include "platform/local.hpp"

namespace promotiond::platform {

namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kSlowLook{10};
constexpr int kDeepest = 32;  // folders below the directory

// What is known of one file. The Pipelines are those of its last good version.
struct KnownFile {
    FileState state;
    std::string text;  // of the version last looked at
    std::vector<std::shared_ptr<const model::Pipeline>> pipelines;
    std::vector<Problem> problems;
};
using KnownFiles = std::map<fs::path, KnownFile>;

bool is_yaml(const fs::path& file) {
    return file.extension() == ".yaml" || file.extension() == ".yml";
}

// "file:line:column: message" -> where it points.
model::Position position_in(const std::string& message, const std::string& file) {
    model::Position where{file, 0, 0};
    if (message.rfind(file + ":", 0) != 0) return where;
    const char* const end = message.data() + message.size();
    const auto line = std::from_chars(message.data() + file.size() + 1, end, where.line);
    if (line.ec == std::errc() && line.ptr != end && *line.ptr == ':') {
        std::from_chars(line.ptr + 1, end, where.column);
    }
    return where;
}

Problem problem_of(const fs::path& file, std::string message) {
    Problem problem;
    problem.where = position_in(message, file.string());
    problem.message = std::move(message);
    return problem;
}

// One look at the whole directory: what is there, watched before it is listed so that nothing that
// comes meanwhile is missed.
class Look {
public:
    Look(DirectoryWatch& watch, const KnownFiles& before, bool reread)
        : watch_(watch), before_(before), reread_(reread) {}

    void at(const fs::path& directory, int depth) {
        const bool watched = watch_.add(directory);
        const FileHandle handle(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        std::error_code error;
        fs::directory_iterator entries(directory, error);
        if (error || handle.fd() < 0) {
            return fail(directory, "cannot be listed; create it or give permission");
        }
        if (!watched) unwatched_ = true;
        for (; entries != fs::directory_iterator(); entries.increment(error)) {
            look_at(*entries, handle.fd(), depth);
            if (error) return fail(directory, "cannot be listed: " + error.message());
        }
    }
    [[nodiscard]] KnownFiles take() { return std::move(found_); }
    [[nodiscard]] bool unwatched() const { return unwatched_; }

private:
    void look_at(const fs::directory_entry& entry, int directory, int depth) {
        const std::string name = entry.path().filename().string();
        if (name.front() == '.') return;  // the kubelet's ..data, and what editors leave
        std::error_code error;
        if (entry.symlink_status(error).type() == fs::file_type::directory) {
            if (depth >= kDeepest) return fail(entry.path(), "is too deep a folder");
            return at(entry.path(), depth + 1);
        }
        if (is_yaml(entry.path())) read(entry.path(), directory);
    }

    void read(const fs::path& path, int directory) {
        const auto known = before_.find(path);
        struct stat status {};
        if (!reread_ && known != before_.end() && ::stat(path.c_str(), &status) == 0 &&
            known->second.state == state_of(status) && settled(known->second.state)) {
            found_.emplace(path, known->second);
            return;
        }
        auto file = read_file(directory, path.filename().string());
        if (!file && file.error().kind == ErrorKind::NotFound) return;  // gone since the listing
        if (!file) return fail(path, file.error().message);
        if (known != before_.end() && known->second.text == file->bytes &&
            known->second.state != FileState{}) {
            found_.emplace(path, known->second).first->second.state = file->state;
            return;
        }
        parse(path, std::move(*file));
    }

    void parse(const fs::path& path, FileRead file) {
        auto read = model::pipelines_from_yaml(file.bytes, path.string());
        KnownFile& known = remembered(path);
        known.state = file.state;
        known.text = std::move(file.bytes);
        known.problems.clear();
        if (!read) {
            std::istringstream mistakes(read.error().message);
            for (std::string line; std::getline(mistakes, line);)
                known.problems.push_back(problem_of(path, line));
            return;
        }
        // Whoever rewrites a file in place leaves it empty for a moment.
        if (read->empty && !known.pipelines.empty()) {
            known.problems.push_back(problem_of(
                path, path.string() +
                          ":1:1: the file is empty; its last good version stays in force until the "
                          "file is removed or written"));
            return;
        }
        for (std::string& foreign : read->foreign)
            known.problems.push_back(problem_of(path, std::move(foreign)));
        known.pipelines.clear();
        for (model::Pipeline& pipeline : read->pipelines) {
            known.pipelines.push_back(std::make_shared<const model::Pipeline>(std::move(pipeline)));
        }
    }

    // What could not be looked at keeps its last good version.
    void fail(const fs::path& path, const std::string& message) {
        KnownFile& known = remembered(path);
        known.state = FileState{};
        known.problems.assign(1, problem_of(path, path.string() + ": " + message));
        for (const auto& [file, earlier] : before_) {
            const auto inside = file.lexically_relative(path);
            if (!inside.empty() && *inside.begin() != ".." && *inside.begin() != ".") {
                found_.emplace(file, earlier);
            }
        }
    }
    KnownFile& remembered(const fs::path& path) {
        const auto known = before_.find(path);
        return found_.emplace(path, known == before_.end() ? KnownFile{} : known->second)
            .first->second;
    }

    DirectoryWatch& watch_;
    const KnownFiles& before_;
    bool reread_;
    bool unwatched_ = false;
    KnownFiles found_;
};

// All files together; a Pipeline that two of them define stays that of the first.
Pipelines joined(const KnownFiles& files) {
    Pipelines all;
    std::map<model::PipelineName, std::string> owner;
    for (const auto& [path, file] : files) {
        all.problems.insert(all.problems.end(), file.problems.begin(), file.problems.end());
        for (const auto& pipeline : file.pipelines) {
            const auto [first, added] = owner.emplace(pipeline->id, path.string());
            if (added) {
                all.all.push_back(pipeline);
                continue;
            }
            const model::Position& where = pipeline->where;
            all.problems.push_back({where, where.file + ":" + std::to_string(where.line) + ":" +
                                               std::to_string(where.column) + ": Pipeline " +
                                               pipeline->id.text() + " is defined in " +
                                               first->second +
                                               " as well, which stays in force; "
                                               "remove one of them"});
        }
    }
    return all;
}

bool same(const Pipelines& a, const Pipelines& b) {
    return a.all == b.all &&
           std::equal(a.problems.begin(), a.problems.end(), b.problems.begin(), b.problems.end(),
                      [](const Problem& x, const Problem& y) { return x.message == y.message; });
}

class LocalPipelines final : public PipelineSource {
public:
    explicit LocalPipelines(fs::path directory) : directory_(std::move(directory)) {}
    ~LocalPipelines() override {
        watch_.stop();
        if (thread_.joinable()) thread_.join();
    }

    Result<void> start(std::function<void(Pipelines)> changed) override {
        std::error_code error;
        if (!fs::is_directory(directory_, error)) {
            return Error{ErrorKind::Invalid, "the directory of pipelines " + directory_.string() +
                                                 " does not exist; create it or name another"};
        }
        changed_ = std::move(changed);
        last_ = look(true);
        changed_(last_);
        thread_ = std::jthread([this] { run(); });
        return {};
    }

private:
    Pipelines look(bool reread) {
        Look look(watch_, files_, reread);
        look.at(directory_, 0);
        if (look.unwatched() && !warned_) {
            warned_ = true;
            log::warn("PROMO-5002",
                      "pipelines cannot be watched; changes are taken every 10 seconds",
                      {{"directory", directory_.string()}});
        }
        files_ = look.take();
        return joined(files_);
    }

    void run() {
        while (true) {
            const Woken woken = watch_.wait(kSlowLook);
            if (woken == Woken::Stopped) return;
            Pipelines now = look(woken == Woken::Changed);
            if (same(now, last_)) continue;
            last_ = std::move(now);
            changed_(last_);
        }
    }

    // Invariant: after start() everything but watch_.stop() is touched by thread_ only.
    fs::path directory_;
    DirectoryWatch watch_;
    KnownFiles files_;
    Pipelines last_;
    std::function<void(Pipelines)> changed_;
    bool warned_ = false;
    std::jthread thread_;
};

}  // namespace

std::unique_ptr<PipelineSource> local_pipelines(fs::path directory) {
    return std::make_unique<LocalPipelines>(std::move(directory));
}

}  // namespace promotiond::platform
