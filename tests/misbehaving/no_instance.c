/* Says DONE and makes no instance. */
#include "zoo.h"

static promotiond_outcome create(const promotiond_host* host, const promotiond_call* call,
                                 promotiond_view settings, promotiond_strategy** out) {
    (void)host;
    (void)call;
    (void)settings;
    (void)out;
    return PROMOTIOND_DONE;
}

ZOO_PLUGIN("no-instance", create);
