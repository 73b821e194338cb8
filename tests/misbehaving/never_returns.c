/* Ignores deadline and cancellation until the file named by its event is gone. */
#define _POSIX_C_SOURCE 200809L
#include <time.h>
#include <unistd.h>

#include "zoo.h"

static promotiond_outcome promote(promotiond_strategy* strategy, const promotiond_call* call,
                                  const promotiond_request* request) {
    const struct timespec moment = {0, 2000000};
    char path[4096];
    size_t i;
    (void)strategy;
    (void)call;
    for (i = 0; i < request->event.size && i + 1 < sizeof(path); ++i)
        path[i] = request->event.data[i];
    path[i] = '\0';
    while (access(path, F_OK) == 0) nanosleep(&moment, NULL);
    return PROMOTIOND_DONE;
}

ZOO("never-returns", promote);
