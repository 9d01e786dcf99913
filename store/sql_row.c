/*
 * Rows: cards, operations and transfers between the database and the ledger's structs, column by
 * column in the order of the lists in sql.h.
 */
#include "store/sql.h"

#include "base/check.h"
#include "base/log.h"

#include "base/banned.h"

int row_end(const struct columns *columns, const char *table, int64_t id)
{
    if (!columns->is_bad)
        return 0;
    log_event(LOG_ERROR, "row_is_corrupt", LOG_TEXT("table", table), LOG_INT("id", id));
    return ERR_STORE_CORRUPT;
}

int row_read_card(struct sql_statement *statement, struct card *card)
{
    struct columns columns = {.statement = statement};
    card->id = column_int(&columns);
    card->tenant_id = column_int(&columns);
    column_blob(&columns, card->index, sizeof(card->index));
    column_text(&columns, card->last4, sizeof(card->last4));
    card->status = (enum card_status)column_enum(&columns, CARD_STOCK, CARD_DISABLED);
    card->has_pin = column_bool(&columns);
    column_blob(&columns, card->pin_hash, sizeof(card->pin_hash));
    card->valid_from = column_int32(&columns);
    card->expires_on = column_int32(&columns);
    card->balance_minor = column_int(&columns);
    card->version = column_int(&columns);
    card->last_transfer_id = column_int(&columns);
    card->last_operation_id = column_int(&columns);
    card->loaded_on = column_int32(&columns);
    card->loaded_minor = column_int(&columns);
    card->used_hour = column_int(&columns);
    card->used_count = column_int32(&columns);
    return row_end(&columns, "card", card->id);
}

void row_bind_card(struct binder *binder, const struct card *card)
{
    bind_int(binder, card->id);
    bind_int(binder, card->tenant_id);
    bind_blob(binder, card->index, sizeof(card->index));
    bind_text(binder, card->last4);
    bind_int(binder, card->status);
    bind_int(binder, card->has_pin);
    bind_blob(binder, card->pin_hash, card->has_pin ? sizeof(card->pin_hash) : 0);
    bind_int(binder, card->valid_from);
    bind_int(binder, card->expires_on);
    bind_int(binder, card->balance_minor);
    bind_int(binder, card->version);
    bind_int(binder, card->last_transfer_id);
    bind_int(binder, card->last_operation_id);
    bind_int(binder, card->loaded_on);
    bind_int(binder, card->loaded_minor);
    bind_int(binder, card->used_hour);
    bind_int(binder, card->used_count);
}

int row_read_operation(struct sql_statement *statement, struct operation *operation)
{
    struct columns columns = {.statement = statement};
    operation->id = column_int(&columns);
    operation->tenant_id = column_int(&columns);
    operation->card_id = column_int(&columns);
    operation->action = (enum action)column_enum(&columns, ACTION_ISSUE, ACTION_RECHARGE);
    operation->result = (enum result)column_enum(&columns, RESULT_OK, RESULT_APPROVAL_SUSPENDED);
    operation->order_id = column_int(&columns);
    operation->refunded_order_id = column_int(&columns);
    operation->answers_operation_id = column_int(&columns);
    operation->site_id = column_int(&columns);
    operation->register_id = column_int(&columns);
    operation->asked_minor = column_int(&columns);
    operation->amount_minor = column_int(&columns);
    operation->balance_minor_after = column_int(&columns);
    operation->card_version_after = column_int(&columns);
    operation->limit_minor = column_int(&columns);
    operation->given_back_minor = column_int(&columns);
    operation->previous_operation_id = column_int(&columns);
    operation->created_at_us = column_int(&columns);
    return row_end(&columns, "operation", operation->id);
}

void row_bind_operation(struct binder *binder, const struct operation *operation)
{
    bind_int(binder, operation->id);
    bind_int(binder, operation->tenant_id);
    bind_int(binder, operation->card_id);
    bind_int(binder, operation->action);
    bind_int(binder, operation->result);
    bind_int(binder, operation->order_id);
    bind_int(binder, operation->refunded_order_id);
    bind_int(binder, operation->answers_operation_id);
    bind_int(binder, operation->site_id);
    bind_int(binder, operation->register_id);
    bind_int(binder, operation->asked_minor);
    bind_int(binder, operation->amount_minor);
    bind_int(binder, operation->balance_minor_after);
    bind_int(binder, operation->card_version_after);
    bind_int(binder, operation->limit_minor);
    bind_int(binder, operation->given_back_minor);
    bind_int(binder, operation->previous_operation_id);
    bind_int(binder, operation->created_at_us);
}

int row_read_transfer(struct sql_statement *statement, struct transfer *transfer)
{
    struct columns columns = {.statement = statement};
    transfer->id = column_int(&columns);
    transfer->operation_id = column_int(&columns);
    transfer->debit_account = column_int(&columns);
    transfer->credit_account = column_int(&columns);
    transfer->amount_minor = column_int(&columns);
    transfer->cause = (enum cause)column_enum(&columns, CAUSE_CHARGE, CAUSE_REVERSE);
    transfer->answers_operation_id = column_int(&columns);
    transfer->version = column_int(&columns);
    transfer->balance_minor_after = column_int(&columns);
    transfer->previous_transfer_id = column_int(&columns);
    transfer->created_at_us = column_int(&columns);
    return row_end(&columns, "transfer", transfer->id);
}

void row_bind_transfer(struct binder *binder, const struct transfer *transfer)
{
    bind_int(binder, transfer->id);
    bind_int(binder, transfer->operation_id);
    bind_int(binder, transfer->debit_account);
    bind_int(binder, transfer->credit_account);
    bind_int(binder, transfer->amount_minor);
    bind_int(binder, transfer->cause);
    bind_int(binder, transfer->answers_operation_id);
    bind_int(binder, transfer->version);
    bind_int(binder, transfer->balance_minor_after);
    bind_int(binder, transfer->previous_transfer_id);
    bind_int(binder, transfer->created_at_us);
}

int sql_find_card(struct sql *sql, int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES],
                  struct card *card)
{
    struct sql_statement *statement;
    int err = sql_prepare(sql, STATEMENT_READ_CARD, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_int(&binder, tenant_id);
    bind_blob(&binder, index, CARD_INDEX_BYTES);
    err = sql_step_to_row(sql, statement);
    if (err != 0)
        return err;
    err = row_read_card(statement, card);
    sql_reset(statement);
    return err;
}

int sql_find_operation(struct sql *sql, int64_t id, struct operation *operation)
{
    struct sql_statement *statement;
    int err = sql_prepare(sql, STATEMENT_READ_OPERATION, &statement);
    if (err != 0)
        return err;
    bind_int(&(struct binder){.statement = statement}, id);
    err = sql_step_to_row(sql, statement);
    if (err != 0)
        return err;
    err = row_read_operation(statement, operation);
    sql_reset(statement);
    return err;
}
