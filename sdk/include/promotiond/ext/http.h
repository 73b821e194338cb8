/* promotiond.http/1, a host service: one HTTP exchange.
 *
 * One place for TLS policy, proxy, address rules, deadlines, limits and metrics. Redirects are not
 * followed. The exchange ends at the earlier of its own timeout and the call's deadline, and when
 * the call is cancelled.
 *
 * A header "Promotiond-Budget: URGENCY COST [RESOURCE]" is for the host and is not sent. URGENCY is
 * refresh, open, merge or rollback, COST is read or write, RESOURCE the API's own name for a budget
 * (core if left out). With it the host keeps the limits that the API states, shared by all that use
 * the same credential (the header Authorization): the request waits a little, or is answered by the
 * host with 429 and Retry-After, where the API would refuse it or where what is left is kept for
 * what is more urgent. */
#ifndef PROMOTIOND_EXT_HTTP_H
#define PROMOTIOND_EXT_HTTP_H

#include "../abi.h"

#define PROMOTIOND_EXT_HTTP "promotiond.http/1"

enum {
    PROMOTIOND_HTTP_OK = 0, /* an answer came whole; look at its code */
    PROMOTIOND_HTTP_INVALID =
        1, /* the request itself is wrong: URL, method, a line break in a header */
    PROMOTIOND_HTTP_REFUSED = 2,    /* the host's rules forbid this address */
    PROMOTIOND_HTTP_CONNECT = 3,    /* no connection: name not resolved, refused, unreachable */
    PROMOTIOND_HTTP_TLS = 4,        /* certificate or handshake */
    PROMOTIOND_HTTP_TIMEOUT = 5,    /* the deadline passed */
    PROMOTIOND_HTTP_BAD_ANSWER = 6, /* truncated, longer than allowed, or not HTTP */
    PROMOTIOND_HTTP_CANCELLED = 7
};

typedef struct promotiond_http_request {
    uint32_t size;
    uint32_t reserved;
    promotiond_view method;
    promotiond_view url;     /* http:// or https://; userinfo is refused */
    promotiond_view headers; /* lines "Name: value" ended by "\n"; Host, Content-Length and
                                User-Agent are the host's unless given */
    promotiond_view body;
    int64_t timeout_ms;                     /* 0 = the host's default */
    uint64_t max_response_bytes;            /* 0 = the host's default */
    promotiond_view ca_pem;                 /* trusted instead of the system's CAs; may be empty */
    promotiond_view client_certificate_pem; /* may be empty */
    promotiond_view client_key_pem;
    promotiond_view proxy; /* URL, may hold user:password; empty = the host's own setting */
} promotiond_http_request;

typedef struct promotiond_http_response {
    uint32_t size;
    int32_t code;            /* HTTP status; 0 unless OK */
    promotiond_view headers; /* lines "Name: value" ended by "\n", names as received */
    promotiond_view body;
    promotiond_view error; /* why it is not OK, for people; no secret in it */
} promotiond_http_response;

typedef struct promotiond_http {
    uint32_t size;
    uint32_t reserved;
    /* [any] Sends and waits. Calls on_response exactly once, whatever is returned, before it
     * returns. */
    int32_t (*send)(const promotiond_call* call, const promotiond_http_request* request,
                    void (*on_response)(void* user, const promotiond_http_response* response),
                    void* user);
} promotiond_http;

#endif
