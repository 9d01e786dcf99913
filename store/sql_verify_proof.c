/*
 * Verify, proofs: each is of an operation that a register should show, and says of it what the
 * ledger and the payments say; what orders were seen to show is claimed by one operation of their
 * merchant.
 */
#include "store/sql_verify.h"

#include "base/check.h"

#include <inttypes.h>

#include "base/banned.h"

static const char sql_count_rows[] =
    "SELECT (SELECT count(*) FROM proof)"
    " + (SELECT count(*) FROM register_payment WHERE operation_id <> 0)";
static const char sql_read_cursor[] =
    "SELECT proof_cursor, (SELECT coalesce(max(id), 0) FROM operation) FROM meta WHERE id = 1";
/* Of the operation of a row. */
#define TREE_MINOR PROOF_TREE_MINOR("proof.operation_id")
#define OFFSET_MINOR PROOF_OFFSET_MINOR("proof.operation_id")
/* Beside each what its columns ought to say: the sums, whether a payment stands where it was seen,
 * and whether it counts on other proofs. */
static const char sql_read_proofs[] =
    "SELECT " PROOF_COLUMNS ", " TREE_MINOR " + " OFFSET_MINOR ","
    " (SELECT CAST(coalesce(sum(amount_minor), 0) AS BIGINT) FROM register_payment"
    " WHERE register_payment.operation_id = proof.operation_id"
    " AND register_payment.operation_id <> 0),"
    " EXISTS (SELECT 1 FROM register_payment AS payment WHERE payment.tenant_id = proof.tenant_id"
    " AND payment.order_id = proof.shown_order_id AND payment.number = proof.payment_number"
    " AND payment.operation_id = proof.operation_id),"
    " EXISTS (SELECT 1 FROM proof_offset WHERE by_operation_id = proof.operation_id)"
    " FROM proof ORDER BY operation_id";
#define PROOF_COLUMN_ANSWERED 22 /* after PROOF_COLUMNS */
static const char sql_read_claims[] =
    "SELECT operation_id, tenant_id, order_id, number, coalesce((SELECT tenant_id FROM operation"
    " WHERE operation.id = register_payment.operation_id), 0)"
    " FROM register_payment WHERE operation_id <> 0 ORDER BY operation_id";

/* Of a refund that ended reversed, or both rows of a reversal: on the charge that it answers, down
 * to the request of a register, less what counts on the other. */
static const char sql_read_lost_offsets[] =
    "SELECT by_operation_id, operation_id FROM proof_offset AS given"
    " WHERE NOT EXISTS (SELECT 1 FROM proof WHERE proof.operation_id = by_operation_id"
    " AND proof.state = 3 AND proof.action = 4 AND given.amount_minor > 0)"
    " AND NOT EXISTS (SELECT 1 FROM operation AS reversal JOIN proof_offset AS other"
    " ON other.by_operation_id = reversal.id AND other.operation_id <> given.operation_id"
    " AND other.amount_minor = -given.amount_minor JOIN operation AS charge"
    " ON charge.id = given.operation_id AND charge.action = 2"
    " AND charge.card_id = reversal.card_id AND charge.order_id = reversal.order_id"
    " WHERE reversal.id = given.by_operation_id AND reversal.action = 8"
    " AND abs(given.amount_minor) = reversal.amount_minor - reversal.given_back_minor)";

/* What a row is compared with. */
struct proof_row {
    struct proof_facts facts; /* proof and the two sums: as stored */
    struct operation operation;
    int64_t answered_minor; /* what the ledger says besides it */
    int64_t claimed_minor;
    bool has_payment;
    bool has_offset; /* a refund that counts on the charges that it answers */
};

static void check_operation(struct verify *verify, const struct proof_row *row)
{
    const struct proof *proof = &row->facts.proof;
    const struct operation *operation = &row->operation;
    if (!proof_is_made_of(operation)) {
        verify_report(verify, "proof_of_other_operation",
                      "operation %" PRId64 " has a proof, and is no charge, refund or top-up that"
                      " succeeded: action %d, result %d",
                      operation->id, (int)operation->action, (int)operation->result);
        return;
    }
    struct proof wanted = proof_make(operation, proof->local_date, proof->changed_at_us);
    if (proof->tenant_id != wanted.tenant_id || proof->order_id != wanted.order_id ||
        proof->card_id != wanted.card_id || proof->site_id != wanted.site_id ||
        proof->register_id != wanted.register_id || proof->action != wanted.action ||
        proof->created_at_us != wanted.created_at_us)
        verify_report(verify, "proof_differs",
                      "the proof of operation %" PRId64 " names another tenant, order, card, site,"
                      " register, action or time than it",
                      operation->id);
    if (proof->booked_minor != wanted.booked_minor)
        verify_report(verify, "proof_amount_differs",
                      "operation %" PRId64 " should be booked as %" PRId64
                      "; its proof says %" PRId64,
                      operation->id, wanted.booked_minor, proof->booked_minor);
}

/* Added as unsigned: damaged rows may hold anything, and are only compared. */
static int64_t sum_of(int64_t a_minor, int64_t b_minor)
{
    return (int64_t)((uint64_t)a_minor + (uint64_t)b_minor);
}

static void check_sums(struct verify *verify, const struct proof_row *row)
{
    const struct proof_facts *facts = &row->facts;
    int64_t ledger_minor = sum_of(facts->proof.booked_minor, row->answered_minor);
    if (facts->ledger_minor != ledger_minor)
        verify_report(verify, "proof_ledger_differs",
                      "with what answers it operation %" PRId64 " comes to %" PRId64
                      "; its proof says %" PRId64,
                      facts->proof.operation_id, ledger_minor, facts->ledger_minor);
    if (facts->shown_minor != row->claimed_minor)
        verify_report(verify, "proof_shown_differs",
                      "operation %" PRId64 " claims %" PRId64
                      " of what orders show; its proof says %" PRId64,
                      facts->proof.operation_id, row->claimed_minor, facts->shown_minor);
}

static void check_state(struct verify *verify, const struct proof_row *row)
{
    const struct proof *proof = &row->facts.proof;
    bool is_undone = row->operation.given_back_minor > 0 || row->has_offset;
    bool is_payment = proof->action == ACTION_CHARGE || proof->action == ACTION_REFUND;
    if (proof->state == PROOF_REVERSED && !is_undone)
        verify_report(verify, "proof_reversed_without_reversal",
                      "operation %" PRId64 " counts as reversed; nothing in the ledger undoes it",
                      proof->operation_id);
    if (proof->state == PROOF_CONFIRMED && is_payment && !row->has_payment)
        verify_report(verify, "proof_confirmed_without_payment",
                      "operation %" PRId64 " counts as confirmed by payment %" PRId64
                      " of order %" PRId64 ", which is not there or not its",
                      proof->operation_id, proof->payment_number, proof->shown_order_id);
}

static void read_row(struct sql_statement *statement, struct proof_row *row)
{
    struct columns columns = {.statement = statement, .position = PROOF_COLUMN_ANSWERED};
    row->answered_minor = column_int(&columns);
    row->claimed_minor = column_int(&columns);
    row->has_payment = column_bool(&columns);
    row->has_offset = column_bool(&columns);
}

static int check_proof(struct verify *verify, struct sql_statement *statement)
{
    struct proof_row row = {.has_payment = false};
    if (row_read_proof(statement, &row.facts) != 0)
        verify_report(verify, "proof_out_of_range",
                      "the proof of operation %" PRId64
                      " has a state, reason or date that does not exist",
                      row.facts.proof.operation_id);
    read_row(statement, &row);
    int err = sql_find_operation(verify->sql, row.facts.proof.operation_id, &row.operation);
    if (err == ERR_NOT_FOUND)
        verify_report(verify, "proof_without_operation",
                      "there is a proof of operation %" PRId64 ", which does not exist",
                      row.facts.proof.operation_id);
    else if (err == 0)
        check_operation(verify, &row);
    check_sums(verify, &row);
    check_state(verify, &row);
    /* One that cannot be read is named by the pass of the operations. */
    return err == ERR_NOT_FOUND || err == ERR_STORE_CORRUPT ? 0 : err;
}

static int verify_proof_rows(struct verify *verify)
{
    struct stream stream;
    int err = stream_open(&stream, verify, sql_read_proofs);
    while (err == 0 && stream.has_row) {
        err = check_proof(verify, stream.statement);
        if (err == 0)
            err = stream_next(&stream);
    }
    stream_close(&stream);
    return err;
}

static int verify_offsets(struct verify *verify)
{
    struct stream stream;
    int err = stream_open(&stream, verify, sql_read_lost_offsets);
    while (err == 0 && stream.has_row) {
        struct columns columns = {.statement = stream.statement};
        int64_t refund_id = column_int(&columns);
        verify_report(verify, "offset_without_reversal",
                      "operation %" PRId64 " counts on operation %" PRId64
                      ", and is neither a refund that ended reversed nor a reversal in its place",
                      refund_id, column_int(&columns));
        err = stream_next(&stream);
    }
    stream_close(&stream);
    return err;
}

/* --- claims --- */

static void check_claim(struct verify *verify, struct sql_statement *statement,
                        int64_t *previous_id)
{
    struct columns columns = {.statement = statement};
    int64_t operation_id = column_int(&columns);
    int64_t tenant_id = column_int(&columns);
    int64_t order_id = column_int(&columns);
    int64_t number = column_int(&columns);
    int64_t owner_id = column_int(&columns);
    if (owner_id == 0)
        verify_report(verify, "payment_claimed_by_nothing",
                      "payment %" PRId64 " of order %" PRId64 ", tenant %" PRId64
                      " is claimed by operation %" PRId64 ", which does not exist",
                      number, order_id, tenant_id, operation_id);
    else if (owner_id != tenant_id)
        verify_report(verify, "payment_claimed_by_other_tenant",
                      "payment %" PRId64 " of order %" PRId64 ", tenant %" PRId64
                      " is claimed by operation %" PRId64 " of tenant %" PRId64,
                      number, order_id, tenant_id, operation_id, owner_id);
    if (operation_id == *previous_id)
        verify_report(verify, "payment_claimed_twice",
                      "operation %" PRId64 " claims payment %" PRId64 " of order %" PRId64
                      ", tenant %" PRId64 ", and another one",
                      operation_id, number, order_id, tenant_id);
    *previous_id = operation_id;
}

static int verify_claims(struct verify *verify)
{
    struct stream stream;
    int64_t previous_id = 0;
    int err = stream_open(&stream, verify, sql_read_claims);
    while (err == 0 && stream.has_row) {
        check_claim(verify, stream.statement, &previous_id);
        err = stream_next(&stream);
    }
    stream_close(&stream);
    return err;
}

/* --- all of it --- */

/* A scan that is ahead of the operations would pass over those to come. */
static int verify_cursor(struct verify *verify)
{
    struct stream stream;
    int err = stream_open(&stream, verify, sql_read_cursor);
    if (err == 0 && stream.has_row) {
        struct columns columns = {.statement = stream.statement};
        int64_t cursor = column_int(&columns);
        int64_t last_id = column_int(&columns);
        if (cursor > last_id)
            verify_report(verify, "proof_cursor_ahead",
                          "the scan for proofs stands at operation %" PRId64
                          "; the last one is %" PRId64,
                          cursor, last_id);
    }
    stream_close(&stream);
    return err;
}

int verify_proofs_count_rows(struct verify *verify)
{
    struct stream stream;
    int err = stream_open(&stream, verify, sql_count_rows);
    if (err == 0)
        verify->rows_total += column_int(&(struct columns){.statement = stream.statement});
    stream_close(&stream);
    return err;
}

int verify_proofs(struct verify *verify)
{
    int err = verify_cursor(verify);
    if (err == 0)
        err = verify_proof_rows(verify);
    if (err == 0)
        err = verify_offsets(verify);
    return err != 0 ? err : verify_claims(verify);
}
