/*
 * The places for connections, few as they are. Whoever is still sending a request, or reading an
 * answer, loses his when others come and the rest is used up, the longest there first; whoever
 * waits for the till keeps his. So no number of requests that are never finished shuts the page
 * out. From any thread.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_PLACES_H
#define COUNTERPART_MOCKS_REGISTER_PLACES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A browser opens six; a few tabs and programs more, each with one that waits for the wire. */
#define PLACES_MAX 64
/* Kept for who comes next: a connection that is ended is gone a moment later only. */
#define PLACES_SPARE 8

struct place {
    int fd;
    bool is_taken, is_ended;
    bool is_answering; /* the till is busy with it, not its client */
    uint64_t turn;     /* ascending: when its client's turn began */
};

struct places {
    pthread_mutex_t lock;
    uint64_t turns;
    struct place list[PLACES_MAX];
};

void places_init(struct places *places);
void places_finish(struct places *places);
/* May shut another one's socket down. fd stays the caller's, open until place_leave.
 * NULL: there is none left. */
struct place *places_take(struct places *places, int fd);
/* place may be NULL, here and below. */
void place_leave(struct places *places, struct place *place);
/* A request is complete, the till's turn; and its answer is made, the client's turn again. */
void place_begin_answer(struct places *places, struct place *place);
void place_end_answer(struct places *places, struct place *place);

#endif
