/* Writes proofs, transfers and work as JSON, the same wherever they are shown. */
#include "handlers/tell.h"

#include "handlers/admin_request.h"
#include "ledger/account.h"

#include "base/banned.h"

void tell_write_time(struct jwrite *writer, const char *key, int64_t time_us)
{
    if (time_us != 0) {
        admin_write_time(writer, key, time_us);
        return;
    }
    jwrite_key(writer, text_of(key));
    jwrite_null(writer);
}

void tell_write_date(struct jwrite *writer, const char *key, int32_t date)
{
    char bytes[16];
    struct text_buffer buffer;
    jwrite_key(writer, text_of(key));
    if (date == 0) {
        jwrite_null(writer);
        return;
    }
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    clock_append_date(&buffer, date);
    jwrite_text(writer, text_buffer_text(&buffer));
}

void tell_write_proof(struct jwrite *writer, const struct proof *proof)
{
    char bytes[TELL_SENTENCE_MAX];
    struct text_buffer sentence;
    jwrite_key(writer, TEXT("proof"));
    if (proof == NULL) {
        jwrite_null(writer);
        return;
    }
    text_buffer_init(&sentence, bytes, sizeof(bytes));
    tell_proof(&sentence, proof);
    jwrite_object_begin(writer);
    admin_write_text(writer, "state", proof_state_name(proof->state));
    admin_write_text(writer, "reason", proof_reason_name(proof->reason));
    jwrite_key(writer, TEXT("is_suspect"));
    jwrite_bool(writer, proof->is_suspect);
    admin_write_int64(writer, "shown_order_id", proof->shown_order_id);
    admin_write_int64(writer, "payment_number", proof->payment_number);
    tell_write_time(writer, "missing_since", proof->missing_since_us);
    tell_write_time(writer, "changed_at", proof->changed_at_us);
    jwrite_key(writer, TEXT("sentence"));
    jwrite_text(writer, text_buffer_text(&sentence));
    jwrite_object_end(writer);
}

static const char *cause_name(enum cause cause)
{
    switch (cause) {
    case CAUSE_CHARGE:
        return "charge";
    case CAUSE_LOAD:
        return "load";
    case CAUSE_REFUND:
        return "refund";
    case CAUSE_GRANT:
        return "grant";
    case CAUSE_REVERSE:
        return "reverse";
    }
    return "unknown";
}

static const char *account_kind_name(enum account_kind kind)
{
    switch (kind) {
    case ACCOUNT_CARD:
        return "card";
    case ACCOUNT_SALES:
        return "sales";
    case ACCOUNT_LOADS:
        return "loads";
    case ACCOUNT_ISSUED:
        return "issued";
    }
    return "unknown";
}

/* "card:1": as a number it would be beyond 2^53, which JavaScript rounds. */
static void write_account(struct jwrite *writer, const char *key, int64_t account)
{
    char bytes[32];
    struct text_buffer buffer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    text_append_format(&buffer, "%s:%lld", account_kind_name(account_kind_of(account)),
                       (long long)account_owner(account));
    jwrite_key(writer, text_of(key));
    jwrite_text(writer, text_buffer_text(&buffer));
}

void tell_write_transfer(struct jwrite *writer, const struct transfer *transfer, int exponent)
{
    jwrite_object_begin(writer);
    admin_write_int64(writer, "transfer_id", transfer->id);
    write_account(writer, "debit_account", transfer->debit_account);
    write_account(writer, "credit_account", transfer->credit_account);
    admin_write_amount(writer, TEXT("amount"), transfer->amount_minor, exponent);
    jwrite_key(writer, TEXT("cause"));
    jwrite_text(writer, text_of(cause_name(transfer->cause)));
    admin_write_int64(writer, "answers_operation_id", transfer->answers_operation_id);
    admin_write_int64(writer, "version", transfer->version);
    admin_write_amount(writer, TEXT("balance_after"), transfer->balance_minor_after, exponent);
    jwrite_object_end(writer);
}

/* What the number is: people look the order up, or the operation in a card's history. */
static const char *subject_name(enum work_kind kind)
{
    switch (kind) {
    case WORK_ORDER_CHANGED:
    case WORK_PROVE_ORDER:
        return "order_id";
    case WORK_POST_PAYMENT:
    case WORK_NOTIFY:
        return "operation_id";
    case WORK_REGISTER_WEBHOOKS:
    case WORK_SWEEP:
        return "tenant_id";
    }
    return "subject_id";
}

void tell_write_work(struct jwrite *writer, const struct work *work)
{
    jwrite_object_begin(writer);
    admin_write_int64(writer, "work_id", work->id);
    admin_write_text(writer, "kind", work_kind_name(work->kind));
    admin_write_int64(writer, subject_name(work->kind), work->subject_id);
    admin_write_text(writer, "state", work_state_name(work->state));
    admin_write_text(writer, "reason", work->reason);
    admin_write_int64(writer, "attempts", work->attempts);
    admin_write_time(writer, "created_at", work->created_at_us);
    if (work->state == WORK_OPEN)
        admin_write_time(writer, "due_at", work->due_at_us);
    else
        admin_write_time(writer, "ended_at", work->ended_at_us);
    jwrite_object_end(writer);
}
