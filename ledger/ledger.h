/*
 * The money rules. Pure functions over plain structs: no I/O, no threads, no clock, no allocation.
 *
 * A batch is decided in three steps: ledger_keys lists the rows each command needs, the store loads
 * them into a view, ledger_decide takes the commands one after the other, reads and updates the
 * view and marks what changed. The store then writes the changes in one transaction. The second
 * command on a card sees what the first one did.
 */
#ifndef COUNTERPART_LEDGER_LEDGER_H
#define COUNTERPART_LEDGER_LEDGER_H

#include "ledger/command.h"

/* Commands in one commit (COUNTERPART_BATCH_MAX may lower it). */
#define BATCH_MAX 512
/* Successful operations of one card on one order that a decision looks at (a top-up looks at
 * top-ups and releases only), newest first. A sale that pays more often than this with one card
 * does not exist; beyond it a refund sees only the newest. */
#define ORDER_OPERATIONS_MAX 64
/* Refusals of one card on one order that a decision looks at, newest first: for repetitions that
 * wait while the first is decided. Counted apart, so that no number of them hides a success. */
#define ORDER_REFUSALS_MAX 8
/* Charges a refund without a known sale looks at, newest first. */
#define RECENT_CHARGES_MAX 64
/* Each command loads at most these lists, then adds its own operation, and a charge that takes the
 * place of another one's reversal before it. (A refund looks at what its named sale paid or at
 * recent charges, never at both; a reversal or recharge at one operation.) */
#define VIEW_OPERATIONS_MAX                                                                        \
    (BATCH_MAX * (ORDER_OPERATIONS_MAX + ORDER_REFUSALS_MAX + RECENT_CHARGES_MAX + 2))
/* A refund writes one transfer per charge that it answers, loaded or of this batch; a release one
 * per held top-up; a charge at most two; all other actions at most one. */
#define VIEW_TRANSFERS_MAX (BATCH_MAX * (ORDER_OPERATIONS_MAX + RECENT_CHARGES_MAX + 2))
#define VIEW_NONE (-1)

/* What the store must load for one command, besides the card found by (tenant_id, card_index). */
struct keys {
    /* Of this card, tenant and order (for order_id 0 also of this site and register): the newest
     * ORDER_OPERATIONS_MAX that succeeded and the newest ORDER_REFUSALS_MAX that were refused. */
    bool wants_order_operations;
    int64_t sale_order_id;     /* what a refund gives back; 0: not told, or no refund */
    bool wants_order_is_known; /* is there any successful charge of the tenant on sale_order_id,
                                  whatever the card? */
    /* Only if the order is known: of this card on sale_order_id, which is not the order's own, the
     * newest ORDER_OPERATIONS_MAX that succeeded. */
    bool wants_refunded_operations;
    /* Only if the order is not known: this card's successful charges with given_back < amount, not
     * older than recent_since_us, the newest RECENT_CHARGES_MAX. */
    bool wants_recent_charges;
    int64_t recent_since_us;
    int64_t answers_operation_id; /* of reversals and recharges: the operation that is undone, if it
                                     is this card's; else 0 */
    bool wants_register_day;      /* refunds without a known sale given today by this register */
    bool wants_foreign_day;       /* what was paid today onto orders that are not ours */
};

struct view_card {
    struct card card;
    int32_t operation_newest; /* index into view.operations, VIEW_NONE: list of this card's loaded
                                 operations */
    int64_t version_loaded;   /* card.version when loaded: the store's WHERE version = */
    bool is_new;              /* insert instead of update */
    bool is_changed;
    int32_t new_card; /* is_new: index of the issuing command in the batch */
};

struct view_operation {
    struct operation operation;
    int32_t next_older; /* index, VIEW_NONE: same card; sorted by id, newest first */
    bool is_new;
    bool is_changed; /* given_back_minor moved */
    int64_t given_back_minor_loaded;
    int64_t in_place_of_id; /* is_new: the command's */
};

/* Refunds without a known sale, per register and local date. */
struct register_day {
    int64_t tenant_id;
    int64_t site_id;
    int64_t register_id;
    int32_t local_date;
    int64_t refunded_minor;
};

struct view_day {
    struct register_day day;
    bool is_new;
    bool is_changed;
    int64_t refunded_minor_loaded;
};

/* Payments that were allowed onto orders which are not ours, per tenant and local date: the limit
 * that a day has, less what is certain not to have been paid. */
struct foreign_day {
    int64_t tenant_id;
    int32_t local_date;
    int64_t paid_minor;
};

struct view_foreign_day {
    struct foreign_day day;
    struct foreign_approval approval; /* the tenant's, as it is in the decision's transaction */
    bool is_new;
    bool is_changed;
    int64_t paid_minor_loaded;
};

/* Which of the view's rows belong to one command. Filled by the store. */
struct scope {
    int32_t card; /* index into view.cards, VIEW_NONE: no such card */
    int32_t day;  /* index into view.days, VIEW_NONE: not wanted. A missing row is loaded as zero,
                     is_new */
    bool order_is_known; /* of a refund: the sale that it gives back */
    int32_t foreign_day; /* as day, of view.foreign_days */
};

/* Capacities: cards and both kinds of days BATCH_MAX, operations VIEW_OPERATIONS_MAX, transfers
 * VIEW_TRANSFERS_MAX. The memory is the owner's (store/batch.h); pages that a batch does not touch
 * cost nothing. */
struct view {
    struct view_card *cards;
    int32_t card_count;
    struct view_operation *operations;
    int32_t operation_count;
    struct view_day *days;
    int32_t day_count;
    struct view_foreign_day *foreign_days;
    int32_t foreign_day_count;
    struct transfer *transfers; /* all new */
    int32_t transfer_count;
    /* The next free ids, handed in by the store before the first decision. The ledger counts up. */
    int64_t next_card_id;
    int64_t next_operation_id;
    int64_t next_transfer_id;
};

/*
 * Does the requester know this card (and its PIN, where it needs one)? If not, the decision needs
 * no recent charges: the store then looks for none, so that an unknown number and a wrong PIN take
 * the same time.
 */
bool ledger_knows(const struct command *command, const struct card *card);

/* What to load for command. Called before ledger_decide, and never depends on anything but the
 * command. */
void ledger_keys(const struct command *command, struct keys *keys);

/*
 * Put a loaded operation into its card's list, keeping it sorted; an id that is already there is
 * ignored, so two commands of one batch may load the same rows.
 */
void view_add_operation(struct view *view, int32_t card, const struct operation *operation);

/*
 * Decide one command of a batch; called in queue order.
 *
 * units      now_us is the wall clock at decision; amounts in the tenant currency's minor units.
 * ownership  borrows all; updates view and *outcome; allocates nothing.
 * errors     none: a decision cannot fail.
 * outcomes   the first of RESULT_LIST that applies. Refusals on a known card are recorded as
 * operations, except RESULT_THROTTLED, RESULT_NOT_FOUND, RESULT_AMOUNT_*, RESULT_NOTHING_HELD,
 * RESULT_LOOK_FIRST, and all refusals of reversals and recharges: those leave no trace.
 * undoing    REVERSE, RECHARGE: _NOT_FOUND when there is no such card, or answers_operation_id is
 * no operation of this card and order that can be undone so; _NOTHING_LEFT; _OVER_BALANCE_MAX
 * (reverse); _NO_FUNDS (recharge, of an empty card). asked_minor becomes what was left to undo, or
 * stays where the command asks for less; 0 or less asks for all of it.
 * source     design sections 3 and 4, laws 1-9.
 */
void ledger_decide(struct view *view, const struct scope *scope, int32_t command_index,
                   const struct command *command, int64_t now_us, struct outcome *outcome);

/*
 * May this card be looked at, by someone who knows number and PIN? The balance look-up's decision:
 * no row changes. card NULL: unknown number.
 *
 * outcomes   RESULT_OK, _THROTTLED, _NOT_FOUND, _DISABLED, _NOT_YET_VALID, _EXPIRED.
 */
enum result ledger_look(const struct card *card, bool is_throttled, bool has_pin,
                        const uint8_t pin_hash[CARD_PIN_BYTES], int32_t local_date);

#endif
