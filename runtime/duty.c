/* Holds the lease on what only one process does, or waits for it. */
#include "runtime/duty.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "runtime/errand.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

struct duty {
    struct duty_config config;
    char holder[LEASE_OWNER_CHARS + 1];
    struct outbound_message start;
    struct outbound_timer timer;
    _Atomic int64_t version; /* of the lease, when it was ours last */
    _Atomic int64_t ends_us; /* monotonic; 0: it is not ours */
};

int64_t duty_ends_us(const struct duty *duty)
{
    return duty == NULL ? INT64_MAX : atomic_load(&duty->ends_us);
}

bool duty_is_ours(const struct duty *duty, int64_t for_us)
{
    int64_t ends_us = duty_ends_us(duty);
    return ends_us == INT64_MAX || ends_us - clock_monotonic_us() >= for_us;
}

int64_t duty_version(const struct duty *duty)
{
    return duty == NULL ? 0 : atomic_load(&duty->version);
}

bool duty_is_still(const struct duty *duty, int64_t version)
{
    return duty_is_ours(duty, 0) && duty_version(duty) == version;
}

/* The extra bytes of its errand. */
struct asking {
    struct lease_wish wish;
    struct lease_state state;
    char former[LEASE_OWNER_CHARS + 1]; /* empty: nobody's is to be released */
    int64_t asked_at_us; /* monotonic, and before the store was asked: the lease counts from here */
};

static int task_ask(struct job *job, struct store *store)
{
    struct asking *asking = errand_data_of(job);
    if (asking->former[0] != '\0') {
        int err = store_release_lease(store, DUTY_LEASE, asking->former);
        if (err != 0)
            return err;
    }
    asking->asked_at_us = clock_monotonic_us();
    return store_take_lease(store, &asking->wish, &asking->state);
}

static void note_holder(struct duty *duty, const struct lease_state *state)
{
    if (strcmp(duty->holder, state->owner) == 0)
        return;
    memcpy(duty->holder, state->owner, sizeof(duty->holder));
    bool is_ours = strcmp(state->owner, duty->config.owner) == 0;
    log_event(LOG_INFO, is_ours ? "duty_taken" : "duty_is_anothers",
              LOG_TEXT("holder", state->owner), LOG_INT("version", state->version));
}

static void duty_take(struct duty *duty, const struct asking *asking)
{
    bool is_ours = strcmp(asking->state.owner, duty->config.owner) == 0;
    bool was_ours = duty_is_ours(duty, 0);
    note_holder(duty, &asking->state);
    if (is_ours)
        atomic_store(&duty->version, asking->state.version);
    atomic_store(&duty->ends_us, is_ours ? asking->asked_at_us + duty->config.life_us : 0);
    if (is_ours && !was_ours && duty->config.on_taken != NULL)
        duty->config.on_taken(duty->config.taken_context);
}

/* Renewed now and then; another's is asked for when it may have ended. */
static int64_t pause_after(const struct duty *duty, const struct asking *asking, int err)
{
    int64_t pause_us = duty->config.renew_us;
    bool is_ours = strcmp(asking->state.owner, duty->config.owner) == 0;
    if (err == 0 && !is_ours && asking->state.left_us >= 0 && asking->state.left_us < pause_us)
        pause_us = asking->state.left_us + 1;
    return pause_us;
}

static void duty_ask(void *context);

/* No answer: what was ours is ours until it ends. */
static void on_asked(struct errand *errand)
{
    struct duty *duty = errand->context;
    const struct asking *asking = errand_data(errand);
    int err = errand->job.error;
    if (err == ERR_SHUTTING_DOWN)
        return;
    if (err == 0) {
        duty->config.former[0] = '\0';
        duty_take(duty, asking);
    } else {
        log_event(LOG_WARNING, "duty_not_asked_for", LOG_TEXT("error", error_name(err)));
    }
    outbound_set_timer(duty->config.outbound, &duty->timer,
                       clock_monotonic_us() + pause_after(duty, asking, err), duty_ask, duty);
}

static void duty_ask(void *context)
{
    struct duty *duty = context;
    if (outbound_is_ending(duty->config.outbound))
        return;
    struct errand *errand = errand_create(duty->config.outbound, sizeof(struct asking));
    if (errand == NULL) {
        outbound_set_timer(duty->config.outbound, &duty->timer,
                           clock_monotonic_us() + duty->config.renew_us, duty_ask, duty);
        return;
    }
    struct asking *asking = errand_data(errand);
    struct lease_wish *wish = &asking->wish;
    memcpy(asking->former, duty->config.former, sizeof(asking->former));
    *wish = (struct lease_wish){.name = DUTY_LEASE, .life_us = duty->config.life_us};
    memcpy(wish->owner, duty->config.owner, sizeof(wish->owner));
    errand_write(errand, duty->config.committer, task_ask, on_asked, duty);
}

int duty_create(const struct duty_config *config, struct duty **duty)
{
    struct duty *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    made->config = *config;
    if (!config->is_shared)
        atomic_store(&made->ends_us, INT64_MAX);
    *duty = made;
    return 0;
}

void duty_start(struct duty *duty)
{
    if (!duty->config.is_shared)
        return;
    duty->start = (struct outbound_message){.fn = duty_ask, .context = duty};
    outbound_post(duty->config.outbound, &duty->start);
}

void duty_destroy(struct duty *duty)
{
    free(duty);
}

void duty_give_up(struct duty *duty, struct store *store)
{
    if (duty == NULL || !duty->config.is_shared || !duty_is_ours(duty, 0))
        return;
    atomic_store(&duty->ends_us, 0);
    int err = store_release_lease(store, DUTY_LEASE, duty->config.owner);
    if (err != 0)
        log_event(LOG_WARNING, "duty_not_given_up", LOG_TEXT("error", error_name(err)));
}
