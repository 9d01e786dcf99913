/*
 * Tenants and sites: configuration rows as the rest of the program uses them. A tenant is one
 * merchant company with one currency and one time zone (design section 6).
 */
#ifndef COUNTERPART_STORE_TENANT_H
#define COUNTERPART_STORE_TENANT_H

#include "base/id.h"
#include "base/money.h"
#include "ledger/command.h"

#define TENANT_NAME_MAX 120
#define TENANT_ZONE_MAX 64
#define TENANT_TOKEN_MAX 128    /* Signature Token; two may be valid during a rotation */
#define TENANT_PREFIX_MAX 10    /* card-number prefix, digits */
#define TENANT_NUMBER_LENGTH 16 /* generated card numbers */

/* Per-surface signature mode. Stored as these numbers. */
enum signature_mode {
    SIGNATURE_ENFORCE = 0,
    SIGNATURE_LOG = 1, /* verify, log the finding, serve anyway */
    SIGNATURE_OFF = 2,
};

/* How request bodies are read. Stored as these numbers. */
enum body_format {
    BODY_ANY = 0, /* the first visible byte decides */
    BODY_JSON = 1,
    BODY_FORM = 2,
};

/* Where a tenant is served: in one store at a time (store/move.h). Stored as these numbers. */
enum tenant_place {
    TENANT_HERE = 0,
    TENANT_ARRIVING = 1, /* its rows are on their way here */
    TENANT_GONE = 2,     /* they are in another store; those that are left here change no more */
    TENANT_LEAVING = 3,  /* about to go: nothing new begins, what is under way may end */
    TENANT_CLOSED = 4,   /* his rows are being compared with those of the other store, and change
                            no more */
};

#define TENANT_PLACE_LAST TENANT_CLOSED

#define TENANT_STATUSES_MAX 60 /* "400,401,403,404,422" */
#define TENANT_TOPICS_MAX 400  /* "orders/completed,orders/deleted" */
#define TENANT_LABEL_MAX 32

struct tenant {
    int64_t id;
    char name[TENANT_NAME_MAX + 1];
    char
        key[ID_KEY_CHARS + 1]; /* in the URLs; a bearer secret: sealed in the store, never logged */
    struct currency currency;
    char zone[TENANT_ZONE_MAX + 1];
    int64_t oseries_company;
    char signature_token[TENANT_TOKEN_MAX + 1]; /* sealed in the store; empty: none set */
    char signature_token_previous[TENANT_TOKEN_MAX +
                                  1]; /* still accepted during a rotation; empty: none */
    enum signature_mode oseries_signature_mode;
    bool signature_base64_is_accepted;
    bool charge_is_on, top_up_is_on, refund_is_on,
        balance_is_on;         /* each action can be switched off */
    bool sites_must_be_mapped; /* refuse requests of sites that are not in the site table */
    bool last4_is_accepted;    /* look a card up by its last four digits when exactly one matches */
    bool amounts_are_strings;  /* reply amounts as "25.50" instead of 25.50 */
    char card_prefix[TENANT_PREFIX_MAX + 1];
    char profile[33]; /* name of the request/reply profile; "default" */
    struct policy policy;
    /* Choices where no public text says how registers and API behave (protocol o-series 12). */
    int32_t refusal_status; /* HTTP status of a business refusal */
    enum body_format body_format;
    int64_t deadline_us;    /* a register is answered by then */
    bool payment_is_ours;   /* we add the payment to the order, the register does not */
    int32_t payment_method; /* id of the payment method that is ours at Lightspeed; 0: not told */
    bool order_look_is_on;  /* a repeated charge may look at its order before it is decided */
    bool notify_is_on;      /* tell the register's screen what staff should know */
    struct foreign_approval approval;               /* changed by store_add_foreign_change only */
    char payment_refusals[TENANT_STATUSES_MAX + 1]; /* API statuses that are final for a payment */
    char webhook_topics[TENANT_TOPICS_MAX + 1];     /* registered when the tenant connects */
    int64_t token_refresh_us;                       /* refresh at least this often */
    bool discount_is_on_line;                       /* rewards change a line, not the order */
    /* Loyalty. */
    bool search_is_on, rewards_is_on, redeem_is_on;
    enum signature_mode loyalty_signature_mode; /* of customer-search, reward-lookup, redeem */
    int64_t earn_milli;                         /* points per 1000 currency units */
    char points_label[TENANT_LABEL_MAX + 1];
    int32_t points_expire_days; /* without earning or spending; 0: never */
    bool burn_is_on_complete;   /* points are burned when the order completes, not at once */
    int64_t reservation_max_us; /* open so long without an end of its order: returned */
    int64_t redeem_token_us;    /* how long a redeem_url is good */
    enum tenant_place place;    /* read only; whatever is not TENANT_HERE is neither served nor
                                   looked after */
};

/* What a tenant starts with where nobody has said otherwise: for struct initializers. */
#define TENANT_CHOICES                                                                             \
    .refusal_status = 200, .deadline_us = COMMAND_WAIT_MAX_US,                                     \
    .payment_refusals = "400,401,403,404,422",                                                     \
    .webhook_topics = "orders/completed,orders/deleted",                                           \
    .token_refresh_us = INT64_C(86400) * 1000000, .search_is_on = true, .rewards_is_on = true,     \
    .redeem_is_on = true, .order_look_is_on = true, .notify_is_on = true,                          \
    .loyalty_signature_mode = SIGNATURE_LOG, .earn_milli = 1000, .points_label = "Points",         \
    .reservation_max_us = INT64_C(86400) * 1000000, .redeem_token_us = INT64_C(4) * 3600 * 1000000

struct site {
    int64_t id;
    int64_t tenant_id;
    char name[TENANT_NAME_MAX + 1];
    int64_t oseries_site;
    char zone[TENANT_ZONE_MAX + 1]; /* empty: the tenant's */
};

#endif
