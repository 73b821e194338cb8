#include "http/releases.hpp"

#include <Poco/Exception.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>

namespace promotiond::http {
namespace {

constexpr std::string_view kShape =
    R"(the body must be {"group": "...", "app": "...", "tag": "..."}, "namespace" being optional)";

std::string* member_of(model::Release& release, const std::string& key) {
    if (key == "group") return &release.group;
    if (key == "app") return &release.app;
    if (key == "tag") return &release.tag;
    return key == "namespace" ? &release.ns : nullptr;
}

}  // namespace

Result<model::Release> release_from(const std::string& body) {
    try {
        Poco::JSON::Parser parser;
        parser.setDepth(8);
        const auto object = parser.parse(body).extract<Poco::JSON::Object::Ptr>();
        model::Release release;
        for (const auto& [key, value] : *object) {
            std::string* const member = member_of(release, key);
            if (member == nullptr)
                return Error{ErrorKind::Invalid,
                             "'" + key + "' is not known; " + std::string(kShape)};
            *member = value.extract<std::string>();
        }
        if (auto fine = model::check_release(release); !fine) return std::move(fine).error();
        return release;
    } catch (const Poco::Exception&) {
        // Said below: its own text would quote the input.
    }
    return Error{ErrorKind::Invalid, std::string(kShape)};
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

}  // namespace promotiond::http
