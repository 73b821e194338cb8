// Lets an exception out of every function but create.
#include <promotiond/ext/lane.h>
#include <promotiond/ext/observe.h>
#include <promotiond/ext/plan.h>

#include <stdexcept>
#include <string_view>

#include "zoo.h"

namespace {

promotiond_outcome promote(promotiond_strategy*, const promotiond_call*,
                           const promotiond_request*) {
    throw std::runtime_error("from promote");
}
promotiond_outcome observe(promotiond_strategy*, const promotiond_call*, const promotiond_request*,
                           promotiond_view, promotiond_view) {
    throw 7;
}
promotiond_outcome plan(promotiond_strategy*, const promotiond_call*, const promotiond_request*) {
    throw std::runtime_error("from plan");
}
void lane(promotiond_strategy*, const promotiond_request*, promotiond_sink, void*) {
    throw std::runtime_error("from lane");
}
void destroy(promotiond_strategy*) { throw std::runtime_error("from destroy"); }

const void* extension(promotiond_strategy*, promotiond_view id) {
    static constexpr promotiond_observe kObserve{sizeof(promotiond_observe), 0, &observe};
    static constexpr promotiond_plan kPlan{sizeof(promotiond_plan), 0, &plan};
    static constexpr promotiond_lane kLane{sizeof(promotiond_lane), 0, &lane};
    const std::string_view name(id.data, id.size);
    if (name == PROMOTIOND_EXT_OBSERVE) return &kObserve;
    if (name == PROMOTIOND_EXT_PLAN) return &kPlan;
    if (name == PROMOTIOND_EXT_LANE) return &kLane;
    throw std::runtime_error("unknown extension");
}

promotiond_strategy instance{sizeof(instance), 0, nullptr, &promote, &extension, &destroy};

promotiond_outcome create(const promotiond_host*, const promotiond_call*, promotiond_view,
                          promotiond_strategy** out) {
    *out = &instance;
    return PROMOTIOND_DONE;
}

}  // namespace

extern "C" {
ZOO_PLUGIN("throws-everywhere", &create);
}
