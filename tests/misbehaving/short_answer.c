/* Well-behaved: an answer compiled by an older SDK, whose size ends before the last member. What
 * lies behind it is not for the host to read. */
#include <stddef.h>

#include "zoo.h"

static promotiond_outcome promote(promotiond_strategy* strategy, const promotiond_call* call,
                                  const promotiond_request* request) {
    promotiond_result result = {
        offsetof(promotiond_result, details), 0, ZOO_TEXT("short"), {0, 0}, {0, 0}, 0, {0, 0}};
    (void)strategy;
    (void)request;
    result.details.data = (const char*)1;
    result.details.size = 1000;
    call->answer(call, &result);
    return PROMOTIOND_DONE;
}

ZOO("short-answer", promote);
