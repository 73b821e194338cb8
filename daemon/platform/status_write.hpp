// StatusWrite: what is to be written into the status of one Pipeline object, by what is known of
// both. Internal to KubernetesStatus.
//
// Thread-safety: a pure function.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "platform/kube_client.hpp"
#include "platform/pipeline_status.hpp"
#include "platform/platform.hpp"

namespace promotiond::platform {

struct KnownStatus {
    PipelineState wanted;                // how the Pipeline stands
    std::optional<std::string> current;  // as the server has it; none: it was not seen yet
    std::string fault;                   // the object cannot be read
    std::int64_t generation = 0;         // of what cannot be read
    std::string said;                    // what was written last, or was there
    bool replace = false;                // what is there cannot be applied to
};

struct StatusWrite {
    std::string status;   // as it is to be
    bool needed = false;  // the object does not say it already
    bool again = false;   // the same was written before: somebody took it away
    KubePatchKind kind = KubePatchKind::Apply;
    std::string body;
};

// None: nothing can be said yet.
[[nodiscard]] std::optional<StatusWrite> status_write(const model::PipelineName& name,
                                                      const KnownStatus& known,
                                                      const StatusView& view, WallTime now);

}  // namespace promotiond::platform
