/* Keeps deliveries until they are due, and what became of them. */
#include "mocks/lightspeed/cloud.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define HELD_MAX_US CLOCK_US_PER_S /* a delivery held back goes out after this time at the latest */

static const char *const STATES[] = {
    [DELIVERY_WAITING] = "waiting", [DELIVERY_UNDER_WAY] = "under_way",
    [DELIVERY_ARRIVED] = "arrived", [DELIVERY_FAILED] = "failed",
    [DELIVERY_DROPPED] = "dropped",
};

static void delivery_release(void *record)
{
    struct delivery *delivery = record;
    free(delivery->body);
}

int post_init(struct post *post)
{
    return table_init(&post->deliveries, sizeof(struct delivery), DELIVERIES_MAX, 1,
                      delivery_release);
}

void post_finish(struct post *post)
{
    table_finish(&post->deliveries);
}

static bool delivery_has_ended(const struct delivery *delivery)
{
    return delivery->state != DELIVERY_WAITING && delivery->state != DELIVERY_UNDER_WAY;
}

static void post_make_room(struct post *post)
{
    if (post->deliveries.count < post->deliveries.max)
        return;
    for (size_t i = 0; i < post->deliveries.count; i++) {
        const struct delivery *delivery = post->deliveries.records[i];
        if (!delivery_has_ended(delivery))
            continue;
        table_remove(&post->deliveries, delivery->id);
        return;
    }
}

static struct delivery *post_put(struct cloud *cloud, const struct delivery *from, struct text body)
{
    struct post *post = &cloud->post;
    char *copy = malloc(body.length + 1);
    post_make_room(post);
    struct delivery *delivery = copy == NULL ? NULL : table_add(&post->deliveries, 0);
    if (delivery == NULL) {
        free(copy);
        post->lost++;
        return NULL;
    }
    int64_t id = delivery->id;
    *delivery = *from;
    delivery->id = id;
    memcpy(copy, body.base, body.length);
    copy[body.length] = '\0';
    delivery->body = copy;
    delivery->body_length = body.length;
    delivery->due_us = cloud->mono_us + cloud->settings.post.delay_ms * 1000;
    delivery->timeout_ms = cloud->settings.post.timeout_ms;
    return delivery;
}

static bool chance(struct cloud *cloud, int64_t percent)
{
    return percent > 0 && cloud_dice(cloud) < percent;
}

void post_add(struct cloud *cloud, const struct delivery *delivery, struct text body)
{
    const struct post_settings *settings = &cloud->settings.post;
    struct delivery *put = post_put(cloud, delivery, body);
    if (put == NULL)
        return;
    if (chance(cloud, settings->drop_percent)) {
        put->state = DELIVERY_DROPPED;
        return;
    }
    if (chance(cloud, settings->reorder_percent)) {
        put->is_held = true;
        put->due_us += HELD_MAX_US;
    }
    if (!chance(cloud, settings->duplicate_percent))
        return;
    struct delivery *twin = post_put(cloud, delivery, body);
    if (twin != NULL)
        twin->is_duplicate = true;
}

struct delivery *post_take(struct cloud *cloud)
{
    for (size_t i = 0; i < cloud->post.deliveries.count; i++) {
        struct delivery *delivery = cloud->post.deliveries.records[i];
        if (delivery->state != DELIVERY_WAITING || delivery->due_us > cloud->mono_us)
            continue;
        delivery->state = DELIVERY_UNDER_WAY;
        return delivery;
    }
    return NULL;
}

int64_t post_next_us(const struct cloud *cloud)
{
    int64_t next_us = INT64_MAX;
    for (size_t i = 0; i < cloud->post.deliveries.count; i++) {
        const struct delivery *delivery = cloud->post.deliveries.records[i];
        if (delivery->state == DELIVERY_WAITING && delivery->due_us < next_us)
            next_us = delivery->due_us;
    }
    return next_us;
}

/* A later one has arrived, so those held back before it may go. */
static void post_let_go(struct cloud *cloud, int64_t delivery_id)
{
    for (size_t i = 0; i < cloud->post.deliveries.count; i++) {
        struct delivery *delivery = cloud->post.deliveries.records[i];
        if (!delivery->is_held || delivery->id >= delivery_id)
            continue;
        delivery->is_held = false;
        if (delivery->state == DELIVERY_WAITING)
            delivery->due_us = cloud->mono_us;
    }
}

void post_note(struct cloud *cloud, int64_t delivery_id, int64_t status, const char *error)
{
    struct delivery *delivery = table_find(&cloud->post.deliveries, delivery_id);
    if (delivery == NULL || delivery->attempt_count == DELIVERY_ATTEMPTS_MAX)
        return;
    struct attempt_result *attempt = &delivery->attempts[delivery->attempt_count++];
    *attempt = (struct attempt_result){.wall_us = cloud->wall_us, .status = status};
    struct text_buffer buffer;
    text_buffer_init(&buffer, attempt->error, sizeof(attempt->error));
    text_append(&buffer, text_of(error));
    post_let_go(cloud, delivery_id);
    if (status >= 200 && status < 300) {
        delivery->state = DELIVERY_ARRIVED;
    } else if ((int64_t)delivery->attempt_count <= cloud->settings.post.retries &&
               delivery->attempt_count < DELIVERY_ATTEMPTS_MAX) {
        delivery->state = DELIVERY_WAITING;
        delivery->due_us = cloud->mono_us + cloud->settings.post.retry_delay_ms * 1000;
    } else {
        delivery->state = DELIVERY_FAILED;
    }
}

static void write_attempts(const struct delivery *delivery, struct jwrite *writer)
{
    jwrite_key(writer, TEXT("attempts"));
    jwrite_array_begin(writer);
    for (size_t i = 0; i < delivery->attempt_count; i++) {
        const struct attempt_result *attempt = &delivery->attempts[i];
        jwrite_object_begin(writer);
        jwrite_named_int(writer, "status", attempt->status);
        jwrite_named_text(writer, "error", attempt->error);
        jwrite_named_int(writer, "at_ms", attempt->wall_us / 1000);
        jwrite_object_end(writer);
    }
    jwrite_array_end(writer);
}

void post_write(const struct cloud *cloud, struct jwrite *writer)
{
    jwrite_array_begin(writer);
    for (size_t i = 0; i < cloud->post.deliveries.count; i++) {
        const struct delivery *delivery = cloud->post.deliveries.records[i];
        jwrite_object_begin(writer);
        jwrite_named_int(writer, "id", delivery->id);
        jwrite_named_id(writer, "webhook_id", delivery->webhook_id);
        jwrite_named_text(writer, "topic", delivery->topic);
        jwrite_named_int(writer, "subject_id", delivery->subject_id);
        jwrite_named_text(writer, "address", delivery->address);
        jwrite_named_text(writer, "state", STATES[delivery->state]);
        jwrite_named_bool(writer, "duplicate", delivery->is_duplicate);
        jwrite_named_text(writer, "signature", delivery->signature);
        jwrite_key(writer, TEXT("body"));
        jwrite_text(writer, (struct text){delivery->body, delivery->body_length});
        write_attempts(delivery, writer);
        jwrite_object_end(writer);
    }
    jwrite_array_end(writer);
}
