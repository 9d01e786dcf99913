/*
 * Verify, by card: a card's balance, version and both its chains follow from its transfers and
 * operations (laws 1 to 4).
 */
#include "store/sql_verify.h"

#include "base/check.h"
#include "base/money.h"
#include "ledger/account.h"

#include <inttypes.h>
#include <string.h>

#include "base/banned.h"

static const char sql_read_cards[] =
    "SELECT " CARD_COLUMNS ", EXISTS (SELECT 1 FROM tenant WHERE tenant.id = card.tenant_id),"
    " number_sealed FROM card ORDER BY id";
#define CARD_COLUMN_HAS_TENANT 17 /* after CARD_COLUMNS */
#define CARD_COLUMN_NUMBER_SEALED 18
/* ACCOUNT_CARD is the least kind, so the smaller account name is the customer's, in card order. */
static const char sql_read_transfers[] =
    "SELECT " TRANSFER_COLUMNS " FROM transfer"
    " ORDER BY CASE WHEN debit_account < credit_account THEN debit_account"
    " ELSE credit_account END, version, id";
static const char sql_read_operations[] = "SELECT card_id, id, previous_operation_id FROM operation"
                                          " WHERE card_id <> 0 ORDER BY card_id, id";

struct card_pass {
    struct verify *verify;
    struct stream cards;
    struct stream transfers;
    struct stream operations;
    struct card card;
    struct transfer transfer;
};

/* What the transfers of one card add up to so far. */
struct chain {
    int64_t account;
    int64_t count;
    int64_t version;
    int64_t sum_minor;
    int64_t balance_minor; /* after the last transfer, as that says */
    int64_t last_id;
};

static int64_t customer_account(const struct transfer *transfer)
{
    return transfer->debit_account < transfer->credit_account ? transfer->debit_account
                                                              : transfer->credit_account;
}

static void load_transfer(struct card_pass *pass)
{
    if (pass->transfers.has_row &&
        row_read_transfer(pass->transfers.statement, &pass->transfer) != 0)
        verify_report(pass->verify, "transfer_out_of_range",
                      "transfer %" PRId64 " has a cause that does not exist", pass->transfer.id);
}

static int next_transfer(struct card_pass *pass)
{
    int err = stream_next(&pass->transfers);
    if (err == 0)
        load_transfer(pass);
    return err;
}

/* --- one card --- */

static void check_version(struct verify *verify, const struct chain *chain,
                          const struct transfer *transfer, int64_t card_id)
{
    if (transfer->version == chain->version)
        verify_report(verify, "transfer_version_repeated",
                      "card %" PRId64 ": transfers %" PRId64 " and %" PRId64
                      " both have version %" PRId64,
                      card_id, chain->last_id, transfer->id, transfer->version);
    else if (transfer->version != chain->version + 1)
        verify_report(verify, "transfer_version_gap",
                      "card %" PRId64 ": version %" PRId64 " (transfer %" PRId64
                      ") follows version %" PRId64,
                      card_id, transfer->version, transfer->id, chain->version);
}

static void check_transfer(struct verify *verify, struct chain *chain,
                           const struct transfer *transfer, int64_t card_id)
{
    bool is_debit = transfer->debit_account == chain->account;
    int64_t change_minor = is_debit ? -transfer->amount_minor : transfer->amount_minor;
    int64_t expected_minor;
    if (transfer->amount_minor <= 0)
        verify_report(verify, "transfer_amount_not_positive", "transfer %" PRId64 " moves %" PRId64,
                      transfer->id, transfer->amount_minor);
    check_version(verify, chain, transfer, card_id);
    if (!money_add(chain->balance_minor, change_minor, &expected_minor) ||
        expected_minor != transfer->balance_minor_after || expected_minor < 0)
        verify_report(verify, "transfer_balance_differs",
                      "card %" PRId64 ": %" PRId64 " changed by %" PRId64 " is not %" PRId64
                      " (transfer %" PRId64 ")",
                      card_id, chain->balance_minor, change_minor, transfer->balance_minor_after,
                      transfer->id);
    if (transfer->previous_transfer_id != chain->last_id)
        verify_report(verify, "transfer_chain_broken",
                      "card %" PRId64 ": transfer %" PRId64 " names %" PRId64
                      " before it; it is %" PRId64,
                      card_id, transfer->id, transfer->previous_transfer_id, chain->last_id);
    if (!money_add(chain->sum_minor, change_minor, &chain->sum_minor))
        verify_report(verify, "sum_overflows", "transfers of card %" PRId64, card_id);
}

static void chain_add(struct verify *verify, struct chain *chain, const struct transfer *transfer,
                      int64_t card_id)
{
    check_transfer(verify, chain, transfer, card_id);
    chain->count++;
    chain->version = transfer->version;
    chain->balance_minor = transfer->balance_minor_after;
    chain->last_id = transfer->id;
}

static void check_card(struct verify *verify, const struct card *card, const struct chain *chain)
{
    if (card->balance_minor < 0)
        verify_report(verify, "balance_negative", "card %" PRId64 " has %" PRId64, card->id,
                      card->balance_minor);
    if (card->balance_minor != chain->sum_minor)
        verify_report(verify, "balance_differs",
                      "card %" PRId64 " has %" PRId64 "; its transfers add up to %" PRId64,
                      card->id, card->balance_minor, chain->sum_minor);
    if (card->version != chain->count)
        verify_report(verify, "card_version_differs",
                      "card %" PRId64 " has version %" PRId64 " and %" PRId64 " transfers",
                      card->id, card->version, chain->count);
    if (card->last_transfer_id != chain->last_id)
        verify_report(verify, "transfer_head_differs",
                      "card %" PRId64 " names transfer %" PRId64 " as its last; it is %" PRId64,
                      card->id, card->last_transfer_id, chain->last_id);
}

/* Transfers that sort before account belong to no card that exists. */
static int skip_lost_transfers(struct card_pass *pass, int64_t account)
{
    int err = 0;
    while (err == 0 && pass->transfers.has_row && customer_account(&pass->transfer) < account) {
        int64_t lost = customer_account(&pass->transfer);
        if (lost > 0 && account_is_customer(lost))
            verify_report(pass->verify, "transfer_without_card",
                          "transfer %" PRId64 " is of card %" PRId64 ", which does not exist",
                          pass->transfer.id, account_owner(lost));
        else
            verify_report(pass->verify, "transfer_without_customer",
                          "transfer %" PRId64 " has no card at either end", pass->transfer.id);
        err = next_transfer(pass);
    }
    return err;
}

static int check_transfers_of_card(struct card_pass *pass)
{
    struct chain chain = {.account = account_make(ACCOUNT_CARD, pass->card.id)};
    int err = skip_lost_transfers(pass, chain.account);
    while (err == 0 && pass->transfers.has_row &&
           customer_account(&pass->transfer) == chain.account) {
        chain_add(pass->verify, &chain, &pass->transfer, pass->card.id);
        err = next_transfer(pass);
    }
    if (err == 0)
        check_card(pass->verify, &pass->card, &chain);
    return err;
}

/* The history chain. Operations without their card are the other pass's findings. */
static int check_operations_of_card(struct card_pass *pass)
{
    const struct card *card = &pass->card;
    int64_t last_id = 0;
    int err = 0;
    while (err == 0 && pass->operations.has_row) {
        struct columns columns = {.statement = pass->operations.statement};
        int64_t card_id = column_int(&columns);
        int64_t id = column_int(&columns);
        int64_t previous_id = column_int(&columns);
        if (card_id > card->id)
            break;
        if (card_id == card->id && previous_id != last_id)
            verify_report(pass->verify, "operation_chain_broken",
                          "card %" PRId64 ": operation %" PRId64 " names %" PRId64
                          " before it; it is %" PRId64,
                          card->id, id, previous_id, last_id);
        if (card_id == card->id)
            last_id = id;
        err = stream_next(&pass->operations);
    }
    if (err == 0 && card->last_operation_id != last_id)
        verify_report(pass->verify, "operation_head_differs",
                      "card %" PRId64 " names operation %" PRId64 " as its last; it is %" PRId64,
                      card->id, card->last_operation_id, last_id);
    return err;
}

static bool number_fits(const struct seal *seal, const struct card *card, struct text number)
{
    uint8_t index[CARD_INDEX_BYTES];
    seal_card_index(seal, card->tenant_id, number, index);
    size_t tail = strlen(card->last4);
    return memcmp(index, card->index, sizeof(index)) == 0 && tail <= number.length &&
           memcmp(number.base + number.length - tail, card->last4, tail) == 0;
}

/* Two indices swapped would hand one card's money to the other's holder, with every sum right. */
static void check_number(struct verify *verify, struct sql_statement *statement,
                         const struct card *card)
{
    char number[CARD_SEALED_MAX];
    const struct seal *seal = verify->sql->store.seal;
    size_t size;
    const uint8_t *sealed = sql_column_bytes(statement, CARD_COLUMN_NUMBER_SEALED, &size);
    bool fits = size > SEAL_OVERHEAD && size <= CARD_SEALED_MAX &&
                seal_text_open(seal, CARD_NUMBER_LABEL, sealed, size, number) == 0 &&
                number_fits(seal, card, (struct text){number, size - SEAL_OVERHEAD});
    seal_wipe(number, sizeof(number));
    if (!fits)
        verify_report(verify, "card_number_differs",
                      "card %" PRId64 ": its sealed number does not open, or its index and last "
                      "four digits are another number's",
                      card->id);
}

static int check_one_card(struct card_pass *pass)
{
    struct card *card = &pass->card;
    if (row_read_card(pass->cards.statement, card) != 0)
        verify_report(pass->verify, "card_out_of_range",
                      "card %" PRId64 " has a value that no card may have", card->id);
    if (card->id <= 0 || card->id > ACCOUNT_OWNER_MAX) {
        verify_report(pass->verify, "card_out_of_range", "a card has the id %" PRId64, card->id);
        return 0;
    }
    if (sql_column_int(pass->cards.statement, CARD_COLUMN_HAS_TENANT) == 0)
        verify_report(pass->verify, "card_without_tenant",
                      "card %" PRId64 " is of tenant %" PRId64 ", which does not exist", card->id,
                      card->tenant_id);
    check_number(pass->verify, pass->cards.statement, card);
    int err = check_transfers_of_card(pass);
    return err != 0 ? err : check_operations_of_card(pass);
}

int verify_cards(struct verify *verify)
{
    struct card_pass pass = {.verify = verify};
    int err = stream_open(&pass.cards, verify, sql_read_cards);
    if (err == 0)
        err = stream_open(&pass.transfers, verify, sql_read_transfers);
    if (err == 0)
        err = stream_open(&pass.operations, verify, sql_read_operations);
    if (err == 0)
        load_transfer(&pass);
    while (err == 0 && pass.cards.has_row) {
        err = check_one_card(&pass);
        if (err == 0)
            err = stream_next(&pass.cards);
    }
    if (err == 0)
        err = skip_lost_transfers(&pass, INT64_MAX);
    stream_close(&pass.cards);
    stream_close(&pass.transfers);
    stream_close(&pass.operations);
    return err;
}
