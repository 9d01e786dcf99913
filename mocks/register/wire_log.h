/*
 * The newest exchanges, as the JSON that the wire shows, for many readers: who has read all waits
 * for the next one.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_WIRE_LOG_H
#define COUNTERPART_MOCKS_REGISTER_WIRE_LOG_H

#include "mocks/register/exchange.h"

#include <pthread.h>

/* A debugging session's worth; at the usual 6 KiB an exchange with two orders some 3 MiB, and never
 * above 500 replies of 64 KiB. */
#define WIRE_LOG_MAX 500
#define WIRE_LOG_PAGE_MAX 100 /* forwards */
#define WIRE_LOG_BACK_MAX 50  /* backwards, for a screen that begins anew: mostly under 1 MiB */
#define WIRE_LOG_WAIT_MS_MAX 30000

struct wire_log {
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct made entries[WIRE_LOG_MAX]; /* number n at (n - 1) % WIRE_LOG_MAX */
    int64_t last;                      /* number of the newest; 0: none */
    int64_t forgotten;                 /* up to this number they were cleared */
    bool is_closing;
};

void wire_log_init(struct wire_log *log);
void wire_log_finish(struct wire_log *log);
void wire_log_close(struct wire_log *log); /* whoever waits is sent home */
/* Numbers it, keeps it; gives the number. */
int64_t wire_log_add(struct wire_log *log, struct exchange *exchange);
void wire_log_clear(struct wire_log *log);
int64_t wire_log_last(struct wire_log *log);
/* {"exchanges":[...],"last":N,"has_older":b}, oldest first, at most WIRE_LOG_PAGE_MAX: the oldest
 * of those above after; waits for one when there are none. last is where to go on: the number of
 * the last one given, of the newest when there is none to give. */
void wire_log_read(struct wire_log *log, int64_t after, int64_t wait_ms, struct made *json);
/* The same, with the newest WIRE_LOG_BACK_MAX below before (0: of all); does not wait. */
void wire_log_read_back(struct wire_log *log, int64_t before, struct made *json);
/* false: not kept, or never was. */
MUST_CHECK bool wire_log_find(struct wire_log *log, int64_t number, struct made *json);

#endif
