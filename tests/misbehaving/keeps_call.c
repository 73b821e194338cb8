/* Keeps the call and uses it after its verb has returned, from the next lane(). */
#include <promotiond/ext/lane.h>

#include "zoo.h"

static const promotiond_call* kept;

static promotiond_outcome promote(promotiond_strategy* strategy, const promotiond_call* call,
                                  const promotiond_request* request) {
    (void)strategy;
    (void)request;
    kept = call;
    return PROMOTIOND_DONE;
}

static void lane(promotiond_strategy* strategy, const promotiond_request* request,
                 promotiond_sink sink, void* user) {
    const promotiond_view text = ZOO_TEXT("too late");
    promotiond_result result = {sizeof(result), 0, ZOO_TEXT("late"), {0, 0}, {0, 0}, 0, {0, 0}};
    const promotiond_view answer = ZOO_TEXT("cancelled");
    (void)strategy;
    (void)request;
    kept->log(kept, PROMOTIOND_LOG_ERROR, text);
    kept->progress(kept, text);
    kept->fail(kept, text);
    kept->answer(kept, &result);
    if (kept->cancelled(kept) && kept->remaining_ms(kept) == 0) sink(user, answer);
}

static const void* extension(promotiond_strategy* strategy, promotiond_view id) {
    static const promotiond_lane table = {sizeof(table), 0, lane};
    (void)strategy;
    return id.size == sizeof(PROMOTIOND_EXT_LANE) - 1 && id.data[11] == 'l' ? &table : NULL;
}

static promotiond_strategy instance = {sizeof(instance), 0, NULL, promote, extension, zoo_destroy};

static promotiond_outcome create(const promotiond_host* host, const promotiond_call* call,
                                 promotiond_view settings, promotiond_strategy** out) {
    (void)host;
    (void)call;
    (void)settings;
    *out = &instance;
    return PROMOTIOND_DONE;
}

ZOO_PLUGIN("keeps-call", create);
