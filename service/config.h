/*
 * The configuration: environment variables, ONE static table of them (config.c).
 */
#ifndef COUNTERPART_SERVICE_CONFIG_H
#define COUNTERPART_SERVICE_CONFIG_H

#include "base/log.h"
#include "handlers/client.h"
#include "runtime/committer.h"
#include "store/redis_target.h"
#include "lightspeed/inbox.h"

#include <stdio.h>

#define CONFIG_TEXT_MAX 1024

struct config {
    char listen[CONFIG_TEXT_MAX];
    char data[CONFIG_TEXT_MAX];
    char master_key[CONFIG_TEXT_MAX]; /* as given or DATA/master.key */
    char database[CONFIG_TEXT_MAX];
    char redis[CONFIG_TEXT_MAX];
    char public_url[CONFIG_TEXT_MAX]; /* empty: made from the first listen address */
    char profiles[CONFIG_TEXT_MAX];   /* empty: built in only */
    char tls_cert[CONFIG_TEXT_MAX];
    char tls_key[CONFIG_TEXT_MAX];
    char trusted_proxies[CONFIG_TEXT_MAX];
    char log_level_name[CONFIG_TEXT_MAX];
    char http2[CONFIG_TEXT_MAX];
    char core_dumps[CONFIG_TEXT_MAX];
    char oseries_authorize_url[CONFIG_TEXT_MAX]; /* without a slash at the end, all three */
    char oseries_token_url[CONFIG_TEXT_MAX];
    char oseries_api_url[CONFIG_TEXT_MAX];
    int64_t threads;
    int64_t batch_max;
    int64_t committers; /* of PostgreSQL; SQLite has one writer */
    int64_t connections_max;
    bool connections_max_was_set; /* by somebody, and is not the default */
    int64_t drain_notice_s;
    int64_t drain_s;
    int64_t request_timeout_s;
    int64_t redeem_settle_s;
    int64_t hot_ttl_s;
    struct reconcile_times reconcile;

    /* made from the above */
    enum log_level log_level;
    bool http2_is_on;
    bool core_dumps_are_on;
    struct client_proxies proxies;
    bool redis_is_on;
    struct target target; /* when redis_is_on */
    bool is_postgres;
    char store_location[CONFIG_TEXT_MAX + 32]; /* PostgreSQL's may hold a password */
    char store_name[CONFIG_TEXT_MAX + 32];     /* for people: without one */
    char timeline_path[CONFIG_TEXT_MAX + 32];
    char admin_path[CONFIG_TEXT_MAX + 32];
    char hand_over_path[CONFIG_TEXT_MAX + 32];
};

/*
 * Read environment (such as environ). What is wrong is written to stderr.
 *
 * errors     ERR_BAD_CONFIG: a value that cannot be used, or a COUNTERPART_ variable that does not
 * exist: a misspelt limit must not start a service without it.
 */
MUST_CHECK int config_read(char *const *environment, struct config *config);

/* The table for `counterpart help serve`. */
void config_print_help(FILE *file);

#endif
