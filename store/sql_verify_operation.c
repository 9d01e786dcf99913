/*
 * Verify, by operation: what each one says happened is what its transfers did, and every credit
 * names what it answers (laws 1, 5 and 9).
 */
#include "store/sql_verify.h"

#include "base/check.h"
#include "base/money.h"
#include "ledger/account.h"

#include <inttypes.h>

#include "base/banned.h"

static const char sql_read_operations[] =
    "SELECT " OPERATION_COLUMNS ","
    " coalesce((SELECT tenant_id FROM card WHERE card.id = operation.card_id), 0),"
    " EXISTS (SELECT 1 FROM tenant WHERE tenant.id = operation.tenant_id),"
    " CASE WHEN action <> 6 THEN 0 ELSE coalesce((SELECT max(later.id) FROM operation AS later"
    " WHERE later.tenant_id = operation.tenant_id AND later.order_id = operation.order_id"
    " AND (later.result <> 0) = FALSE AND later.card_id = operation.card_id"
    " AND later.id > operation.id AND later.action = 7), 0) END"
    " FROM operation ORDER BY id";
#define OPERATION_COLUMN_CARD_TENANT 18 /* after OPERATION_COLUMNS */
#define OPERATION_COLUMN_HAS_TENANT 19
#define OPERATION_COLUMN_LATER_RELEASE 20 /* of a held top-up: the last of its order and card */
static const char sql_read_transfers[] = "SELECT " TRANSFER_COLUMNS " FROM transfer"
                                         " ORDER BY operation_id, id";
/*
 * What answers another operation: refunds, reversals, what releases move, and recharges (whose
 * transfers, being debits, answer themselves: their operation says what they answer). With the sale
 * that their operation is about: of a refund the one that the API has named, where a card had paid
 * on it by then, else 0; of all others their order.
 */
static const char sql_read_answers[] =
    "SELECT " TRANSFER_COLUMNS ","
    " coalesce((SELECT CASE WHEN cause <> 3 THEN order_id WHEN EXISTS"
    "  (SELECT 1 FROM operation AS charge WHERE charge.tenant_id = operation.tenant_id"
    "   AND charge.order_id = operation.refunded_order_id AND (charge.result <> 0) = FALSE"
    "   AND charge.action IN (2, 9) AND charge.id < operation.id) THEN refunded_order_id ELSE 0 END"
    "  FROM operation WHERE operation.id = transfer.operation_id), 0),"
    " CASE WHEN cause <> 1 THEN answers_operation_id ELSE (SELECT operation.answers_operation_id"
    "  FROM operation WHERE operation.id = transfer.operation_id) END AS answered"
    " FROM transfer WHERE cause IN (3, 5)"
    " OR (cause = 2 AND transfer.answers_operation_id <> operation_id)"
    " OR (cause = 1 AND operation_id IN (SELECT operation.id FROM operation"
    "  WHERE operation.answers_operation_id <> 0 AND operation.action = 9))"
    " ORDER BY answered, id";
#define ANSWER_COLUMN_ORDER 11 /* after TRANSFER_COLUMNS */
#define ANSWER_COLUMN_ANSWERED 12

struct operation_pass {
    struct verify *verify;
    struct stream operations;
    struct stream transfers; /* by operation */
    struct stream answers;   /* by the operation that they answer */
    struct operation operation;
    struct transfer transfer;
    struct transfer answer;
    int64_t answered_id; /* what it answers */
};

/* The card pass names causes that do not exist; here they just fit no action. */
static void load(const struct stream *stream, struct transfer *transfer)
{
    if (stream->has_row && row_read_transfer(stream->statement, transfer) != 0)
        transfer->cause = (enum cause)0;
}

static int next_transfer(struct operation_pass *pass)
{
    int err = stream_next(&pass->transfers);
    if (err == 0)
        load(&pass->transfers, &pass->transfer);
    return err;
}

static void load_answer(struct operation_pass *pass)
{
    load(&pass->answers, &pass->answer);
    if (pass->answers.has_row)
        pass->answered_id = sql_column_int(pass->answers.statement, ANSWER_COLUMN_ANSWERED);
}

static int next_answer(struct operation_pass *pass)
{
    int err = stream_next(&pass->answers);
    if (err == 0)
        load_answer(pass);
    return err;
}

static bool is_owner(int64_t id)
{
    return id > 0 && id <= ACCOUNT_OWNER_MAX;
}

/* --- one transfer of an operation --- */

/* What a transfer of each action looks like. */
struct shape {
    enum cause cause;
    enum account_kind counter_kind;
    bool is_debit; /* of the card */
};

static struct shape shape_of(enum action action)
{
    switch (action) {
    case ACTION_ISSUE:
        return (struct shape){CAUSE_GRANT, ACCOUNT_ISSUED, false};
    case ACTION_CHARGE:
    case ACTION_RECHARGE:
        return (struct shape){CAUSE_CHARGE, ACCOUNT_SALES, true};
    case ACTION_TOP_UP:
    case ACTION_RELEASE:
        return (struct shape){CAUSE_LOAD, ACCOUNT_LOADS, false};
    case ACTION_REFUND:
        return (struct shape){CAUSE_REFUND, ACCOUNT_SALES, false};
    case ACTION_REVERSE:
        return (struct shape){CAUSE_REVERSE, ACCOUNT_SALES, false};
    case ACTION_VOID:
    case ACTION_HOLD_LOAD:
        break;
    }
    return (struct shape){0};
}

static bool accounts_fit(const struct operation *operation, const struct transfer *transfer,
                         struct shape shape)
{
    if (!is_owner(operation->card_id) || !is_owner(operation->tenant_id))
        return false;
    int64_t card = account_make(ACCOUNT_CARD, operation->card_id);
    int64_t counter = account_make(shape.counter_kind, operation->tenant_id);
    return transfer->debit_account == (shape.is_debit ? card : counter) &&
           transfer->credit_account == (shape.is_debit ? counter : card);
}

/* A refund answers an earlier charge, a release an earlier held top-up, a reversal what its
 * operation says; everything else answers for itself. */
static bool answer_fits(const struct operation *operation, const struct transfer *transfer)
{
    if (operation->action == ACTION_REVERSE &&
        transfer->answers_operation_id != operation->answers_operation_id)
        return false;
    if (transfer->cause == CAUSE_REFUND || transfer->cause == CAUSE_REVERSE ||
        operation->action == ACTION_RELEASE)
        return transfer->answers_operation_id < operation->id;
    return transfer->answers_operation_id == operation->id;
}

static void check_transfer(struct verify *verify, const struct operation *operation,
                           const struct transfer *transfer)
{
    struct shape shape = shape_of(operation->action);
    if (operation->result != RESULT_OK || operation->action == ACTION_VOID) {
        verify_report(verify, "refusal_moved_money",
                      "operation %" PRId64 " did not happen, but transfer %" PRId64 " is its",
                      operation->id, transfer->id);
        return;
    }
    if (operation->action == ACTION_HOLD_LOAD) {
        verify_report(verify, "hold_moved_money",
                      "operation %" PRId64 " waits for its order, but transfer %" PRId64 " is its",
                      operation->id, transfer->id);
        return;
    }
    if (transfer->cause != shape.cause)
        verify_report(verify, "transfer_cause_differs",
                      "transfer %" PRId64 " has cause %d; operation %" PRId64 " has action %d",
                      transfer->id, (int)transfer->cause, operation->id, (int)operation->action);
    if (!accounts_fit(operation, transfer, shape))
        verify_report(verify, "transfer_accounts_differ",
                      "transfer %" PRId64 " moves between %" PRId64 " and %" PRId64
                      ", which is not what operation %" PRId64 " on card %" PRId64 " does",
                      transfer->id, transfer->debit_account, transfer->credit_account,
                      operation->id, operation->card_id);
    if (!answer_fits(operation, transfer))
        verify_report(verify, "transfer_answer_differs",
                      "transfer %" PRId64 " of operation %" PRId64 " answers operation %" PRId64,
                      transfer->id, operation->id, transfer->answers_operation_id);
    if (transfer->created_at_us != operation->created_at_us)
        verify_report(verify, "transfer_time_differs",
                      "transfer %" PRId64 " was not made when operation %" PRId64 " was decided",
                      transfer->id, operation->id);
}

static void check_last_transfer(struct verify *verify, const struct operation *operation,
                                const struct transfer *last)
{
    if (last->balance_minor_after == operation->balance_minor_after &&
        last->version == operation->card_version_after)
        return;
    verify_report(verify, "operation_balance_differs",
                  "operation %" PRId64 " told balance %" PRId64 " at version %" PRId64
                  "; transfer %" PRId64 " left %" PRId64 " at version %" PRId64,
                  operation->id, operation->balance_minor_after, operation->card_version_after,
                  last->id, last->balance_minor_after, last->version);
}

static int check_transfers(struct operation_pass *pass)
{
    const struct operation *operation = &pass->operation;
    struct transfer last = {0};
    int64_t sum_minor = 0;
    int err = 0;
    while (err == 0 && pass->transfers.has_row && pass->transfer.operation_id <= operation->id) {
        last = pass->transfer;
        if (last.operation_id < operation->id)
            verify_report(pass->verify, "transfer_without_operation",
                          "transfer %" PRId64 " is of operation %" PRId64 ", which does not exist",
                          last.id, last.operation_id);
        else
            check_transfer(pass->verify, operation, &last);
        if (last.operation_id == operation->id &&
            !money_add(sum_minor, last.amount_minor, &sum_minor))
            verify_report(pass->verify, "sum_overflows", "transfers of operation %" PRId64,
                          operation->id);
        err = next_transfer(pass);
    }
    if (err == 0 && sum_minor != operation->amount_minor)
        verify_report(pass->verify, "operation_amount_differs",
                      "operation %" PRId64 " told %" PRId64 "; its transfers moved %" PRId64,
                      operation->id, operation->amount_minor, sum_minor);
    if (err == 0 && last.operation_id == operation->id)
        check_last_transfer(pass->verify, operation, &last);
    return err;
}

/* --- the refunds, reversals, recharges and releases that answer an operation --- */

static int64_t answer_order(const struct operation_pass *pass)
{
    return sql_column_int(pass->answers.statement, ANSWER_COLUMN_ORDER);
}

static bool is_to_its_card(const struct operation *answered, const struct transfer *answer)
{
    return is_owner(answered->card_id) &&
           answer->credit_account == account_make(ACCOUNT_CARD, answered->card_id);
}

static bool is_from_its_card(const struct operation *answered, const struct transfer *answer)
{
    return is_owner(answered->card_id) &&
           answer->debit_account == account_make(ACCOUNT_CARD, answered->card_id);
}

static void check_refund(struct operation_pass *pass)
{
    const struct operation *charge = &pass->operation;
    const struct transfer *refund = &pass->answer;
    int64_t order_id = answer_order(pass);
    if (!operation_is_charge(charge))
        verify_report(pass->verify, "refund_answers_no_charge",
                      "transfer %" PRId64 " answers operation %" PRId64
                      ", which is no successful charge",
                      refund->id, charge->id);
    else if (!is_to_its_card(charge, refund))
        verify_report(pass->verify, "refund_to_other_card",
                      "transfer %" PRId64 " gives back to another card than %" PRId64
                      ", which paid in operation %" PRId64,
                      refund->id, charge->card_id, charge->id);
    else if (order_id != 0 && order_id != charge->order_id)
        verify_report(pass->verify, "refund_of_other_sale",
                      "transfer %" PRId64 " gives back sale %" PRId64 "; operation %" PRId64
                      ", which it answers, paid for sale %" PRId64,
                      refund->id, order_id, charge->id, charge->order_id);
}

static void check_reversal(struct operation_pass *pass)
{
    const struct operation *charge = &pass->operation;
    const struct transfer *reversal = &pass->answer;
    if (!operation_is_charge(charge))
        verify_report(pass->verify, "reversal_answers_no_charge",
                      "transfer %" PRId64 " reverses operation %" PRId64
                      ", which is no successful charge",
                      reversal->id, charge->id);
    else if (!is_to_its_card(charge, reversal))
        verify_report(pass->verify, "reversal_to_other_card",
                      "transfer %" PRId64 " gives back to another card than %" PRId64
                      ", which paid in operation %" PRId64,
                      reversal->id, charge->card_id, charge->id);
    else if (answer_order(pass) != charge->order_id)
        verify_report(pass->verify, "reversal_of_other_sale",
                      "transfer %" PRId64 " is of sale %" PRId64 "; operation %" PRId64
                      ", which it reverses, paid for sale %" PRId64,
                      reversal->id, answer_order(pass), charge->id, charge->order_id);
}

static void check_recharge(struct operation_pass *pass)
{
    const struct operation *given = &pass->operation;
    const struct transfer *recharge = &pass->answer;
    if (!operation_gives_back(given))
        verify_report(pass->verify, "recharge_answers_no_credit",
                      "transfer %" PRId64 " takes again operation %" PRId64
                      ", which is no successful refund or reversal",
                      recharge->id, given->id);
    else if (!is_from_its_card(given, recharge))
        verify_report(pass->verify, "recharge_of_other_card",
                      "transfer %" PRId64 " takes from another card than %" PRId64
                      ", which operation %" PRId64 " gave to",
                      recharge->id, given->card_id, given->id);
    else if (answer_order(pass) != given->order_id)
        verify_report(pass->verify, "recharge_of_other_sale",
                      "transfer %" PRId64 " is of sale %" PRId64 "; operation %" PRId64
                      ", which it takes again, gave back on sale %" PRId64,
                      recharge->id, answer_order(pass), given->id, given->order_id);
}

static void check_release(struct operation_pass *pass)
{
    const struct operation *held = &pass->operation;
    const struct transfer *release = &pass->answer;
    if (held->action != ACTION_HOLD_LOAD || held->result != RESULT_OK)
        verify_report(pass->verify, "release_answers_no_hold",
                      "transfer %" PRId64 " answers operation %" PRId64
                      ", which is no top-up that waits",
                      release->id, held->id);
    else if (!is_to_its_card(held, release))
        verify_report(pass->verify, "release_to_other_card",
                      "transfer %" PRId64 " loads another card than %" PRId64
                      ", which operation %" PRId64 " was to load",
                      release->id, held->card_id, held->id);
    else if (answer_order(pass) != held->order_id)
        verify_report(pass->verify, "release_of_other_sale",
                      "transfer %" PRId64 " is of sale %" PRId64 "; operation %" PRId64
                      ", which it answers, waits for sale %" PRId64,
                      release->id, answer_order(pass), held->id, held->order_id);
}

/* A cause that does not exist is named elsewhere. */
static void check_answer(struct operation_pass *pass)
{
    switch (pass->answer.cause) {
    case CAUSE_REFUND:
        check_refund(pass);
        break;
    case CAUSE_REVERSE:
        check_reversal(pass);
        break;
    case CAUSE_CHARGE:
        check_recharge(pass);
        break;
    case CAUSE_LOAD:
        check_release(pass);
        break;
    case CAUSE_GRANT:
        break;
    }
}

static void check_lost_answer(const struct operation_pass *pass)
{
    const struct transfer *answer = &pass->answer;
    if (answer->cause == CAUSE_REFUND)
        verify_report(pass->verify, "refund_answers_nothing",
                      "transfer %" PRId64 " answers operation %" PRId64 ", which does not exist",
                      answer->id, pass->answered_id);
    else if (answer->cause == CAUSE_REVERSE)
        verify_report(pass->verify, "reversal_answers_nothing",
                      "transfer %" PRId64 " reverses operation %" PRId64 ", which does not exist",
                      answer->id, pass->answered_id);
    else if (answer->cause == CAUSE_CHARGE)
        verify_report(pass->verify, "recharge_answers_nothing",
                      "transfer %" PRId64 " takes again operation %" PRId64
                      ", which does not exist",
                      answer->id, pass->answered_id);
    else
        verify_report(pass->verify, "release_answers_nothing",
                      "transfer %" PRId64 " releases operation %" PRId64 ", which does not exist",
                      answer->id, pass->answered_id);
}

/* Of a charge what refunds and reversals gave, of these what recharges took again. */
static void check_given_back(struct verify *verify, const struct operation *operation,
                             int64_t sum_minor)
{
    if (operation->given_back_minor != sum_minor)
        verify_report(verify, "given_back_differs",
                      "operation %" PRId64 " counts %" PRId64
                      " of it as undone; what answers it moved %" PRId64,
                      operation->id, operation->given_back_minor, sum_minor);
    if (operation->given_back_minor < 0 || sum_minor > operation->amount_minor ||
        operation->given_back_minor > operation->amount_minor)
        verify_report(verify, "given_back_above_charge",
                      "operation %" PRId64 " moved %" PRId64 "; %" PRId64 " of it was undone",
                      operation->id, operation->amount_minor, sum_minor);
}

/* All of it, and by the next release of its order and card. */
static void check_held(const struct operation_pass *pass, int64_t released_minor)
{
    const struct operation *held = &pass->operation;
    if (held->action != ACTION_HOLD_LOAD || held->result != RESULT_OK)
        return;
    int64_t release_id = sql_column_int(pass->operations.statement, OPERATION_COLUMN_LATER_RELEASE);
    if (released_minor == 0 && release_id != 0)
        verify_report(pass->verify, "held_load_passed_over",
                      "operation %" PRId64 " was to load %" PRId64 "; operation %" PRId64
                      " has released its order since, and moved none of it",
                      held->id, held->asked_minor, release_id);
    else if (released_minor != 0 && released_minor != held->asked_minor)
        verify_report(pass->verify, "released_not_as_held",
                      "operation %" PRId64 " was to load %" PRId64 "; releases moved %" PRId64,
                      held->id, held->asked_minor, released_minor);
}

static int check_answers(struct operation_pass *pass)
{
    const struct operation *operation = &pass->operation;
    int64_t undone_minor = 0, released_minor = 0;
    int err = 0;
    while (err == 0 && pass->answers.has_row && pass->answered_id <= operation->id) {
        int64_t *sum_minor = pass->answer.cause == CAUSE_LOAD ? &released_minor : &undone_minor;
        if (pass->answered_id < operation->id)
            check_lost_answer(pass);
        else
            check_answer(pass);
        if (pass->answered_id == operation->id &&
            !money_add(*sum_minor, pass->answer.amount_minor, sum_minor))
            verify_report(pass->verify, "sum_overflows", "what answers operation %" PRId64,
                          operation->id);
        err = next_answer(pass);
    }
    if (err != 0)
        return err;
    check_given_back(pass->verify, operation, undone_minor);
    check_held(pass, released_minor);
    return 0;
}

/* --- one operation by itself --- */

static void check_amount(struct verify *verify, const struct operation *operation)
{
    bool is_refusal = operation->result != RESULT_OK;
    bool fits =
        is_refusal ? operation->amount_minor == 0
        : operation_is_charge(operation)
            ? operation->amount_minor > 0 && operation->amount_minor <= operation->asked_minor
        : operation->action == ACTION_HOLD_LOAD ? operation->amount_minor == 0
                                                : operation->amount_minor == operation->asked_minor;
    if (!fits)
        verify_report(verify, "amount_not_as_asked",
                      "operation %" PRId64 " (action %d, result %d) was asked for %" PRId64
                      " and moved %" PRId64,
                      operation->id, (int)operation->action, (int)operation->result,
                      operation->asked_minor, operation->amount_minor);
}

/* A recharge's transfer answers itself: only here it shows that the answer comes later. */
static void check_undoes(struct verify *verify, const struct operation *operation)
{
    bool undoes = operation->action == ACTION_REVERSE || operation->action == ACTION_RECHARGE;
    bool fits = undoes ? operation->answers_operation_id > 0 &&
                             operation->answers_operation_id < operation->id
                       : operation->answers_operation_id == 0;
    if (!fits)
        verify_report(verify, "undone_operation_differs",
                      "operation %" PRId64 " (action %d) says that it undoes operation %" PRId64,
                      operation->id, (int)operation->action, operation->answers_operation_id);
}

static void check_belonging(struct verify *verify, const struct operation *operation,
                            int64_t card_tenant_id)
{
    if (card_tenant_id == 0)
        verify_report(verify, "operation_without_card",
                      "operation %" PRId64 " is on card %" PRId64 ", which does not exist",
                      operation->id, operation->card_id);
    else if (card_tenant_id != operation->tenant_id)
        verify_report(verify, "operation_tenant_differs",
                      "operation %" PRId64 " is of tenant %" PRId64 ", its card %" PRId64
                      " of tenant %" PRId64,
                      operation->id, operation->tenant_id, operation->card_id, card_tenant_id);
}

static void check_operation(struct operation_pass *pass)
{
    struct verify *verify = pass->verify;
    struct sql_statement *statement = pass->operations.statement;
    struct operation *operation = &pass->operation;
    if (row_read_operation(statement, operation) != 0)
        verify_report(verify, "operation_out_of_range",
                      "operation %" PRId64 " has an action or result that does not exist",
                      operation->id);
    if (sql_column_int(statement, OPERATION_COLUMN_HAS_TENANT) == 0)
        verify_report(verify, "operation_without_tenant",
                      "operation %" PRId64 " is of tenant %" PRId64 ", which does not exist",
                      operation->id, operation->tenant_id);
    if (operation->action == ACTION_VOID) {
        if (operation->card_id != 0 || operation->amount_minor != 0)
            verify_report(verify, "tombstone_not_empty",
                          "operation %" PRId64 " never happened, but names a card or an amount",
                          operation->id);
        return;
    }
    check_amount(verify, operation);
    check_undoes(verify, operation);
    check_belonging(verify, operation, sql_column_int(statement, OPERATION_COLUMN_CARD_TENANT));
}

/* --- all of them --- */

static int check_operations(struct operation_pass *pass)
{
    int err = 0;
    while (err == 0 && pass->operations.has_row) {
        check_operation(pass);
        err = check_transfers(pass);
        if (err == 0)
            err = check_answers(pass);
        if (err == 0)
            err = stream_next(&pass->operations);
    }
    return err;
}

/* What is left belongs to operations after the last one. */
static int check_rest(struct operation_pass *pass)
{
    pass->operation = (struct operation){.id = INT64_MAX};
    int err = check_transfers(pass);
    return err != 0 ? err : check_answers(pass);
}

int verify_operations(struct verify *verify)
{
    struct operation_pass pass = {.verify = verify};
    int err = stream_open(&pass.operations, verify, sql_read_operations);
    if (err == 0)
        err = stream_open(&pass.transfers, verify, sql_read_transfers);
    if (err == 0)
        err = stream_open(&pass.answers, verify, sql_read_answers);
    if (err == 0) {
        load(&pass.transfers, &pass.transfer);
        load_answer(&pass);
        err = check_operations(&pass);
    }
    if (err == 0)
        err = check_rest(&pass);
    stream_close(&pass.operations);
    stream_close(&pass.transfers);
    stream_close(&pass.answers);
    return err;
}
