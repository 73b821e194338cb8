/* Every text that it gives is broken UTF-8. */
#include "zoo.h"

static promotiond_outcome promote(promotiond_strategy* strategy, const promotiond_call* call,
                                  const promotiond_request* request) {
    const promotiond_view broken = ZOO_TEXT("a\xff\xc0\xaf\xed\xa0\x80z");
    promotiond_result result = {sizeof(result), 0, broken, broken, broken, 0, broken};
    (void)strategy;
    (void)request;
    call->log(call, PROMOTIOND_LOG_INFO, broken);
    call->progress(call, broken);
    call->fail(call, broken);
    call->answer(call, &result);
    return PROMOTIOND_REJECTED;
}

ZOO("invalid-utf8", promote);
