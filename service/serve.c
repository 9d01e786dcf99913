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
#include "service/handover.h"
#include "service/listener.h"
#include "service/loop.h"
#include "service/manager.h"
#include "service/opening.h"
#include "service/reason.h"
#include "service/tls.h"
#include "store/hot_redis.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

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
/* Before anything is held, a hand-over waits so long for a moment in which no reply of Lightspeed
 * is awaited: what it waits for afterwards, tills wait for as well. */
#define HAND_OVER_LULL_US (3 * CLOCK_US_PER_S)
/* Then what is under way gets so long for its answer; whoever came meanwhile waits in the kernel.
 * Nearly all is commits, of milliseconds each. Well below a register's patience. */
#define HAND_OVER_HOLD_US CLOCK_US_PER_S

struct service {
    struct config config;
    int lock_fd;
    struct seal *seal;
    struct store *writers[COMMITTER_STORES_MAX + 1]; /* the committer's, then NULL */
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
    struct handover handover;
    int predecessor; /* the channel to it, until we serve; -1: there is none */
    struct parcels parcels;
    int signal_fd;
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
    bool is_shared = service->config.is_postgres; /* no store is open yet */
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
    int err = open_stores(service);
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

static int open_sockets(struct service *service)
{
    const struct config *config = &service->config;
    int err = manager_sockets(&service->listeners);
    if (err == 0 && service->listeners.count == 0)
        err = listeners_open(&service->listeners, text_of(config->listen));
    if (err == 0)
        err = listeners_open_local(&service->listeners, config->admin_path);
    if (err == 0)
        err = handover_open(&service->handover, config->hand_over_path, -1);
    return err;
}

/* The sockets may be there already: of a predecessor, or of our own life before. */
static int open_network(struct service *service)
{
    const struct config *config = &service->config;
    int err = service->listeners.count > 0 ? 0 : open_sockets(service);
    if (err == 0 && wants_tls(&service->listeners) && config->tls_cert[0] == '\0') {
        err = reason_give(ERR_BAD_CONFIG, "https:// in COUNTERPART_LISTEN needs "
                                          "COUNTERPART_TLS_CERT and COUNTERPART_TLS_KEY");
    }
    if (err == 0 && config->tls_cert[0] != '\0' && (err = load_tls(service)) != 0)
        return reason_give(err, "TLS cannot be used: the log line above says why");
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

/* Nor is there news before. */
static void on_connected_elsewhere(void *context, int64_t tenant_id)
{
    const struct handlers *handlers = context;
    inbox_connected_elsewhere(handlers->inbox, tenant_id);
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
        .on_connected_elsewhere = on_connected_elsewhere,
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
        .parcels = &service->parcels,
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
    sigaddset(set, SIGCHLD);               /* a successor that we have started */
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

enum ending {
    ENDING_NOT_YET,
    ENDING_ASKED,       /* a signal: drain */
    ENDING_HANDED_OVER, /* to a successor that has not said yet that it serves */
};

static enum ending on_signal(struct service *service)
{
    struct signalfd_siginfo info;
    if (read(service->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return ENDING_NOT_YET;
    int number = (int)info.ssi_signo;
    if (number == SIGHUP) {
        manager_say_reloading();
        reload(service);
        manager_say_ready();
    } else if (number == SIGCHLD) {
        handover_reap(&service->handover);
    } else {
        log_event(LOG_INFO, "draining", LOG_INT("signal", number));
        manager_say_stopping();
        return ENDING_ASKED;
    }
    return ENDING_NOT_YET;
}

static bool hand_over(struct service *service);

static enum ending wait_for_end(struct service *service)
{
    struct handover *handover = &service->handover;
    enum ending ending = ENDING_NOT_YET;
    while (ending == ENDING_NOT_YET) {
        struct pollfd each[] = {{.fd = service->signal_fd, .events = POLLIN},
                                {.fd = handover->listener, .events = POLLIN},
                                {.fd = handover->successor, .events = POLLIN}};
        if (poll(each, COUNT_OF(each), -1) <= 0)
            continue;
        if (each[0].revents != 0)
            ending = on_signal(service);
        else if (each[2].revents != 0 && handover_is_ready(handover) && hand_over(service))
            ending = ENDING_HANDED_OVER;
        else if (each[1].revents != 0)
            handover_greet(handover, service->config.listen, &service->listeners);
    }
    return ending;
}

/* --- the end */

static bool all_are_quiet(const struct service *service)
{
    for (int i = 0; i < service->loop_count; i++)
        if (loop_quiet_us(service->loops[i]) < QUIET_US)
            return false;
    return true;
}

/* A second signal ends any waiting. */
static bool is_hurried(const sigset_t *signals)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    int number = sigtimedwait(signals, NULL, &pause);
    return number == SIGTERM || number == SIGINT;
}

/* The door is still open, and /readyz red: a balancer sends what comes elsewhere from now on, and
 * none of its idle connections is closed under a request. Gives false when there is no more time.
 */
static bool drain_give_notice(const struct service *service, const sigset_t *signals)
{
    int64_t until_us = clock_monotonic_us() + service->config.drain_notice_s * CLOCK_US_PER_S;
    while (clock_monotonic_us() < until_us) {
        if (is_hurried(signals))
            return false;
    }
    return true;
}

static void drain(struct service *service, const sigset_t *signals)
{
    atomic_store(&service->handlers.is_draining, true);
    bool has_time = drain_give_notice(service, signals);
    listeners_close(&service->listeners); /* the loops hold the last references, and close them when
                                             their backlog is empty */
    for (int i = 0; i < service->loop_count; i++)
        loop_ask(service->loops[i], LOOP_DRAINING);
    int64_t until_us = clock_monotonic_us() + service->config.drain_s * CLOCK_US_PER_S;
    while (has_time && !all_are_quiet(service) && clock_monotonic_us() < until_us)
        has_time = !is_hurried(signals);
}

/*
 * Workers first: they finish what is queued and give it back to loops that still answer. The
 * outbound thread before and after the store's workers: first it writes what its last replies have
 * brought; what it still waits for then, a hanging store lets go of only when it is stopped.
 */
static void stop_workers(struct service *service)
{
    outbound_drain(service->handlers.outbound);
    committer_stop(service->handlers.committer);
    hot_redis_stop(service->handlers.hot); /* writes what was committed last, too */
    reader_stop(service->handlers.reader);
    outbound_stop(service->handlers.outbound);
    duty_give_up(service->duty, service->writers[0]);
}

static void stop_threads(struct service *service)
{
    stop_workers(service);
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
    duty_destroy(service->duty);
    service->duty = NULL;
    reader_destroy(service->handlers.reader);
}

static void close_stores(struct service *service)
{
    for (int32_t i = 0; i < service->reader_count; i++)
        store_close(service->readers[i]);
    store_close(service->checkpoint);
    for (int32_t i = 0; i < service->writer_count; i++)
        store_close(service->writers[i]);
    service->reader_count = service->writer_count = 0;
    service->checkpoint = NULL;
}

/* Takes apart what service_start has put together, and leaves it as it was before. */
static void service_stop(struct service *service)
{
    struct handlers *handlers = &service->handlers;
    stop_threads(service);
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
    memset(&service->handlers, 0, sizeof(service->handlers));
    memset(&service->globalconf, 0, sizeof(service->globalconf));
    memset(&service->tls, 0, sizeof(service->tls));
    service->has_globalconf = false;
    service->loop_count = 0;
    service->seal = NULL;
    service->expiry = NULL;
    atomic_store(&service->connections, 0);
}

static void service_finish(struct service *service)
{
    service_stop(service);
    parcels_finish(&service->parcels);
    listeners_close(&service->listeners);
    handover_finish(&service->handover);
    if (service->predecessor != -1)
        close(service->predecessor);
    if (service->signal_fd != -1)
        close(service->signal_fd);
    data_folder_unlock(service->lock_fd);
}

/* --- handing over, see service/handover.h */

static void rest(void)
{
    const struct timespec pause = {.tv_nsec = 2 * 1000 * 1000};
    (void)nanosleep(&pause, NULL);
}

static void wait_for_lull(struct service *service)
{
    struct outbound_counters counters;
    int64_t until_us = clock_monotonic_us() + HAND_OVER_LULL_US;
    do {
        outbound_read_counters(service->handlers.outbound, &counters);
        if (counters.in_flight + counters.waiting == 0)
            return;
        rest();
    } while (clock_monotonic_us() < until_us);
}

static bool all_have_let_go(const struct service *service)
{
    for (int i = 0; i < service->loop_count; i++)
        if (loop_quiet_us(service->loops[i]) == 0)
            return false;
    return true;
}

static void ask_loops(struct service *service, enum loop_phase phase)
{
    atomic_store(&service->handlers.is_draining, phase != LOOP_RUNNING);
    for (int i = 0; i < service->loop_count; i++)
        loop_ask(service->loops[i], phase);
}

static void hold(struct service *service)
{
    int64_t until_us = clock_monotonic_us() + HAND_OVER_HOLD_US;
    ask_loops(service, LOOP_HOLDING);
    while (!all_have_let_go(service) && !handover_is_lost(&service->handover) &&
           clock_monotonic_us() < until_us)
        rest();
}

/* Connections that were let go are served here. */
static void adopt_parcels(struct service *service)
{
    struct parcel *next = parcels_take(&service->parcels);
    for (int i = 0; next != NULL; i++) {
        struct parcel *parcel = next;
        next = parcel->next;
        loop_adopt(service->loops[i % service->loop_count], parcel);
    }
}

/* A successor is ready. From the end of the workers on there is no way back but a start. */
static bool hand_over(struct service *service)
{
    struct handover *handover = &service->handover;
    log_event(LOG_INFO, "handing_over");
    wait_for_lull(service);
    int64_t began_us = clock_monotonic_us();
    hold(service);
    if (handover_is_lost(handover)) {
        handover_drop(handover, "the successor has ended before it got the store");
        ask_loops(service, LOOP_RUNNING);
        adopt_parcels(service);
        return false;
    }
    int64_t held_us = clock_monotonic_us() - began_us;
    atomic_store(&service->handlers.is_handed_over, true);
    ask_loops(service, LOOP_DRAINING);
    stop_workers(service);
    close_stores(service);
    struct parcel *parcels = parcels_take(&service->parcels);
    int err = handover_give(handover, parcels, service->lock_fd);
    service->parcels.first = parcels; /* the loops let nothing go any more */
    log_event(LOG_INFO, "handed_over", LOG_TEXT("error", error_name(err)),
              LOG_INT("held_us", held_us), LOG_INT("us", clock_monotonic_us() - began_us));
    return true;
}

/* true: the successor serves. It may have a schema to migrate, so there is no time limit. */
static bool wait_for_successor(struct service *service)
{
    pid_t successor;
    struct pollfd each[] = {{.fd = service->handover.successor, .events = POLLIN},
                            {.fd = service->signal_fd, .events = POLLIN}};
    while (poll(each, COUNT_OF(each), -1) <= 0 || each[0].revents == 0)
        if (each[1].revents != 0 && on_signal(service) == ENDING_ASKED)
            return true; /* whoever ends us wants nothing of ours back */
    if (!handover_is_done(&service->handover, &successor))
        return false;
    manager_say_successor(successor);
    log_event(LOG_INFO, "successor_serves", LOG_INT("process", successor));
    return true;
}

/*
 * Rather now than with the lock in our hands. SQLite's schema is migrated when the predecessor has
 * let go; PostgreSQL's beside it, so that nobody waits: it goes on with the later one, or is one of
 * those programs that must end first (ERR_LOCKED).
 */
static int try_store(struct service *service)
{
    enum store_mode mode = service->config.is_postgres ? STORE_WRITER : STORE_READER;
    struct store *store = NULL;
    const struct store_config config = {.location = service->config.store_location,
                                        .seal = service->seal};
    int err = store_open(&config, mode, &store);
    store_close(store);
    if (err == ERR_BAD_KEY || err == ERR_SCHEMA_TOO_NEW || err == ERR_STORE_CORRUPT ||
        err == ERR_STORE_BUSY)
        return opening_store_failed(&service->config, mode, err);
    return 0;
}

/* What can be done beside a predecessor that still serves. */
static int service_prepare(struct service *service)
{
    raise_descriptors(service);
    int err = open_network(service);
    if (err == 0)
        err = open_seal(service);
    if (err == 0 && service->predecessor != -1)
        err = try_store(service);
    return err == 0 ? make_tiers(service) : err;
}

/* The predecessor has died on the way, so the kernel takes its locks away. */
static int lock_after_death(struct service *service)
{
    int err = ERR_LOCKED;
    for (int i = 0; err == ERR_LOCKED && i < 500; i++) {
        err = data_folder_lock(service->config.data, &service->lock_fd);
        rest();
    }
    return err;
}

static int claim(struct service *service)
{
    int err = take_over_claim(service->predecessor, &service->parcels, &service->lock_fd);
    if (err == ERR_CONNECTION_LOST)
        return lock_after_death(service);
    return err != 0 ? err : data_folder_own(service->config.data, service->lock_fd);
}

/* Without it what a killed process was about waits until its leases have ended. */
static void name_process(struct service *service)
{
    id_key_generate(id_source_system(), service->name);
    if (data_folder_name(service->lock_fd, service->name, service->former) != 0)
        log_event(LOG_WARNING, "process_not_named", LOG_INT("errno", errno));
}

static int service_start(struct service *service)
{
    int err = service_prepare(service);
    if (err == 0 && service->predecessor != -1)
        err = claim(service);
    if (err != 0)
        return err;
    name_process(service); /* the lock is ours */
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

/* The folder's lock, or the sockets of whoever has it. */
static int enter(struct service *service, bool takes_over)
{
    const struct config *config = &service->config;
    int hand_over_fd, err = ERR_NOT_FOUND;
    if (takes_over)
        err = take_over_begin(config->hand_over_path, config->listen, config->admin_path,
                              &service->listeners, &hand_over_fd, &service->predecessor);
    if (err == ERR_NOT_FOUND)
        return data_folder_lock(config->data, &service->lock_fd);
    return err != 0 ? err : handover_open(&service->handover, config->hand_over_path, hand_over_fd);
}

static void announce(struct service *service)
{
    adopt_parcels(service);
    log_listening(service);
    if (service->predecessor != -1)
        take_over_end(service->predecessor);
    service->predecessor = -1;
    manager_say_ready();
}

/* Serves until it is over; once more when a successor has ended without having served. */
static int serve_to_the_end(struct service *service, const sigset_t *signals)
{
    for (;;) {
        int err = service_start(service);
        if (err != 0)
            return err;
        announce(service);
        if (wait_for_end(service) == ENDING_ASKED) {
            drain(service, signals);
            return 0;
        }
        service_stop(service);
        if (wait_for_successor(service))
            return 0;
    }
}

static int run(struct service *service, const sigset_t *signals, bool takes_over)
{
    int err = enter(service, takes_over);
    if (err == 0) {
        warn_of_open_folder(service->config.data);
        err = serve_to_the_end(service, signals);
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

static void init(struct service *service)
{
    service->lock_fd = service->predecessor = service->signal_fd = -1;
    parcels_init(&service->parcels);
    handover_init(&service->handover);
}

int serve(char *const *environment, bool takes_over)
{
    static struct service service; /* some 20 KiB, and one per process */
    sigset_t signals;
    init(&service);
    int err = config_read(environment, &service.config);
    if (err != 0)
        return EXIT_FAILURE;
    if (!service.config.core_dumps_are_on)
        core_dump_forbid();
    block_signals(&signals);
    service.signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    err = log_start(service.config.log_level);
    if (err != 0) {
        (void)complain("log", err);
        return print_reason();
    }
    if (service.config.core_dumps_are_on)
        log_event(LOG_WARNING, "core_dumps_are_on");
    err = run(&service, &signals, takes_over);
    log_finish();
    return err == 0 ? EXIT_SUCCESS : print_reason();
}
