/* A strategy in plain C11 against the header of 1.0, with every verb. Never edited: it stands for
 * plugins that exist. */
#include <promotiond/abi.h>
#include <promotiond/ext/lane.h>
#include <promotiond/ext/observe.h>
#include <promotiond/ext/plan.h>
#include <promotiond/ext/secrets.h>
#include <string.h>

#define TEXT(literal) \
    { literal, sizeof(literal) - 1 }

static const promotiond_host* the_host;

static int same(promotiond_view view, const char* text) {
    return view.size == strlen(text) && memcmp(view.data, text, view.size) == 0;
}

static void tell_length(void* user, promotiond_view bytes) { *(size_t*)user = bytes.size; }

static promotiond_outcome promote(promotiond_strategy* strategy, const promotiond_call* call,
                                  const promotiond_request* request) {
    const promotiond_view id = TEXT(PROMOTIOND_EXT_SECRETS);
    const promotiond_view name = TEXT("forge");
    const promotiond_view key = TEXT("token");
    const promotiond_view message = TEXT("the token is not 5 bytes long");
    const promotiond_view no_secrets = TEXT("this host offers no secrets");
    const promotiond_view step = TEXT("promoting");
    const promotiond_result result = {
        sizeof(result), 0, request->environment,  TEXT("https://forge.test/7"),
        TEXT("7"),      0, TEXT("{\"number\":7}")};
    const promotiond_secrets* secrets = the_host->get_service(the_host, id);
    size_t length = 0;
    (void)strategy;
    if (call->cancelled(call)) return PROMOTIOND_CANCELLED;
    if (secrets == NULL || secrets->size < sizeof(*secrets)) {
        call->fail(call, no_secrets);
        return PROMOTIOND_REJECTED;
    }
    call->progress(call, step);
    call->log(call, PROMOTIOND_LOG_DEBUG, request->promotion_id);
    if (secrets->get(call, name, key, tell_length, &length) != PROMOTIOND_SECRET_OK ||
        length != 5) {
        call->fail(call, message);
        return PROMOTIOND_REJECTED;
    }
    call->answer(call, &result);
    return call->remaining_ms(call) > 0 ? PROMOTIOND_PENDING : PROMOTIOND_RETRY;
}

static promotiond_outcome observe(promotiond_strategy* strategy, const promotiond_call* call,
                                  const promotiond_request* request, promotiond_view external_id,
                                  promotiond_view details) {
    const promotiond_view closed = TEXT("it was closed");
    (void)strategy;
    (void)request;
    if (same(external_id, "7") && same(details, "{\"number\":7}")) return PROMOTIOND_DONE;
    call->fail(call, closed);
    return PROMOTIOND_REJECTED;
}

static promotiond_outcome plan(promotiond_strategy* strategy, const promotiond_call* call,
                               const promotiond_request* request) {
    const promotiond_result result = {sizeof(result),           0, TEXT("would"), {0, 0}, {0, 0}, 0,
                                      TEXT("{\"diff\":\"+x\"}")};
    (void)strategy;
    (void)request;
    call->answer(call, &result);
    return PROMOTIOND_DONE;
}

static void lane(promotiond_strategy* strategy, const promotiond_request* request,
                 promotiond_sink sink, void* user) {
    (void)strategy;
    sink(user, request->pipeline_name);
}

static const void* extension(promotiond_strategy* strategy, promotiond_view id) {
    static const promotiond_observe observe_table = {sizeof(observe_table), 0, observe};
    static const promotiond_plan plan_table = {sizeof(plan_table), 0, plan};
    static const promotiond_lane lane_table = {sizeof(lane_table), 0, lane};
    (void)strategy;
    if (same(id, PROMOTIOND_EXT_OBSERVE)) return &observe_table;
    if (same(id, PROMOTIOND_EXT_PLAN)) return &plan_table;
    if (same(id, PROMOTIOND_EXT_LANE)) return &lane_table;
    return NULL;
}

static void destroy(promotiond_strategy* strategy) { (void)strategy; }

static promotiond_strategy instance = {sizeof(instance), 0, NULL, promote, extension, destroy};

static promotiond_outcome create(const promotiond_host* host, const promotiond_call* call,
                                 promotiond_view settings, promotiond_strategy** out) {
    (void)call;
    (void)settings;
    the_host = host;
    host->log(host, PROMOTIOND_LOG_DEBUG, host->product);
    if (host->now_ms(host) <= 0) return PROMOTIOND_RETRY;
    *out = &instance;
    return PROMOTIOND_DONE;
}

const promotiond_plugin promotiond_plugin_v1 = {sizeof(promotiond_plugin),
                                                PROMOTIOND_TARGET_MINOR,
                                                TEXT("frozen-1.0-c"),
                                                TEXT("frozenC"),
                                                {0, 0},
                                                {0, 0},
                                                TEXT("1.0.0"),
                                                TEXT("stands for C plugins of 1.0"),
                                                TEXT("{\"type\":\"object\"}"),
                                                create};
