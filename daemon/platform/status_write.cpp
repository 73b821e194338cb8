#include "platform/status_write.hpp"

#include <boost/json.hpp>

#include "platform/kube_object.hpp"
#include "platform/status_patch.hpp"

namespace promotiond::platform {
namespace {

std::string apply_body(const model::PipelineName& name, const std::string& status) {
    boost::json::object metadata{{"name", name.name}, {"namespace", name.ns}};
    return R"({"apiVersion":")" + kPipelines.api_version() + R"(","kind":"Pipeline","metadata":)" +
           boost::json::serialize(metadata) + R"(,"status":)" + status + "}";
}

std::string merge_body(const std::string& status) { return R"({"status":)" + status + "}"; }

std::string status_after(const KnownStatus& known, const std::string& before,
                         const StatusView& view, WallTime now) {
    return known.fault.empty() ? pipeline_status(known.wanted, before, view, now)
                               : faulty_status(known.fault, known.generation, before, now);
}

// An object of the wrong types cannot be applied to; and an apply takes nothing away that another
// field manager wrote.
void set_body(StatusWrite& write, const model::PipelineName& name, const KnownStatus& known) {
    const std::string leftover = leftovers(*known.current, write.status);
    if (known.fault.empty() && !known.replace && leftover.empty()) {
        write.body = apply_body(name, write.status);
        return;
    }
    write.kind = KubePatchKind::Merge;
    if (known.fault.empty() && known.replace) {
        write.body = merge_body(replacement(*known.current, write.status));
    } else {
        write.body = merge_body(leftover.empty() ? write.status : leftover);
    }
}

}  // namespace

std::optional<StatusWrite> status_write(const model::PipelineName& name, const KnownStatus& known,
                                        const StatusView& view, WallTime now) {
    if (!known.current) return std::nullopt;
    if (known.wanted.pipeline == nullptr && known.fault.empty()) return std::nullopt;
    StatusWrite write;
    write.status = status_after(known, *known.current, view, now);
    if (write.status.empty()) return std::nullopt;
    write.needed = !says_already(*known.current, write.status);
    if (!write.needed) return write;
    // What was overwritten is put back as it was, with its times.
    write.again = !known.said.empty() && status_after(known, known.said, view, now) == known.said;
    if (write.again) write.status = known.said;
    set_body(write, name, known);
    return write;
}

}  // namespace promotiond::platform
