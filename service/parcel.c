/* Keeps connections that are between two owners. */
#include "service/parcel.h"

#include "base/check.h"
#include "base/error.h"
#include "base/seal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

void parcels_init(struct parcels *parcels)
{
    *parcels = (struct parcels){.first = NULL};
    CHECK(pthread_mutex_init(&parcels->mutex, NULL) == 0);
}

int parcels_add(struct parcels *parcels, int fd, bool is_local, struct text bytes)
{
    struct parcel *parcel = malloc(sizeof(*parcel) + bytes.length);
    if (parcel == NULL)
        return ERR_NO_MEMORY;
    *parcel = (struct parcel){.fd = fd, .is_local = is_local, .length = bytes.length};
    if (bytes.length > 0)
        memcpy(parcel->bytes, bytes.base, bytes.length);
    pthread_mutex_lock(&parcels->mutex);
    parcel->next = parcels->first;
    parcels->first = parcel;
    pthread_mutex_unlock(&parcels->mutex);
    return 0;
}

struct parcel *parcels_take(struct parcels *parcels)
{
    pthread_mutex_lock(&parcels->mutex);
    struct parcel *first = parcels->first;
    parcels->first = NULL;
    pthread_mutex_unlock(&parcels->mutex);
    return first;
}

void parcel_destroy(struct parcel *parcel)
{
    if (parcel->fd != -1)
        close(parcel->fd);
    seal_wipe(parcel->bytes, parcel->length); /* perhaps a card number */
    free(parcel);
}

void parcels_finish(struct parcels *parcels)
{
    struct parcel *next = parcels_take(parcels);
    while (next != NULL) {
        struct parcel *parcel = next;
        next = parcel->next;
        parcel_destroy(parcel);
    }
    pthread_mutex_destroy(&parcels->mutex);
}
