/* promotiond.plan/1, a strategy extension: what would promote do?
 *
 * The same work without any effect that others could see. */
#ifndef PROMOTIOND_EXT_PLAN_H
#define PROMOTIOND_EXT_PLAN_H

#include "../abi.h"

#define PROMOTIOND_EXT_PLAN "promotiond.plan/1"

typedef struct promotiond_plan {
    uint32_t size;
    uint32_t reserved;
    /* [call] DONE with an answer whose details hold the plan (details-1.schema.json: diff, title,
     * body, or a request), or the outcome that promote would have come to before its first effect.
     */
    promotiond_outcome (*plan)(promotiond_strategy* strategy, const promotiond_call* call,
                               const promotiond_request* request);
} promotiond_plan;

#endif
