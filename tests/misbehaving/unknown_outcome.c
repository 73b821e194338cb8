/* Returns an outcome that does not exist. */
#include "zoo.h"

static promotiond_outcome promote(promotiond_strategy* strategy, const promotiond_call* call,
                                  const promotiond_request* request) {
    (void)strategy;
    (void)call;
    (void)request;
    return 42;
}

ZOO("unknown-outcome", promote);
