/*
 * A sale: its lines, its payments, and the arithmetic over them. Pure; amounts are minor units of
 * the company's currency, prices include tax, as the register shows them.
 */
#ifndef COUNTERPART_MOCKS_LIGHTSPEED_ORDER_H
#define COUNTERPART_MOCKS_LIGHTSPEED_ORDER_H

#include "mocks/lightspeed/cloud.h"

#define QUANTITY_ONE INT64_C(1000) /* quantities are thousandths */
#define QUANTITY_MAX (1000 * QUANTITY_ONE)
#define LINE_ID_CHARS 6
#define PRICE_MAX (INT64_C(100000) * INT64_C(1000000)) /* 100,000 units, in millionths */
#define VARIATION_MAX (INT64_C(10) * INT64_C(1000000)) /* tenfold */

/* protocol o-series 7.2 */
enum order_status {
    ORDER_SUBMITTED,
    ORDER_ON_HOLD,
    ORDER_PENDING,
    ORDER_ACCEPTED,
    ORDER_REJECTED,
    ORDER_COMPLETE,
    ORDER_STATUSES,
};

/* A price changed by a coefficient or by an amount, never by both. */
struct variation {
    int64_t coefficient; /* millionths; DECIMAL_ONE: unchanged */
    int64_t fixed_minor; /* negative: money off */
};

struct line {
    char line_id[LINE_ID_CHARS + 1];
    int64_t product_id;
    int64_t quantity;        /* thousandths; negative on a refund */
    int64_t unit_millionths; /* with tax, without modifiers */
    int64_t modifiers_millionths;
    int64_t tax_rate_millionths;
    struct variation variation;
    int64_t modifiers[LINE_MODIFIERS_MAX]; /* negative: left out */
    size_t modifier_count;
    char option_sets_json[JSON_KEPT_MAX]; /* empty: none */
    char notes[NOTE_MAX];
};

struct payment {
    int64_t id;
    int64_t method_id;
    int64_t amount_minor;
    int64_t tip_minor;
    int64_t surcharge_minor;
    int64_t service_charge_minor; /* the part that went to the order's service charge */
    char ref[NAME_MAX_BYTES];
    int64_t application_id; /* 0: taken by the register */
    int64_t created_us;
};

struct notification {
    int64_t id;
    int64_t duration_s;
    char broadcast_level[16];
    char alert_colour[16];
    char message[1208]; /* 300 characters of at most 4 bytes */
};

struct order {
    int64_t id;
    int64_t company_id;
    int64_t site_id;
    int64_t register_id; /* 0: none */
    int64_t staff_id;
    int64_t customer_id;
    int64_t application_id; /* who created it; 0: a register */
    enum order_status status;
    bool is_deleted;
    bool is_refund;
    int64_t refunded_order_id;
    char sale_number[NAME_MAX_BYTES];
    char order_type[NAME_MAX_BYTES];
    char payment_type[NAME_MAX_BYTES]; /* "account" puts it under pending/accounts */
    char notes[NOTE_MAX];
    int64_t guests;
    struct variation variation;
    int64_t price_limit_minor; /* 0: none */
    int64_t service_charge_minor;
    bool is_complete_when_paid;
    bool is_pass_thru_printing;
    char callback_uri[URL_MAX];
    char locks[LOCKS_MAX][16];
    size_t lock_count;
    char placed_at[40]; /* as given */
    char fulfil_at[40];
    struct line *lines; /* owned */
    size_t line_count;
    struct payment *payments; /* owned */
    size_t payment_count;
    struct notification *notifications; /* owned */
    size_t notification_count;
    int64_t created_us;
    int64_t updated_us;
    int64_t visible_us; /* monotonic: lists show it from then on */
    bool is_hidden;     /* from clients: 404, and in no list */
    int64_t shown_us;   /* monotonic: hidden until then, whatever is_hidden says */
};

struct line_total {
    int64_t total_minor;
    int64_t tax_minor;
};

struct order_total {
    int64_t total_minor; /* with tax, after every variation */
    int64_t tax_minor;
    int64_t paid_minor;
    int64_t tips_minor;
    int64_t due_minor; /* service charge included */
};

const char *order_status_name(enum order_status status);
bool order_status_find(struct text name, enum order_status *status); /* either case */
/* The table of moves: may a client (not a register) set this status? */
bool order_may_move(enum order_status from, enum order_status to);
bool order_is_closed(const struct order *order);
bool order_lines_are_locked(const struct order *order);
bool order_is_hidden(const struct order *order, int64_t mono_us);

struct line_total line_total(const struct line *line, int exponent);
struct order_total order_total(const struct order *order, int exponent);
/* What one payment gives to a service charge of which left_minor is open (protocol 7.4). */
int64_t payment_share(int64_t order_minor, int64_t charge_minor, int64_t amount_minor,
                      int64_t tip_minor, int64_t left_minor);

/* Room for one more at index (0..count); false: full or no memory. */
MUST_CHECK bool order_insert_line(struct order *order, size_t index, const struct line *line);
void order_remove_line(struct order *order, size_t index);
void order_remove_payment(struct order *order, size_t index);
MUST_CHECK bool order_add_payment(struct order *order, const struct payment *payment);
void order_release(void *order); /* frees what it owns */
/* A draft to change; false: no memory. Then adopt it, or drop it with order_release. */
MUST_CHECK bool order_copy(const struct order *order, struct order *draft);
void order_adopt(struct order *order, struct order *draft);

#endif
