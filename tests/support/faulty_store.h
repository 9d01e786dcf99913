/*
 * A store in front of a real one that fails, waits or lies on request (a countdown, in the manner
 * of raft's test/lib/fault.h). Everything it does not spoil reaches the real store.
 */
#ifndef COUNTERPART_TESTS_FAULTY_STORE_H
#define COUNTERPART_TESTS_FAULTY_STORE_H

#include "store/backend.h"

#include <pthread.h>

struct faulty_store {
    struct store super;
    struct store *real;
    pthread_mutex_t mutex; /* guards what is below; the committer's thread and the test's use it */
    pthread_cond_t changed;
    bool is_held; /* fetch waits */
    int waiting;  /* fetches that wait now */
    int fetches;
    int fail_fetches; /* so many of the next fetches fail with fetch_error */
    int fetch_error;
    int skip_firsts; /* in so many of the next fetches that may skip, another process holds the card
                        of the first command */
    bool skips_after_failure; /* and these begin when the next commit has failed */
    bool holds_skipped;       /* the fetch that comes for these waits */
    int skip_commits;         /* so many are not spoilt first */
    int fail_commits;         /* so many of the next commits fail with commit_error */
    int commit_error;
    bool unknown_happens; /* ERR_COMMIT_UNKNOWN: commit really, then claim not to know; else roll
                             back */
    int fail_grants;      /* so many of the next writes of a grant fail with grant_error */
    int grant_error;
    bool grant_happens;   /* it is written really, and then grant_error claimed */
    int fail_grant_reads; /* so many of the next readings of a grant fail with ERR_STORE_BUSY */
    int fail_leases;      /* so many of the next leases fail with grant_error */
    int fail_pings;       /* so many of the next probes fail with commit_error */
    int fail_settles;     /* so many of the next settles fail with ERR_STORE_DOWN */
};

void faulty_store_init(struct faulty_store *faulty, struct store *real);
/* From now on it is a store of several processes: what is busy is worth three more runs. */
void faulty_store_share(struct faulty_store *faulty);
void faulty_store_finish(struct faulty_store *faulty);
void faulty_store_hold(struct faulty_store *faulty);
void faulty_store_let_go(struct faulty_store *faulty);
void faulty_store_await_waiting(struct faulty_store *faulty); /* until a fetch waits */

#endif
