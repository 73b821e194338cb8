#include "platform/application_state.hpp"

namespace promotiond::platform {
namespace {

// True if the first condition of that type has the status "True".
bool has_condition(JsonView status, std::string_view type) {
    bool holds = false;
    status["conditions"].each_item([&](JsonView condition) {
        if (condition["type"].text() != type) return true;
        holds = condition["status"].text() == "True";
        return false;
    });
    return holds;
}

JsonView first_of(JsonView array) {
    JsonView first;
    array.each_item([&first](JsonView item) {
        first = item;
        return false;
    });
    return first;
}

ApplicationState argo_state(JsonView status) {
    const JsonView sync = status["sync"];
    ApplicationState state;
    state.revision = sync["revision"].text();
    // With several sources the first one counts, as in Argo CD's own list.
    if (state.revision.empty()) state.revision = first_of(sync["revisions"]).text();
    const std::string phase = status.at({"operationState", "phase"}).text();
    const bool settled = phase.empty() || phase == "Succeeded";
    state.ready = settled && sync["status"].text() == "Synced" &&
                  status.at({"health", "status"}).text() == "Healthy";
    if (state.ready && state.revision.empty()) {
        state.ready = false;
        state.error = "unable to find .status.sync.revision in ready target object";
    }
    return state;
}

std::string group_of(JsonView object) {
    const std::string version = object["apiVersion"].text();
    return version.substr(0, version.find('/'));
}

}  // namespace

ApplicationState application_state(JsonView object) {
    const JsonView status = object["status"];
    const bool deleting = static_cast<bool>(object.at({"metadata", "deletionTimestamp"}));
    const std::string group = group_of(object);
    if (group == "argoproj.io") {
        ApplicationState state = argo_state(status);
        state.ready = state.ready && !deleting;
        return state;
    }
    ApplicationState state;
    state.ready = has_condition(status, "Ready") && !deleting;
    state.revision = status["lastAppliedRevision"].text();
    if (group == "helm.toolkit.fluxcd.io") {
        if (const JsonView release = first_of(status["history"])) {
            const std::string deployed = release["status"].text();
            const std::string version = release["chartVersion"].text();
            if (!version.empty()) state.revision = version;
            if (!deployed.empty() && deployed != "deployed") state.ready = false;
        }
    }
    if (state.ready && state.revision.empty()) {
        state.ready = false;
        state.error = "unable to find .status.lastAppliedRevision in ready target object";
    }
    return state;
}

}  // namespace promotiond::platform
