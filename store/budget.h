/*
 * Budgets of misses: guessing card numbers and PINs is expensive (design section 6). A miss is an
 * unknown number, unsold stock, or a wrong PIN. Each layer is a token bucket; when one is empty,
 * guesses of its members are refused until it has refilled. In process memory; bounded; any thread.
 *
 * Where several processes share a Redis, each miss is also taken there (budget_share_words), and
 * what comes back lowers the buckets here. The buckets here decide: what other processes have under
 * way, at most their tokens of a layer each, may come on top of the limits.
 */
#ifndef COUNTERPART_STORE_BUDGET_H
#define COUNTERPART_STORE_BUDGET_H

#include "base/seal.h"
#include "store/redis_script.h"

/* Layers a request draws on, narrowest first. */
enum budget_layer {
    BUDGET_CARD,     /* one card number (its index): 5 misses, one back every 3 minutes: the PIN
                        lock-out */
    BUDGET_REGISTER, /* 10, one back every 30 s */
    BUDGET_SITE,     /* 40, one back every 10 s */
    BUDGET_PREFIX,   /* first 8 characters of the number: 60, one back every 10 s */
    BUDGET_TENANT,   /* 200, one back every 2 s */
    BUDGET_LAYERS,
};
const char *budget_layer_name(enum budget_layer layer);

struct budget_keys {
    uint64_t key[BUDGET_LAYERS]; /* keyed hashes: tenant + layer + what it names */
};

struct budget;

/* errors  ERR_NO_MEMORY. ownership: caller. The table holds 65,536 buckets; a full bucket is not
 * stored, the fullest goes first when there is no room. */
MUST_CHECK int budget_create(struct budget **budget);
void budget_destroy(struct budget *budget); /* accepts NULL */

void budget_keys_fill(const struct budget *budget, struct budget_keys *keys, int64_t tenant_id,
                      int64_t site_id, int64_t register_id, const uint8_t card_index[32],
                      struct text number);
/* Have misses emptied any layer? *layer (may be NULL) names the first. */
bool budget_is_exhausted(struct budget *budget, const struct budget_keys *keys, int64_t now_us,
                         enum budget_layer *layer);
/* A miss that held nothing: takes one token from every layer. true: it emptied a layer (a trip: log
 * and count it once), named in *layer. */
bool budget_take(struct budget *budget, const struct budget_keys *keys, int64_t now_us,
                 enum budget_layer *layer);

enum budget_answer {
    BUDGET_HELD,      /* one token of every layer is the caller's, until budget_settle */
    BUDGET_BUSY,      /* misses and attempts under way together leave none; nobody need be wrong */
    BUDGET_EXHAUSTED, /* misses alone have emptied a layer */
};

/* For attempts that can be guessed in a burst: each holds its tokens while it is decided, so that
 * no more can be under way than may be wrong. Unless BUDGET_HELD, nothing is held. */
MUST_CHECK enum budget_answer budget_hold(struct budget *budget, const struct budget_keys *keys,
                                          int64_t now_us);
/* Once for each BUDGET_HELD, with the same keys: a miss keeps the tokens (as budget_take, and with
 * its result), all else gives them back. */
bool budget_settle(struct budget *budget, const struct budget_keys *keys, bool is_miss,
                   int64_t now_us, enum budget_layer *layer);

/* --- several processes */

/* Before anything is asked of it: from here on keys are the same in all processes with this master
 * key. */
void budget_share(struct budget *budget, const struct seal *seal);
#define BUDGET_NAME_MAX 64
struct budget_text {
    char name[BUDGET_LAYERS][BUDGET_NAME_MAX];
    char number[1 + 2 * BUDGET_LAYERS][24];
};
/* Takes misses (0: only asks) from the shared buckets; text holds what words point to. */
void budget_share_words(const struct budget *budget, const struct greeting *greeting,
                        const struct budget_keys *keys, int32_t misses, struct budget_text *text,
                        struct words *words);
/* The answer: lowers the buckets here to what is left there, and never raises them. false: it is no
 * such answer. */
bool budget_share_take(struct budget *budget, const struct budget_keys *keys,
                       const struct answer *answer, int64_t now_us);

uint64_t budget_trips(const struct budget *budget, enum budget_layer layer);

#endif
