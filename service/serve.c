/* Starts the service, waits for signals, and ends it without losing an accepted request. */
#include "service/serve.h"

#include "base/log.h"
#include "handlers/admin_request.h"
#include "handlers/route.h"
#include "lightspeed/inbox.h"
#include "lightspeed/reconcile.h"
#include "lightspeed/redeem.h"
#include "oauth/oauth.h"
#include "runtime/expiry.h"
#include "runtime/hot_raise.h"
#include "runtime/news.h"
#include "service/config.h"
#include "service/core_dump.h"
#include "service/data_folder.h"
#include "service/listener.h"
#include "service/loop.h"
#include "service/opening.h"
#include "service/reason.h"
#include "service/tls.h"
#include "store/hot_redis.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/banned.h"

#define LOOPS_MAX 64
#define READERS_MAX 4 /* look-ups that miss the hot tier take some 20 us each */
/* Descriptors that are no connections of callers: listeners, stores, pipes; what the outbound
 * thread has open; and 64 lingering ones per loop. */
#define DESCRIPTORS_RESERVED(loops) (160 + OUTBOUND_IN_FLIGHT_MAX + LINGER_RESERVE * (loops))
#define LINGER_RESERVE 80
#define HTTP2_STREAMS_MAX 32 /* a till needs one; 2.2.5 predates the rapid-reset fixes */
/* Nothing under way on any loop for this long: the requests that were on their way have come. */
#define QUIET_US (INT64_C(100) * 1000)

struct service {
    struct config config;
    int lock_fd;
    struct seal *seal;
    struct store *writers[COMMITTER_SHARDS_MAX + 1]; /* the committer's, then NULL */
    struct store *checkpoint, *readers[READERS_MAX];
    int32_t writer_count;
    int32_t reader_count;
    struct handlers handlers;
    struct expiry *expiry;
    struct duty *duty;
    char name[ID_KEY_CHARS + 1];   /* of this process, among those of one store */
    char former[ID_KEY_CHARS + 1]; /* of the one that had the data folder before; or empty */
    struct hot_raise hot_raise;
    h2o_globalconf_t globalconf;
    bool has_globalconf;
    struct listeners listeners;
    struct tls tls;
    _Atomic int64_t connections;
    struct loop *loops[LOOPS_MAX];
    int loop_count;
    char public_url[CONFIG_TEXT_MAX];
    struct about about;
};

static int complain(const char *what, int err)
{
    return reason_give(err, "%s: %s", what, error_name(err));
}

/* --- store */

static int open_seal(struct service *service)
{
    bool is_empty;
    int err = store_is_empty(service->config.store_location, &is_empty);
    if (err != 0)
        return complain(service->config.store_name, err);
    /* A new key for a store that has cards would make them all unknown. */
    return opening_seal(&service->config, is_empty, &service->seal);
}

static int open_store(struct service *service, enum store_mode mode, struct store **store)
{
    return opening_store(&service->config, service->seal, mode, store);
}

static int32_t readers_wanted(const struct config *config)
{
    return config->threads < READERS_MAX ? (int32_t)config->threads : READERS_MAX;
}

static int32_t writers_wanted(const struct config *config)
{
    return config->is_postgres ? (int32_t)config->committers : 1;
}

static int open_stores(struct service *service)
{
    int err = 0;
    while (err == 0 && service->writer_count < writers_wanted(&service->config)) {
        err = open_store(service, STORE_WRITER, &service->writers[service->writer_count]);
        service->writer_count += err == 0;
    }
    if (err == 0)
        err = open_store(service, STORE_WRITER, &service->checkpoint);
    while (err == 0 && service->reader_count < readers_wanted(&service->config)) {
        err = open_store(service, STORE_READER, &service->readers[service->reader_count]);
        service->reader_count += err == 0;
    }
    return err;
}

/* --- what the handlers use */

/* Long enough for every process to have looked (runtime/news.h), and looked again. */
#define HOT_SPREAD_US (2 * NEWS_PERIOD_US)

static int make_hot(struct service *service)
{
    struct handlers *handlers = &service->handlers;
    int64_t ttl_us = service->config.hot_ttl_s * CLOCK_US_PER_S;
    bool is_shared = store_is_shared(service->writers[0]);
    if (!service->config.redis_is_on && is_shared) {
        log_event(LOG_INFO, "hot_tier_is_off",
                  LOG_TEXT("reason", "other processes may use the same PostgreSQL: without "
                                     "COUNTERPART_REDIS every look-up goes to it"));
        return hot_none_create(&handlers->hot);
    }
    if (!service->config.redis_is_on)
        return hot_memory_create(HOT_ENTRIES_DEFAULT, ttl_us, &handlers->hot);
    int err = depot_create(&service->config.target, &handlers->depot);
    if (err != 0)
        return err;
    const struct hot_redis_config config = {
        .depot = handlers->depot,
        .seal = service->seal,
        .ttl_us = ttl_us,
        .now_us = clock_monotonic_us,
        .wall_us = hot_redis_wall_us,
        .pending_max = HOT_PENDING_MAX,
        .spread_us = is_shared ? HOT_SPREAD_US : 0,
    };
    return hot_redis_create(&config, &handlers->hot);
}

static int make_tiers(struct service *service)
{
    struct handlers *handlers = &service->handlers;
    const char *profiles = service->config.profiles[0] == '\0' ? NULL : service->config.profiles;
    int err = profiles_create(profiles, &handlers->profiles);
    if (err != 0)
        return reason_give(err, "the profiles in %s cannot be used; the log line above says why",
                           service->config.profiles);
    err = make_hot(service);
    if (err == 0)
        err = budget_create(&handlers->budget);
    if (err == 0 && handlers->depot != NULL)
        budget_share(handlers->budget, service->seal);
    if (err == 0)
        err = metrics_create(&handlers->metrics);
    if (err == 0)
        err = directory_create(&handlers->directory);
    return err == 0 ? 0 : complain("memory", err);
}

static int load_store(struct service *service)
{
    int err = store_generation(service->writers[0], &service->handlers.generation);
    if (err == 0)
        err = directory_load(service->handlers.directory, service->writers[0]);
    return err == 0 ? 0 : complain(service->config.store_name, err);
}

static int start_keys(struct service *service)
{
    int64_t generation;
    int err = store_token_generation(service->writers[0], &generation);
    if (err == 0)
        err = token_keys_create(service->seal, generation, &service->handlers.token_keys);
    return err == 0 ? 0 : complain(service->config.store_name, err);
}

static int start_workers(struct service *service)
{
    struct committer_config config = {
        .checkpoint_store = service->checkpoint,
        .hot = service->handlers.hot,
        .batch_max = (int32_t)service->config.batch_max,
    };
    memcpy(config.stores, service->writers, sizeof(config.stores));
    int err = reader_create(service->readers, service->reader_count, &service->handlers.reader);
    if (err == 0)
        err = committer_create(&config, &service->handlers.committer);
    if (err == 0 && service->config.redis_is_on) {
        service->hot_raise = (struct hot_raise){service->handlers.committer, service->handlers.hot};
        err = hot_redis_start(service->handlers.hot, hot_raise, &service->hot_raise);
    }
    if (err == 0)
        err = outbound_create(&service->handlers.outbound);
    return err == 0 ? 0 : complain("threads", err);
}

/* What came while another process had the duty. On the outbound thread; the inbox is there. */
static void on_duty_taken(void *context)
{
    const struct handlers *handlers = context;
    inbox_wake(handlers->inbox);
}

static int make_duty(struct service *service)
{
    struct handlers *handlers = &service->handlers;
    struct duty_config config = {
        .outbound = handlers->outbound,
        .committer = handlers->committer,
        .is_shared = store_is_shared(service->writers[0]),
        .on_taken = on_duty_taken,
        .taken_context = handlers,
        .life_us = DUTY_LIFE_US,
        .renew_us = DUTY_RENEW_US,
    };
    memcpy(config.owner, service->name, sizeof(config.owner));
    memcpy(config.former, service->former, sizeof(config.former));
    int err = duty_create(&config, &service->duty);
    handlers->duty = service->duty;
    return err;
}

/* What happens without being asked for. */
static int make_schedule(struct service *service)
{
    struct handlers *handlers = &service->handlers;
    int err = make_duty(service);
    if (err == 0)
        err = scheduler_create(handlers->outbound, service->duty, &handlers->scheduler);
    if (err == 0)
        err = expiry_create(handlers->outbound, handlers->committer, handlers->directory,
                            &service->expiry);
    if (err != 0)
        return complain("scheduler", err);
    scheduler_add(handlers->scheduler, "points_expiry", EXPIRY_PERIOD_US, expiry_run,
                  service->expiry);
    return 0;
}

static int start_store(struct service *service)
{
    int err = open_seal(service);
    if (err == 0)
        err = open_stores(service);
    if (err == 0)
        err = make_tiers(service);
    if (err == 0)
        err = load_store(service);
    if (err == 0)
        err = start_keys(service);
    if (err == 0)
        err = start_workers(service);
    if (err == 0)
        err = make_schedule(service);
    return err;
}

/* --- network */

static void raise_descriptors(struct service *service)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    int64_t reserved = DESCRIPTORS_RESERVED(service->config.threads);
    int64_t possible = (int64_t)limit.rlim_cur - reserved;
    if (possible < 1)
        possible = 1;
    if (limit.rlim_cur == RLIM_INFINITY || service->config.connections_max <= possible)
        return;
    log_event(service->config.connections_max_was_set ? LOG_WARNING : LOG_DEBUG,
              "connections_max_lowered", LOG_INT("wanted", service->config.connections_max),
              LOG_INT("possible", possible));
    service->config.connections_max = possible;
}

static int load_tls(struct service *service)
{
    const struct tls_files files = {.certificate_path = service->config.tls_cert,
                                    .key_path = service->config.tls_key,
                                    .offers_http2 = service->config.http2_is_on};
    return tls_load(&service->tls, &files);
}

static bool wants_tls(const struct listeners *listeners)
{
    for (int i = 0; i < listeners->count; i++)
        if (listeners->items[i].is_tls)
            return true;
    return false;
}

static int open_network(struct service *service)
{
    const struct config *config = &service->config;
    int err = listeners_open(&service->listeners, text_of(config->listen));
    if (err == 0 && wants_tls(&service->listeners) && config->tls_cert[0] == '\0') {
        err = reason_give(ERR_BAD_CONFIG, "https:// in COUNTERPART_LISTEN needs "
                                          "COUNTERPART_TLS_CERT and COUNTERPART_TLS_KEY");
    }
    if (err == 0 && config->tls_cert[0] != '\0' && (err = load_tls(service)) != 0)
        return reason_give(err, "TLS cannot be used: the log line above says why");
    if (err == 0)
        err = listeners_open_local(&service->listeners, config->admin_path);
    return err;
}

/* An address to listen on is not always one to call: 0.0.0.0 is not. */
static void make_public_url(struct service *service)
{
    struct text url = text_of(service->config.public_url);
    struct text_buffer buffer;
    text_buffer_init(&buffer, service->public_url, sizeof(service->public_url));
    if (url.length > 0) {
        text_append(&buffer, url);
        return;
    }
    const struct listener *first = &service->listeners.items[0];
    struct text address = text_of(first->address);
    struct text scheme = first->is_tls ? TEXT("https://") : TEXT("http://");
    struct text rest = text_slice(address, scheme.length, address.length);
    struct text any = text_starts_with(rest, TEXT("0.0.0.0:")) ? TEXT("0.0.0.0") : TEXT("[::]");
    if (text_starts_with(rest, any)) {
        text_append(&buffer, scheme);
        text_append(&buffer, TEXT("localhost"));
        address = text_slice(rest, any.length, rest.length);
    }
    text_append(&buffer, address);
}

/* This process' own; where several share a store, and stand behind one address, theirs. */
static struct seal_hmac *make_presence(const struct service *service, struct id_source random)
{
    uint8_t key[SEAL_KEY_BYTES];
    if (store_is_shared(service->writers[0]))
        seal_derive_key(service->seal, TEXT("presence 1"), key);
    else
        random.fill(random.context, key, sizeof(key));
    struct seal_hmac *presence = seal_hmac_create((struct text){(const char *)key, sizeof(key)});
    seal_wipe(key, sizeof(key));
    return presence;
}

static void fill_about(struct service *service)
{
    const struct config *config = &service->config;
    service->about = (struct about){
        .version = COUNTERPART_VERSION,
        .data_path = config->data,
        .master_key_path = config->master_key,
        .api_url = config->oseries_api_url,
        .public_url_is_set = config->public_url[0] != '\0',
        .started_at_us = clock_steady_us(),
    };
    service->handlers.about = &service->about;
}

static void fill_handlers(struct service *service)
{
    struct handlers *handlers = &service->handlers;
    make_public_url(service);
    handlers->seal = service->seal;
    handlers->proxies = &service->config.proxies;
    handlers->random = id_source_system();
    handlers->presence = make_presence(service, handlers->random);
    fill_about(service);
    handlers->public_url = service->public_url;
    handlers->store_name = service->config.is_postgres ? "postgresql" : "sqlite";
}

static int reload_directory(void *context, struct store *store)
{
    return admin_reload_directory(context, store);
}

/* The inbox is there: nobody connects before the loops serve. */
static void on_connected(void *context, int64_t tenant_id)
{
    const struct handlers *handlers = context;
    inbox_connected(handlers->inbox, tenant_id);
}

/* The readers' threads are there, but nobody has a job for them yet. */
static int start_oauth(struct service *service)
{
    struct handlers *handlers = &service->handlers;
    const struct oauth_config config = {
        .outbound = handlers->outbound,
        .committer = handlers->committer,
        .reader = handlers->reader,
        .directory = handlers->directory,
        .keys = handlers->token_keys,
        .random = handlers->random,
        .authorize_url = service->config.oseries_authorize_url,
        .token_url = service->config.oseries_token_url,
        .api_url = service->config.oseries_api_url,
        .public_url = service->public_url,
        .is_shared = store_is_shared(service->writers[0]),
        .former_owner = service->former,
        .owner = service->name,
        .reload = reload_directory,
        .reload_context = handlers,
        .on_connected = on_connected,
        .connected_context = handlers,
    };
    int err = oauth_create(&config, service->readers[0], &handlers->oauth);
    return err == 0 ? 0 : complain("oauth", err);
}

static int start_lightspeed(struct service *service)
{
    struct handlers *handlers = &service->handlers;
    const struct oseries_api_config api = {
        .outbound = handlers->outbound,
        .oauth = handlers->oauth,
        .directory = handlers->directory,
        .api_url = service->config.oseries_api_url,
    };
    int err = oseries_api_create(&api, &handlers->api);
    if (err != 0)
        return complain("the O-Series client", err);
    const struct redeem_config redeem = {
        .outbound = handlers->outbound,
        .committer = handlers->committer,
        .reader = handlers->reader,
        .directory = handlers->directory,
        .api = handlers->api,
        .duty = service->duty,
        .settle_us = service->config.redeem_settle_s * CLOCK_US_PER_S,
    };
    err = redeem_create(&redeem, &handlers->redeem);
    return err == 0 ? 0 : complain("redemption", err);
}

/* Webhooks that somebody has deleted, or that a crash left unregistered, and topics that have
 * changed: set right soon after the start, and daily. */
#define WEBHOOKS_PERIOD_US (CLOCK_S_PER_DAY * CLOCK_US_PER_S)

static void on_status(void *context, const struct oauth_status *status)
{
    if (status->status == GRANT_CONNECTED)
        inbox_connected(context, status->tenant_id);
}

static void register_webhooks(struct scheduled *task, void *context)
{
    const struct handlers *handlers = context;
    oauth_each_status(handlers->oauth, on_status, handlers->inbox);
    scheduler_end(task, 0);
}

static int start_inbox(struct service *service)
{
    struct handlers *handlers = &service->handlers;
    const struct inbox_config config = {
        .outbound = handlers->outbound,
        .committer = handlers->committer,
        .reader = handlers->reader,
        .directory = handlers->directory,
        .api = handlers->api,
        .public_url = service->public_url,
        .generation = handlers->generation,
        .duty = service->duty,
        .is_shared = store_is_shared(service->writers[0]),
        .times = service->config.reconcile,
    };
    int err = inbox_create(&config, &handlers->inbox);
    if (err != 0)
        return complain("inbox", err);
    scheduler_add(handlers->scheduler, "webhooks", WEBHOOKS_PERIOD_US, register_webhooks, handlers);
    return 0;
}

static int start_reconcile(struct service *service)
{
    struct handlers *handlers = &service->handlers;
    const struct reconcile_config config = {
        .outbound = handlers->outbound,
        .committer = handlers->committer,
        .reader = handlers->reader,
        .directory = handlers->directory,
        .inbox = handlers->inbox,
        .times = service->config.reconcile,
    };
    int err = reconcile_create(&config, &handlers->reconcile);
    if (err != 0)
        return complain("reconciliation", err);
    scheduler_add(handlers->scheduler, "reconcile", config.times.scan_us, reconcile_scan,
                  handlers->reconcile);
    scheduler_add(handlers->scheduler, "sweep", config.times.sweep_us, reconcile_sweep,
                  handlers->reconcile);
    return 0;
}

/* --- other processes of the same store */

/* What it says differs from what is known: directory_load keeps the newer. */
static int news_reload(void *context, struct store *store)
{
    return admin_reload_directory(context, store);
}

static void on_news_reloaded(void *context)
{
    const struct handlers *handlers = context;
    oauth_follow(handlers->oauth);
}

static void on_versions(void *context, const struct store_versions *versions)
{
    const struct handlers *handlers = context;
    token_keys_follow(handlers->token_keys, versions->token_generation);
    if (handlers->depot != NULL)
        hot_redis_follow(handlers->hot, versions->hot_generation);
}

static int start_news(struct service *service)
{
    struct handlers *handlers = &service->handlers;
    const struct news_config config = {
        .outbound = handlers->outbound,
        .reader = handlers->reader,
        .reload = news_reload,
        .on_reloaded = on_news_reloaded,
        .on_versions = on_versions,
        .context = handlers,
        .period_us = NEWS_PERIOD_US,
    };
    if (!store_is_shared(service->writers[0]))
        return 0;
    int err = news_create(&config, &handlers->news);
    return err == 0 ? 0 : complain("news", err);
}

static void configure_http(struct service *service, struct loop_config *loops)
{
    h2o_globalconf_t *globalconf = &service->globalconf;
    const struct config *config = &service->config;
    h2o_config_init(globalconf);
    service->has_globalconf = true;
    globalconf->server_name = (h2o_iovec_t){NULL, 0};
    /* Content-Length may equal libh2o's limit, a chunked body must stay below it: one more, and the
     * last byte is judged in route.c. */
    globalconf->max_request_entity_size = BODY_LARGEST + 1;
    globalconf->http1.req_timeout = (uint64_t)config->request_timeout_s * 1000;
    globalconf->http1.upgrade_to_http2 = config->http2_is_on;
    globalconf->http2.idle_timeout = (uint64_t)config->request_timeout_s * 1000;
    globalconf->http2.max_concurrent_requests_per_connection = HTTP2_STREAMS_MAX;
    loops->public_host =
        h2o_config_register_host(globalconf, h2o_iovec_init(H2O_STRLIT("public")), 65535);
    loops->local_host =
        h2o_config_register_host(globalconf, h2o_iovec_init(H2O_STRLIT("local")), 65535);
    route_register(loops->public_host, false);
    route_register(loops->local_host, true);
}

static int start_loops(struct service *service)
{
    struct loop_config config = {
        .handlers = &service->handlers,
        .globalconf = &service->globalconf,
        .listeners = &service->listeners,
        .tls = &service->tls.current,
        .connections = &service->connections,
        .connections_max = service->config.connections_max,
    };
    configure_http(service, &config);
    while (service->loop_count < service->config.threads) {
        int err = loop_create(&config, &service->loops[service->loop_count]);
        if (err != 0)
            return complain("loops", err);
        service->loop_count++;
    }
    return 0;
}

/* --- signals */

static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL); /* before the first thread: all inherit it */
    signal(SIGPIPE, SIG_IGN);
}

static void reload(struct service *service)
{
    int tls_err = service->config.tls_cert[0] == '\0' ? 0 : load_tls(service);
    int profiles_err = profiles_reload(service->handlers.profiles);
    if (profiles_err == 0)
        atomic_fetch_add_explicit(&service->handlers.epoch, 1, memory_order_release);
    bool is_fine = tls_err == 0 && profiles_err == 0;
    log_event(is_fine ? LOG_INFO : LOG_ERROR, "reloaded", LOG_TEXT("tls", error_name(tls_err)),
              LOG_TEXT("profiles", error_name(profiles_err)));
}

static void wait_for_end(struct service *service, const sigset_t *signals)
{
    for (;;) {
        int number = sigwaitinfo(signals, NULL);
        if (number == SIGHUP) {
            reload(service);
        } else if (number != -1) {
            log_event(LOG_INFO, "draining", LOG_INT("signal", number));
            return;
        }
    }
}

/* --- the end */

static bool all_are_quiet(const struct service *service)
{
    for (int i = 0; i < service->loop_count; i++)
        if (loop_quiet_us(service->loops[i]) < QUIET_US)
            return false;
    return true;
}

/* A second signal ends the waiting. */
static void drain(struct service *service, const sigset_t *signals)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    int64_t until_us = clock_monotonic_us() + service->config.drain_s * CLOCK_US_PER_S;
    atomic_store(&service->handlers.is_draining, true);
    listeners_close(&service->listeners); /* the loops hold the last references, and close them when
                                             their backlog is empty */
    for (int i = 0; i < service->loop_count; i++)
        loop_ask(service->loops[i], LOOP_DRAINING);
    while (!all_are_quiet(service) && clock_monotonic_us() < until_us) {
        int number = sigtimedwait(signals, NULL, &pause);
        if (number == SIGTERM || number == SIGINT)
            return;
    }
}

/*
 * Workers first: they finish what is queued and give it back to loops that still answer. The
 * outbound thread before and after the store's workers: first it writes what its last replies have
 * brought; what it still waits for then, a hanging store lets go of only when it is stopped.
 */
static void stop_threads(struct service *service)
{
    outbound_drain(service->handlers.outbound);
    hot_redis_stop(service->handlers.hot);
    committer_stop(service->handlers.committer);
    reader_stop(service->handlers.reader);
    outbound_stop(service->handlers.outbound);
    for (int i = 0; i < service->loop_count; i++)
        loop_ask(service->loops[i], LOOP_STOPPED);
    for (int i = 0; i < service->loop_count; i++)
        loop_destroy(service->loops[i]);
    scheduler_destroy(service->handlers.scheduler);
    expiry_destroy(service->expiry);
    reconcile_destroy(service->handlers.reconcile);
    inbox_destroy(service->handlers.inbox);
    redeem_destroy(service->handlers.redeem);
    oseries_api_destroy(service->handlers.api);
    outbound_destroy(service->handlers.outbound);
    oauth_destroy(service->handlers.oauth);
    news_destroy(service->handlers.news);
    committer_destroy(service->handlers.committer);
    duty_give_up(service->duty, service->writers[0]);
    duty_destroy(service->duty);
    reader_destroy(service->handlers.reader);
}

static void close_stores(struct service *service)
{
    for (int32_t i = 0; i < service->reader_count; i++)
        store_close(service->readers[i]);
    store_close(service->checkpoint);
    for (int32_t i = 0; i < service->writer_count; i++)
        store_close(service->writers[i]);
}

/* Takes apart whatever was put together. */
static void service_finish(struct service *service)
{
    struct handlers *handlers = &service->handlers;
    stop_threads(service);
    listeners_close(&service->listeners);
    if (service->has_globalconf)
        h2o_config_dispose(&service->globalconf);
    tls_finish(&service->tls);
    directory_destroy(handlers->directory);
    metrics_destroy(handlers->metrics);
    budget_destroy(handlers->budget);
    hot_destroy(handlers->hot);
    depot_destroy(handlers->depot);
    profiles_destroy(handlers->profiles);
    close_stores(service);
    token_keys_destroy(handlers->token_keys);
    seal_hmac_destroy(handlers->presence);
    seal_destroy(service->seal);
    data_folder_unlock(service->lock_fd);
}

static int service_start(struct service *service)
{
    raise_descriptors(service);
    int err = open_network(service);
    if (err == 0)
        err = start_store(service);
    if (err != 0)
        return err;
    fill_handlers(service);
    err = start_oauth(service);
    if (err == 0)
        err = start_lightspeed(service);
    if (err == 0)
        err = start_inbox(service);
    if (err == 0)
        err = start_reconcile(service);
    if (err == 0)
        err = start_news(service);
    if (err == 0)
        err = start_loops(service);
    if (err == 0)
        duty_start(service->duty);
    if (err == 0)
        scheduler_start(service->handlers.scheduler, SCHEDULER_DELAY_US, SCHEDULER_RETRY_US);
    return err;
}

static void log_listening(const struct service *service)
{
    char bytes[LISTENERS_MAX * LISTENER_ADDRESS_MAX];
    struct text_buffer addresses;
    text_buffer_init(&addresses, bytes, sizeof(bytes));
    for (int i = 0; i < service->listeners.count; i++) {
        if (i > 0)
            text_append(&addresses, TEXT(" "));
        text_append(&addresses, text_of(service->listeners.items[i].address));
    }
    log_event(LOG_INFO, "listening", LOG_TEXT_N("addresses", text_buffer_text(&addresses)),
              LOG_TEXT("public_url", service->public_url), LOG_INT("threads", service->loop_count));
}

static void warn_of_open_folder(const char *path)
{
    char octal[8];
    unsigned mode;
    struct text_buffer buffer;
    if (!data_folder_is_open(path, &mode))
        return;
    text_buffer_init(&buffer, octal, sizeof(octal));
    text_append_format(&buffer, "%04o", mode);
    log_event(LOG_WARNING, "data_folder_is_open", LOG_TEXT("path", path), LOG_TEXT("mode", octal));
}

/* Without it what a killed process was about waits until its leases have ended. */
static void name_process(struct service *service)
{
    id_key_generate(id_source_system(), service->name);
    if (data_folder_name(service->lock_fd, service->name, service->former) != 0)
        log_event(LOG_WARNING, "process_not_named", LOG_INT("errno", errno));
}

static int run(struct service *service, const sigset_t *signals)
{
    int err = data_folder_lock(service->config.data, &service->lock_fd);
    if (err == 0) {
        name_process(service);
        warn_of_open_folder(service->config.data);
        err = service_start(service);
    }
    if (err == 0) {
        log_listening(service);
        wait_for_end(service, signals);
        drain(service, signals);
    }
    service_finish(service);
    if (err == 0)
        log_event(LOG_INFO, "stopped", LOG_TEXT("error", error_name(err)));
    else
        log_event(LOG_ERROR, "stopped", LOG_TEXT("error", error_name(err)),
                  LOG_TEXT("reason", reason_given()));
    return err;
}

static int print_reason(void)
{
    fprintf(stderr, "counterpart: did not start: %s\n", reason_given());
    return EXIT_FAILURE;
}

int serve(char *const *environment)
{
    static struct service service; /* some 20 KiB, and one per process */
    sigset_t signals;
    service.lock_fd = -1;
    int err = config_read(environment, &service.config);
    if (err != 0)
        return EXIT_FAILURE;
    if (!service.config.core_dumps_are_on)
        core_dump_forbid();
    block_signals(&signals);
    err = log_start(service.config.log_level);
    if (err != 0) {
        (void)complain("log", err);
        return print_reason();
    }
    if (service.config.core_dumps_are_on)
        log_event(LOG_WARNING, "core_dumps_are_on");
    err = run(&service, &signals);
    log_finish();
    return err == 0 ? EXIT_SUCCESS : print_reason();
}
