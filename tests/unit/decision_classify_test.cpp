// Which events say that a revision runs, for controllers old and new.
#include "decision_story.hpp"

using namespace promotiond;
using namespace promotiond::decision;

namespace {

struct Said {
    const char* severity;
    const char* reason;
    const char* message;
    const char* code;  // of the reason it is ignored for; null = it promotes
};

}  // namespace

TEST_CASE("decision: only success promotes, in the words of every controller") {
    const Said said = GENERATE(values<Said>({
        {"", "", "", nullptr},
        {"info", "info", "Helm upgrade succeeded", nullptr},
        {"info", "info", "Helm install succeeded", nullptr},
        {"info", "info", "Release reconciliation succeeded", nullptr},
        {"info", "info", "Reconciliation finished in 1.2s, next run in 5m0s", nullptr},
        {"info", "ReconciliationSucceeded", "Reconciliation finished", nullptr},
        {"info", "UpgradeSucceeded",
         "Helm upgrade succeeded for release a/b.v2 with chart test-failed@1", nullptr},
        {"info", "InstallSucceeded", "Helm install succeeded for release a/b.v1", nullptr},
        {"info", "info", "Helm upgrade has started", "in-progress"},
        {"info", "UpgradeSucceeded", "Helm upgrade has started", "in-progress"},
        {"info", "Progressing", "Running 'upgrade' action", "in-progress"},
        {"info", "DependencyNotReady", "dependencies do not meet ready condition", "in-progress"},
        {"info", "info", "HelmChart 'a/b' is not ready", "in-progress"},
        {"trace", "UpgradeSucceeded", "", "in-progress"},
        {"error", "UpgradeFailed", "Helm upgrade failed: timed out", "reports-failure"},
        {"info", "UpgradeFailed", "", "reports-failure"},
        {"error", "UpgradeSucceeded", "", "reports-failure"},
        {"error", "error", "reconciliation failed: upgrade retries exhausted", "reports-failure"},
        {"info", "info", "Helm upgrade failed: x", "reports-failure"},
        {"error", "HealthCheckFailed", "", "reports-failure"},
        {"info", "RollbackSucceeded", "Helm rollback to previous release succeeded", "rolled-back"},
        {"info", "info", "Helm rollback succeeded", "rolled-back"},
        {"info", "TestSucceeded", "2 test hooks completed successfully", "test"},
        {"info", "info", "Helm test succeeded", "test"},
        {"error", "TestFailed", "", "reports-failure"},
        {"info", "UninstallSucceeded", "", "uninstalled"},
        {"info", "info", "Helm uninstall succeeded", "uninstalled"},
        {"info", "info", "deployment/app configured", "unclear"},
        {"info", "Whatever", "", "unclear"},
    }));
    INFO(said.severity << " / " << said.reason << " / " << said.message);
    Story story(
        "[{name: dev, targets: [{namespace: a}]}, {name: prod, targets: [{namespace: a}]}]");
    auto event = story.event("dev", "a", "1");
    event.event.severity = said.severity;
    event.event.reason = said.reason;
    event.event.message = said.message;
    const Decision decision = story.tell(event);
    if (said.code == nullptr) {
        CHECK(decision.verdict == Verdict::Promote);
        return;
    }
    CHECK(decision.verdict == Verdict::Ignore);
    CHECK(decision.due.empty());
    CHECK(decision.evidence.empty());
    REQUIRE(decision.reasons.size() == 1);
    CHECK(decision.reasons[0].code == said.code);
}
