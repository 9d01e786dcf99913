/*
 * News: what other processes of the same store have changed. Once a second the store is asked for
 * the versions of what processes keep in memory (store/lease.h); who asks for something that is not
 * known yet has it asked at once.
 */
#ifndef COUNTERPART_RUNTIME_NEWS_H
#define COUNTERPART_RUNTIME_NEWS_H

#include "runtime/outbound.h"
#include "runtime/reader.h"
#include "store/lease.h"

#define NEWS_PERIOD_US (INT64_C(1) * 1000000)
/* Looks that somebody has asked for come no closer: strangers may ask. */
#define NEWS_SOONEST_US (INT64_C(200) * 1000)

struct news;
struct news_config {
    struct outbound *outbound;
    struct reader *reader;
    /* Loads what the configuration changed; on a reader's thread. An error: asked again. */
    int (*reload)(void *context, struct store *store);
    /* It was loaded; on the outbound thread. */
    void (*on_reloaded)(void *context);
    /* After every look, on the outbound thread. */
    void (*on_versions)(void *context, const struct store_versions *versions);
    void *context;
    int64_t config_version; /* of what was loaded at the start, or less */
    int64_t period_us;      /* NEWS_PERIOD_US; tests choose another */
};

/* Looks at once, and goes on looking. */
MUST_CHECK int news_create(const struct news_config *config, struct news **news);
void news_destroy(struct news *news); /* after outbound_stop; accepts NULL */
/* There may be something new: look soon. Any thread; accepts NULL. */
void news_wake(struct news *news);

#endif
