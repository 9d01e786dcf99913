/*
 * A recording: one line of JSON about itself, then one for every exchange, in memory until somebody
 * fetches it. From any thread.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_RECORDING_H
#define COUNTERPART_MOCKS_REGISTER_RECORDING_H

#include "mocks/register/exchange.h"

#include <pthread.h>

/* Some ten thousand exchanges. */
#define RECORDING_BYTES_MAX ((size_t)32 * 1024 * 1024)

/* What the first line says it is; a till reads no other. */
#define RECORDING_VERSION 1

struct recording {
    pthread_mutex_t lock;
    bool is_on, is_full;
    int64_t count;
    int64_t began_us; /* monotonic */
    struct made lines;
    size_t room;
};

void recording_init(struct recording *recording);
void recording_finish(struct recording *recording);
void recording_begin(struct recording *recording, int64_t started_us, int64_t seed);
void recording_end(struct recording *recording);
/* began_at_us: when the exchange was sent, monotonic. Nothing where none is on. */
void recording_add(struct recording *recording, struct exchange *exchange, int64_t began_at_us);
void recording_copy(struct recording *recording, struct made *lines);
/* Members of the state's object. */
void recording_write(struct recording *recording, struct jwrite *writer);

#endif
