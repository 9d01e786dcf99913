/*
 * Misbehaviour on demand: rules that match a request and say what goes wrong with it. The first
 * rule that matches and fires decides. Chances come from the seed, so a run can be repeated.
 */
#ifndef COUNTERPART_MOCKS_LIGHTSPEED_FAULT_H
#define COUNTERPART_MOCKS_LIGHTSPEED_FAULT_H

#include "mocks/lightspeed/call.h"

#define FAULTS_MAX 64
#define FAULT_PATH_MAX 128
#define FAULT_BODY_MAX 4096
#define FAULT_MS_MAX 600000
#define FAULT_SIZE_MAX (16 * 1024 * 1024)

enum fault_action {
    FAULT_DROP_BEFORE, /* nothing happens, the connection closes */
    FAULT_DROP_AFTER,  /* it happens, the connection closes without a reply */
    FAULT_HANG,        /* nothing is said for ms */
    FAULT_STATUS,
    FAULT_TRUNCATE, /* it happens, half of the reply arrives */
    FAULT_HTML,
    FAULT_HUGE,
    FAULT_EXPIRED_TOKEN,
    FAULT_RATE_LIMIT,
    FAULT_ACTIONS,
};

struct fault {
    char method[16]; /* empty: any */
    char path[FAULT_PATH_MAX];
    int64_t skip;  /* matches that pass before it begins */
    int64_t count; /* how often it fires; 0: without end */
    int64_t chance_millionths;
    enum fault_action action;
    bool is_after;   /* what the request asks for happens first */
    bool then_drops; /* hang: close instead of going on */
    int64_t ms;
    int64_t status;
    char body[FAULT_BODY_MAX];
    char content_type[128];
    int64_t retry_after_s; /* -1: no header */
    int64_t size;          /* huge: bytes */
    int64_t matched;
    int64_t fired;
};

struct faults {
    struct fault rules[FAULTS_MAX];
    size_t count;
};

const char *fault_name(enum fault_action action);
/* One rule, or {"rules":[...]}, or an answer that says what is wrong with it. */
void faults_add(struct faults *faults, const struct jread *json, struct answer *answer);
/* The rule that fires for this request, counted as fired; NULL: none. */
struct fault *faults_take(struct faults *faults, uint64_t *dice_state, const struct call *call);
void faults_write(const struct faults *faults, struct jwrite *writer); /* as array */

#endif
