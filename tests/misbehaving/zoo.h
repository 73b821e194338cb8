/* What the plugins of the zoo share: a well-formed plugin in as few lines as possible, so that each
 * file shows nothing but its sin. */
#ifndef PROMOTIOND_ZOO_H
#define PROMOTIOND_ZOO_H

#include <promotiond/abi.h>

#define ZOO_TEXT(literal) \
    { literal, sizeof(literal) - 1 }

/* The exported object; every member as it should be. */
#define ZOO_PLUGIN(NAME, CREATE)                                               \
    const promotiond_plugin promotiond_plugin_v1 = {sizeof(promotiond_plugin), \
                                                    0,                         \
                                                    ZOO_TEXT(NAME),            \
                                                    ZOO_TEXT(NAME),            \
                                                    {0, 0},                    \
                                                    {0, 0},                    \
                                                    ZOO_TEXT("1.0.0"),         \
                                                    ZOO_TEXT("misbehaves"),    \
                                                    {0, 0},                    \
                                                    CREATE}

static inline void zoo_destroy(promotiond_strategy* strategy) { (void)strategy; }

static inline const void* zoo_no_extension(promotiond_strategy* strategy, promotiond_view id) {
    (void)strategy;
    (void)id;
    return NULL;
}

/* A plugin whose instances are one object without state, with the given promote. */
#define ZOO(NAME, PROMOTE)                                                                         \
    static promotiond_strategy zoo_strategy = {                                                    \
        sizeof(promotiond_strategy), 0, NULL, PROMOTE, zoo_no_extension, zoo_destroy};             \
    static promotiond_outcome zoo_create(const promotiond_host* host, const promotiond_call* call, \
                                         promotiond_view settings, promotiond_strategy** out) {    \
        (void)host;                                                                                \
        (void)call;                                                                                \
        (void)settings;                                                                            \
        *out = &zoo_strategy;                                                                      \
        return PROMOTIOND_DONE;                                                                    \
    }                                                                                              \
    ZOO_PLUGIN(NAME, zoo_create)

#endif
