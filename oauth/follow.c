/* Takes over what other processes have written: merchants that were connected, or disconnected. */
#include "oauth/manager.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "runtime/queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* The extra bytes of its errand. */
struct following {
    struct grant *grants; /* the errand's */
    size_t count, room;
    bool is_cut; /* memory is short: some are left out */
};

static void keep_grant(void *context, const struct grant *grant)
{
    struct following *following = context;
    if (following->count == following->room) {
        size_t room = following->room == 0 ? 16 : 2 * following->room;
        struct grant *grown = calloc(room, sizeof(*grown));
        following->is_cut = following->is_cut || grown == NULL;
        if (grown == NULL)
            return;
        size_t size = following->count * sizeof(*grown);
        if (size > 0)
            memcpy(grown, following->grants, size);
        seal_wipe(following->grants, size);
        free(following->grants);
        following->grants = grown;
        following->room = room;
    }
    following->grants[following->count++] = *grant;
}

static int task_follow(struct job *job, struct store *store)
{
    return store_each_grant(store, keep_grant, errand_data_of(job));
}

/* One that something is under way with learns of it then: its version is the fence. */
static void follow_grant(struct oauth *oauth, const struct grant *grant)
{
    struct grant_entry *entry;
    if (oauth_find_or_add(oauth, grant->tenant_id, &entry) != 0 || !life_is_resting(entry->phase) ||
        grant->version <= entry->grant.version)
        return;
    bool is_new =
        grant->status == GRANT_CONNECTED && grant->connected_at_us != entry->grant.connected_at_us;
    outbound_cancel_timer(oauth->config.outbound, &entry->timer);
    entry_adopt(entry, grant);
    life_doubt_future(&entry->grant, clock_steady_us());
    entry->phase = life_rest_of(&entry->grant);
    entry->last_error = 0;
    entry_publish(entry);
    entry_begin_schedule(entry);
    if (is_new && oauth->config.on_connected_elsewhere != NULL)
        oauth->config.on_connected_elsewhere(oauth->config.connected_context, entry->tenant_id);
}

static bool is_elsewhere(const struct oauth *oauth, int64_t tenant_id)
{
    const struct directory_snapshot *snapshot = directory_acquire(oauth->config.directory);
    enum tenant_place place = directory_place_of_id(snapshot, tenant_id);
    directory_release(snapshot);
    return place != TENANT_HERE;
}

/* Whoever serves the tenant refreshes his tokens; one that is under way here comes to its end. */
static void forget_elsewhere(struct oauth *oauth)
{
    for (size_t i = 0; i < oauth->count; i++) {
        struct grant_entry *entry = oauth->entries[i];
        if (!life_is_resting(entry->phase) || !is_elsewhere(oauth, entry->tenant_id))
            continue;
        outbound_cancel_timer(oauth->config.outbound, &entry->timer);
        seal_wipe(&entry->grant, sizeof(entry->grant));
        entry->grant = (struct grant){.tenant_id = entry->tenant_id, .surface = APP_OSERIES};
        entry->phase = LIFE_ABSENT;
        entry_publish(entry);
    }
}

static void on_followed(struct errand *errand)
{
    struct oauth *oauth = errand->context;
    struct following *following = errand_data(errand);
    int err = errand->job.error != 0 ? errand->job.error : following->is_cut ? ERR_NO_MEMORY : 0;
    if (err != 0 && err != ERR_SHUTTING_DOWN)
        log_event(LOG_WARNING, "grants_not_read", LOG_TEXT("error", error_name(err)));
    for (size_t i = 0; i < following->count && !outbound_is_ending(oauth->config.outbound); i++)
        follow_grant(oauth, &following->grants[i]);
    forget_elsewhere(oauth);
    seal_wipe(following->grants, following->count * sizeof(*following->grants));
    free(following->grants);
}

void oauth_begin_follow(struct job *job)
{
    oauth_follow(((struct oauth_task *)(job + 1))->oauth);
    job_end(job, 0);
}

void oauth_follow(struct oauth *oauth)
{
    oauth_reload_app(oauth);
    struct errand *errand = errand_create(oauth->config.outbound, sizeof(struct following));
    if (errand != NULL)
        errand_read(errand, oauth->config.reader, task_follow, on_followed, oauth);
    else
        log_event(LOG_WARNING, "grants_not_read", LOG_TEXT("error", error_name(ERR_NO_MEMORY)));
}
