// What an event says of the application: did it come to run the revision, or is it something else.
// Part of decide(); pure.
//
// Source: events of helm-controller 0.25 to 1.x and kustomize-controller 0.30 to 1.x
// (fluxcd/helm-controller api/v2 condition_types.go, fluxcd/pkg apis/meta conditions.go; read
// 2026-11).
#pragma once

#include "decision/decide.hpp"

namespace promotiond::decision {

// nullopt: the revision runs successfully. Else why the event does not promote; the code is one of
// "reports-failure", "in-progress", "rolled-back", "test", "uninstalled", "unclear".
[[nodiscard]] std::optional<Reason> why_no_evidence(const model::Event& event);

}  // namespace promotiond::decision
