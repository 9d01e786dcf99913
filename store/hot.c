/* Forwards to the hot tier that was configured. */
#include "store/hot.h"

#include "store/hot_backend.h"
#include "store/redis_lane.h"

#include "base/banned.h"

void hot_destroy(struct hot *hot)
{
    if (hot != NULL)
        hot->backend->destroy(hot);
}

const char *hot_name(const struct hot *hot)
{
    return hot->backend->name;
}

bool hot_is_up(struct hot *hot)
{
    return hot->backend->is_up(hot);
}

bool hot_is_remote(const struct hot *hot)
{
    return hot->backend->is_remote;
}

enum hot_answer hot_ask(struct hot *hot, struct lane *lane, int64_t tenant_id,
                        const uint8_t index[CARD_INDEX_BYTES], int64_t now_us,
                        struct hot_question *question, struct hot_value *value)
{
    return hot->backend->ask(hot, lane, tenant_id, index, now_us, question, value);
}

void hot_forget(struct lane *lane, struct hot_question *question)
{
    if (question->ticket != 0)
        lane_forget(lane, question->ticket);
    question->ticket = 0;
}

void hot_put(struct hot *hot, const struct card *card, int64_t read_at_us)
{
    hot->backend->put(hot, card, read_at_us);
}

void hot_fill(struct hot *hot, struct lane *lane, const struct card *card, int64_t read_at_us)
{
    hot->backend->fill(hot, lane, card, read_at_us);
}

void hot_remove(struct hot *hot, int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES],
                int64_t version, int64_t now_us)
{
    hot->backend->remove(hot, tenant_id, index, version, now_us);
}

void hot_read_counters(struct hot *hot, struct hot_counters *counters)
{
    *counters = (struct hot_counters){0};
    hot->backend->read_counters(hot, counters);
}

void hot_append_rate(const struct hot_counters *counters, struct text_buffer *buffer)
{
    uint64_t asked = counters->hits + counters->misses + counters->skipped; /* far below 2^50 */
    unsigned rate = asked == 0 ? 0 : (unsigned)(counters->hits * 10000 / asked);
    text_append_format(buffer, "%u.%04u", rate / 10000, rate % 10000);
}
