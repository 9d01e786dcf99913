/*
 * Webhooks on their way out: every delivery with its exact bytes, what delays it, and what became
 * of it. Decides when something is due; who sends it is courier.h.
 */
#ifndef COUNTERPART_MOCKS_LIGHTSPEED_POST_H
#define COUNTERPART_MOCKS_LIGHTSPEED_POST_H

#include "mocks/lightspeed/table.h"

#include "base/json.h"

#define DELIVERIES_MAX 1000 /* the oldest that has ended makes room */
#define DELIVERY_ATTEMPTS_MAX 11
#define DELIVERY_URL_MAX 1024
#define DELIVERY_HEADERS_MAX 8
#define DELIVERY_HEADER_MAX 512 /* "X-Name: value" */
#define DELIVERY_TOPIC_MAX 64
#define DELIVERY_SIGNATURE_MAX 65

struct cloud;
struct webhook;

struct post_settings {
    int64_t drop_percent;
    int64_t duplicate_percent;
    int64_t reorder_percent; /* held back until the next one has arrived, or a second has passed */
    int64_t delay_ms;
    int64_t retries;
    int64_t retry_delay_ms;
    int64_t timeout_ms;
};

enum delivery_state {
    DELIVERY_WAITING,
    DELIVERY_UNDER_WAY,
    DELIVERY_ARRIVED, /* answered with 2xx */
    DELIVERY_FAILED,
    DELIVERY_DROPPED,
};

struct attempt_result {
    int64_t wall_us;
    int64_t status; /* 0: no reply */
    char error[96];
};

struct delivery {
    int64_t id;
    int64_t webhook_id; /* 0: a callback_uri */
    int64_t application_id;
    int64_t subject_id; /* the order, customer ... */
    char topic[DELIVERY_TOPIC_MAX];
    char address[DELIVERY_URL_MAX];
    char headers[DELIVERY_HEADERS_MAX][DELIVERY_HEADER_MAX];
    size_t header_count;
    char signature[DELIVERY_SIGNATURE_MAX];
    char *body; /* owned */
    size_t body_length;
    enum delivery_state state;
    bool is_duplicate;
    bool is_held;   /* reordered: waits for the next one */
    int64_t due_us; /* monotonic */
    int64_t timeout_ms;
    struct attempt_result attempts[DELIVERY_ATTEMPTS_MAX];
    size_t attempt_count;
};

struct post {
    struct table deliveries;
    int64_t lost; /* no room: every delivery kept is still under way */
};

/* errors  ERR_NO_MEMORY. */
MUST_CHECK int post_init(struct post *post);
void post_finish(struct post *post);
/* Puts one delivery into the post, subject to the settings. body is copied. */
void post_add(struct cloud *cloud, const struct delivery *delivery, struct text body);
/* The next delivery to be sent now, marked as under way; NULL: none. */
struct delivery *post_take(struct cloud *cloud);
/* Monotonic time at which post_take should be asked again; INT64_MAX: not before something changes.
 */
int64_t post_next_us(const struct cloud *cloud);
/* What became of one attempt. */
void post_note(struct cloud *cloud, int64_t delivery_id, int64_t status, const char *error);
void post_write(const struct cloud *cloud, struct jwrite *writer); /* all deliveries, as array */

#endif
