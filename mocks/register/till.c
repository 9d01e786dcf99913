/* The till's own memory: made, forgotten, and what it says last. */
#include "mocks/register/till.h"

#include "base/clock.h"
#include "base/error.h"
#include "mocks/lightspeed/call.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

int till_create(const struct till_options *options, struct till **till)
{
    struct till *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    int err = shop_create(options->cloud, &made->shop);
    if (err != 0) {
        free(made);
        return err;
    }
    wire_log_init(&made->wire);
    recording_init(&made->recording);
    CHECK(pthread_mutex_init(&made->lock, NULL) == 0);
    CHECK(pthread_mutex_init(&made->drawer, NULL) == 0);
    made->seed = options->seed;
    made->draft = options->config;
    made->synced = options->config;
    till_faults_init(&made->faults, options->seed);
    made->currency = (struct currency){.code = "AUD", .exponent = 2};
    *till = made;
    return 0;
}

void till_forget(struct till *till)
{
    made_destroy(&till->members);
    made_destroy(&till->member);
    made_destroy(&till->rewards);
    made_destroy(&till->crash);
    made_destroy(&till->said);
}

void till_destroy(struct till *till)
{
    if (till == NULL)
        return;
    till_forget(till);
    made_destroy(&till->report);
    made_destroy(&till->products);
    wire_log_finish(&till->wire);
    recording_finish(&till->recording);
    shop_destroy(till->shop);
    pthread_mutex_destroy(&till->drawer);
    pthread_mutex_destroy(&till->lock);
    free(till);
}

void till_lock(struct till *till)
{
    CHECK(pthread_mutex_lock(&till->lock) == 0);
}

void till_unlock(struct till *till)
{
    CHECK(pthread_mutex_unlock(&till->lock) == 0);
}

struct config *till_config(struct till *till)
{
    struct config *config = malloc(sizeof(*config));
    CHECK(config != NULL);
    till_lock(till);
    *config = till->synced;
    till_unlock(till);
    return config;
}

int till_exponent(struct till *till)
{
    till_lock(till);
    int exponent = till->currency.exponent;
    till_unlock(till);
    return exponent;
}

int64_t till_clock_us(struct till *till)
{
    till_lock(till);
    int64_t skew_s = till->synced.clock_skew_s + till->faults.next.clock_skew_s;
    till_unlock(till);
    return clock_wall_us() + skew_s * CLOCK_US_PER_S;
}

/* "2,000,000.00", as the screen writes it. */
static void append_grouped(struct text_buffer *buffer, int64_t amount_minor, int exponent)
{
    char memory[MONEY_TEXT_MAX];
    struct text_buffer plain;
    text_buffer_init(&plain, memory, sizeof(memory));
    money_append(&plain, amount_minor, exponent);
    size_t whole = strcspn(memory, ".");
    for (size_t i = 0; i < plain.length; i++) {
        bool is_group = i > 0 && i < whole && (whole - i) % 3 == 0 && memory[i - 1] != '-';
        if (is_group)
            text_append_char(buffer, ',');
        text_append_char(buffer, memory[i]);
    }
}

const char *till_money(struct till *till, int64_t amount_minor, char memory[TILL_MONEY_MAX])
{
    struct text_buffer buffer;
    till_lock(till);
    struct currency currency = till->currency;
    till_unlock(till);
    text_buffer_init(&buffer, memory, TILL_MONEY_MAX);
    text_append(&buffer, text_of(currency_symbol(&currency)));
    append_grouped(&buffer, amount_minor, currency.exponent);
    return memory;
}

/* --- what it says ---------------------------------------------------------------------------- */

struct dialogue {
    const struct said *said;
    int64_t number;
    int exponent;
};

/* With all decimals of the currency, whatever the partner wrote; what is no amount is null. */
static void write_amount(const struct dialogue *dialogue, const char *name, const char *value,
                         struct jwrite *writer)
{
    int64_t amount_minor;
    if (value != NULL && money_parse(text_of(value), dialogue->exponent, &amount_minor) == 0)
        jwrite_named_money(writer, name, amount_minor, dialogue->exponent);
    else
        jwrite_named_null(writer, name);
}

static void write_or_null(struct jwrite *writer, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0')
        jwrite_named_null(writer, name);
    else
        jwrite_named_text(writer, name, value);
}

static void write_said(struct jwrite *writer, const void *context)
{
    const struct dialogue *dialogue = context;
    const struct said *said = dialogue->said;
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "number", dialogue->number);
    jwrite_named_text(writer, "action", said->action);
    jwrite_named_text(writer, "ending", said->ending);
    jwrite_named_text(writer, "title", said->title);
    jwrite_named_text(writer, "text", said->text);
    jwrite_named_id(writer, "exchange", said->exchange);
    write_amount(dialogue, "amount", said->amount, writer);
    write_amount(dialogue, "balance", said->balance, writer);
    write_or_null(writer, "reference", said->reference);
    jwrite_named_bool(writer, "is_booked", said->is_booked);
    jwrite_object_end(writer);
}

void till_say(struct till *till, const struct said *said)
{
    till_lock(till);
    struct dialogue dialogue = {said, ++till->said_count, till->currency.exponent};
    made_destroy(&till->said);
    made_create(&till->said, write_said, &dialogue);
    till_unlock(till);
}

struct crash {
    int64_t exchange;
    const char *why;
};

static void write_crash(struct jwrite *writer, const void *context)
{
    const struct crash *crash = context;
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "exchange", crash->exchange);
    jwrite_named_text(writer, "why", crash->why);
    jwrite_object_end(writer);
}

/* The first reason stays: what crashes after it has crashed already. */
void till_crash(struct till *till, int64_t exchange, const char *why)
{
    struct crash crash = {exchange, why};
    till_lock(till);
    if (till->crash.length == 0)
        made_create(&till->crash, write_crash, &crash);
    till_unlock(till);
}
