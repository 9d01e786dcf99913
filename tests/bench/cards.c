/*
 * Makes cards for benches with millions of them: into SQLite at the ledger's own speed, the same
 * decisions and rows as issuing over the admin socket, without the socket; nobody may serve the
 * data folder meanwhile. For PostgreSQL it prints the rows of some of them for COPY, with the
 * columns id, last_transfer_id, last_operation_id, number_index, last4, number_sealed and REST, as
 * a card has them whose operation and transfer have its own id. Card i has the number that
 * bench.mjs makes of i; rows come in the order of the numbers' keyed hashes, which spares a random
 * page of the index for each, and spreads the popular cards over the table as chance would.
 * usage: bench_cards DATA_FOLDER TENANT_ID COUNT
 *        bench_cards DATA_FOLDER TENANT_ID FROM UNTIL FIRST_ID REST
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/money.h"
#include "store/batch.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define AMOUNT_MINOR 10000000 /* 100,000.00: no run spends it */
#define PREFIX "603628"
#define NUMBER_CHARS 16
#define CHECKPOINT_BATCHES 200 /* some 100,000 cards; 100 MB of log */
#define PROGRESS_ROWS 100000

struct place {
    uint64_t hash;
    int64_t index;
};

struct fill {
    struct place *order; /* of the cards that are made */
    struct seal *seal;
    struct store *writer, *checkpoint;
    struct batch *batch;
    struct command commands[BATCH_MAX];
    struct id_source random;
    int64_t tenant_id;
};

/* The last digit of ISO/IEC 7812-1. */
static char luhn_digit(const char digits[NUMBER_CHARS])
{
    int sum = 0;
    for (int i = 0; i < NUMBER_CHARS - 1; i++) {
        int digit = digits[NUMBER_CHARS - 2 - i] - '0';
        digit *= i % 2 == 0 ? 2 : 1;
        sum += digit > 9 ? digit - 9 : digit;
    }
    return (char)('0' + (10 - sum % 10) % 10);
}

static void number_make(int64_t index, char number[NUMBER_CHARS + 1])
{
    snprintf(number, NUMBER_CHARS + 1, PREFIX "%09" PRId64 "0", index);
    number[NUMBER_CHARS - 1] = luhn_digit(number);
}

static void command_make(const struct fill *fill, int64_t index, struct command *command)
{
    char number[NUMBER_CHARS + 1];
    number_make(index, number);
    *command = (struct command){
        .action = ACTION_ISSUE,
        .tenant_id = fill->tenant_id,
        .asked_minor = AMOUNT_MINOR,
        .received_at_us = clock_steady_us(),
        .new_card = {.status = CARD_ACTIVE,
                     .number_sealed_size = NUMBER_CHARS + SEAL_OVERHEAD,
                     .key_version = SEAL_KEY_VERSION},
    };
    memcpy(command->new_card.last4, number + NUMBER_CHARS - 4, 4);
    seal_card_index(fill->seal, fill->tenant_id, text_of(number), command->card_index);
    seal_text(fill->seal, fill->random, CARD_NUMBER_LABEL, text_of(number),
              command->new_card.number_sealed);
}

static int fill_batch(struct fill *fill, int64_t from, int64_t until)
{
    batch_clear(fill->batch);
    for (int64_t i = from; i < until; i++) {
        command_make(fill, fill->order[i].index, &fill->commands[i - from]);
        batch_add(fill->batch, &fill->commands[i - from]);
    }
    int err = store_fetch(fill->writer, fill->batch);
    if (err != 0)
        return err;
    batch_decide(fill->batch, clock_steady_us());
    for (int32_t i = 0; i < fill->batch->count; i++)
        CHECK(fill->batch->outcomes[i].result == RESULT_OK);
    return store_commit(fill->writer, fill->batch);
}

static int fill_store(struct fill *fill, int64_t count)
{
    int err = 0;
    int64_t batches = 0;
    for (int64_t from = 0; err == 0 && from < count; from += BATCH_MAX) {
        err = fill_batch(fill, from, from + BATCH_MAX < count ? from + BATCH_MAX : count);
        if (err == 0 && ++batches % CHECKPOINT_BATCHES == 0) {
            err = store_checkpoint(fill->checkpoint);
            fprintf(stderr, "\r  %" PRId64 " of %" PRId64 " cards", from, count);
        }
    }
    fputc('\r', stderr);
    return err;
}

static int place_compare(const void *left, const void *right)
{
    uint64_t a = ((const struct place *)left)->hash, b = ((const struct place *)right)->hash;
    return (a > b) - (a < b);
}

static int fill_order(struct fill *fill, int64_t first, int64_t count)
{
    fill->order = calloc((size_t)count, sizeof(*fill->order));
    if (fill->order == NULL)
        return ERR_NO_MEMORY;
    for (int64_t i = 0; i < count; i++) {
        char number[NUMBER_CHARS + 1];
        uint8_t index[CARD_INDEX_BYTES];
        number_make(first + i, number);
        seal_card_index(fill->seal, fill->tenant_id, text_of(number), index);
        fill->order[i].index = first + i;
        for (int byte = 0; byte < 8; byte++)
            fill->order[i].hash = fill->order[i].hash << 8 | index[byte];
    }
    qsort(fill->order, (size_t)count, sizeof(*fill->order), place_compare);
    return 0;
}

static int fill_open_seal(struct fill *fill, const char *folder)
{
    char key[4096];
    snprintf(key, sizeof(key), "%s/master.key", folder);
    fill->random = id_source_system();
    return seal_open(key, false, &fill->seal);
}

static int fill_open_store(struct fill *fill, const char *folder)
{
    char file[4096];
    snprintf(file, sizeof(file), "%s/counterpart.sqlite", folder);
    const struct store_config config = {.location = file, .seal = fill->seal};
    int err = store_open(&config, STORE_WRITER, &fill->writer);
    if (err == 0)
        err = store_open(&config, STORE_WRITER, &fill->checkpoint);
    fill->batch = batch_create();
    return fill->batch == NULL ? ERR_NO_MEMORY : err;
}

static int fill_sqlite(struct fill *fill, const char *folder, int64_t count)
{
    int err = fill_open_store(fill, folder);
    if (err == 0)
        err = fill_order(fill, 0, count);
    if (err == 0)
        err = fill_store(fill, count);
    batch_destroy(fill->batch);
    store_close(fill->checkpoint);
    store_close(fill->writer);
    return err;
}

/* --- rows for COPY --- */

static void print_row(const struct fill *fill, int64_t id, int64_t index, const char *rest)
{
    struct command command;
    char index_hex[2 * CARD_INDEX_BYTES + 1], sealed_hex[2 * (NUMBER_CHARS + SEAL_OVERHEAD) + 1];
    command_make(fill, index, &command);
    text_hex_encode(index_hex, command.card_index, CARD_INDEX_BYTES);
    text_hex_encode(sealed_hex, command.new_card.number_sealed, NUMBER_CHARS + SEAL_OVERHEAD);
    printf("%" PRId64 "\t%" PRId64 "\t%" PRId64 "\t\\\\x%s\t%s\t\\\\x%s\t%s\n", id, id, id,
           index_hex, command.new_card.last4, sealed_hex, rest);
}

static int print_rows(struct fill *fill, int64_t from, int64_t until, int64_t first_id,
                      const char *rest)
{
    int err = fill_order(fill, from, until - from);
    for (int64_t i = 0; err == 0 && i < until - from; i++) {
        print_row(fill, first_id + i, fill->order[i].index, rest);
        if (i % PROGRESS_ROWS == 0)
            fprintf(stderr, "\r  %" PRId64 " of %" PRId64 " cards", i, until - from);
    }
    fputc('\r', stderr);
    return err != 0 || fflush(stdout) == 0 ? err : ERR_IO;
}

int main(int argc, char **argv)
{
    static struct fill fill;
    if (argc != 4 && argc != 7) {
        fputs("usage: bench_cards DATA_FOLDER TENANT_ID COUNT\n"
              "       bench_cards DATA_FOLDER TENANT_ID FROM UNTIL FIRST_ID REST\n",
              stderr);
        return 2;
    }
    fill.tenant_id = strtoll(argv[2], NULL, 10);
    int err = fill_open_seal(&fill, argv[1]);
    if (err == 0 && argc == 4)
        err = fill_sqlite(&fill, argv[1], strtoll(argv[3], NULL, 10));
    else if (err == 0)
        err = print_rows(&fill, strtoll(argv[3], NULL, 10), strtoll(argv[4], NULL, 10),
                         strtoll(argv[5], NULL, 10), argv[6]);
    if (err != 0)
        fprintf(stderr, "bench_cards: %s\n", error_name(err));
    free(fill.order);
    seal_destroy(fill.seal);
    return err == 0 ? 0 : 1;
}
