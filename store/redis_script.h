/*
 * What is run inside Redis, and how a connection begins: AUTH, SELECT, ROLE, and the scripts, so
 * that EVALSHA finds them.
 */
#ifndef COUNTERPART_STORE_REDIS_SCRIPT_H
#define COUNTERPART_STORE_REDIS_SCRIPT_H

#include "store/redis_link.h"
#include "store/redis_target.h"

enum script {
    SCRIPT_PUT,    /* one key; entry, now, time to live: 1 it was written, 0 what is there stays,
                      text: it was written over what is no string, which GET said so */
    SCRIPT_DROP,   /* one key; an entry: removes exactly these bytes, or what is no string */
    SCRIPT_BUDGET, /* a key per layer; misses, and tokens and period of each layer (store/budget.h):
                      the debt of each */
    SCRIPTS,
};

#define SCRIPT_SHA_CHARS 40

struct greeting {
    const struct target *target;
    char sha[SCRIPTS][SCRIPT_SHA_CHARS + 1]; /* as the server told */
};

#define GREETING_STEPS (3 + SCRIPTS)
/* The words of step 0..GREETING_STEPS - 1. false: this target needs no such step. */
MUST_CHECK bool greeting_words(const struct greeting *greeting, int32_t step, struct words *words);
/* errors  ERR_REFUSED: wrong password, no primary, or a script the server does not take. */
MUST_CHECK int greeting_take(struct greeting *greeting, int32_t step, const struct answer *answer);

/* EVALSHA with so many keys; keys and arguments are the caller's to add. */
void script_words(const struct greeting *greeting, enum script script, int32_t keys,
                  struct words *words);

/* What errors say about the connection. */
bool answer_is_no_script(const struct answer *answer);
/* It says nothing about the connection: one key holds what nobody of ours has written. */
bool answer_is_wrong_type(const struct answer *answer);
/* This server is of no use (any more): a replica, still loading, or it does not know us. */
bool answer_is_fatal(const struct answer *answer);

#endif
