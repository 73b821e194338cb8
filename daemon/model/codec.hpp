// codec: YAML and JSON <-> model, with source positions. The only YAML and JSON reading of the
// core.
//
// Everything read here comes from outside and is bounded: size, depth, no anchors or aliases, no
// duplicate keys, known keys only. An error names file:line:column (YAML) or the byte offset (JSON)
// and what to do.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/event.hpp"
#include "model/pipeline.hpp"
#include "model/promotion.hpp"

namespace promotiond::model {

struct PipelineFile {
    std::vector<Pipeline> pipelines;  // in order
    // "file:line:column: ..." for each document of another kind and API group.
    std::vector<std::string> foreign;
    bool empty = false;  // no document at all
};

// Every `kind: Pipeline` document of a file. Invalid for what is wrong in any of them, or in one
// that looks like a misspelt one; each line of the message is one mistake and begins with
// "file:line:column: ".
// Takes the design documents' spelling of spec.promotion and every shipped one.
[[nodiscard]] Result<PipelineFile> pipelines_from_yaml(std::string_view text,
                                                       const std::string& file);

// One Pipeline as a Kubernetes API server returns it (JSON). `place` says for people where it is
// ("team/podinfo in Kubernetes"): messages begin with it, and it is the Position's file.
[[nodiscard]] Result<Pipeline> pipeline_from_json(std::string_view text,
                                                  const std::string& place = {});

// The body of an event. Invalid: "byte <n>: ..." for what is not strict JSON (duplicate keys,
// trailing text, bad UTF-8, depth over 32), "<field>: ..." for a wrong type or a control character.
// A missing or empty metadata.revision is ErrorKind::NotFound with pipeline-controller's text
// "event has no 'revision' in the metadata field.".
[[nodiscard]] Result<Event> event_from_json(std::string_view body);

// sdk/schema/event-1 and targets-1: what strategies receive.
[[nodiscard]] std::string event_to_json(const Event& event);
[[nodiscard]] std::string targets_to_json(const Environment& environment,
                                          const std::string& only_target);

// RFC 3339 in UTC, "2026-11-21T05:10:00.123Z"; times outside of years 1970 to 9999 are refused.
[[nodiscard]] std::string time_to_text(WallTime time);
[[nodiscard]] Result<WallTime> time_from_text(std::string_view text);

}  // namespace promotiond::model
