/*
 * What every store suite needs: a tenant, cards by number, and the committer's way of running
 * commands.
 */
#include "tests/store/rows.h"

#include <stdio.h>
#include <string.h>

void rows_init(struct rows *rows, uint8_t master)
{
    uint8_t key[SEAL_KEY_BYTES];
    memset(rows, 0, sizeof(*rows));
    memset(key, master, sizeof(key));
    assert_int_equal(seal_from_bytes(key, &rows->seal), 0);
    rows->batch = batch_create();
    assert_non_null(rows->batch);
    rows->now_us = ROWS_NOW_US;
}

void rows_finish(struct rows *rows)
{
    store_close(rows->store);
    batch_destroy(rows->batch);
    seal_destroy(rows->seal);
}

struct tenant rows_tenant(int64_t company)
{
    return (struct tenant){
        .name = "Harbour Kiosk",
        .key = "00112233445566778899aabbccddeeff",
        .currency = {"AUD", 2},
        .zone = "Australia/Sydney",
        .oseries_company = company,
        .signature_token = "a signature token",
        .charge_is_on = true,
        .top_up_is_on = true,
        .refund_is_on = true,
        .balance_is_on = true,
        .profile = "default",
        .policy = {.partial_is_allowed = true,
                   .refund_max_minor = 100000,
                   .refund_register_day_max_minor = 1000000,
                   .replay_window_us = REPLAY_WINDOW_US,
                   .replay_window_no_order_us = REPLAY_WINDOW_NO_ORDER_US},
        TENANT_CHOICES,
    };
}

void rows_open(struct rows *rows, const char *location)
{
    struct store_config config = {.location = location, .seal = rows->seal};
    assert_int_equal(store_open(&config, STORE_WRITER, &rows->store), 0);
    rows->tenant = rows_tenant(5678);
    assert_int_equal(store_add_tenant(rows->store, &rows->tenant), 0);
}

struct command rows_command(struct rows *rows, enum action action, const char *number,
                            int64_t order_id, int64_t amount_minor)
{
    rows->now_us += 1000000; /* received after everything that was decided so far */
    struct command command = {
        .action = action,
        .tenant_id = rows->tenant.id,
        .order_id = order_id,
        .site_id = 923,
        .register_id = 7,
        .asked_minor = amount_minor,
        .local_date = ROWS_DATE,
        .received_at_us = rows->now_us,
        .policy = rows->tenant.policy,
    };
    seal_card_index(rows->seal, command.tenant_id, text_of(number), command.card_index);
    return command;
}

struct command rows_issue(struct rows *rows, const char *number, int64_t amount_minor)
{
    struct command command = rows_command(rows, ACTION_ISSUE, number, 0, amount_minor);
    struct new_card *card = &command.new_card;
    struct text text = text_of(number);
    card->status = CARD_ACTIVE;
    card->key_version = SEAL_KEY_VERSION;
    card->number_sealed_size = (int32_t)(text.length + SEAL_OVERHEAD);
    seal_text(rows->seal, id_source_system(), CARD_NUMBER_LABEL, text, card->number_sealed);
    memcpy(card->last4, text.base + text.length - 4, 4);
    return command;
}

void rows_decide(struct rows *rows, const struct command *commands, int32_t count)
{
    batch_clear(rows->batch);
    for (int32_t i = 0; i < count; i++)
        batch_add(rows->batch, &commands[i]);
    if (rows->close_gaps != NULL)
        rows->close_gaps(rows->location);
    assert_int_equal(store_fetch(rows->store, rows->batch), 0);
    rows->now_us += 1000000;
    batch_decide(rows->batch, rows->now_us);
}

void rows_run_all(struct rows *rows, const struct command *commands, int32_t count)
{
    rows_decide(rows, commands, count);
    assert_int_equal(store_commit(rows->store, rows->batch), 0);
}

struct outcome rows_run(struct rows *rows, struct command command)
{
    rows_run_all(rows, &command, 1);
    return rows->batch->outcomes[0];
}

struct card rows_card(struct rows *rows, const char *number)
{
    struct card card;
    uint8_t index[CARD_INDEX_BYTES];
    seal_card_index(rows->seal, rows->tenant.id, text_of(number), index);
    assert_int_equal(store_read_card(rows->store, rows->tenant.id, index, &card), 0);
    return card;
}

struct store_totals rows_totals(struct rows *rows)
{
    struct store_totals totals;
    assert_int_equal(store_read_totals(rows->store, &totals), 0);
    return totals;
}

void rows_on_failed_check(const char *expression, const char *file, int line)
{
    mock_assert(0, expression, file, line);
}

static void on_finding(void *context, const char *name, const char *detail)
{
    (void)context;
    print_message("finding %s: %s\n", name, detail);
}

int64_t rows_verify(struct store *store)
{
    int64_t findings;
    assert_int_equal(store_verify(store, on_finding, NULL, NULL, &findings), 0);
    return findings;
}
