#include "gitops/repository_pipelines.hpp"

#include <pthread.h>

#include <condition_variable>
#include <fstream>
#include <mutex>
#include <optional>
#include <sstream>
#include <thread>
#include <utility>

#include "gitops/rules_pipelines.hpp"
#include "model/repository_part.hpp"

namespace promotiond::gitops {
namespace {

namespace fs = std::filesystem;
using platform::Pipelines;

constexpr std::size_t kLongestName = 200;

// A file's name for a repository.
std::string name_for(const Repository& repository) {
    std::string name = repository.ns + "_" + repository.url + "_" + repository.branch;
    for (char& c : name) {
        const bool fine =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!fine && c != '-' && c != '.') c = '_';
    }
    return name.substr(0, kLongestName) + ".yaml";
}

class RepositoryPipelines final : public platform::PipelineSource {
public:
    explicit RepositoryPipelines(RepositoryOptions options) : options_(std::move(options)) {
        for (const auto& each : options_.repositories) known_.push_back({each, {}, {}, {}});
    }

    Result<void> start(std::function<void(Pipelines)> changed) override {
        std::error_code failed;
        fs::create_directories(options_.remembered, failed);
        bool all_known = true;
        for (auto& each : known_) {
            const bool recalled = recall(each);
            if (!recalled) each.complaint = "it has not been read yet";
            tell_readiness(each);
            each.complaint.clear();
            all_known = recalled && all_known;
        }
        thread_ = std::jthread([this, changed](const std::stop_token& stop) {
            pthread_setname_np(pthread_self(), "gitops-rules");
            run(stop, changed);
        });
        std::unique_lock lock(mutex_);
        if (!all_known) moved_.wait_for(lock, options_.first_look, [this] { return looked_; });
        told_ = version_;
        const Pipelines now = all();
        lock.unlock();
        changed(now);
        lock.lock();
        started_ = true;
        moved_.notify_all();
        return {};
    }

private:
    struct Known {
        Repository repository;
        std::optional<std::string> text;  // of the last good version
        Pipelines pipelines;              // made of it
        std::string complaint;            // why there is no newer one; empty = there is none
    };

    // Tells what start() has not told.
    void run(const std::stop_token& stop, const std::function<void(Pipelines)>& changed) {
        while (!stop.stop_requested()) {
            for (auto& each : known_) look(each, stop);
            std::unique_lock lock(mutex_);
            looked_ = true;
            moved_.notify_all();
            if (!moved_.wait(lock, stop, [this] { return started_; })) return;
            if (std::exchange(told_, version_) != version_) {
                const Pipelines now = all();
                lock.unlock();
                changed(now);
                lock.lock();
            }
            moved_.wait_for(lock, stop, options_.every, [] { return false; });
        }
    }

    void look(Known& known, const std::stop_token& stop) {
        auto text = options_.read(known.repository, stop);
        if (stop.stop_requested()) return;
        const std::lock_guard lock(mutex_);
        const std::string before = known.complaint;
        bool taken = false;
        if (!text) known.complaint = text.error().message;
        else if (known.text && *known.text == *text) known.complaint.clear();
        else taken = take(known, *std::move(text));
        if (taken) remember(known);
        if (taken || known.complaint != before) ++version_;
        tell_readiness(known);
    }

    void tell_readiness(const Known& known) const {
        if (options_.readiness == nullptr) return;
        const auto& [url, branch, type, secret, ns] = known.repository;
        const auto part =
            std::string(model::kRepositoryPart) + url + (branch.empty() ? "" : " " + branch);
        if (known.text) options_.readiness->ready(part);
        else options_.readiness->degraded(part, known.complaint);
    }

    static bool take(Known& known, std::string text) {
        const std::string file(sdk::gitops::kPromotionRulesFile);
        const auto rules = sdk::gitops::read_promotion_rules(text, file);
        if (!rules) {
            known.complaint = rules.error().message;
            return false;
        }
        known.pipelines = pipelines_of(known.repository, rules->rules);
        for (const auto& ignored : rules->ignored)
            known.pipelines.problems.push_back(
                {{place_of(known.repository), 0, 0}, known.repository.url + " " + ignored});
        known.text = std::move(text);
        known.complaint.clear();
        return true;
    }

    Pipelines all() const {
        Pipelines whole;
        for (const auto& each : known_) {
            whole.all.insert(whole.all.end(), each.pipelines.all.begin(), each.pipelines.all.end());
            whole.problems.insert(whole.problems.end(), each.pipelines.problems.begin(),
                                  each.pipelines.problems.end());
            if (each.complaint.empty()) continue;
            whole.problems.push_back(
                {{place_of(each.repository), 0, 0},
                 "cannot take the rules of " + each.repository.url + ": " + each.complaint +
                     (each.text ? "; the last good version stays in force" : "")});
        }
        return whole;
    }

    bool recall(Known& known) const {
        std::ifstream in(options_.remembered / name_for(known.repository), std::ios::binary);
        if (!in) return false;
        std::ostringstream text;
        text << in.rdbuf();
        const bool taken = take(known, std::move(text).str());
        known.complaint.clear();
        return taken;
    }

    // Lost, it costs nothing but a start without the forge.
    void remember(const Known& known) const {
        const auto file = options_.remembered / name_for(known.repository);
        const fs::path scratch = file.native() + ".new";
        std::ofstream out(scratch, std::ios::binary);
        out << *known.text;
        out.close();
        std::error_code ignored;
        if (out) fs::rename(scratch, file, ignored);
    }

    const RepositoryOptions options_;
    std::mutex mutex_;
    std::condition_variable_any moved_;
    std::vector<Known> known_;  // its texts, Pipelines and complaints under the mutex
    std::uint64_t version_ = 0;
    std::uint64_t told_ = 0;
    bool looked_ = false;   // at all of them, once
    bool started_ = false;  // start() has told the first version
    std::jthread thread_;   // last: ends before what it uses
};

class Joined final : public platform::PipelineSource {
public:
    explicit Joined(std::vector<std::unique_ptr<platform::PipelineSource>> sources)
        : told_(sources.size()), sources_(std::move(sources)) {}

    Result<void> start(std::function<void(Pipelines)> changed) override {
        changed_ = std::move(changed);
        for (std::size_t i = 0; i < sources_.size(); ++i) {
            auto started =
                sources_[i]->start([this, i](Pipelines now) { take(i, std::move(now)); });
            if (!started) return started;
        }
        const std::lock_guard lock(mutex_);
        started_ = true;
        changed_(whole());
        return {};
    }

private:
    // Held while telling: never twice at once, and never the older one last.
    void take(std::size_t source, Pipelines now) {
        const std::lock_guard lock(mutex_);
        told_[source] = std::move(now);
        if (started_) changed_(whole());
    }

    Pipelines whole() const {
        Pipelines all;
        std::map<model::PipelineName, std::string> owners;
        for (const auto& each : told_) {
            all.problems.insert(all.problems.end(), each.problems.begin(), each.problems.end());
            for (const auto& pipeline : each.all) {
                const auto [owner, first] = owners.emplace(pipeline->id, pipeline->where.file);
                if (first) all.all.push_back(pipeline);
                else
                    all.problems.push_back({pipeline->where, pipeline->where.file + ": Pipeline " +
                                                                 pipeline->id.text() +
                                                                 " is defined in " + owner->second +
                                                                 " as well, which stays in force"});
            }
        }
        return all;
    }

    std::mutex mutex_;
    bool started_ = false;
    std::function<void(Pipelines)> changed_;
    std::vector<Pipelines> told_;
    std::vector<std::unique_ptr<platform::PipelineSource>>
        sources_;  // last: their threads end first
};

}  // namespace

std::unique_ptr<platform::PipelineSource> repository_pipelines(RepositoryOptions options) {
    return std::make_unique<RepositoryPipelines>(std::move(options));
}

std::unique_ptr<platform::PipelineSource> joined(
    std::vector<std::unique_ptr<platform::PipelineSource>> sources) {
    return std::make_unique<Joined>(std::move(sources));
}

}  // namespace promotiond::gitops
