/*
 * Which Redis: what COUNTERPART_REDIS says, taken apart. Pure.
 *
 *     redis://[[user]:password@]host[:port][/database]
 *     redis+unix://[[user]:password@]/path/of/socket[?db=database]
 *     redis+sentinel://[[user]:password@]host[:port],host[:port].../name[/database]
 *
 * Hosts are names, IPv4 addresses or IPv6 addresses in brackets; user, password and name may hold
 * %XX. No TLS: the Redis is expected on this machine or in a network of one's own.
 */
#ifndef COUNTERPART_STORE_REDIS_TARGET_H
#define COUNTERPART_STORE_REDIS_TARGET_H

#include "base/text.h"

#define TARGET_HOSTS_MAX 8 /* Sentinel wants 3; 5 and 7 are seen */
#define TARGET_TEXT_MAX 256
#define TARGET_PATH_MAX 108 /* sun_path */
#define TARGET_DATABASE_MAX 8
#define TARGET_PORT_DEFAULT 6379
#define TARGET_SENTINEL_PORT_DEFAULT 26379

struct target_host {
    char name[TARGET_TEXT_MAX];
    uint16_t port;
};

struct target {
    bool is_sentinel;           /* hosts are sentinels, which know the primary called name */
    char path[TARGET_PATH_MAX]; /* of a Unix socket; empty: hosts */
    struct target_host hosts[TARGET_HOSTS_MAX];
    int32_t host_count;
    char user[TARGET_TEXT_MAX]; /* empty: the default user */
    char password[TARGET_TEXT_MAX];
    char name[TARGET_TEXT_MAX];
    char database[TARGET_DATABASE_MAX]; /* its number; "0" is every Redis' own */
};

/* errors  ERR_BAD_CONFIG: *fault is the rest of a sentence that begins with the variable's name. */
MUST_CHECK int target_parse(struct text url, struct target *target, const char **fault);

#endif
