/* Details of 100 MB. */
#include <stdlib.h>
#include <string.h>

#include "zoo.h"

enum { kBytes = 100 * 1024 * 1024 };

static promotiond_outcome promote(promotiond_strategy* strategy, const promotiond_call* call,
                                  const promotiond_request* request) {
    promotiond_result result = {sizeof(result), 0, {0, 0}, {0, 0}, {0, 0}, 0, {0, 0}};
    char* text = malloc(kBytes);
    (void)strategy;
    (void)request;
    if (text == NULL) return PROMOTIOND_RETRY;
    memset(text, ' ', kBytes);
    result.details.data = text;
    result.details.size = kBytes;
    call->answer(call, &result);
    free(text);
    return PROMOTIOND_DONE;
}

ZOO("huge-details", promote);
