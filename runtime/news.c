/* Looks for what other processes have changed, and has it loaded. */
#include "runtime/news.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "runtime/errand.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/banned.h"

struct news {
    struct news_config config;
    struct outbound_message start;
    struct outbound_message wake;
    _Atomic bool is_woken;
    struct outbound_timer timer;
    bool is_looking;
    int64_t looked_at_us; /* monotonic; when the latest look began */
};

/* The extra bytes of its errand. */
struct look {
    struct news_config config;
    struct store_versions versions;
    bool was_reloaded;
};

/* The version first: what is loaded after it is no older. */
static int task_look(struct job *job, struct store *store)
{
    struct look *look = errand_data_of(job);
    int err = store_read_versions(store, &look->versions);
    if (err != 0 || look->versions.config == look->config.config_version)
        return err;
    err = look->config.reload(look->config.context, store);
    look->was_reloaded = err == 0;
    return err;
}

static void news_look(void *context);

static void news_look_in(struct news *news, int64_t due_us)
{
    outbound_set_timer(news->config.outbound, &news->timer, due_us, news_look, news);
}

static void news_take(struct news *news, const struct look *look)
{
    if (look->was_reloaded) {
        news->config.config_version = look->versions.config;
        log_event(LOG_INFO, "configuration_reloaded",
                  LOG_INT("config_version", look->versions.config));
        news->config.on_reloaded(news->config.context);
    }
    news->config.on_versions(news->config.context, &look->versions);
}

static void on_looked(struct errand *errand)
{
    struct news *news = errand->context;
    int err = errand->job.error;
    news->is_looking = false;
    if (err == ERR_SHUTTING_DOWN)
        return;
    if (err == 0)
        news_take(news, errand_data(errand));
    else
        log_event(LOG_WARNING, "news_not_read", LOG_TEXT("error", error_name(err)));
    news_look_in(news, news->looked_at_us + news->config.period_us);
}

static void news_look(void *context)
{
    struct news *news = context;
    if (news->is_looking || outbound_is_ending(news->config.outbound))
        return;
    news->looked_at_us = clock_monotonic_us();
    struct errand *errand = errand_create(news->config.outbound, sizeof(struct look));
    if (errand == NULL) {
        news_look_in(news, news->looked_at_us + news->config.period_us);
        return;
    }
    news->is_looking = true;
    ((struct look *)errand_data(errand))->config = news->config;
    errand_read(errand, news->config.reader, task_look, on_looked, news);
}

/* The look under way may have come too early; then the next one is a period away. */
static void on_woken(void *context)
{
    struct news *news = context;
    int64_t soonest_us = news->looked_at_us + NEWS_SOONEST_US;
    atomic_store(&news->is_woken, false);
    if (!news->is_looking)
        news_look_in(news, soonest_us);
}

void news_wake(struct news *news)
{
    if (news != NULL && !atomic_exchange(&news->is_woken, true))
        outbound_post(news->config.outbound, &news->wake);
}

int news_create(const struct news_config *config, struct news **news)
{
    struct news *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    made->config = *config;
    made->start = (struct outbound_message){.fn = news_look, .context = made};
    made->wake = (struct outbound_message){.fn = on_woken, .context = made};
    outbound_post(config->outbound, &made->start);
    *news = made;
    return 0;
}

void news_destroy(struct news *news)
{
    free(news);
}
