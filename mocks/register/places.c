/* Gives places to connections, and ends the one that has been its client's turn the longest. */
#include "mocks/register/places.h"

#include "base/check.h"

#include <sys/socket.h>

#include "base/banned.h"

void places_init(struct places *places)
{
    *places = (struct places){0};
    CHECK(pthread_mutex_init(&places->lock, NULL) == 0);
}

void places_finish(struct places *places)
{
    pthread_mutex_destroy(&places->lock);
}

static void lock(struct places *places)
{
    CHECK(pthread_mutex_lock(&places->lock) == 0);
}

static void unlock(struct places *places)
{
    CHECK(pthread_mutex_unlock(&places->lock) == 0);
}

/* NULL: all of them wait for the till. */
static struct place *find_longest(struct places *places)
{
    struct place *longest = NULL;
    for (size_t i = 0; i < PLACES_MAX; i++) {
        struct place *place = &places->list[i];
        if (place->is_taken && !place->is_ended && !place->is_answering &&
            (longest == NULL || place->turn < longest->turn))
            longest = place;
    }
    return longest;
}

/* Its thread is woken and leaves the place; the socket is closed by its owner. */
static void end_longest(struct places *places)
{
    struct place *longest = find_longest(places);
    if (longest == NULL)
        return;
    longest->is_ended = true;
    (void)shutdown(longest->fd, SHUT_RDWR);
}

static struct place *find_free(struct places *places, size_t *used)
{
    struct place *found = NULL;
    *used = 0;
    for (size_t i = 0; i < PLACES_MAX; i++) {
        struct place *place = &places->list[i];
        *used += place->is_taken && !place->is_ended;
        if (!place->is_taken)
            found = place;
    }
    return found;
}

struct place *places_take(struct places *places, int fd)
{
    size_t used;
    lock(places);
    struct place *place = find_free(places, &used);
    if (used >= PLACES_MAX - PLACES_SPARE)
        end_longest(places);
    if (place != NULL)
        *place = (struct place){.fd = fd, .is_taken = true, .turn = ++places->turns};
    unlock(places);
    return place;
}

void place_leave(struct places *places, struct place *place)
{
    if (place == NULL)
        return;
    lock(places);
    *place = (struct place){0};
    unlock(places);
}

void place_begin_answer(struct places *places, struct place *place)
{
    if (place == NULL)
        return;
    lock(places);
    place->is_answering = true;
    unlock(places);
}

void place_end_answer(struct places *places, struct place *place)
{
    if (place == NULL)
        return;
    lock(places);
    place->is_answering = false;
    place->turn = ++places->turns;
    unlock(places);
}
