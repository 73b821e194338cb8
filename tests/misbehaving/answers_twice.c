/* Gives two answers in one verb. */
#include "zoo.h"

static promotiond_outcome promote(promotiond_strategy* strategy, const promotiond_call* call,
                                  const promotiond_request* request) {
    promotiond_result result = {sizeof(result), 0, ZOO_TEXT("first"), {0, 0}, {0, 0}, 0, {0, 0}};
    const promotiond_view second = ZOO_TEXT("second");
    (void)strategy;
    (void)request;
    call->answer(call, &result);
    result.summary = second;
    call->answer(call, &result);
    return PROMOTIOND_DONE;
}

ZOO("answers-twice", promote);
