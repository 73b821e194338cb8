/* promotiond.observe/1, a strategy extension: what became of a promotion that is PENDING?
 *
 * Without it a PENDING promotion stays so until a person says otherwise. */
#ifndef PROMOTIOND_EXT_OBSERVE_H
#define PROMOTIOND_EXT_OBSERVE_H

#include "../abi.h"

#define PROMOTIOND_EXT_OBSERVE "promotiond.observe/1"

typedef struct promotiond_observe {
    uint32_t size;
    uint32_t reserved;
    /* [call] Looks, changes nothing. request is the one that was promoted; external_id and details
     * are those of the last answer. DONE: it happened (merged). PENDING: not yet. REJECTED: it will
     * not happen (closed); fail says so. RETRY: could not be found out now. An answer, if given,
     * replaces location, external id and details. */
    promotiond_outcome (*observe)(promotiond_strategy* strategy, const promotiond_call* call,
                                  const promotiond_request* request, promotiond_view external_id,
                                  promotiond_view details);
} promotiond_observe;

#endif
