/*
 * Sends a recording again, to the same partner or another one, and says what differs. Requests that
 * overlapped overlap again; a redeem uses the address that the replayed look-up gave. Nothing is
 * booked.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_REPLAY_H
#define COUNTERPART_MOCKS_REGISTER_REPLAY_H

#include "mocks/register/config.h"
#include "mocks/register/exchange.h"

#include <stdatomic.h>

/* Of one recording; 32 MiB hold about as many. */
#define REPLAY_EXCHANGES_MAX 20000
/* Overlapping requests, each on a thread; the till itself seldom has more than three. */
#define REPLAY_BURST_MAX 16

typedef void (*replay_told_fn)(void *context, struct exchange *exchange);

struct replay_target {
    const struct config *config; /* addresses, token, profile, names */
    bool keeps_signatures;       /* as recorded; else they are made anew, with config's token */
    bool keeps_pace;
    int64_t timeout_s_max;         /* 0: waits for as long as was recorded */
    const atomic_bool *is_stopped; /* ends after what is under way; NULL: nobody stops it */
    replay_told_fn on_exchange;    /* NULL: nobody listens */
    void *context;
};

struct replay_result {
    int64_t sent, same_bytes;
    int64_t differences; /* exchanges of which a till would notice one */
    int64_t unanswered;  /* that had an answer when they were recorded */
    struct made report;  /* README.md: recording.report */
    char problem[128];   /* why it is no recording */
};

/* ownership  made_destroy(&result->report).
 * errors     ERR_JSON_SYNTAX: this is no recording, problem says where; nothing was sent. */
MUST_CHECK int replay_run(struct text recording, const struct replay_target *target,
                          struct replay_result *result);

#endif
