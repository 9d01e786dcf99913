/*
 * What a hot tier must be able to do; store/hot.c forwards to it, and meanings are in store/hot.h.
 * An implementation embeds struct hot as its first member.
 */
#ifndef COUNTERPART_STORE_HOT_BACKEND_H
#define COUNTERPART_STORE_HOT_BACKEND_H

#include "store/hot.h"

struct hot_backend {
    const char *name;
    bool is_remote;
    bool (*is_up)(struct hot *hot);
    enum hot_answer (*ask)(struct hot *hot, struct lane *lane, int64_t tenant_id,
                           const uint8_t index[CARD_INDEX_BYTES], int64_t now_us,
                           struct hot_question *question, struct hot_value *value);
    void (*put)(struct hot *hot, const struct card *card, int64_t read_at_us);
    void (*fill)(struct hot *hot, struct lane *lane, const struct card *card, int64_t read_at_us);
    void (*remove)(struct hot *hot, int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES],
                   int64_t version, int64_t now_us);
    void (*read_counters)(struct hot *hot, struct hot_counters *counters);
    void (*destroy)(struct hot *hot);
};

struct hot {
    const struct hot_backend *backend;
};

#endif
