/* promotiond.dial/1, a host service: a TCP connection under the host's address rules and proxy.
 *
 * For protocols that are not HTTP exchanges, such as git's own transport. TLS is the caller's
 * business. */
#ifndef PROMOTIOND_EXT_DIAL_H
#define PROMOTIOND_EXT_DIAL_H

#include "../abi.h"

#define PROMOTIOND_EXT_DIAL "promotiond.dial/1"

typedef struct promotiond_dial {
    uint32_t size;
    uint32_t reserved;
    /* [any] Connects to host:port (a name or a literal address) before the call's deadline; through
     * proxy (a URL, may hold user:password; empty = the host's own setting) with CONNECT. Returns a
     * PROMOTIOND_HTTP_* status of ext/http.h. On OK *fd is a connected, blocking, close-on-exec
     * stream socket that the caller owns and closes; else *fd is -1 and the reason goes to
     * on_error, which may be null. */
    int32_t (*connect)(const promotiond_call* call, promotiond_view host, uint16_t port,
                       promotiond_view proxy, int* fd, promotiond_sink on_error, void* user);
} promotiond_dial;

#endif
