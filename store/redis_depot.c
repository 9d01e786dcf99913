/* What the threads of the process know together about their Redis. */
#include "store/redis_depot.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/seal.h"
#include "store/redis_breaker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/banned.h"

struct depot {
    struct target target;
    _Atomic int64_t serial; /* of the place */
    _Atomic bool is_doubted;
    pthread_mutex_t mutex; /* guards what is below */
    pthread_cond_t wanted;
    bool is_wanted;
    struct place place;
    struct lane_counters *lanes;
    struct depot_counters gone; /* of lanes that are gone */
};

int depot_create(const struct target *target, struct depot **created)
{
    struct depot *depot = calloc(1, sizeof(*depot));
    *created = depot;
    if (depot == NULL)
        return ERR_NO_MEMORY;
    depot->target = *target;
    pthread_condattr_t attributes;
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&depot->wanted, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
    CHECK(pthread_mutex_init(&depot->mutex, NULL) == 0);
    return 0;
}

void depot_destroy(struct depot *depot)
{
    if (depot == NULL)
        return;
    CHECK(depot->lanes == NULL);
    pthread_cond_destroy(&depot->wanted);
    pthread_mutex_destroy(&depot->mutex);
    seal_wipe(&depot->target, sizeof(depot->target));
    free(depot);
}

const struct target *depot_target(const struct depot *depot)
{
    return &depot->target;
}

bool depot_find(struct depot *depot, struct place *place, int64_t *serial)
{
    pthread_mutex_lock(&depot->mutex);
    *place = depot->place;
    *serial = atomic_load(&depot->serial);
    pthread_mutex_unlock(&depot->mutex);
    return *serial != 0;
}

void depot_put_place(struct depot *depot, const struct place *place)
{
    pthread_mutex_lock(&depot->mutex);
    bool is_same = depot->place.length == place->length &&
                   memcmp(&depot->place.address, &place->address, place->length) == 0;
    if (!is_same) {
        depot->place = *place;
        atomic_fetch_add(&depot->serial, 1);
    }
    pthread_mutex_unlock(&depot->mutex);
}

int64_t depot_serial(const struct depot *depot)
{
    return atomic_load_explicit((_Atomic int64_t *)&depot->serial, memory_order_relaxed);
}

void depot_wake(struct depot *depot)
{
    pthread_mutex_lock(&depot->mutex);
    if (!depot->is_wanted)
        pthread_cond_signal(&depot->wanted);
    depot->is_wanted = true;
    pthread_mutex_unlock(&depot->mutex);
}

void depot_doubt(struct depot *depot)
{
    atomic_store(&depot->is_doubted, true);
    depot_wake(depot);
}

bool depot_take_doubt(struct depot *depot)
{
    return atomic_exchange(&depot->is_doubted, false);
}

bool depot_wait(struct depot *depot, int64_t until_us)
{
    struct timespec until = {.tv_sec = until_us / CLOCK_US_PER_S,
                             .tv_nsec = until_us % CLOCK_US_PER_S * 1000};
    int woken = 0;
    pthread_mutex_lock(&depot->mutex);
    while (!depot->is_wanted && woken == 0)
        woken = pthread_cond_timedwait(&depot->wanted, &depot->mutex, &until);
    bool is_wanted = depot->is_wanted;
    depot->is_wanted = false;
    pthread_mutex_unlock(&depot->mutex);
    return is_wanted;
}

/* --- counters --- */

void depot_add_lane(struct depot *depot, struct lane_counters *counters)
{
    pthread_mutex_lock(&depot->mutex);
    counters->next = depot->lanes;
    depot->lanes = counters;
    pthread_mutex_unlock(&depot->mutex);
}

static void add_lane(struct depot_counters *sum, const struct lane_counters *lane)
{
    sum->asked += atomic_load(&lane->asked);
    sum->timeouts += atomic_load(&lane->timeouts);
    sum->late += atomic_load(&lane->late);
    sum->errors += atomic_load(&lane->errors);
    sum->refused += atomic_load(&lane->refused);
    sum->opened += atomic_load(&lane->opened);
    sum->lost += atomic_load(&lane->lost);
}

void depot_remove_lane(struct depot *depot, struct lane_counters *counters)
{
    pthread_mutex_lock(&depot->mutex);
    struct lane_counters **link = &depot->lanes;
    while (*link != counters)
        link = &(*link)->next;
    *link = counters->next;
    add_lane(&depot->gone, counters);
    pthread_mutex_unlock(&depot->mutex);
}

void depot_read_counters(struct depot *depot, struct depot_counters *counters)
{
    pthread_mutex_lock(&depot->mutex);
    *counters = depot->gone;
    for (const struct lane_counters *lane = depot->lanes; lane != NULL; lane = lane->next) {
        add_lane(counters, lane);
        counters->lanes++;
        counters->lanes_closed += atomic_load(&lane->state) == BREAKER_CLOSED;
    }
    pthread_mutex_unlock(&depot->mutex);
}
