// Event: what a sender told us over HTTP. Evidence: what we hold a target to be running, and since
// when.
//
// Field meaning follows Flux's event (fluxcd/pkg apis/event v1beta1): involvedObject, severity,
// reason, message, metadata.revision, timestamp.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "model/pipeline.hpp"

namespace promotiond::model {

struct InvolvedObject {
    std::string api_version;
    std::string kind;
    std::string ns;
    std::string name;
};

struct Event {
    InvolvedObject object;
    std::string severity;
    std::string reason;
    std::string message;
    std::string revision;  // metadata.revision; never empty
    std::map<std::string, std::string> metadata;
    std::optional<WallTime> timestamp;  // the sender's
    std::string reporting_controller;
};

// An event as it arrived: which Pipeline and environment the address named, and its exact bytes.
struct ReceivedEvent {
    PipelineName pipeline;
    std::string environment;  // in which the application runs the revision
    Event event;
    std::string body;    // as received, after its signature was checked
    std::string digest;  // lower-case hex SHA-256 of the body
    std::string peer;    // address of the sender, for the record
};

// A target of an environment runs a revision successfully.
struct Evidence {
    std::string environment;
    std::string target;  // Target::text()
    std::string revision;
    std::string previous_revision;  // what it ran before, empty if unknown
    WallTime event_time{};          // the sender's time, else the arrival
    WallTime seen{};                // arrival
    std::string digest;             // of the event that said so
};

}  // namespace promotiond::model
