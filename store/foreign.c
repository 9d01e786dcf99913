/*
 * The store's front for approvals and attempts, and what a decided charge leaves of them.
 */
#include "store/foreign.h"

#include "base/check.h"
#include "store/backend.h"

#include "base/banned.h"

static bool is_verdict(enum result result, enum foreign_verdict *verdict)
{
    static const struct {
        enum result result;
        enum foreign_verdict verdict;
    } verdicts[] = {
        {RESULT_OK, FOREIGN_ALLOWED},
        {RESULT_NOT_APPROVED, FOREIGN_NOT_APPROVED},
        {RESULT_APPROVAL_EXPIRED, FOREIGN_EXPIRED},
        {RESULT_OVER_APPROVED, FOREIGN_OVER_PAYMENT_MAX},
        {RESULT_OVER_APPROVED_DAY, FOREIGN_OVER_DAY_MAX},
        {RESULT_APPROVAL_SUSPENDED, FOREIGN_SUSPENDED},
    };
    for (size_t i = 0; i < COUNT_OF(verdicts); i++) {
        *verdict = verdicts[i].verdict;
        if (verdicts[i].result == result)
            return true;
    }
    return false;
}

bool foreign_attempt_follows(const struct command *command, const struct outcome *outcome,
                             int64_t now_us, struct foreign_attempt *attempt)
{
    enum foreign_verdict verdict;
    if (outcome->foreign_minor == 0 || !is_verdict(outcome->result, &verdict))
        return false;
    CHECK(outcome->operation_id != 0 && !outcome->is_replay);
    *attempt = (struct foreign_attempt){
        .tenant_id = command->tenant_id,
        .effect = FOREIGN_CHARGE,
        .order_id = command->order_id,
        .site_id = command->site_id,
        .operation_id = outcome->operation_id,
        .amount_minor = outcome->foreign_minor,
        .local_date = command->local_date,
        .verdict = verdict,
        .end = verdict == FOREIGN_ALLOWED ? FOREIGN_OPEN : FOREIGN_UNPAID,
        .created_at_us = now_us,
        .alike_before = -1,
    };
    return true;
}

/* Limits and a last day are an approval's only. */
static bool is_sound(const struct foreign_approval *approval)
{
    bool has_limits = approval->payment_max_minor != 0 || approval->day_max_minor != 0 ||
                      approval->expires_on != 0;
    return approval->payment_max_minor >= 0 && approval->day_max_minor >= 0 &&
           (approval->state == FOREIGN_APPROVED || !has_limits);
}

int store_add_foreign_change(struct store *store, struct foreign_change *change)
{
    CHECK(change->tenant_id > 0 && is_sound(&change->to));
    return store->backend->foreign->add_change(store, change);
}

int store_each_foreign_change(struct store *store, int64_t tenant_id, store_foreign_change_fn each,
                              void *context)
{
    return store->backend->foreign->each_change(store, tenant_id, each, context);
}

int store_begin_foreign_payment(struct store *store, int64_t now_us,
                                struct foreign_attempt *attempt)
{
    CHECK(attempt->tenant_id > 0 && attempt->operation_id > 0 && attempt->amount_minor > 0);
    return store->backend->foreign->begin_payment(store, now_us, attempt);
}

int store_answer_foreign_attempt(struct store *store, const struct foreign_attempt *attempt)
{
    CHECK((attempt->operation_id != 0) != (attempt->reservation_id != 0));
    CHECK(attempt->reservation_id == 0 || attempt->end == FOREIGN_OPEN);
    return store->backend->foreign->answer(store, attempt);
}

int store_end_foreign_attempt(struct store *store, int64_t tenant_id, int64_t operation_id,
                              enum foreign_end end, int64_t now_us)
{
    CHECK(operation_id > 0 && end != FOREIGN_OPEN);
    return store->backend->foreign->end_attempt(store, tenant_id, operation_id, end, now_us);
}

int store_each_foreign_attempt(struct store *store, int64_t tenant_id, int32_t from, int32_t until,
                               int32_t limit, store_foreign_attempt_fn each, void *context)
{
    CHECK(limit > 0);
    return store->backend->foreign->each_attempt(store, tenant_id, from, until, limit, each,
                                                 context);
}

int store_read_foreign_refusal(struct store *store, int64_t tenant_id,
                               struct foreign_attempt *attempt)
{
    return store->backend->foreign->read_refusal(store, tenant_id, attempt);
}

int store_each_foreign_sum(struct store *store, int64_t tenant_id, int32_t from, int32_t until,
                           int32_t limit, store_foreign_sum_fn each, void *context)
{
    CHECK(limit > 0);
    return store->backend->foreign->each_sum(store, tenant_id, from, until, limit, each, context);
}
