/* A location that a browser would run, details that are no object, and a negative wait. */
#include "zoo.h"

static promotiond_outcome promote(promotiond_strategy* strategy, const promotiond_call* call,
                                  const promotiond_request* request) {
    const promotiond_result result = {
        sizeof(result), 0,  ZOO_TEXT("kept"), ZOO_TEXT("javascript:alert(1)"),
        ZOO_TEXT("7"),  -5, ZOO_TEXT("[1]")};
    (void)strategy;
    (void)request;
    call->answer(call, &result);
    return PROMOTIOND_DONE;
}

ZOO("bad-location", promote);
