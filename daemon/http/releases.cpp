#include "http/releases.hpp"

#include <algorithm>
#include <array>

#include "base/log.hpp"
#include "http/answers.hpp"
#include "http/auth.hpp"
#include "http/json_object.hpp"
#include "http/pushed_tags.hpp"
#include "http/registry_payloads.hpp"
#include "model/json_document.hpp"
#include "model/repository_part.hpp"

namespace promotiond::http {
namespace {

constexpr std::string_view kShape =
    R"(the body must be {"group": "...", "app": "...", "tag": "..."}, "namespace" being optional)";
constexpr std::array<std::string_view, 4> kMembers{"group", "app", "tag", "namespace"};

Error misshapen(const std::string& what = {}) {
    return {ErrorKind::Invalid, what + std::string(kShape)};
}

// Which of two tags would be meant nobody can say: no key may be there twice.
Result<JsonObject> unambiguous_object(const std::string& body) {
    if (auto read = model::json_document(body); !read) return std::move(read).error();
    return json_object(body);
}

Result<model::Release> release_in(const JsonObject& object) {
    model::Release release{.group = text_in(object, "group"),
                           .app = text_in(object, "app"),
                           .tag = text_in(object, "tag"),
                           .ns = text_in(object, "namespace")};
    if (auto fine = model::check_release(release); !fine) return std::move(fine).error();
    return release;
}

// Why an application may be there all the same; empty: it is nowhere.
std::string not_all_known(const Readiness& readiness) {
    if (!readiness.good()) return "the daemon is not ready: not all Pipelines have been read";
    std::string unread;
    for (const auto& [name, part] : readiness.parts()) {
        if (part.state == Readiness::State::Ready || !name.starts_with(model::kRepositoryPart))
            continue;
        unread += "; " + name.substr(model::kRepositoryPart.size()) +
                  " has never been read: " + part.reason;
    }
    if (unread.empty()) return {};
    return "no GitOps repository that could be read has this application" + unread;
}

engine::Engine::OnAccepted answer_to(const ExchangePtr& exchange) {
    return [exchange](Result<engine::Accepted> result) {
        if (!result) return refuse(*exchange, result.error());
        exchange->answer(accepted_response(*result));
    };
}

}  // namespace

Result<model::Release> release_from(const std::string& body) {
    const auto object = unambiguous_object(body);
    if (!object) return misshapen(object.error().message + "; ");
    if (const auto payload = object_in(*object, "client_payload"); !payload.isNull())
        return release_in(payload);
    for (const auto& [key, value] : **object) {
        if (std::find(kMembers.begin(), kMembers.end(), key) == kMembers.end())
            return misshapen("'" + key + "' is not known; ");
        if (!value.isString()) return misshapen();
    }
    return release_in(*object);
}

Result<std::optional<model::Release>> dispatched_release(const std::string& body) {
    const auto object = unambiguous_object(body);
    if (!object) return object.error();
    const auto payload = object_in(*object, "client_payload");
    const auto is_there = [&](std::string_view key) {
        return !text_in(payload, std::string(key)).empty();
    };
    if (std::none_of(kMembers.begin(), kMembers.begin() + 3, is_there))
        return std::optional<model::Release>();
    auto release = release_in(payload);
    if (!release) return context(std::move(release).error(), "client_payload");
    return std::optional(*std::move(release));
}

Result<model::PipelineName> pipeline_for(const model::Release& release,
                                         const engine::Snapshot& snapshot) {
    const model::PipelineName* found = nullptr;
    for (const auto& [name, view] : snapshot.pipelines) {
        if (view.pipeline == nullptr || !model::takes(*view.pipeline, release)) continue;
        if (found != nullptr)
            return Error{ErrorKind::Conflict,
                         found->text() + " and " + name.text() +
                             " are both this application; say which with \"namespace\""};
        found = &name;
    }
    if (found != nullptr) return *found;
    return Error{ErrorKind::NotFound,
                 "no GitOps repository has the application " + release.app + " in group " +
                     release.group +
                     "; list it under groups of gitops-promotion.yaml, and the repository under "
                     "gitops.repositories of promotiond.yaml"};
}

void Releases::submit(const ExchangePtr& exchange, model::Release release, Repeats repeats,
                      engine::Engine::OnAccepted done) const {
    auto pipeline = pipeline_for(release, *core_.views.snapshot());
    if (!pipeline && pipeline.error().kind == ErrorKind::NotFound && core_.readiness != nullptr) {
        const auto why = not_all_known(*core_.readiness);
        if (!why.empty()) return done(Error{ErrorKind::Transient, why + "; send it again"});
    }
    if (!pipeline) return done(std::move(pipeline).error());
    // What has a time is known when it comes again.
    if (repeats == Repeats::AreIgnored && !release.at) release.at = core_.clock.now();
    model::ReceivedEvent received;
    received.pipeline = *std::move(pipeline);
    received.environment = std::string(model::kReleaseEnvironment);
    received.event = model::release_event(release);
    received.body = exchange->request.body;
    // One body may tell of several tags of an application.
    received.digest = sha256_hex(received.body + '\n' + release.tag);
    received.peer = exchange->request.client;
    core_.commands.submit(std::move(received), std::move(done));
}

void Releases::told(const ExchangePtr& exchange) const {
    auto release = release_from(exchange->request.body);
    if (!release) return exchange->refuse(400, release.error().message);
    submit(exchange, *std::move(release), Repeats::Count, answer_to(exchange));
}

void Releases::dispatched(const ExchangePtr& exchange) const {
    auto release = dispatched_release(exchange->request.body);
    if (!release) return exchange->refuse(400, release.error().message, "malformed");
    if (!*release) {
        return exchange->answer(json_response(
            202, R"({"ignored":"no release: client_payload names no group, app and tag"})"));
    }
    submit(exchange, **std::move(release), Repeats::AreIgnored, answer_to(exchange));
}

void Releases::pushed(const ExchangePtr& exchange) const {
    const auto tags = read_registry_hook(exchange->request.body);
    if (!tags) return exchange->refuse(400, tags.error().message, "malformed");
    std::vector<std::pair<model::PushedTag, model::Release>> due;
    const auto outcome = std::make_shared<PushedTags>(exchange);
    for (const auto& tag : *tags) {
        auto releases = model::releases_of(tag, images_);
        if (releases.empty()) outcome->ignore(tag);
        for (auto& release : releases) due.emplace_back(tag, std::move(release));
    }
    outcome->expect(due.size());
    for (auto& [tag, release] : due) {
        submit(exchange, release, Repeats::AreIgnored,
               [outcome, tag = tag, release = release](Result<engine::Accepted> result) {
                   outcome->take(tag, release, result);
               });
    }
}

}  // namespace promotiond::http
