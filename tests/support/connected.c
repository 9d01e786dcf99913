/* The connected tenant of the tests. */
#include "tests/support/connected.h"

#include "base/check.h"
#include "base/clock.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

static const char *or_else(const char *text, const char *otherwise)
{
    return text == NULL ? otherwise : text;
}

static int64_t add_tenant(struct connected *connected, char letter, int64_t company)
{
    struct tenant tenant = {.name = "Test",
                            .zone = "UTC",
                            .profile = "default",
                            .currency = {"AUD", 2},
                            .oseries_company = company,
                            TENANT_CHOICES};
    memset(tenant.key, letter, ID_KEY_CHARS);
    CHECK(store_add_tenant(connected->writer, &tenant) == 0);
    return tenant.id;
}

static void put_app(struct connected *connected, const struct connected_config *config)
{
    struct app app = {.surface = APP_OSERIES};
    snprintf(app.client_id, sizeof(app.client_id), "%s", or_else(config->client_id, "client"));
    snprintf(app.client_secret, sizeof(app.client_secret), "%s",
             or_else(config->client_secret, "secret"));
    CHECK(store_put_app(connected->writer, &app) == 0);
}

static void put_grant(struct connected *connected, const struct connected_config *config)
{
    int64_t now_us = clock_wall_us();
    struct grant grant = {
        .tenant_id = connected->tenant_id,
        .surface = APP_OSERIES,
        .kind = config->kind == 0 ? GRANT_OAUTH : config->kind,
        .status = GRANT_CONNECTED,
        .company_id = CONNECTED_COMPANY,
        .connected_at_us = now_us,
        .refreshed_at_us = now_us,
        .expires_at_us = config->kind == GRANT_BASIC ? 0 : now_us + 3600 * CLOCK_US_PER_S,
    };
    if (grant.kind == GRANT_OAUTH) {
        snprintf(grant.access_token, sizeof(grant.access_token), "%s",
                 or_else(config->access_token, CONNECTED_ACCESS));
        snprintf(grant.refresh_token, sizeof(grant.refresh_token), "%s",
                 or_else(config->refresh_token, CONNECTED_REFRESH));
    }
    CHECK(store_put_grant(connected->writer, &grant) == 0);
}

static void open_stores(struct connected *connected)
{
    static const uint8_t master[SEAL_KEY_BYTES] = {1};
    char path[96];
    snprintf(connected->folder, sizeof(connected->folder), "/tmp/counterpart-connected-XXXXXX");
    CHECK(mkdtemp(connected->folder) != NULL);
    snprintf(path, sizeof(path), "%s/store", connected->folder);
    CHECK(seal_from_bytes(master, &connected->seal) == 0);
    const struct store_config config = {.location = path, .seal = connected->seal};
    CHECK(store_open(&config, STORE_WRITER, &connected->writer) == 0);
    CHECK(store_open(&config, STORE_READER, &connected->read_store) == 0);
}

static void start_threads(struct connected *connected)
{
    const struct committer_config committer = {.stores = {connected->writer}, .batch_max = 64};
    CHECK(directory_create(&connected->directory) == 0);
    CHECK(directory_load(connected->directory, connected->writer) == 0);
    CHECK(reader_create(&connected->read_store, 1, &connected->reader) == 0);
    CHECK(committer_create(&committer, &connected->committer) == 0);
    CHECK(outbound_create(&connected->outbound) == 0);
}

static int reload(void *context, struct store *store)
{
    return directory_load(context, store);
}

void connected_start(struct connected *connected, const struct connected_config *config)
{
    memset(connected, 0, sizeof(*connected));
    open_stores(connected);
    connected->tenant_id = add_tenant(connected, 'a', CONNECTED_COMPANY);
    connected->lonely_id = add_tenant(connected, 'b', CONNECTED_COMPANY + 1);
    put_app(connected, config);
    put_grant(connected, config);
    start_threads(connected);
    CHECK(token_keys_create(connected->seal, 1, &connected->keys) == 0);
    const struct oauth_config oauth = {
        .outbound = connected->outbound,
        .committer = connected->committer,
        .reader = connected->reader,
        .directory = connected->directory,
        .keys = connected->keys,
        .random = id_source_system(),
        .authorize_url = "http://127.0.0.1/authorize",
        .token_url = config->token_url,
        .api_url = config->api_url,
        .public_url = "http://127.0.0.1",
        .reload = reload,
        .reload_context = connected->directory,
    };
    CHECK(oauth_create(&oauth, connected->read_store, &connected->oauth) == 0);
    const struct oseries_api_config api = {.outbound = connected->outbound,
                                           .oauth = connected->oauth,
                                           .directory = connected->directory,
                                           .api_url = config->api_url};
    CHECK(oseries_api_create(&api, &connected->api) == 0);
}

static void remove_folder(const char *folder)
{
    static const char *const files[] = {"store", "store-wal", "store-shm"};
    char path[96];
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
        (void)unlink(path);
    }
    CHECK(rmdir(folder) == 0);
}

void connected_stop(struct connected *connected)
{
    outbound_drain(connected->outbound);
    committer_stop(connected->committer);
    reader_stop(connected->reader);
    outbound_stop(connected->outbound);
    inbox_destroy(connected->inbox);
    outbound_destroy(connected->outbound);
    oseries_api_destroy(connected->api);
    oauth_destroy(connected->oauth);
    committer_destroy(connected->committer);
    reader_destroy(connected->reader);
    directory_destroy(connected->directory);
    token_keys_destroy(connected->keys);
    store_close(connected->read_store);
    store_close(connected->writer);
    seal_destroy(connected->seal);
    remove_folder(connected->folder);
}

struct running {
    outbound_fn fn;
    void *context;
    sem_t has_run;
};

static void run_it(void *context)
{
    struct running *running = context;
    running->fn(running->context);
    sem_post(&running->has_run);
}

void connected_run(struct connected *connected, outbound_fn fn, void *context)
{
    struct running running = {.fn = fn, .context = context};
    struct outbound_message message = {.fn = run_it, .context = &running};
    CHECK(sem_init(&running.has_run, 0, 0) == 0);
    outbound_post(connected->outbound, &message);
    while (sem_wait(&running.has_run) != 0)
        continue;
    sem_destroy(&running.has_run);
}
