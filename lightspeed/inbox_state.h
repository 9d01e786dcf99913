/*
 * What the inbox (inbox.c) and the kinds of work (inbox_order.c, inbox_payment.c, inbox_connect.c)
 * share; nobody else's. All of it belongs to the outbound thread.
 */
#ifndef COUNTERPART_LIGHTSPEED_INBOX_STATE_H
#define COUNTERPART_LIGHTSPEED_INBOX_STATE_H

#include "base/clock.h"
#include "base/log.h"
#include "lightspeed/inbox.h"
#include "runtime/errand.h"
#include "store/foreign.h"
#include "store/proof.h"

#include <stdatomic.h>

/* A card whose held top-ups are released, and there may be as many again next time. */
#define HELD_MAX 16

struct order_facts {
    enum order_status status;
    bool is_deleted, is_refund;
    int64_t customer_id, refunded_order_id, site_id, register_id;
    int64_t total_minor, refunded_total_minor; /* a refund's is negative as a rule */
    int64_t earning_order_id, earning_minor;   /* itself, or the sale of a refund; 0: none */
    char member_code[MEMBER_CODE_MAX + 1];     /* who earns; empty: nobody */
};

struct held_cards {
    uint8_t indexes[HELD_MAX][CARD_INDEX_BYTES];
    int32_t count;
    bool has_open_reservation;
    bool is_sale_counted; /* of a refund: its sale has earned, or was found to earn nothing */
};

/* One piece of work under way. */
struct chore {
    struct chore *next;
    struct inbox *inbox;
    struct work work;
    int64_t duty_version; /* it ends with that duty */
    const struct directory_snapshot *snapshot;
    const struct directory_tenant *tenant;
    struct order_facts order;
    struct oseries_order *read; /* as it was read; 70 KB, so only while it is worked on. Or NULL */
    struct held_cards held;
    int32_t held_at; /* the next of them to release */
    bool is_release_refused;
    struct operation operation;    /* WORK_POST_PAYMENT */
    bool is_unsent;                /* WORK_POST_PAYMENT: no look has come so far yet */
    bool may_be_paid;              /* WORK_POST_PAYMENT: one that was sent before may be there */
    int32_t alike_before;          /* WORK_POST_PAYMENT: of its attempt */
    struct foreign_attempt answer; /* WORK_POST_PAYMENT: what became of its attempt, written with
                                      the work; operation_id 0: nothing new */
    struct prove *prove;           /* WORK_PROVE_ORDER (lightspeed/prove_state.h); freed with it */
    struct sweeping *sweeping;     /* WORK_SWEEP; or NULL */
};

/* --- what the register's screen is told (inbox_notify.c) --- */

enum news {
    NEWS_NONE,
    NEWS_GIVEN_BACK,
    NEWS_TAKEN_BACK, /* of a refund */
    NEWS_CHARGED_AGAIN,
    NEWS_CARD_EMPTY,
};
struct told_notice {
    int64_t tenant_id, order_id, operation_id;
    enum news news;
    int64_t at_us; /* steady */
};
/* The latest; 50 tenants may be told all that they can be in an hour before one is forgotten too
 * early, and then the API's own limit holds. Lost with the process. */
#define NOTICES_KEPT 1024
struct notices {
    struct told_notice told[NOTICES_KEPT];
    int32_t next;
};
/* Takes it among them; or says why it is not to be told. */
const char *notices_note(struct notices *notices, const struct told_notice *notice);
/* The operation's latest was not told after all, and may be again. */
void notices_forget(struct notices *notices, int64_t operation_id);
/* Pure: what staff should know of an operation now, and the amount that it is about. */
enum news notify_news(const struct proof_facts *facts, int64_t *amount_minor);
/* Pure: the sentence for it; at most NOTICE_MAX. */
void notify_compose(const struct proof_facts *facts, const struct currency *currency,
                    struct text_buffer *message);

struct inbox {
    struct inbox_config config;
    struct chore *chores;
    struct chore *over; /* ended while rows were being read, which may show them as they were */
    int32_t chore_count;
    bool is_reading, must_read_again;
    struct notices notices;
    int64_t next_due_us; /* while reading: the earliest of what is not due yet; steady */
    struct outbound_timer look_timer, forget_timer;
    struct outbound_message begin_message, wake_message;
    _Atomic bool is_woken;
    _Atomic uint64_t done, given_up, retried, released, earned, taken_back;
    _Atomic uint64_t confirmed, reversed, listed, recharged;
    _Atomic uint64_t swept, missed, noticed;
    _Atomic int32_t open;
};

/* --- how a chore ends (inbox.c): exactly one of these, exactly once. reason is for people --- */

void chore_done(struct chore *chore, const char *reason); /* "" when there is nothing to say */
void chore_give_up(struct chore *chore, const char *reason);
/* Again, after a back-off that grows; given up after INBOX_ATTEMPTS_MAX. */
void chore_retry(struct chore *chore, const char *reason);
/* Again, not before delay_us, however often. */
void chore_wait(struct chore *chore, int64_t delay_us, const char *reason);
/* The API's failure: not connected, shutting down, or something that may pass. */
void chore_retry_api(struct chore *chore, const struct api_result *result);
/* And not only when somebody acts. */
bool api_error_may_pass(int error);
/* A store's failure. */
void chore_retry_store(struct chore *chore, int err);

struct api_call chore_call(const struct chore *chore);
/* NULL: memory was short, or the duty was lost, and the chore has ended: its row is open. */
struct errand *chore_errand(struct chore *chore, size_t extra_bytes);

/* --- the kinds of work --- */

void order_begin(struct chore *chore);
void payment_begin(struct chore *chore);
void connect_begin(struct chore *chore);
void prove_begin(struct chore *chore);
void sweep_begin(struct chore *chore);
/* Pure: an order that was open in a sweep's lists, to be read for its payments and no more. */
bool sweep_found_open(const struct work *work);
void notify_begin(struct chore *chore);

#endif
