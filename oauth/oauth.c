/* The manager's table: application and grants as the store has them, and what others may see. */
#include "oauth/oauth.h"

#include "base/clock.h"
#include "base/log.h"
#include "oauth/manager.h"
#include "runtime/queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define CALLBACK_PATH "/oauth/callback"
/* Between two attempts to read an application that was changed. */
#define APP_PAUSE_US CLOCK_US_PER_S
#define REFRESH_MAX_DEFAULT_US (INT64_C(86400) * CLOCK_US_PER_S)

/* --- the table */

/* Where tenant_id stands, or would. */
static size_t place_of(const struct oauth *oauth, int64_t tenant_id)
{
    size_t low = 0, high = oauth->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (oauth->entries[middle]->tenant_id < tenant_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct grant_entry *oauth_find(const struct oauth *oauth, int64_t tenant_id)
{
    size_t at = place_of(oauth, tenant_id);
    if (at == oauth->count || oauth->entries[at]->tenant_id != tenant_id)
        return NULL;
    return oauth->entries[at];
}

/* Locked: other threads walk the table. */
static int insert_entry(struct oauth *oauth, struct grant_entry *entry)
{
    if (oauth->count == oauth->room) {
        size_t room = oauth->room == 0 ? 16 : oauth->room * 2;
        struct grant_entry **grown =
            reallocarray(oauth->entries, room, sizeof(struct grant_entry *));
        if (grown == NULL)
            return ERR_NO_MEMORY;
        oauth->entries = grown;
        oauth->room = room;
    }
    size_t at = place_of(oauth, entry->tenant_id);
    memmove(&oauth->entries[at + 1], &oauth->entries[at],
            (oauth->count - at) * sizeof(struct grant_entry *));
    oauth->entries[at] = entry;
    oauth->count++;
    return 0;
}

int oauth_find_or_add(struct oauth *oauth, int64_t tenant_id, struct grant_entry **entry)
{
    *entry = oauth_find(oauth, tenant_id);
    if (*entry != NULL)
        return 0;
    struct grant_entry *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    made->oauth = oauth;
    made->tenant_id = tenant_id;
    made->phase = LIFE_ABSENT;
    made->grant = (struct grant){.tenant_id = tenant_id, .surface = APP_OSERIES};
    made->waiters_end = &made->waiters;
    made->changes_end = &made->changes;
    made->alarm_us = LIFE_NEVER_US;
    pthread_mutex_lock(&oauth->mutex);
    int err = insert_entry(oauth, made);
    pthread_mutex_unlock(&oauth->mutex);
    if (err != 0) {
        free(made);
        return err;
    }
    *entry = made;
    return 0;
}

int64_t oauth_refresh_max_us(const struct oauth *oauth, int64_t tenant_id)
{
    const struct directory_snapshot *snapshot = directory_acquire(oauth->config.directory);
    const struct directory_tenant *tenant = directory_find_id(snapshot, tenant_id);
    int64_t max_us = tenant == NULL ? REFRESH_MAX_DEFAULT_US : tenant->tenant.token_refresh_us;
    directory_release(snapshot);
    return max_us;
}

void entry_adopt(struct grant_entry *entry, const struct grant *grant)
{
    bool is_new = strcmp(entry->grant.access_token, grant->access_token) != 0 ||
                  entry->grant.kind != grant->kind;
    entry->grant = *grant;
    if (is_new)
        entry->token_version = grant->version;
}

void entry_publish(struct grant_entry *entry)
{
    const struct grant *grant = &entry->grant;
    int64_t alarm_us = life_alarm_us(grant, oauth_refresh_max_us(entry->oauth, entry->tenant_id));
    pthread_mutex_lock(&entry->oauth->mutex);
    uint64_t refreshes = entry->status.refreshes;
    entry->alarm_us = alarm_us;
    entry->status = (struct oauth_status){
        .tenant_id = grant->version == 0 ? 0 : grant->tenant_id,
        .surface = grant->surface,
        .kind = grant->kind,
        .status = grant->status,
        .company_id = grant->company_id,
        .connected_at_us = grant->connected_at_us,
        .refreshed_at_us = grant->refreshed_at_us,
        .expires_at_us = grant->expires_at_us,
        .failed_at_us = grant->failed_at_us,
        .failures = grant->failures,
        .refreshes = refreshes,
    };
    memcpy(entry->status.reason, grant->reason, sizeof(grant->reason));
    pthread_mutex_unlock(&entry->oauth->mutex);
}

/* --- any thread */

void oauth_append_redirect_uri(const struct oauth *oauth, struct text_buffer *uri)
{
    text_append(uri, text_of(oauth->config.public_url));
    text_append(uri, TEXT(CALLBACK_PATH));
}

static void append_parameter(struct text_buffer *url, const char *name, struct text value)
{
    bool is_first = memchr(url->base, '?', url->length) == NULL;
    text_append_format(url, "%c%s=", is_first ? '?' : '&', name);
    text_append_percent(url, value);
}

static int append_state(struct oauth *oauth, int64_t tenant_id, int64_t now_us,
                        struct text_buffer *url)
{
    char bytes[JWT_TEXT_MAX + 1];
    struct text_buffer state;
    struct token_claims claims = {.audience = TOKEN_STATE,
                                  .tenant_id = tenant_id,
                                  .not_before_us = now_us,
                                  .expires_at_us = now_us + OAUTH_STATE_LIFE_US};
    text_buffer_init(&state, bytes, sizeof(bytes));
    int err = token_sign(oauth->config.keys, oauth->config.random, &claims, &state);
    if (err == 0)
        append_parameter(url, "state", text_buffer_text(&state));
    return err;
}

int oauth_append_authorize_url(struct oauth *oauth, int64_t tenant_id, int64_t now_us,
                               struct text_buffer *url)
{
    char client_id[APP_CLIENT_MAX + 1], bytes[OAUTH_REDIRECT_MAX];
    struct text_buffer redirect;
    pthread_mutex_lock(&oauth->mutex);
    bool has_app = oauth->has_app;
    memcpy(client_id, oauth->app.client_id, sizeof(client_id));
    pthread_mutex_unlock(&oauth->mutex);
    if (!has_app)
        return ERR_NO_APP;
    text_buffer_init(&redirect, bytes, sizeof(bytes));
    oauth_append_redirect_uri(oauth, &redirect);
    text_append(url, text_of(oauth->config.authorize_url));
    append_parameter(url, "client_id", text_of(client_id));
    append_parameter(url, "redirect_uri", text_buffer_text(&redirect));
    append_parameter(url, "response_type", TEXT("code"));
    int err = append_state(oauth, tenant_id, now_us, url);
    CHECK(!url->is_cut && !redirect.is_cut);
    return err;
}

void oauth_each_status(struct oauth *oauth, oauth_status_fn each, void *context)
{
    int64_t now_us = clock_steady_us();
    pthread_mutex_lock(&oauth->mutex);
    for (size_t i = 0; i < oauth->count; i++) {
        struct grant_entry *entry = oauth->entries[i];
        struct oauth_status status = entry->status;
        status.is_alarming = now_us >= entry->alarm_us;
        if (status.tenant_id != 0) /* 0: there is no grant yet */
            each(context, &status);
    }
    pthread_mutex_unlock(&oauth->mutex);
}

bool oauth_has_app(struct oauth *oauth)
{
    pthread_mutex_lock(&oauth->mutex);
    bool has_app = oauth->has_app;
    pthread_mutex_unlock(&oauth->mutex);
    return has_app;
}

bool oauth_is_alarming(struct oauth *oauth)
{
    int64_t now_us = clock_steady_us();
    bool is_alarming = false;
    pthread_mutex_lock(&oauth->mutex);
    for (size_t i = 0; i < oauth->count && !is_alarming; i++)
        is_alarming = now_us >= oauth->entries[i]->alarm_us;
    pthread_mutex_unlock(&oauth->mutex);
    return is_alarming;
}

void oauth_read_counters(struct oauth *oauth, struct oauth_counters *counters)
{
    counters->refreshes = atomic_load(&oauth->refreshes);
    counters->failures = atomic_load(&oauth->failures);
}

/* --- the beginning and the end */

struct loading {
    struct oauth *oauth;
    int err;
};

static bool has_ended(const struct oauth *oauth, const char *owner)
{
    const char *former = oauth->config.former_owner;
    return !oauth->config.is_shared || (former != NULL && strcmp(owner, former) == 0);
}

static void load_grant(void *context, const struct grant *grant)
{
    struct loading *loading = context;
    struct grant_entry *entry;
    if (loading->err == 0)
        loading->err = oauth_find_or_add(loading->oauth, grant->tenant_id, &entry);
    if (loading->err != 0)
        return;
    entry_adopt(entry, grant);
    life_doubt_future(&entry->grant, clock_steady_us());
    entry->phase = life_rest_of(grant);
    /* Perhaps the holder died between a refresh that was sent and its result. Better to know at
     * once; and it did die where the data folder, with the store, is ours alone
     * (service/data_folder.c). */
    entry->is_urgent = grant->lease_owner[0] != '\0';
    entry->is_orphaned = entry->is_urgent && has_ended(loading->oauth, grant->lease_owner);
    entry_publish(entry);
}

static int load(struct oauth *oauth, struct store *store)
{
    struct loading loading = {.oauth = oauth};
    int err = store_read_app(store, APP_OSERIES, &oauth->app);
    oauth->has_app = err == 0;
    if (err != 0 && err != ERR_NOT_FOUND)
        return err;
    err = store_each_grant(store, load_grant, &loading);
    return err != 0 ? err : loading.err;
}

static void on_start(void *context)
{
    struct oauth *oauth = context;
    for (size_t i = 0; i < oauth->count; i++)
        entry_begin_schedule(oauth->entries[i]);
}

static void on_end(void *context)
{
    struct oauth *oauth = context;
    for (size_t i = 0; i < oauth->count; i++)
        entry_end(oauth->entries[i]);
}

int oauth_create(const struct oauth_config *config, struct store *store, struct oauth **oauth)
{
    struct oauth *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    made->config = *config;
    CHECK(pthread_mutex_init(&made->mutex, NULL) == 0);
    if (config->owner != NULL)
        memcpy(made->owner, config->owner, sizeof(made->owner));
    else
        id_key_generate(config->random, made->owner);
    int err = load(made, store);
    if (err != 0) {
        oauth_destroy(made);
        return err;
    }
    outbound_watch_end(config->outbound, &made->end, on_end, made);
    made->start = (struct outbound_message){.fn = on_start, .context = made};
    outbound_post(config->outbound, &made->start);
    *oauth = made;
    return 0;
}

void oauth_destroy(struct oauth *oauth)
{
    if (oauth == NULL)
        return;
    for (size_t i = 0; i < oauth->count; i++) {
        seal_wipe(oauth->entries[i], sizeof(*oauth->entries[i]));
        free(oauth->entries[i]);
    }
    free(oauth->entries);
    pthread_mutex_destroy(&oauth->mutex);
    seal_wipe(oauth, sizeof(*oauth));
    free(oauth);
}

/* --- the application */

struct app_task {
    struct app app;
    struct job *waiting; /* ends when it is in use; or NULL */
};

static int task_read_app(struct job *job, struct store *store)
{
    struct app_task *task = errand_data_of(job);
    return store_read_app(store, APP_OSERIES, &task->app);
}

/* Failures may have been the old secret's. */
static void try_failed_again(struct oauth *oauth)
{
    for (size_t i = 0; i < oauth->count; i++) {
        struct grant_entry *entry = oauth->entries[i];
        if (entry->phase != LIFE_READY || entry->grant.failures == 0)
            continue;
        entry->is_urgent = true;
        entry_begin_schedule(entry);
    }
}

static void take_app(struct oauth *oauth, const struct app *app, bool has_app)
{
    pthread_mutex_lock(&oauth->mutex);
    oauth->app = *app;
    oauth->has_app = has_app;
    pthread_mutex_unlock(&oauth->mutex);
    try_failed_again(oauth);
}

static void on_app_due(void *context);

/* Without the application that is set nothing is refreshed: until it was read. */
static void app_read_failed(struct oauth *oauth, int err)
{
    log_event(LOG_ERROR, "oauth_app_not_read", LOG_TEXT("error", error_name(err)));
    if (err != ERR_SHUTTING_DOWN)
        outbound_set_timer(oauth->config.outbound, &oauth->app_timer,
                           clock_monotonic_us() + APP_PAUSE_US, on_app_due, oauth);
}

static void on_app_read(struct errand *errand)
{
    struct oauth *oauth = errand->context;
    const struct app_task *task = errand_data(errand);
    int err = errand->job.error;
    if (err == 0 || err == ERR_NOT_FOUND)
        take_app(oauth, &task->app, err == 0);
    else if (task->waiting == NULL)
        app_read_failed(oauth, err);
    if (task->waiting != NULL)
        job_end(task->waiting, err == ERR_NOT_FOUND ? 0 : err);
}

/* By the committer: behind every write, and so that of two readings the later one counts. */
static int read_app(struct oauth *oauth, struct job *waiting)
{
    struct errand *errand = errand_create(oauth->config.outbound, sizeof(struct app_task));
    if (errand == NULL)
        return ERR_NO_MEMORY;
    ((struct app_task *)errand_data(errand))->waiting = waiting;
    errand_write(errand, oauth->config.committer, task_read_app, on_app_read, oauth);
    return 0;
}

static void on_app_due(void *context)
{
    struct oauth *oauth = context;
    int err = read_app(oauth, NULL);
    if (err != 0)
        app_read_failed(oauth, err);
}

/* Its message is out of the mailbox, and may be posted again: what comes now is not read yet. */
static void on_app_changed(void *context)
{
    struct oauth *oauth = context;
    atomic_store(&oauth->app_change_is_posted, false);
    on_app_due(oauth);
}

void oauth_reload_app(struct oauth *oauth)
{
    if (atomic_exchange(&oauth->app_change_is_posted, true))
        return;
    oauth->app_changed = (struct outbound_message){.fn = on_app_changed, .context = oauth};
    outbound_post(oauth->config.outbound, &oauth->app_changed);
}

void oauth_begin_reload_app(struct job *job)
{
    int err = read_app(((struct oauth_task *)(job + 1))->oauth, job);
    if (err != 0)
        job_end(job, err);
}
