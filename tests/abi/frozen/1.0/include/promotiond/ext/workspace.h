/* promotiond.workspace/1, a host service: directories to work in. */
#ifndef PROMOTIOND_EXT_WORKSPACE_H
#define PROMOTIOND_EXT_WORKSPACE_H

#include "../abi.h"

#define PROMOTIOND_EXT_WORKSPACE "promotiond.workspace/1"

typedef struct promotiond_workspace {
    uint32_t size;
    uint32_t reserved;
    /* [any] Absolute path of an empty directory, mode 0700, removed with all in it after the call.
     * Same path each time within one call. False: it could not be made; sink then receives the
     * reason instead. */
    bool (*scratch)(const promotiond_call* call, promotiond_sink sink, void* user);
    /* [any] Absolute path of a directory, mode 0700, that is kept between calls and restarts, one
     * per plugin and key (1 to 200 bytes, any text: the host makes a safe name of it). Contents are
     * a cache: may vanish between calls, and several calls may share it at once, so lock what needs
     * it with a file lock. False as above. */
    bool (*cache)(const promotiond_call* call, promotiond_view key, promotiond_sink sink,
                  void* user);
} promotiond_workspace;

#endif
