/* No hot tier: every look-up goes to the store. For processes that share a store and no Redis,
 * where what one remembers another may have charged since. */
#include "store/hot_backend.h"

#include "base/error.h"

#include <stdlib.h>

#include "base/banned.h"

struct hot_none {
    struct hot super;
    _Atomic uint64_t misses;
};

static bool none_is_up(struct hot *hot)
{
    (void)hot;
    return true;
}

static enum hot_answer none_ask(struct hot *hot, struct lane *lane, int64_t tenant_id,
                                const uint8_t index[CARD_INDEX_BYTES], int64_t now_us,
                                struct hot_question *question, struct hot_value *value)
{
    (void)lane;
    (void)tenant_id;
    (void)index;
    (void)now_us;
    (void)question;
    (void)value;
    ((struct hot_none *)hot)->misses++;
    return HOT_MISS;
}

static void none_put(struct hot *hot, const struct card *card, int64_t read_at_us)
{
    (void)hot;
    (void)card;
    (void)read_at_us;
}

static void none_fill(struct hot *hot, struct lane *lane, const struct card *card,
                      int64_t read_at_us)
{
    (void)lane;
    none_put(hot, card, read_at_us);
}

static void none_remove(struct hot *hot, int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES],
                        int64_t version, int64_t now_us)
{
    (void)hot;
    (void)tenant_id;
    (void)index;
    (void)version;
    (void)now_us;
}

static void none_read_counters(struct hot *hot, struct hot_counters *counters)
{
    counters->misses = ((struct hot_none *)hot)->misses;
}

static void none_destroy(struct hot *hot)
{
    free(hot);
}

int hot_none_create(struct hot **created)
{
    static const struct hot_backend backend = {
        .name = "none",
        .is_up = none_is_up,
        .ask = none_ask,
        .put = none_put,
        .fill = none_fill,
        .remove = none_remove,
        .read_counters = none_read_counters,
        .destroy = none_destroy,
    };
    struct hot_none *hot = calloc(1, sizeof(*hot));
    if (hot == NULL)
        return ERR_NO_MEMORY;
    hot->super.backend = &backend;
    *created = &hot->super;
    return 0;
}
