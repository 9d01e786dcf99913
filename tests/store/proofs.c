/*
 * What the suites about proofs share.
 */
#include "tests/store/proofs.h"

#include "store/grant.h"

#include <stdio.h>
#include <string.h>

void proofs_connect(struct rows *rows)
{
    struct grant grant = {.tenant_id = rows->tenant.id,
                          .surface = APP_OSERIES,
                          .kind = GRANT_OAUTH,
                          .status = GRANT_CONNECTED,
                          .company_id = rows->tenant.oseries_company,
                          .access_token = "access",
                          .refresh_token = "refresh"};
    assert_int_equal(store_put_grant(rows->store, &grant), 0);
}

void proofs_add_tenant(struct rows *rows, int64_t company)
{
    rows->tenant = rows_tenant(company);
    snprintf(rows->tenant.key, sizeof(rows->tenant.key), "%032d", (int)company);
    assert_int_equal(store_add_tenant(rows->store, &rows->tenant), 0);
}

struct operation proofs_operation(struct rows *rows, int64_t operation_id)
{
    struct operation operation;
    assert_int_equal(store_read_operation(rows->store, operation_id, &operation), 0);
    return operation;
}

int64_t proofs_run(struct rows *rows, enum action action, const char *number, int64_t order_id,
                   int64_t amount_minor)
{
    struct outcome outcome =
        rows_run(rows, rows_command(rows, action, number, order_id, amount_minor));
    assert_int_equal(outcome.result, RESULT_OK);
    assert_false(outcome.is_replay);
    return outcome.operation_id;
}

int64_t proofs_undo(struct rows *rows, enum action action, const char *number, int64_t operation_id)
{
    struct operation answered = proofs_operation(rows, operation_id);
    struct command command = rows_command(rows, action, number, answered.order_id, 0);
    command.answers_operation_id = operation_id;
    struct outcome outcome = rows_run(rows, command);
    return outcome.result == RESULT_OK ? outcome.operation_id : 0;
}

/* --- proofs --- */

struct found {
    struct proof proofs[PROOFS_MAX];
    int32_t count;
    int32_t local_date;
    int64_t now_us;
};

static void on_operation(void *context, const struct operation *operation)
{
    struct found *found = context;
    assert_true(found->count < PROOFS_MAX);
    found->proofs[found->count++] = proof_make(operation, found->local_date, found->now_us);
}

int32_t proofs_make(struct rows *rows, int32_t local_date)
{
    int32_t made = 0;
    int64_t cursor, scanned_to;
    assert_int_equal(store_read_proof_cursor(rows->store, &cursor), 0);
    for (;;) {
        struct found found = {.local_date = local_date, .now_us = rows->now_us};
        assert_int_equal(store_scan_operations(rows->store, cursor, PROOFS_MAX, on_operation,
                                               &found, &scanned_to),
                         0);
        if (scanned_to == cursor)
            return made;
        assert_int_equal(store_add_proofs(rows->store, cursor, scanned_to, found.proofs,
                                          found.count, rows->now_us),
                         0);
        made += found.count;
        cursor = scanned_to;
    }
}

struct proof_facts proofs_facts(struct rows *rows, int64_t operation_id)
{
    struct proof_facts facts;
    assert_int_equal(store_read_proof(rows->store, operation_id, &facts), 0);
    return facts;
}

void proofs_set_state(struct rows *rows, int64_t operation_id, enum proof_state state,
                      enum proof_reason reason)
{
    struct proof proof = proofs_facts(rows, operation_id).proof;
    int64_t before_us = proof.changed_at_us;
    proof.state = state;
    proof.reason = reason;
    proof.changed_at_us = before_us + 1;
    assert_int_equal(store_update_proof(rows->store, &proof, before_us), 0);
}

/* --- payments --- */

struct register_payment proofs_payment(const struct rows *rows, int64_t order_id, int64_t number,
                                       int64_t amount_minor, int64_t operation_id)
{
    struct register_payment payment = {.tenant_id = rows->tenant.id,
                                       .order_id = order_id,
                                       .number = number,
                                       .site_id = 923,
                                       .register_id = 7,
                                       .method_id = 55,
                                       .amount_minor = amount_minor,
                                       .operation_id = operation_id,
                                       .local_date = ROWS_DATE,
                                       .seen_at_us = rows->now_us};
    if (operation_id != 0)
        snprintf(payment.ref, sizeof(payment.ref), "CP1-%d", (int)operation_id);
    return payment;
}

void proofs_put(struct rows *rows, int64_t order_id, const struct register_payment *payments,
                int32_t count)
{
    assert_int_equal(
        store_put_register_payments(rows->store, rows->tenant.id, order_id, payments, count), 0);
}
