/* promotiond.secrets/1, a host service: read one value of one secret.
 *
 * The host decides which secrets a call may see: only those of the namespace of the promotion's
 * Pipeline. A value that was handed out is masked in all later log lines. */
#ifndef PROMOTIOND_EXT_SECRETS_H
#define PROMOTIOND_EXT_SECRETS_H

#include "../abi.h"

#define PROMOTIOND_EXT_SECRETS "promotiond.secrets/1"

enum {
    PROMOTIOND_SECRET_OK = 0,
    PROMOTIOND_SECRET_NO_SECRET = 1,   /* no secret of that name in the Pipeline's namespace */
    PROMOTIOND_SECRET_NO_KEY = 2,      /* the secret has no such key */
    PROMOTIOND_SECRET_UNAVAILABLE = 3, /* the store cannot be asked now; try again later */
    PROMOTIOND_SECRET_INVALID =
        4 /* the name or key is not a valid one (a path, a control character) */
};

typedef struct promotiond_secrets {
    uint32_t size;
    uint32_t reserved;
    /* [any] Delivers the value's exact bytes to sink, once, when it returns OK; else does not call
     * sink. */
    int32_t (*get)(const promotiond_call* call, promotiond_view secret, promotiond_view key,
                   promotiond_sink sink, void* user);
} promotiond_secrets;

#endif
