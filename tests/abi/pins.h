#ifndef PROMOTIOND_PINS_H
#define PROMOTIOND_PINS_H
/* Where the last member of each released band lies, on LP64 machines. A pin is never changed; a new
 * band adds pins for the members that it appends. */
#include <promotiond/abi.h>
#include <promotiond/ext/dial.h>
#include <promotiond/ext/http.h>
#include <promotiond/ext/lane.h>
#include <promotiond/ext/observe.h>
#include <promotiond/ext/plan.h>
#include <promotiond/ext/secrets.h>
#include <promotiond/ext/workspace.h>

#ifdef __cplusplus
#define PIN(type, member, at) static_assert(offsetof(type, member) == (at), #type "." #member);
#else
#define PIN(type, member, at) _Static_assert(offsetof(type, member) == (at), #type "." #member);
#endif

/* 1.0 */
PIN(promotiond_view, size, 8)
PIN(promotiond_host, get_service, 64)
PIN(promotiond_call, answer, 56)
PIN(promotiond_request, event, 176)
PIN(promotiond_result, details, 64)
PIN(promotiond_strategy, destroy, 32)
PIN(promotiond_plugin, create, 120)
PIN(promotiond_secrets, get, 8)
PIN(promotiond_http_request, proxy, 136)
PIN(promotiond_http_response, error, 40)
PIN(promotiond_http, send, 8)
PIN(promotiond_workspace, cache, 16)
PIN(promotiond_dial, connect, 8)
PIN(promotiond_lane, lane, 8)
PIN(promotiond_observe, observe, 8)
PIN(promotiond_plan, plan, 8)

/* The numbers of the outcomes are part of the promise, too. */
enum {
    pinned = 1 / (PROMOTIOND_DONE == 0 && PROMOTIOND_PENDING == 1 && PROMOTIOND_RETRY == 2 &&
                  PROMOTIOND_REJECTED == 3 && PROMOTIOND_CANCELLED == 4)
};

#endif
