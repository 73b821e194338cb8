#include "platform/lease_record.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "model/codec.hpp"
#include "platform/json_view.hpp"

namespace promotiond::platform {
namespace {

namespace json = boost::json;

// metav1.MicroTime.
std::string micro_time(WallTime time) {
    auto text = model::time_to_text(time);
    text.pop_back();
    return text + "000Z";
}

json::object object_of(const LeaseRecord& record) {
    boost::system::error_code broken;
    auto value = json::parse(record.object, broken);
    return !broken && value.is_object() ? value.as_object() : json::object();
}

json::object& member(json::object& object, std::string_view name) {
    auto& value = object[name];
    if (!value.is_object()) value.emplace_object();
    return value.as_object();
}

std::int64_t transitions(const json::object& spec) {
    const auto* value = spec.if_contains("leaseTransitions");
    return value != nullptr && value->is_int64() ? value->as_int64() : 0;
}

}  // namespace

LeaseRecord lease_record(std::string object) {
    LeaseRecord record;
    record.object = std::move(object);
    const JsonView view(record.object);
    record.version = view.at({"metadata", "resourceVersion"}).text();
    record.address = view.at({"metadata", "annotations", kLeaseAddress}).text();
    record.holder = view.at({"spec", "holderIdentity"}).text();
    record.duration =
        std::chrono::seconds{view.at({"spec", "leaseDurationSeconds"}).number().value_or(0)};
    return record;
}

std::string claimed(const LeaseRecord& before, const LeaseClaim& claim, WallTime now) {
    auto lease = object_of(before);
    lease["apiVersion"] = "coordination.k8s.io/v1";
    lease["kind"] = "Lease";
    auto& metadata = member(lease, "metadata");
    metadata["name"] = claim.name;
    metadata["namespace"] = claim.ns;
    member(metadata, "annotations")[kLeaseAddress] = claim.address;
    auto& spec = member(lease, "spec");
    if (before.holder != claim.identity) {
        // As client-go counts: the first holder of a new lease is no transition.
        const bool fresh = before.object.empty();
        spec["leaseTransitions"] = fresh ? 0 : transitions(spec) + 1;
        spec["acquireTime"] = micro_time(now);
    }
    spec["holderIdentity"] = claim.identity;
    spec["renewTime"] = micro_time(now);
    spec["leaseDurationSeconds"] =
        std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(claim.duration).count());
    return json::serialize(lease);
}

std::string released(const LeaseRecord& before, WallTime now) {
    auto lease = object_of(before);
    member(member(lease, "metadata"), "annotations").erase(kLeaseAddress);
    auto& spec = member(lease, "spec");
    spec.erase("holderIdentity");
    spec["renewTime"] = micro_time(now);
    spec["leaseDurationSeconds"] = 1;
    return json::serialize(lease);
}

}  // namespace promotiond::platform
