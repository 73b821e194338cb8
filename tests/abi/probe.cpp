// What abidiff looks at: one exported function for each public struct, and each slot's type spelled
// as a parameter, so that a slot can be neither removed, renamed nor retyped unseen. Never linked
// into anything.
#include <promotiond/abi.h>
#include <promotiond/ext/dial.h>
#include <promotiond/ext/http.h>
#include <promotiond/ext/lane.h>
#include <promotiond/ext/observe.h>
#include <promotiond/ext/plan.h>
#include <promotiond/ext/secrets.h>
#include <promotiond/ext/workspace.h>

#define PROBE(type) \
    void probe_##type(const type*) {}
#define SLOT(type, member) \
    void slot_##type##_##member(decltype(type::member)) {}

extern "C" {
PROBE(promotiond_view)
PROBE(promotiond_host)
SLOT(promotiond_host, log)
SLOT(promotiond_host, now_ms)
SLOT(promotiond_host, get_service)
PROBE(promotiond_call)
SLOT(promotiond_call, cancelled)
SLOT(promotiond_call, remaining_ms)
SLOT(promotiond_call, log)
SLOT(promotiond_call, progress)
SLOT(promotiond_call, fail)
SLOT(promotiond_call, answer)
PROBE(promotiond_request)
PROBE(promotiond_result)
PROBE(promotiond_strategy)
SLOT(promotiond_strategy, promote)
SLOT(promotiond_strategy, get_extension)
SLOT(promotiond_strategy, destroy)
PROBE(promotiond_plugin)
SLOT(promotiond_plugin, create)
PROBE(promotiond_dial)
SLOT(promotiond_dial, connect)
PROBE(promotiond_http)
SLOT(promotiond_http, send)
PROBE(promotiond_http_request)
PROBE(promotiond_http_response)
PROBE(promotiond_lane)
SLOT(promotiond_lane, lane)
PROBE(promotiond_observe)
SLOT(promotiond_observe, observe)
PROBE(promotiond_plan)
SLOT(promotiond_plan, plan)
PROBE(promotiond_secrets)
SLOT(promotiond_secrets, get)
PROBE(promotiond_workspace)
SLOT(promotiond_workspace, scratch)
SLOT(promotiond_workspace, cache)
}
