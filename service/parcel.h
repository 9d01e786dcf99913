/*
 * A parcel: an open connection on its way from one process to its successor, with what it has said
 * so far. Of plain HTTP/1 only, between two requests or inside one that nobody has begun to serve:
 * such a connection has no state but its socket and those bytes. Nothing is lost with it, and its
 * caller sees none of it.
 */
#ifndef COUNTERPART_SERVICE_PARCEL_H
#define COUNTERPART_SERVICE_PARCEL_H

#include "base/text.h"

#include <pthread.h>

/* A longer beginning stays where it is. What is usual is a head and a body of one or two KiB. */
#define PARCEL_BYTES_MAX (32 * 1024)

struct parcel {
    struct parcel *next;
    int fd;
    bool is_local; /* of the admin socket */
    size_t length;
    char bytes[]; /* read, and part of no request that was begun */
};

struct parcels {
    pthread_mutex_t mutex;
    struct parcel *first;
};

void parcels_init(struct parcels *parcels);
/* Takes the descriptor. errors: ERR_NO_MEMORY: it stays the caller's. */
MUST_CHECK int parcels_add(struct parcels *parcels, int fd, bool is_local, struct text bytes);
/* All that are there, as a list; NULL: none. */
struct parcel *parcels_take(struct parcels *parcels);
/* Closes our descriptor; the connection lives on where another process has it. */
void parcel_destroy(struct parcel *parcel);
void parcels_finish(struct parcels *parcels);

#endif
