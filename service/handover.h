/*
 * Handing over on one machine: a new process of ours takes the place of the one that serves a data
 * folder, and no caller sees it. Both speak over hand-over.sock in the data folder:
 *
 *     successor                                   predecessor
 *     "take-over 1" and where it is to listen ->
 *                                              <- "sockets": the listening ones, to be shared
 *     gets ready, and says "ready"            ->
 *                                                 listens no more, answers what is under way,
 *                                                 commits the last batch, closes the store
 *                                              <- "connection", each that is open and waits
 *                                              <- "lock" of the data folder
 *     opens the store, serves, "serving"      ->
 *                                                 ends
 *
 * Descriptors are shared, never bound again: what the kernel has queued on a listening socket waits
 * there. The lock moves as an open file, so at no time has nobody got it. Until "ready" either side
 * may vanish and nothing has happened; a predecessor that has let go takes everything back when its
 * successor ends without having said "serving", and a successor whose predecessor dies goes on.
 */
#ifndef COUNTERPART_SERVICE_HANDOVER_H
#define COUNTERPART_SERVICE_HANDOVER_H

#include "service/listener.h"
#include "service/parcel.h"

#include <limits.h>
#include <sys/types.h>

/* --- the successor --------------------------------------------------------------------------- */

/*
 * Ask whoever serves the folder for its sockets; listen is our COUNTERPART_LISTEN, which must be
 * its as well. What is wrong is given as a reason.
 *
 * ownership  *channel and *hand_over_fd, where the next one will ask, are the caller's.
 * errors     ERR_NOT_FOUND: nobody serves it; ERR_REFUSED; ERR_CONNECTION_LOST, ERR_TIMED_OUT.
 */
MUST_CHECK int take_over_begin(const char *path, const char *listen, const char *admin_path,
                               struct listeners *listeners, int *hand_over_fd, int *channel);
/* Ready: get connections and the lock. errors: ERR_CONNECTION_LOST: it has died, so the lock is
 * free; ERR_TIMED_OUT, ERR_BAD_REPLY. */
MUST_CHECK int take_over_claim(int channel, struct parcels *parcels, int *lock_fd);
void take_over_end(int channel); /* serving */

/* --- the predecessor -------------------------------------------------------------------------- */

struct handover {
    int listener;           /* -1: not yet */
    int successor;          /* the channel to one that has our sockets; -1: there is none */
    int asker;              /* of counterpart hand-over: waits to hear how it went; -1 */
    pid_t child;            /* the successor that we have started for the asker; 0 */
    char program[PATH_MAX]; /* what was started as this process: after an upgrade, a new one */
};

void handover_init(struct handover *handover);
/* fd: the listener of a predecessor; -1: a new one is made at path. errors: ERR_IO. */
MUST_CHECK int handover_open(struct handover *handover, const char *path, int fd);
/* Somebody has come to the listener: a successor is given the sockets, an asker gets one started.
 */
void handover_greet(struct handover *handover, const char *listen,
                    const struct listeners *listeners);
/* The successor's channel is readable. true: it is ready, and waits for us. */
bool handover_is_ready(struct handover *handover);
/* Has it gone? */
bool handover_is_lost(const struct handover *handover);
/* Connections and the lock; ours stay open until the successor serves. errors: as channel_send. */
MUST_CHECK int handover_give(struct handover *handover, struct parcel *parcels, int lock_fd);
/* The channel is readable. true: it serves. false: it has gone. */
bool handover_is_done(struct handover *handover, pid_t *successor);
/* It has come to nothing; the asker is told. */
void handover_drop(struct handover *handover, const char *why);
/* A child of ours has ended. */
void handover_reap(struct handover *handover);
void handover_finish(struct handover *handover);

/* --- counterpart hand-over -------------------------------------------------------------------- */

/* Exit code. */
int handover_ask(const char *path, bool wants_json);

#endif
