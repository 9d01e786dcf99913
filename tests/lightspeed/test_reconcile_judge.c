/*
 * Walks the judgement's table: one line, one case (format in judge.table). Every judgement must
 * have a line in which it is what is said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lightspeed/reconcile.h"

#define NOW_US (INT64_C(1700000000) * 1000000)
#define SECOND_US INT64_C(1000000)
#define ORDER 11
#define GENERATION 3
#define JUDGED_MAX 4

static const char *const judgement_names[] = {
    [JUDGED_KEEP] = "keep",
    [JUDGED_WAIT] = "wait",
    [JUDGED_CONFIRMED] = "confirmed",
    [JUDGED_MISSING] = "missing",
    [JUDGED_UNDONE] = "undone",
    [JUDGED_REVERSE] = "reverse",
    [JUDGED_TAKE_BACK] = "take_back",
    [JUDGED_RECHARGE] = "recharge",
    [JUDGED_GIVE_AGAIN] = "give_again",
    [JUDGED_STAND_IN] = "stand_in",
    [JUDGED_LIST] = "list",
    [JUDGED_SWEEP] = "sweep",
};
static const char *const reason_names[] = {
#define X(symbol, number, name, sentence) [symbol] = name,
    PROOF_REASON_LIST(X)
#undef X
};
static bool judgement_seen[COUNT_OF(judgement_names)];

struct world {
    struct oseries_order order;
    struct judge_case about;
    struct proof_facts facts[JUDGED_MAX];
    struct judged judged[JUDGED_MAX];
    int32_t count;
    int64_t claimed[ORDER_PAYMENTS_MAX];
};

/* "name=value" or "name"; gives value, or NULL. */
static char *split_pair(char *word)
{
    char *equals = strchr(word, '=');
    if (equals == NULL)
        return NULL;
    *equals = '\0';
    return equals + 1;
}

static int64_t number_of(const char *value)
{
    assert_non_null(value);
    return strtoll(value, NULL, 10);
}

static int64_t ago_us(const char *value)
{
    return NOW_US - number_of(value) * SECOND_US;
}

/* --- the order --- */

static void add_payment(struct oseries_order *order, const char *word)
{
    struct order_payment *payment = &order->payments[order->payment_count++];
    long long amount_minor, method_id;
    if (sscanf(word, "%lld/%lld/%64s", &amount_minor, &method_id, payment->ref) < 2)
        fail_msg("no payment: %s", word);
    payment->number = order->payment_count;
    payment->amount_minor = amount_minor;
    payment->method_id = method_id;
}

/* Cut: as many payments as we keep, of which those that are not told pay nothing. */
static void fill_payments(struct oseries_order *order)
{
    while (order->payment_count < ORDER_PAYMENTS_MAX) {
        struct order_payment *payment = &order->payments[order->payment_count++];
        *payment = (struct order_payment){.number = order->payment_count, .method_id = 1};
    }
}

static void read_order_word(struct world *world, char *word)
{
    static const struct {
        const char *name;
        enum order_status status;
    } statuses[] = {{"complete", ORDER_COMPLETE},
                    {"pending", ORDER_PENDING},
                    {"rejected", ORDER_REJECTED},
                    {"deleted", ORDER_PENDING}};
    struct oseries_order *order = &world->order;
    const char *value = split_pair(word);
    if (strcmp(word, "total") == 0)
        order->total_minor = number_of(value);
    else if (strcmp(word, "cut") == 0 || strcmp(word, "long") == 0)
        order->is_cut = true;
    else if (strcmp(word, "none") == 0 || strcmp(word, "unconnected") == 0 ||
             strcmp(word, "failing") == 0)
        world->about.order = NULL;
    else if (strchr(word, '/') != NULL)
        add_payment(order, word);
    else {
        size_t i = 0;
        while (i < COUNT_OF(statuses) && strcmp(word, statuses[i].name) != 0)
            i++;
        if (i == COUNT_OF(statuses))
            fail_msg("no word of an order: %s", word);
        order->status = statuses[i].status;
    }
    order->is_deleted |= strcmp(word, "deleted") == 0;
    if (strcmp(word, "cut") == 0)
        fill_payments(order);
    world->about.is_connected &= strcmp(word, "unconnected") != 0;
    world->about.may_pass |= strcmp(word, "failing") == 0;
}

/* --- operations --- */

static enum proof_reason reason_named(const char *name)
{
    size_t i = 0;
    while (i < COUNT_OF(reason_names) && strcmp(name, reason_names[i]) != 0)
        i++;
    if (i == COUNT_OF(reason_names))
        fail_msg("no reason: %s", name);
    return (enum proof_reason)i;
}

static bool read_proof_word(struct proof *proof, const char *word, const char *value)
{
    if (strcmp(word, "since") == 0) {
        proof->missing_since_us = ago_us(value);
    } else if (strcmp(word, "confirmed") == 0) {
        proof->state = PROOF_CONFIRMED;
        proof->shown_order_id = number_of(value);
        proof->payment_number = number_of(strchr(value, ':') + 1);
    } else if (strcmp(word, "reversed") == 0) {
        proof->state = PROOF_REVERSED;
    } else if (strcmp(word, "listed") == 0) {
        proof->state = PROOF_LISTED;
        proof->reason = reason_named(value);
    } else if (strcmp(word, "suspect") == 0) {
        proof->is_suspect = true;
    } else {
        return false;
    }
    return true;
}

static bool read_flag(struct judged *judged, const char *word)
{
    if (strcmp(word, "amount_elsewhere") == 0)
        judged->is_amount_elsewhere = true;
    else if (strcmp(word, "amount_unproved") == 0)
        judged->is_amount_unproved = true;
    else if (strcmp(word, "refund_shown") == 0)
        judged->has_shown_refund = true;
    else if (strcmp(word, "to_be_paid") == 0)
        judged->is_to_be_paid = true;
    else if (strcmp(word, "charge_unknown") == 0)
        judged->is_charge_unknown = true;
    else if (strcmp(word, "charge_missing") == 0)
        judged->moot_minor = -judged->facts->proof.booked_minor;
    else if (strcmp(word, "loaded") == 0)
        judged->is_loaded = true;
    else
        return false;
    return true;
}

static void read_elsewhere(struct judged *judged, const char *value)
{
    long long order_id, number, amount_minor;
    assert_int_equal(sscanf(value, "%lld:%lld:%lld", &order_id, &number, &amount_minor), 3);
    judged->is_ref_elsewhere = true;
    judged->elsewhere_order_id = order_id;
    judged->elsewhere_number = number;
    judged->elsewhere_minor = amount_minor;
}

static void read_operation_word(struct proof_facts *facts, struct judged *judged, char *word)
{
    const char *value = split_pair(word);
    if (strcmp(word, "age") == 0)
        facts->operation.created_at_us = ago_us(value);
    else if (strcmp(word, "left") == 0)
        judged->left_minor = number_of(value);
    else if (strcmp(word, "refunded") == 0)
        judged->refunded_minor = number_of(value);
    else if (strcmp(word, "moot") == 0)
        judged->moot_minor = number_of(value);
    else if (strcmp(word, "undone") == 0)
        judged->undone_minor = number_of(value);
    else if (strcmp(word, "elsewhere") == 0)
        read_elsewhere(judged, value);
    else if (!read_proof_word(&facts->proof, word, value) && !read_flag(judged, word))
        fail_msg("no word of an operation: %s", word);
}

static void read_operation(struct world *world, char *text)
{
    struct proof_facts *facts = &world->facts[world->count];
    struct judged *judged = &world->judged[world->count++];
    char *word = strsep(&text, "+");
    long long id, card, amount_minor;
    assert_true(world->count <= JUDGED_MAX);
    if (sscanf(word, "%lld/%lld/%lld", &id, &card, &amount_minor) != 3)
        fail_msg("no operation: %s", word);
    facts->proof = (struct proof){.operation_id = id,
                                  .order_id = ORDER,
                                  .card_id = card,
                                  .booked_minor = amount_minor,
                                  .state = PROOF_OPEN,
                                  .reason = PROOF_REASON_NOT_LOOKED};
    facts->operation.created_at_us = NOW_US - 1200 * SECOND_US;
    /* What was said before is no part of what is asked. */
    *judged = (struct judged){.facts = facts,
                              .left_minor = amount_minor < 0 ? -amount_minor : amount_minor,
                              .shown_order_id = 99,
                              .payment_number = 99,
                              .missing_since_us = 99};
    while ((word = strsep(&text, "+")) != NULL)
        read_operation_word(facts, judged, word);
}

static void read_known_word(struct world *world, char *word)
{
    const char *value = split_pair(word);
    if (strcmp(word, "method") == 0)
        world->about.method_id = number_of(value);
    else if (strcmp(word, "refs") == 0)
        world->about.refs_are_kept = true;
    else if (strcmp(word, "swept") == 0)
        world->about.swept_since_us = ago_us(value);
    else if (strcmp(word, "window") == 0)
        world->about.replay_window_us = number_of(value) * SECOND_US;
    else
        fail_msg("not known: %s", word);
}

/* --- what is said --- */

static void tell(const struct judged *judged, char *told, size_t size)
{
    char since[40] = "", where[60] = "", amount[24] = "";
    int64_t booked_minor = judged->facts->proof.booked_minor;
    int64_t moved_minor = judged_minor(judged);
    bool has_reason = judged->judgement == JUDGED_WAIT || judged->judgement == JUDGED_LIST ||
                      judged->judgement == JUDGED_MISSING || judged->judgement == JUDGED_SWEEP;
    judgement_seen[judged->judgement] = true;
    if (judged->missing_since_us != 0)
        snprintf(since, sizeof(since), " since=%lld",
                 (long long)((NOW_US - judged->missing_since_us) / SECOND_US));
    if (judged->shown_order_id != 0)
        snprintf(where, sizeof(where), "@%lld:%lld", (long long)judged->shown_order_id,
                 (long long)judged->payment_number);
    if (moved_minor != 0 && moved_minor != booked_minor && moved_minor != -booked_minor)
        snprintf(amount, sizeof(amount), " %lld", (long long)moved_minor);
    snprintf(told, size, "%lld:%s%s%s%s%s%s", (long long)judged->facts->proof.operation_id,
             judgement_names[judged->judgement], has_reason ? " " : "",
             has_reason ? reason_names[judged->reason] : "", amount, where, since);
}

static void assert_told(struct world *world, const char *name, const char *expected)
{
    char told[512] = "";
    size_t length = 0;
    for (int32_t i = 0; i < world->count; i++) {
        char one[160];
        tell(&world->judged[i], one, sizeof(one));
        length +=
            (size_t)snprintf(told + length, sizeof(told) - length, "%s%s", i == 0 ? "" : " ", one);
        assert_true(length < sizeof(told));
    }
    if (strcmp(told, expected) != 0)
        fail_msg("%s:\n    %s\nnot %s", name, told, expected);
}

static void each_word(struct world *world, char *text, void (*read)(struct world *, char *))
{
    char *word;
    while ((word = strsep(&text, " ")) != NULL)
        if (word[0] != '\0')
            read(world, word);
}

static char *field(char **line)
{
    char *text = strsep(line, "|");
    assert_non_null(text);
    while (*text == ' ')
        text++;
    size_t length = strlen(text);
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\n'))
        text[--length] = '\0';
    return text;
}

static void judge_line(struct world *world, char *line)
{
    memset(world, 0, sizeof(*world));
    world->order.id = ORDER;
    world->order.total_minor = 5000;
    memset(world->claimed, 1, sizeof(world->claimed));
    world->about = (struct judge_case){
        .order = &world->order,
        .is_connected = true,
        .generation = GENERATION,
        .now_us = NOW_US,
        .replay_window_us = 90 * SECOND_US,
        .times = {.reread_us = 60 * SECOND_US,
                  .reverse_age_us = 900 * SECOND_US,
                  .open_listed_us = 86400 * SECOND_US},
    };
    const char *name = field(&line);
    each_word(world, field(&line), read_order_word);
    each_word(world, field(&line), read_operation);
    each_word(world, field(&line), read_known_word);
    reconcile_judge(&world->about, world->judged, world->count, world->claimed);
    assert_told(world, name, field(&line));
}

static void orders_are_judged_line_by_line(void **state)
{
    (void)state;
    FILE *file = fopen(TESTS_DIR "/lightspeed/judge.table", "r");
    struct world *world = malloc(sizeof(*world));
    char line[512];
    int lines = 0;
    assert_non_null(file);
    assert_non_null(world);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        judge_line(world, line);
        lines++;
    }
    fclose(file);
    free(world);
    assert_true(lines > 100);
}

static void every_judgement_has_a_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(judgement_names); i++)
        if (!judgement_seen[i])
            fail_msg("no line says %s", judgement_names[i]);
}

static void an_order_that_cannot_be_read_claims_no_payment(void **state)
{
    (void)state;
    const struct judge_case about = {.generation = GENERATION, .now_us = NOW_US};
    struct proof_facts facts = {
        .proof = {.operation_id = 7, .booked_minor = 5000, .state = PROOF_OPEN}};
    struct judged judged = {.facts = &facts, .left_minor = 5000};
    int64_t claimed[ORDER_PAYMENTS_MAX] = {1, 2, 3};
    reconcile_judge(&about, &judged, 1, claimed);
    for (int i = 0; i < ORDER_PAYMENTS_MAX; i++)
        assert_int_equal(claimed[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_are_judged_line_by_line),
        cmocka_unit_test(every_judgement_has_a_line),
        cmocka_unit_test(an_order_that_cannot_be_read_claims_no_payment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
