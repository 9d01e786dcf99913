/*
 * The till with a screen: its configuration, what stands on the screen, and the lines to its cloud
 * and its partner. Orders are the cloud's and are read anew each time; nothing here outlives the
 * process.
 *
 * One lock guards what is below it and is never held while a request is under way, so two presses
 * are two requests. The drawer is held while an order of the cloud is looked at and then changed,
 * never while the partner is asked.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_TILL_H
#define COUNTERPART_MOCKS_REGISTER_TILL_H

#include "base/money.h"
#include "mocks/register/bill.h"
#include "mocks/register/config.h"
#include "mocks/register/recording.h"
#include "mocks/register/shop.h"
#include "mocks/register/till_faults.h"
#include "mocks/register/wire_log.h"

#include <stdatomic.h>

#define SAID_TITLE_MAX 128

/* A refund whose answer has not come yet: pressed again, it is the same refund. */
struct pending_refund {
    int64_t sale_id, payment_number, amount_minor;
    int64_t order_id; /* the refund's; 0: none is pending */
};

struct till {
    struct shop *shop;
    struct wire_log wire;
    struct recording recording;
    int64_t seed;
    pthread_mutex_t drawer;

    pthread_mutex_t lock;
    struct config draft, synced;
    struct till_faults faults;
    struct currency currency; /* the company's, as last seen */
    int64_t order_id;         /* on the screen; 0: none */
    int64_t orders_from;      /* older ones are not asked for */
    int64_t press_count, said_count, busy_count;
    struct made products;                 /* JSON, as last read from the cloud */
    int64_t products_version;             /* changes with them */
    struct made members, member, rewards; /* JSON of the state's members; empty: null */
    struct made crash, said, report;
    int64_t placeholder_id; /* of the rewards */
    struct pending_refund refund;
    bool is_replaying;
    atomic_bool is_replay_stopped;
};

/* What the last dialogue says. Texts are borrowed; NULL or empty amounts are null in the state. */
struct said {
    const char *action;
    const char *ending; /* ending_name or "info" */
    const char *title;
    const char *text;
    int64_t exchange; /* 0: none */
    const char *amount, *balance, *reference;
    bool is_booked;
};

struct till_options {
    const char *cloud;
    struct config config;
    int64_t seed;
};

/* ownership  till_destroy. errors: ERR_NO_MEMORY, ERR_TOO_LARGE (the cloud's address). */
MUST_CHECK int till_create(const struct till_options *options, struct till **till);
void till_destroy(struct till *till); /* accepts NULL */

void till_lock(struct till *till);
void till_unlock(struct till *till);
/* A copy of what is synced, on the heap. */
struct config *till_config(struct till *till);
int till_exponent(struct till *till);
int64_t till_clock_us(struct till *till); /* skewed */
void till_say(struct till *till, const struct said *said);
void till_crash(struct till *till, int64_t exchange, const char *why);
/* Forgets what a restart forgets; under the lock. */
void till_forget(struct till *till);
/* "$25.50"; memory is MONEY_TEXT_MAX + 8. */
#define TILL_MONEY_MAX (MONEY_TEXT_MAX + 16) /* symbol, and six commas */
const char *till_money(struct till *till, int64_t amount_minor, char memory[TILL_MONEY_MAX]);

/* --- what the till offers -------------------------------------------------------------------- */

struct offer {
    bool is_active; /* the payment type is on the checkout screen */
    bool actions[CONFIG_URLS];
    char why[256]; /* why the payment type is not there */
    char loyalty_why[256];
};

/* grants: as the cloud tells them; NULL: it does not answer. Pure. */
void offer_make(const struct config *config, bool is_unregistered, const struct jread *grants,
                struct offer *offer);
/* false: the action is not offered now, and the answer says why. */
MUST_CHECK bool offer_has(struct till *till, const struct config *config, enum till_action action,
                          struct till_answer *answer);

/* --- the cloud's orders ---------------------------------------------------------------------- */

/* Refuses in the words of README.md what shop_ask could not do. Always false. */
bool till_refuse_shop(int err, const struct shop_answer *reply, struct till_answer *answer);
/* An order into *reply, read as *bill. ownership: shop_answer_finish, whatever is returned. */
MUST_CHECK bool till_order(struct till *till, int64_t order_id, struct shop_answer *reply,
                           struct bill *bill, struct till_answer *answer);
/* The one on the screen. false: none is there, or it is closed. */
MUST_CHECK bool till_open_order(struct till *till, struct shop_answer *reply, struct bill *bill,
                                struct till_answer *answer);
/* A change whose answer nobody needs. */
MUST_CHECK bool till_change(struct till *till, const char *method, const char *path, made_fn write,
                            const void *context, struct till_answer *answer);
/* Makes an order and puts it on the screen. */
MUST_CHECK bool till_new_order(struct till *till, int64_t customer_id, int64_t *order_id,
                               struct till_answer *answer);
/* The order on the screen, if it still takes lines; else a new one. */
MUST_CHECK bool till_order_to_fill(struct till *till, int64_t *order_id,
                                   struct till_answer *answer);
/* The product of that code, made where there is none. */
MUST_CHECK bool till_product(struct till *till, const char *code, const char *name,
                             int64_t *product_id, struct till_answer *answer);

/* --- one function a request; false: the answer is the refusal -------------------------------- */

typedef bool (*till_fn)(struct till *till, struct till_call *call, struct till_answer *answer);

/* till_sale.c */
bool till_order_new(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_order_open(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_order_delete(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_order_close(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_line_add(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_line_put(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_line_delete(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_customer(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_checkin_add(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_checkin_delete(struct till *till, struct till_call *call, struct till_answer *answer);

/* till_pay.c, till_refund.c */
bool till_pay(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_check_balance(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_top_up(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_refund(struct till *till, struct till_call *call, struct till_answer *answer);

/* till_loyalty.c */
bool till_search(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_pick(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_member_leave(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_redeem(struct till *till, struct till_call *call, struct till_answer *answer);

/* till_tool.c */
bool till_config_put(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_config_check(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_config_revert(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_sync(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_restart(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_said_dismiss(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_faults_put(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_wire_clear(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_recording_post(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_resend(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_replay(struct till *till, struct till_call *call, struct till_answer *answer);
bool till_replay_stop(struct till *till, struct till_call *call, struct till_answer *answer);

/* till_state.c: the whole state; without the products where they are those of the known version. */
void till_state(struct till *till, int64_t known_products, struct made *json);

/* till_route.c: whatever comes below /_till. */
void till_answer_call(struct till *till, struct till_call *call, struct till_answer *answer);

#endif
