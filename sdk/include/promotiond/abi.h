/* The contract between promotiond and a strategy plugin.
 *
 * A strategy carries out a promotion: it opens a pull request, calls a webhook, whatever a team
 * names under `spec.promotion` of its Pipeline. It is one shared library that exports one constant
 * object, `promotiond_plugin_v1`. C++ authors need not read this file: <promotiond/strategy.hpp>
 * wraps it.
 *
 * MEMORY. Who allocates frees; no function on either side frees the other side's memory. Every
 * pointer and view that is passed to a function is borrowed for that call; copy to keep. Answers of
 * variable size are delivered by calling the receiver's sink while they are alive. The host and the
 * service tables outlive every strategy; a strategy outlives its calls; an extension table lives as
 * long as the object that gave it.
 *
 * THREADS. Each function carries one tag.
 *   [load]  the main thread, before any worker starts or after all have ended, one library at a
 * time. [call]  any worker thread, but never two verbs at once on one strategy; later calls may
 * come on other threads. The host gets parallelism by creating several strategies, so authors need
 * no locks. [any]   any thread, concurrently. A plugin that starts threads joins them before the
 * verb returns, or in destroy. Plugins do not change process state: no signal handlers, locale,
 * umask, working directory, environment, fork without exec, exit.
 *
 * FAILURE. Verbs report by outcome. Exceptions never cross this border in either direction; host
 * functions never throw. The host guards each verb all the same and marks a plugin that breaks the
 * rule as misbehaving.
 *
 * IDEMPOTENCE. Delivery is at least once. promote may come again with the same promotion id after a
 * crash at any point; it must find its earlier effect (a branch or request with a name derived from
 * the promotion) instead of making a second one.
 *
 * TRUST. A plugin is native code with the daemon's privileges; nothing here contains a hostile one.
 * The daemon loads only from one directory that others cannot write to, logs each file's SHA-256
 * and can be told to pin it. It never unloads a library.
 *
 * GROWTH. Structs begin with their size in bytes as the giver compiled it. A member may be read
 * only if that size covers it; a null function slot still means "not supported". Members are only
 * ever appended, in bands marked "since 1.N" and compiled in when PROMOTIOND_TARGET_MINOR >= N. The
 * target defaults to 0, so that a plugin loads in every 1.x host unless its author asks for more.
 * Anything optional is an extension with an id of its own, found by get_service (host side) or
 * get_extension (plugin side); see ext/. Rules: sdk/ABI.md.
 */
#ifndef PROMOTIOND_ABI_H
#define PROMOTIOND_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROMOTIOND_ABI_MAJOR 1u /* part of the entry symbol's name */
#define PROMOTIOND_ABI_MINOR 0u /* newest band that this header knows */

#ifndef PROMOTIOND_TARGET_MINOR
#define PROMOTIOND_TARGET_MINOR 0
#endif

/* Whether the giver of *object knows a member: it may be read only then. */
#define PROMOTIOND_COVERS(object, type, member) \
    ((object)->size >= offsetof(type, member) + sizeof((object)->member))

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes that the receiver may read during the call and never owns. Text is UTF-8 and is not
 * terminated. An absent text is size 0; data may then be null. */
typedef struct promotiond_view {
    const char* data;
    size_t size; /* bytes */
} promotiond_view;

/* Receives an answer while it is alive. Called at most once, on the caller's thread, before the
 * function that was given the sink returns. */
typedef void (*promotiond_sink)(void* user, promotiond_view bytes);

/* Severity of a log line. The MISBEHAVING levels name a breach of this contract by the other side.
 */
enum {
    PROMOTIOND_LOG_DEBUG = 0,
    PROMOTIOND_LOG_INFO = 1,
    PROMOTIOND_LOG_WARN = 2,
    PROMOTIOND_LOG_ERROR = 3,
    PROMOTIOND_LOG_HOST_MISBEHAVING = 4,
    PROMOTIOND_LOG_PLUGIN_MISBEHAVING = 5
};

/* What a verb came to. Any other value is treated as REJECTED and recorded as misbehaviour. */
enum {
    PROMOTIOND_DONE = 0, /* the environment's desired state is as asked, or already was */
    PROMOTIOND_PENDING =
        1, /* accepted; someone else must act (merge, approve): the host will call observe */
    PROMOTIOND_RETRY =
        2, /* transient; the host tries again, not before the result's retry_after_ms */
    PROMOTIOND_REJECTED =
        3, /* permanent until a person changes something: credentials, repository, config */
    PROMOTIOND_CANCELLED = 4 /* the host asked to stop and the verb did */
};
typedef int32_t promotiond_outcome;

typedef struct promotiond_host promotiond_host;
typedef struct promotiond_call promotiond_call;
typedef struct promotiond_request promotiond_request;
typedef struct promotiond_result promotiond_result;
typedef struct promotiond_strategy promotiond_strategy;
typedef struct promotiond_plugin promotiond_plugin;

/* The daemon, or a test's stand-in for it. Lives as long as the process. */
struct promotiond_host {
    uint32_t size;
    uint32_t minor; /* newest band that the host implements */
    void* impl;     /* the host's own; plugins pass it back untouched by passing the struct */
    promotiond_view product; /* "promotiond" */
    promotiond_view version; /* of the product, for humans */
    /* [any] A log line outside of a call; inside one use the call's log, which is correlated with
     * the promotion. */
    void (*log)(const promotiond_host* host, int32_t level, promotiond_view text);
    /* [any] Milliseconds since the Unix epoch. Tests set it; do not ask the system clock instead.
     */
    int64_t (*now_ms)(const promotiond_host* host);
    /* [any] The table of a host service such as "promotiond.secrets/1", or null if this host has
     * none of that id. */
    const void* (*get_service)(const promotiond_host* host, promotiond_view id);
};

/* One running verb: its deadline, its cancellation, its log and its answer. Valid until the verb
 * returns. */
struct promotiond_call {
    uint32_t size;
    uint32_t reserved;
    void* impl;
    /* [any] True once the verb should stop: shutdown, a newer revision, or the deadline has passed.
     * Never turns back. */
    bool (*cancelled)(const promotiond_call* call);
    /* [any] Milliseconds until the deadline; 0 when it has passed. */
    int64_t (*remaining_ms)(const promotiond_call* call);
    /* [any] A log line that carries the promotion's id. */
    void (*log)(const promotiond_call* call, int32_t level, promotiond_view text);
    /* [any] What the verb is doing now, for people and for the watchdog: a long verb must report
     * progress. */
    void (*progress)(const promotiond_call* call, promotiond_view text);
    /* [any] Why the outcome about to be returned is RETRY, REJECTED or CANCELLED. The last text
     * wins. */
    void (*fail)(const promotiond_call* call, promotiond_view message);
    /* [any] The answer that goes with the outcome. At most once per verb; the host copies before it
     * returns. */
    void (*answer)(const promotiond_call* call, const promotiond_result* result);
};

/* What is to be promoted. Identity is typed; open-ended trees are JSON documents (sdk/schema/). */
struct promotiond_request {
    uint32_t size;
    uint32_t attempt; /* 1 for the first try of this promotion */
    uint64_t flags;   /* none defined in 1.0; ignore unknown bits */
    promotiond_view promotion_id;
    promotiond_view pipeline_namespace;
    promotiond_view pipeline_name;
    promotiond_view environment; /* the environment that is promoted into */
    promotiond_view
        target; /* "", or "namespace" / "cluster/namespace" when the promotion is for one target */
    promotiond_view revision;          /* what is promoted */
    promotiond_view previous_revision; /* what the environment was last promoted to; may be empty */
    promotiond_view actor;   /* who caused it: "event:...", "approval:...", an operator's name */
    promotiond_view config;  /* JSON object under the strategy's key, valid against its schema */
    promotiond_view targets; /* JSON: targets-1.schema.json */
    promotiond_view event;   /* JSON: event-1.schema.json; "{}" when none caused it */
};

struct promotiond_result {
    uint32_t size;
    uint32_t reserved;
    promotiond_view summary;     /* one line for people */
    promotiond_view location;    /* URL where a person can see it; may be empty */
    promotiond_view external_id; /* names the effect at the other side (a pull request's number);
                                    may be empty */
    int64_t retry_after_ms;      /* with RETRY: not before; 0 = the host decides */
    promotiond_view details; /* JSON: details-1.schema.json; may be empty. Given back to observe. */
};

/* One instance of a strategy. */
struct promotiond_strategy {
    uint32_t size;
    uint32_t reserved;
    void* impl; /* the plugin's own */
    /* [call] Bring request->revision to request->environment. */
    promotiond_outcome (*promote)(promotiond_strategy* strategy, const promotiond_call* call,
                                  const promotiond_request* request);
    /* [load] The table of an extension such as "promotiond.observe/1", or null. Same answer for all
     * instances. */
    const void* (*get_extension)(promotiond_strategy* strategy, promotiond_view id);
    /* [load] Ends the instance. Never during a call on it. */
    void (*destroy)(promotiond_strategy* strategy);
};

/* What the library exports: `const promotiond_plugin promotiond_plugin_v1`. All but create is plain
 * constant data, so that a library can be listed without running its code. */
struct promotiond_plugin {
    uint32_t size;
    uint32_t target_minor; /* PROMOTIOND_TARGET_MINOR of the build */
    promotiond_view name;  /* unique among installed strategies, e.g. "pullrequest-github" */
    promotiond_view key;   /* the key under spec.promotion that it serves, e.g. "pullRequest" */
    promotiond_view
        provider; /* value of `type` that selects it among plugins of one key; may be empty */
    promotiond_view
        hosts; /* hosts of `url`, separated by spaces; ".x.y" for all below x.y; may be empty */
    promotiond_view version; /* of the plugin, for humans */
    promotiond_view summary; /* one line */
    promotiond_view
        schema; /* JSON Schema (draft 7) of the config under the key; empty = any object */
    /* [load] Makes an instance in *out from this plugin's settings in promotiond.yaml (JSON
     * object). On any outcome but DONE, *out stays null and call->fail says why. */
    promotiond_outcome (*create)(const promotiond_host* host, const promotiond_call* call,
                                 promotiond_view settings, promotiond_strategy** out);
};

#if defined(__GNUC__)
#define PROMOTIOND_EXPORT __attribute__((visibility("default")))
#else
#define PROMOTIOND_EXPORT
#endif

/* The symbol, as text, for hosts that look it up. */
#define PROMOTIOND_PLUGIN_SYMBOL "promotiond_plugin_v1"

extern PROMOTIOND_EXPORT const promotiond_plugin promotiond_plugin_v1;

#ifdef __cplusplus
}
#endif

#endif
