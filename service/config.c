/* Reads the configuration from the environment. */
#include "service/config.h"

#include "base/check.h"
#include "base/error.h"
#include "base/url.h"
#include "ledger/ledger.h"
#include "lightspeed/decimal.h"
#include "oauth/oauth.h"

#include <sched.h>
#include <stddef.h>
#include <string.h>

#include "base/banned.h"

#define PREFIX "COUNTERPART_"
#define THREADS_MAX 64
#define CONNECTIONS_DEFAULT "20000"
#define SECONDS_PLACES 6
#define SECONDS_MIN_US (INT64_C(10) * 1000)
#define SECONDS_MAX_US (INT64_C(30) * 86400 * 1000000)

enum kind {
    KIND_TEXT,
    KIND_NUMBER,
    KIND_SECONDS, /* such as 0.5; kept in microseconds, and so are min and max */
};

static const struct variable {
    const char *name; /* without the prefix */
    enum kind kind;
    size_t offset;
    int64_t min, max;
    const char *standard; /* NULL: computed */
    const char *help;
} variables[] = {
#define TEXT_AT(field) KIND_TEXT, offsetof(struct config, field), 0, 0
#define NUMBER_AT(field, min, max) KIND_NUMBER, offsetof(struct config, field), min, max
#define SECONDS_AT(field)                                                                          \
    KIND_SECONDS, offsetof(struct config, field), SECONDS_MIN_US, SECONDS_MAX_US
    {"LISTEN", TEXT_AT(listen), "127.0.0.1:8080",
     "comma-separated addresses; https:// in front of one needs TLS_CERT and TLS_KEY"},
    {"DATA", TEXT_AT(data), "./var", "folder of database, master key and admin socket"},
    {"MASTER_KEY", TEXT_AT(master_key), NULL, "file with the master key; default: in DATA"},
    {"DATABASE", TEXT_AT(database), "sqlite",
     "sqlite: a file in DATA; or postgresql://user:password@host1:port,host2:port/name"},
    {"REDIS", TEXT_AT(redis), "",
     "redis://host:port/db or redis+sentinel://host,host/name: hot balances and budgets of misses "
     "are shared there; default: kept in memory"},
    {"HOT_TTL_S", NUMBER_AT(hot_ttl_s, 1, 3600), "60",
     "a hot balance is asked of the store again after so long"},
    {"PUBLIC_URL", TEXT_AT(public_url), "",
     "base of the URLs that tenants configure; default: the first listen address"},
    {"THREADS", NUMBER_AT(threads, 1, THREADS_MAX), NULL, "loop threads; default: the cores"},
    {"COMMITTERS", NUMBER_AT(committers, 1, COMMITTER_STORES_MAX), "4",
     "with PostgreSQL: connections that commit, each for its share of the cards"},
    {"BATCH_MAX", NUMBER_AT(batch_max, 1, BATCH_MAX), "512", "commands per commit"},
    {"PROFILES", TEXT_AT(profiles), "",
     "folder of request and reply profiles, read at start and on SIGHUP"},
    {"TLS_CERT", TEXT_AT(tls_cert), "", "certificate chain, PEM; read again on SIGHUP"},
    {"TLS_KEY", TEXT_AT(tls_key), "", "private key, PEM; read again on SIGHUP"},
    {"HTTP2", TEXT_AT(http2), "off", "on or off"},
    {"CONNECTIONS_MAX", NUMBER_AT(connections_max, 1, 1000000), CONNECTIONS_DEFAULT,
     "open connections, without the admin socket's; one more is answered 503"},
    {"REQUEST_TIMEOUT_S", NUMBER_AT(request_timeout_s, 1, 3600), "15",
     "idle connection, headers and body together may take this long"},
    {"OSERIES_AUTHORIZE_URL", TEXT_AT(oseries_authorize_url), "https://my.kounta.com/authorize",
     "Lightspeed O-Series: where merchants consent"},
    {"OSERIES_TOKEN_URL", TEXT_AT(oseries_token_url), "https://api.kounta.com/v1/token",
     "Lightspeed O-Series: where tokens come from"},
    {"OSERIES_API_URL", TEXT_AT(oseries_api_url), "https://api.kounta.com/v1",
     "Lightspeed O-Series: the REST API"},
    {"REDEEM_SETTLE_S", NUMBER_AT(redeem_settle_s, 1, 3600), "60",
     "a redemption without reply is judged by two reads of its order this far apart"},
    {"RECONCILE_SCAN_S", SECONDS_AT(reconcile.scan_us), "5",
     "between looks for new operations to prove"},
    {"RECONCILE_REREAD_S", SECONDS_AT(reconcile.reread_us), "60",
     "two reads that agree that a payment is missing are this far apart"},
    {"RECONCILE_REVERSE_AGE_S", SECONDS_AT(reconcile.reverse_age_us), "900",
     "no operation younger than this is reversed, nor inside the replay window"},
    {"RECONCILE_OPEN_LISTED_S", SECONDS_AT(reconcile.open_listed_us), "86400",
     "operations of an order that is open or unreadable so long are listed"},
    {"RECONCILE_SWEEP_S", SECONDS_AT(reconcile.sweep_us), "86400",
     "between sweeps for orders that no webhook has told of"},
    {"TRUSTED_PROXIES", TEXT_AT(trusted_proxies), "",
     "comma-separated networks whose X-Forwarded-For is believed"},
    {"DRAIN_NOTICE_S", NUMBER_AT(drain_notice_s, 0, 600), "0",
     "after SIGTERM, serve on with a red /readyz so long, for balancers to see it"},
    {"DRAIN_S", NUMBER_AT(drain_s, 0, 600), "10",
     "after SIGTERM, wait this long for requests under way"},
    {"LOG_LEVEL", TEXT_AT(log_level_name), "info", "debug, info, warning or error"},
    {"CORE_DUMPS", TEXT_AT(core_dumps), "off",
     "on, for debugging: cores and debuggers show the master key and every token"},
#undef TEXT_AT
#undef NUMBER_AT
#undef SECONDS_AT
};

static int complain(const char *name, const char *what)
{
    fprintf(stderr, "counterpart: " PREFIX "%s %s\n", name, what);
    return ERR_BAD_CONFIG;
}

/* --- unknown variables */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein distance of short names; longer ones are cut. */
static size_t distance(struct text a, const char *b)
{
    enum { WIDTH = 48 };
    size_t row[WIDTH + 1], b_length = smaller(strlen(b), WIDTH);
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 0; i < a.length; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b_length; j++) {
            size_t change = diagonal + (a.base[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = smaller(change, smaller(row[j], row[j + 1]) + 1);
        }
    }
    return row[b_length];
}

static const struct variable *find_variable(struct text name)
{
    for (size_t i = 0; i < COUNT_OF(variables); i++)
        if (text_equal(name, text_of(variables[i].name)))
            return &variables[i];
    return NULL;
}

static int complain_unknown(struct text name)
{
    const struct variable *nearest = &variables[0];
    for (size_t i = 1; i < COUNT_OF(variables); i++)
        if (distance(name, variables[i].name) < distance(name, nearest->name))
            nearest = &variables[i];
    fprintf(stderr,
            "counterpart: there is no variable " PREFIX "%.*s; did you mean " PREFIX
            "%s? (counterpart help serve lists all)\n",
            (int)name.length, name.base, nearest->name);
    return ERR_BAD_CONFIG;
}

/* --- reading */

static const char *value_in(char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (; *environment != NULL; environment++) {
        const char *entry = *environment;
        if (strncmp(entry, PREFIX, sizeof(PREFIX) - 1) != 0)
            continue;
        entry += sizeof(PREFIX) - 1;
        if (strncmp(entry, name, length) == 0 && entry[length] == '=')
            return entry + length + 1;
    }
    return NULL;
}

static int set_text(char *field, size_t size, const char *value)
{
    size_t length = strlen(value);
    if (length >= size)
        return ERR_TOO_LARGE;
    memcpy(field, value, length + 1);
    return 0;
}

static int read_seconds(const struct variable *variable, const char *value, int64_t *field)
{
    if (decimal_parse(text_of(value), SECONDS_PLACES, field) == 0 && *field >= variable->min &&
        *field <= variable->max)
        return 0;
    fprintf(stderr, "counterpart: " PREFIX "%s must be seconds from 0.01 to 2592000, not '%s'\n",
            variable->name, value);
    return ERR_BAD_CONFIG;
}

static int read_variable(const struct variable *variable, char *const *environment,
                         struct config *config)
{
    const char *value = value_in(environment, variable->name);
    char *field = (char *)config + variable->offset;
    if (value == NULL || value[0] == '\0')
        value = variable->standard;
    if (value == NULL)
        return 0;
    if (variable->kind == KIND_TEXT) {
        if (set_text(field, CONFIG_TEXT_MAX, value) != 0)
            return complain(variable->name, "is longer than 1023 characters");
        return 0;
    }
    int64_t number;
    if (variable->kind == KIND_SECONDS)
        return read_seconds(variable, value, (int64_t *)(void *)field);
    if (text_parse_int64(text_of(value), &number) != 0 || number < variable->min ||
        number > variable->max) {
        fprintf(stderr, "counterpart: " PREFIX "%s must be a number from %lld to %lld, not '%s'\n",
                variable->name, (long long)variable->min, (long long)variable->max, value);
        return ERR_BAD_CONFIG;
    }
    *(int64_t *)(void *)field = number;
    return 0;
}

static int check_names(char *const *environment)
{
    for (; *environment != NULL; environment++) {
        const char *entry = *environment;
        if (strncmp(entry, PREFIX, sizeof(PREFIX) - 1) != 0)
            continue;
        entry += sizeof(PREFIX) - 1;
        struct text name = {entry, strcspn(entry, "=")};
        if (find_variable(name) == NULL)
            return complain_unknown(name);
    }
    return 0;
}

static int64_t cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    int64_t count = CPU_COUNT(&set);
    return count < THREADS_MAX ? count : THREADS_MAX;
}

static int read_log_level(struct config *config)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strcmp(config->log_level_name, names[i]) == 0) {
            config->log_level = (enum log_level)i;
            return 0;
        }
    return complain("LOG_LEVEL", "must be debug, info, warning or error");
}

static int check_choices(struct config *config)
{
    if ((config->tls_cert[0] == '\0') != (config->tls_key[0] == '\0'))
        return complain("TLS_CERT", "and " PREFIX "TLS_KEY go together");
    if (strcmp(config->http2, "on") != 0 && strcmp(config->http2, "off") != 0)
        return complain("HTTP2", "must be on or off");
    config->http2_is_on = config->http2[1] == 'n';
    if (strcmp(config->core_dumps, "on") != 0 && strcmp(config->core_dumps, "off") != 0)
        return complain("CORE_DUMPS", "must be on or off");
    config->core_dumps_are_on = config->core_dumps[1] == 'n';
    return read_log_level(config);
}

static int read_database(struct config *config)
{
    const char *fault;
    config->is_postgres = store_is_postgres(config->database, &fault);
    if (config->is_postgres)
        return fault == NULL ? 0 : complain("DATABASE", fault);
    if (strcmp(config->database, "sqlite") == 0)
        return 0;
    return complain("DATABASE", "must be 'sqlite' or unset, or begin with postgresql://");
}

static int read_redis(struct config *config)
{
    const char *fault;
    config->redis_is_on = config->redis[0] != '\0';
    if (!config->redis_is_on || target_parse(text_of(config->redis), &config->target, &fault) == 0)
        return 0;
    return complain("REDIS", fault);
}

static bool is_url(struct text url)
{
    char bytes[URL_ORIGIN_MAX + 1];
    struct text_buffer origin;
    text_buffer_init(&origin, bytes, sizeof(bytes));
    return url_origin(url, &origin) && url.length <= OAUTH_URL_MAX && text_is_printable(url) &&
           memchr(url.base, ' ', url.length) == NULL;
}

/* What is joined with a path has no slash at its end. */
static int check_url(const char *name, char *url)
{
    size_t length = strlen(url);
    while (length > 0 && url[length - 1] == '/')
        url[--length] = '\0';
    if (is_url((struct text){url, length}))
        return 0;
    return complain(name, "must be a URL: https:// and a plain host name without user@, no spaces, "
                          "at most 512 characters");
}

/* Secrets go there. */
static int check_secret_url(const char *name, char *url)
{
    const struct text scheme = TEXT("https://");
    int err = check_url(name, url);
    bool is_secret = text_equal_nocase(text_slice(text_of(url), 0, scheme.length), scheme);
    if (err != 0 || is_secret || url_is_loopback(text_of(url)))
        return err;
    return complain(name, "must begin with https://: else the client secret, codes and tokens are "
                          "for everybody on the way to read. http:// is for this machine alone "
                          "(127.0.0.1, [::1], localhost)");
}

static int check_urls(struct config *config)
{
    int err = check_secret_url("OSERIES_AUTHORIZE_URL", config->oseries_authorize_url);
    if (err == 0)
        err = check_secret_url("OSERIES_TOKEN_URL", config->oseries_token_url);
    if (err == 0)
        err = check_secret_url("OSERIES_API_URL", config->oseries_api_url);
    if (err != 0 || config->public_url[0] == '\0')
        return err;
    err = check_url("PUBLIC_URL", config->public_url);
    /* The register finds order_id= in what we build on it, and replaces the first. */
    if (err == 0 && (strpbrk(config->public_url, "?#") != NULL ||
                     strstr(config->public_url, "order_id=") != NULL))
        return complain("PUBLIC_URL", "must be a plain base: no '?', no '#' and no 'order_id='");
    return err;
}

static int read_proxies(struct config *config)
{
    struct text bad;
    if (client_proxies_parse(text_of(config->trusted_proxies), &config->proxies, &bad) == 0)
        return 0;
    fprintf(stderr,
            "counterpart: " PREFIX "TRUSTED_PROXIES: '%.*s' is no network such as 10.0.0.0/8, or "
            "one too many\n",
            (int)bad.length, bad.base);
    return ERR_BAD_CONFIG;
}

static int join(char *path, size_t size, const char *folder, const char *file)
{
    int length = snprintf(path, size, "%s/%s", folder, file);
    return length < 0 || (size_t)length >= size ? ERR_TOO_LARGE : 0;
}

static int make_paths(struct config *config)
{
    if (config->master_key[0] == '\0' &&
        join(config->master_key, sizeof(config->master_key), config->data, "master.key") != 0)
        return complain("DATA", "is too long");
    if (join(config->store_location, sizeof(config->store_location), config->data,
             "counterpart.sqlite") != 0 ||
        join(config->timeline_path, sizeof(config->timeline_path), config->data, "timeline") != 0 ||
        join(config->admin_path, sizeof(config->admin_path), config->data, "admin.sock") != 0 ||
        join(config->hand_over_path, sizeof(config->hand_over_path), config->data,
             "hand-over.sock") != 0)
        return complain("DATA", "is too long");
    const char *location = config->is_postgres ? config->database : config->store_location;
    const char *name = config->is_postgres ? "the database of " PREFIX "DATABASE" : location;
    CHECK(set_text(config->store_name, sizeof(config->store_name), name) == 0);
    if (config->is_postgres)
        CHECK(set_text(config->store_location, sizeof(config->store_location), location) == 0);
    return 0;
}

int config_read(char *const *environment, struct config *config)
{
    *config = (struct config){.threads = cores()};
    int err = check_names(environment);
    for (size_t i = 0; err == 0 && i < COUNT_OF(variables); i++)
        err = read_variable(&variables[i], environment, config);
    if (err == 0)
        err = check_choices(config);
    if (err == 0)
        err = check_urls(config);
    if (err == 0)
        err = read_proxies(config);
    if (err == 0)
        err = read_database(config);
    if (err == 0)
        err = read_redis(config);
    const char *connections_max = value_in(environment, "CONNECTIONS_MAX");
    config->connections_max_was_set = connections_max != NULL && connections_max[0] != '\0';
    return err != 0 ? err : make_paths(config);
}

void config_print_help(FILE *file)
{
    for (size_t i = 0; i < COUNT_OF(variables); i++) {
        const struct variable *variable = &variables[i];
        bool has_standard = variable->standard != NULL && variable->standard[0] != '\0';
        fprintf(file, "  " PREFIX "%-23s %s", variable->name, variable->help);
        if (has_standard)
            fprintf(file, " [%s]", variable->standard);
        fputc('\n', file);
    }
}
