/* promotiond.lane/1, a strategy extension: what must not run at the same time?
 *
 * The host never runs two promotions of one lane at once; different lanes run in parallel. Without
 * this extension each pipeline and environment is a lane of its own. */
#ifndef PROMOTIOND_EXT_LANE_H
#define PROMOTIOND_EXT_LANE_H

#include "../abi.h"

#define PROMOTIOND_EXT_LANE "promotiond.lane/1"

typedef struct promotiond_lane {
    uint32_t size;
    uint32_t reserved;
    /* [any] Pure: same request, same lane (at most 500 bytes, delivered once). No I/O, no waiting.
     */
    void (*lane)(promotiond_strategy* strategy, const promotiond_request* request,
                 promotiond_sink sink, void* user);
} promotiond_lane;

#endif
