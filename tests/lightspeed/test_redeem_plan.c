/* What each effect does to each kind of order, and what is refused. */
#include "lightspeed/redeem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define MARK_NOTE " (CP-R42-0f3a9c1b)"
#define ONE ORDER_ONE_PPM

static const struct reservation reservation = {
    .id = 42, .order_id = 7, .token_id = "0f3a9c1b22334455667788990011aabb"};
static const struct reward ten_off = {
    .id = 1, .title = "$10 off", .effect = REWARD_MONEY_OFF, .amount_minor = 1000};
static const struct reward fifth_off = {
    .id = 2, .title = "20% off", .effect = REWARD_PERCENT_OFF, .percent_bp = 2000};
static const struct reward all_off = {
    .id = 3, .title = "On the house", .effect = REWARD_PERCENT_OFF, .percent_bp = 10000};
static const struct reward third_off = {
    .id = 4, .title = "A third off", .effect = REWARD_PERCENT_OFF, .percent_bp = 3333};
static const struct reward coffee = {
    .id = 5, .title = "Free coffee", .effect = REWARD_PRODUCT, .product_id = 7302};

/* What the table says of an order; the rest is as find_order makes it. */
struct kind {
    int64_t total_minor, paid_minor;
    int64_t ppm, fixed_minor;
    enum {
        ON_ORDER,
        ON_LINE,
        ON_SECOND_LINE
    } where; /* the tenant's setting; the dearer of the two
                                                         lines has options */
};

static struct oseries_order order;

/* Two lines: 60 % and 40 % of the total. */
static void make_order(const struct kind *kind)
{
    memset(&order, 0, sizeof(order));
    order.id = 7;
    order.status = ORDER_ON_HOLD;
    order.total_minor = kind->total_minor;
    order.paid_minor = kind->paid_minor;
    order.price_variation_ppm = kind->ppm;
    order.price_fixed_variation_minor = kind->fixed_minor;
    order.line_count = 2;
    for (int i = 0; i < 2; i++) {
        struct order_line *line = &order.lines[i];
        line->number = i + 1;
        line->product_id = 100 + i;
        line->quantity_milli = 1000;
        line->price_variation_ppm = ONE;
        line->total_minor = kind->total_minor / 10 * (i == 0 ? 6 : 4);
    }
    order.lines[0].has_options = kind->where == ON_SECOND_LINE;
}

static const struct {
    const char *name;
    const struct reward *reward;
    struct kind kind;
    enum reward_step step;
    int64_t value;       /* ppm or fixed, whichever the step sets */
    int64_t line_number; /* or product */
} table[] = {
    /* money off */
    {"plain", &ten_off, {4565, 0, ONE, 0, ON_ORDER}, STEP_PUT_ORDER, -1000, 0},
    {"added to a fixed variation",
     &ten_off,
     {4565, 0, ONE, -250, ON_ORDER},
     STEP_PUT_ORDER,
     -1250,
     0},
    {"added to a surcharge", &ten_off, {4565, 0, ONE, 300, ON_ORDER}, STEP_PUT_ORDER, -700, 0},
    /* the order's factor shrinks what a line bears: the customer gets the $10 all the same */
    {"percentage there", &ten_off, {4560, 0, 900000, 0, ON_ORDER}, STEP_PUT_LINE, -1112, 1},
    {"half price", &ten_off, {4500, 0, 500000, 0, ON_ORDER}, STEP_PUT_LINE, -2000, 1},
    {"surcharge there", &ten_off, {4560, 0, 1150000, 0, ON_ORDER}, STEP_PUT_LINE, -870, 1},
    {"no cent too much", &ten_off, {4560, 3560, 900000, 0, ON_ORDER}, STEP_PUT_LINE, -1111, 1},
    {"one cent to spare", &ten_off, {4560, 3559, 900000, 0, ON_ORDER}, STEP_PUT_LINE, -1112, 1},
    {"no line bears twice as much",
     &ten_off,
     {2000, 0, 500000, 0, ON_SECOND_LINE},
     STEP_NONE,
     0,
     0},
    {"nearly nothing is left", &ten_off, {4560, 0, 1, 0, ON_ORDER}, STEP_NONE, 0, 0},
    {"a large amount of nearly nothing",
     &third_off,
     {MONEY_MAX_MINOR, 0, 1, -1, ON_ORDER},
     STEP_NONE,
     0,
     0},
    {"nothing is left", &ten_off, {4560, 0, 0, 0, ON_ORDER}, STEP_NONE, 0, 0},
    {"setting says line", &ten_off, {4560, 0, ONE, 0, ON_LINE}, STEP_PUT_LINE, -1000, 1},
    {"dearest has options", &ten_off, {4560, 0, ONE, 0, ON_SECOND_LINE}, STEP_PUT_LINE, -1000, 2},
    {"no line dear enough", &ten_off, {1500, 0, ONE, 0, ON_LINE}, STEP_NONE, 0, 0},
    {"just enough", &ten_off, {1000, 0, ONE, 0, ON_ORDER}, STEP_PUT_ORDER, -1000, 0},
    {"a cent too small", &ten_off, {999, 0, ONE, 0, ON_ORDER}, STEP_NONE, 0, 0},
    {"too little is left to pay", &ten_off, {4565, 3600, ONE, 0, ON_ORDER}, STEP_NONE, 0, 0},
    {"total 0", &ten_off, {0, 0, ONE, 0, ON_ORDER}, STEP_NONE, 0, 0},
    {"total below 0", &ten_off, {-500, 0, ONE, 0, ON_ORDER}, STEP_NONE, 0, 0},
    /* percent off */
    {"plain", &fifth_off, {4565, 0, ONE, 0, ON_ORDER}, STEP_PUT_ORDER, 800000, 0},
    {"percentage there", &fifth_off, {4565, 0, 900000, 0, ON_ORDER}, STEP_PUT_ORDER, 720000, 0},
    {"surcharge there", &fifth_off, {4565, 0, 1150000, 0, ON_ORDER}, STEP_PUT_ORDER, 920000, 0},
    {"rounded towards the price",
     &third_off,
     {4565, 0, 900001, 0, ON_ORDER},
     STEP_PUT_ORDER,
     600031,
     0},
    {"fixed variation there", &fifth_off, {4567, 0, ONE, -100, ON_ORDER}, STEP_PUT_ORDER, -1013, 0},
    {"both variations there",
     &fifth_off,
     {4560, 0, 900000, -100, ON_ORDER},
     STEP_PUT_LINE,
     -1014,
     1},
    {"setting says line", &fifth_off, {4560, 0, ONE, 0, ON_LINE}, STEP_PUT_LINE, -912, 1},
    {"dearest has options", &fifth_off, {4560, 0, ONE, 0, ON_SECOND_LINE}, STEP_PUT_LINE, -912, 2},
    {"everything", &all_off, {4565, 0, ONE, 0, ON_ORDER}, STEP_PUT_ORDER, 0, 0},
    {"everything, on a line", &all_off, {4560, 0, ONE, 0, ON_LINE}, STEP_NONE, 0, 0},
    {"more than is left to pay", &all_off, {4565, 1, ONE, 0, ON_ORDER}, STEP_NONE, 0, 0},
    {"comes to no cent", &fifth_off, {4, 0, ONE, 0, ON_ORDER}, STEP_NONE, 0, 0},
    {"total 0", &fifth_off, {0, 0, ONE, 0, ON_ORDER}, STEP_NONE, 0, 0},
    {"a very large order",
     &third_off,
     {MONEY_MAX_MINOR, 0, ONE, -1, ON_ORDER},
     STEP_PUT_ORDER,
     -333300000000001,
     0},
    {"a variation nobody gives", &fifth_off, {4560, 0, -1, 0, ON_ORDER}, STEP_NONE, 0, 0},
    {"an absurd variation", &fifth_off, {4560, 0, INT64_MAX, 0, ON_ORDER}, STEP_NONE, 0, 0},
    /* a product */
    {"plain", &coffee, {4565, 0, ONE, 0, ON_ORDER}, STEP_POST_LINE, 0, 7302},
    {"percentage there", &coffee, {4565, 0, 900000, 0, ON_ORDER}, STEP_POST_LINE, 0, 7302},
    {"fixed variation there", &coffee, {4565, 0, ONE, -100, ON_ORDER}, STEP_POST_LINE, 0, 7302},
    {"setting says line", &coffee, {4565, 0, ONE, 0, ON_LINE}, STEP_POST_LINE, 0, 7302},
    {"total 0", &coffee, {0, 0, ONE, 0, ON_ORDER}, STEP_POST_LINE, 0, 7302},
};

static void check_step(const char *name, const struct reward_plan *plan, int64_t value,
                       int64_t line_number)
{
    bool is_ppm = plan->has_ppm;
    if (plan->step == STEP_NONE) {
        if (plan->problem == NULL || strlen(plan->problem) == 0 || plan->notes[0] != '\0' ||
            plan->has_ppm || plan->has_fixed)
            fail_msg("%s: a refusal says why, and nothing else", name);
        return;
    }
    assert_null(plan->problem);
    if (plan->has_ppm == plan->has_fixed)
        fail_msg("%s: exactly one variation", name);
    int64_t found = is_ppm ? plan->price_variation_ppm : plan->price_fixed_variation_minor;
    if (found != value)
        fail_msg("%s: %lld instead of %lld", name, (long long)found, (long long)value);
    assert_int_equal(is_ppm ? plan->price_fixed_variation_minor : plan->price_variation_ppm, 0);
    int64_t at = plan->step == STEP_POST_LINE ? plan->product_id : plan->line_number;
    if (at != line_number)
        fail_msg("%s: line or product %lld instead of %lld", name, (long long)at,
                 (long long)line_number);
}

static void each_effect_meets_each_kind_of_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct reward_plan plan;
        char name[120], notes[120];
        struct text_buffer text;
        make_order(&table[i].kind);
        reward_plan_make(table[i].reward, &reservation, &order, table[i].kind.where != ON_ORDER,
                         &plan);
        text_buffer_init(&text, name, sizeof(name));
        text_append_format(&text, "line %zu, %s on '%s'", i, table[i].reward->title, table[i].name);
        if (plan.step != table[i].step)
            fail_msg("%s: step %d instead of %d (%s)", name, plan.step, table[i].step,
                     plan.problem == NULL ? "" : plan.problem);
        check_step(name, &plan, table[i].value, table[i].line_number);
        text_buffer_init(&text, notes, sizeof(notes));
        text_append_format(&text, "%s" MARK_NOTE, table[i].reward->title);
        if (plan.step != STEP_NONE)
            assert_string_equal(plan.notes, notes);
    }
}

/* --- orders that nothing is done to --- */

static const struct kind usual = {4560, 0, ONE, 0, ON_ORDER};

static void refuses(const struct reward *reward, bool is_on_line)
{
    struct reward_plan plan;
    reward_plan_make(reward, &reservation, &order, is_on_line, &plan);
    assert_int_equal(plan.step, STEP_NONE);
    assert_non_null(plan.problem);
}

static void closed_deleted_and_refund_orders_are_left_alone(void **state)
{
    (void)state;
    const struct reward *rewards[] = {&ten_off, &fifth_off, &coffee};
    for (size_t i = 0; i < COUNT_OF(rewards); i++) {
        make_order(&usual);
        order.status = ORDER_COMPLETE;
        refuses(rewards[i], false);
        order.status = ORDER_REJECTED;
        refuses(rewards[i], false);
        make_order(&usual);
        order.is_deleted = true;
        refuses(rewards[i], false);
        make_order(&usual);
        order.is_refund = true;
        refuses(rewards[i], false);
    }
}

static void every_other_status_is_open(void **state)
{
    (void)state;
    const enum order_status statuses[] = {ORDER_SUBMITTED, ORDER_ON_HOLD, ORDER_PENDING,
                                          ORDER_ACCEPTED, ORDER_OTHER};
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        struct reward_plan plan;
        make_order(&usual);
        order.status = statuses[i];
        reward_plan_make(&ten_off, &reservation, &order, false, &plan);
        assert_int_equal(plan.step, STEP_PUT_ORDER);
    }
}

static void a_reward_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct reward odd[] = {ten_off, fifth_off, fifth_off, coffee, ten_off, ten_off};
    odd[0].amount_minor = 0;
    odd[1].percent_bp = 0;
    odd[2].percent_bp = 10001;
    odd[3].product_id = 0;
    odd[4].amount_minor = -5;
    odd[5].amount_minor = INT64_MIN;
    make_order(&usual);
    for (size_t i = 0; i < COUNT_OF(odd); i++)
        refuses(&odd[i], false);
}

static void what_would_overflow_is_refused(void **state)
{
    (void)state;
    make_order(&usual);
    order.price_fixed_variation_minor = INT64_MIN;
    refuses(&ten_off, false);
    make_order(&usual);
    order.lines[0].price_fixed_variation_minor = INT64_MIN;
    refuses(&ten_off, true);
    make_order(&usual);
    order.total_minor = INT64_MAX;
    order.paid_minor = -1;
    refuses(&ten_off, false);
}

static void lines_that_bear_no_discount_are_passed_over(void **state)
{
    (void)state;
    struct reward_plan plan;
    make_order(&usual);
    order.lines[0].price_variation_ppm = 900000;
    reward_plan_make(&ten_off, &reservation, &order, true, &plan);
    assert_int_equal(plan.line_number, 2);
    order.lines[1].quantity_milli = 0;
    refuses(&ten_off, true);
    make_order(&usual);
    order.lines[0].price_fixed_variation_minor = -200;
    reward_plan_make(&ten_off, &reservation, &order, true, &plan);
    assert_int_equal(plan.line_number, 1);
    assert_int_equal(plan.price_fixed_variation_minor, -1200);
}

/* --- notes --- */

static void notes_are_kept_and_the_mark_is_appended(void **state)
{
    (void)state;
    struct reward_plan plan;
    make_order(&usual);
    memcpy(order.notes, "Gold member", sizeof("Gold member"));
    memcpy(order.lines[0].notes, "Extra hot", sizeof("Extra hot"));
    reward_plan_make(&ten_off, &reservation, &order, false, &plan);
    assert_string_equal(plan.notes, "Gold member; $10 off (CP-R42-0f3a9c1b)");
    reward_plan_make(&ten_off, &reservation, &order, true, &plan);
    assert_string_equal(plan.notes, "Extra hot; $10 off (CP-R42-0f3a9c1b)");
    reward_plan_make(&coffee, &reservation, &order, false, &plan);
    assert_string_equal(plan.notes, "Free coffee (CP-R42-0f3a9c1b)");
}

static void a_title_that_looks_like_a_mark_is_left_out(void **state)
{
    (void)state;
    struct reward_plan plan;
    struct reward odd = ten_off;
    memcpy(odd.title, "CP-R7 off", sizeof("CP-R7 off"));
    make_order(&usual);
    reward_plan_make(&odd, &reservation, &order, false, &plan);
    assert_string_equal(plan.notes, "Reward (CP-R42-0f3a9c1b)");
    odd.title[0] = '\0';
    reward_plan_make(&odd, &reservation, &order, false, &plan);
    assert_string_equal(plan.notes, "Reward (CP-R42-0f3a9c1b)");
}

/* "; $10 off (CP-R42-0f3a9c1b)" has 27 characters. */
static void notes_that_would_not_fit_are_refused(void **state)
{
    (void)state;
    struct reward_plan plan;
    make_order(&usual);
    memset(order.notes, 'n', ORDER_NOTES_MAX - 27);
    reward_plan_make(&ten_off, &reservation, &order, false, &plan);
    assert_int_equal(plan.step, STEP_PUT_ORDER);
    assert_int_equal(strlen(plan.notes), ORDER_NOTES_MAX);
    order.notes[ORDER_NOTES_MAX - 27] = 'n';
    refuses(&ten_off, false);
    make_order(&usual);
    order.notes_are_cut = true;
    refuses(&ten_off, false);
}

static void line_notes_that_would_not_fit_are_refused(void **state)
{
    (void)state;
    struct reward_plan plan;
    const size_t max = sizeof(order.lines[0].notes) - 1 - 4; /* the last four may hide a cut */
    make_order(&usual);
    memset(order.lines[0].notes, 'n', max - 27);
    reward_plan_make(&ten_off, &reservation, &order, true, &plan);
    assert_int_equal(plan.step, STEP_PUT_LINE);
    assert_int_equal(strlen(plan.notes), max);
    order.lines[0].notes[max - 27] = 'n';
    refuses(&ten_off, true);
    memset(order.lines[0].notes, 'n', max + 1);
    refuses(&ten_off, true);
}

static void an_order_that_was_not_read_whole_takes_no_line(void **state)
{
    (void)state;
    struct reward_plan plan;
    make_order(&usual);
    order.is_cut = true;
    refuses(&ten_off, true);
    refuses(&coffee, false);
    reward_plan_make(&ten_off, &reservation, &order, false, &plan);
    assert_int_equal(plan.step, STEP_PUT_ORDER); /* its mark stands in the order's own notes */
}

/* --- the mark --- */

static const struct {
    const char *notes;
    bool is_there;
} marks[] = {
    {"", false},
    {"CP-R42-0f3a9c1b", true},
    {"$10 off (CP-R42-0f3a9c1b)", true},
    {"Gold; $10 off (CP-R42-0f3a9c1b); window seat", true},
    {"CP-R42-0f3a9c1b2 CP-R42-0f3a9c1b", true},
    {"CP-R42-0f3a9c1b.", true},
    {"CP-R42", false}, /* numbers follow one another: anybody could write the next */
    {"CP-R42-", false},
    {"CP-R42-0f3a9c1", false},
    {"CP-R42-0f3a9c1c", false},
    {"CP-R4-0f3a9c1b", false},
    {"CP-R421-0f3a9c1b", false},
    {"CP-R042-0f3a9c1b", false},
    {"XCP-R42-0f3a9c1b", false},
    {"-CP-R42-0f3a9c1b", false},
    {"CP-R42-0f3a9c1b-1", false},
    {"CP-R42-0f3a9c1ba", false},
    {"CP-R42-0f3a9c1b_", false},
    {"cp-r42-0f3a9c1b", false},
    {"CP-R 42-0f3a9c1b", false},
};

static void the_mark_is_a_word_of_its_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        make_order(&usual);
        memcpy(order.notes, marks[i].notes, strlen(marks[i].notes) + 1);
        if (reward_is_applied(&reservation, &order) != marks[i].is_there)
            fail_msg("notes '%s'", marks[i].notes);
        make_order(&usual);
        memcpy(order.lines[1].notes, marks[i].notes, strlen(marks[i].notes) + 1);
        if (reward_is_applied(&reservation, &order) != marks[i].is_there)
            fail_msg("notes of a line '%s'", marks[i].notes);
    }
}

static void what_was_done_is_recognised_and_not_done_twice(void **state)
{
    (void)state;
    const struct reward *rewards[] = {&ten_off, &fifth_off};
    for (size_t i = 0; i < 4; i++) {
        struct reward_plan plan;
        make_order(&usual);
        reward_plan_make(rewards[i % 2], &reservation, &order, i >= 2, &plan);
        assert_false(reward_is_applied(&reservation, &order));
        if (plan.step == STEP_PUT_ORDER)
            memcpy(order.notes, plan.notes, strlen(plan.notes) + 1);
        else
            memcpy(order.lines[plan.line_number - 1].notes, plan.notes, strlen(plan.notes) + 1);
        assert_true(reward_is_applied(&reservation, &order));
        refuses(rewards[i % 2], i >= 2);
    }
}

static void marks_may_hide_in_what_was_cut(void **state)
{
    (void)state;
    make_order(&usual);
    assert_false(reward_may_be_hidden(&reservation, &order));
    order.notes_are_cut = true;
    assert_true(reward_may_be_hidden(&reservation, &order));
    make_order(&usual);
    order.is_cut = true;
    assert_true(reward_may_be_hidden(&reservation, &order));
    make_order(&usual);
    memset(order.lines[1].notes, 'n', sizeof(order.lines[1].notes) - 1);
    assert_true(reward_may_be_hidden(&reservation, &order));
}

/* --- was it taken? --- */

static void set_notes(char *notes, const char *text)
{
    memcpy(notes, text, strlen(text) + 1);
}

static void a_discount_of_the_order_is_seen_by_price_and_mark(void **state)
{
    (void)state;
    const struct reward *rewards[] = {&ten_off, &fifth_off};
    for (size_t i = 0; i < COUNT_OF(rewards); i++) {
        struct reward_plan plan;
        make_order(&usual);
        reward_plan_make(rewards[i], &reservation, &order, false, &plan);
        assert_int_equal(plan.step, STEP_PUT_ORDER);
        assert_int_equal(reward_look(&plan, &reservation, &order), REWARD_UNSEEN);
        set_notes(order.notes, plan.notes);
        assert_int_equal(reward_look(&plan, &reservation, &order), REWARD_IGNORED);
        order.total_minor++; /* an item was added meanwhile */
        assert_int_equal(reward_look(&plan, &reservation, &order), REWARD_IGNORED);
        order.total_minor -= 2; /* the price says so, whatever the field says */
        assert_int_equal(reward_look(&plan, &reservation, &order), REWARD_TAKEN);
        make_order(&usual);
        if (plan.has_fixed)
            order.price_fixed_variation_minor = plan.price_fixed_variation_minor;
        else
            order.price_variation_ppm = plan.price_variation_ppm;
        assert_int_equal(reward_look(&plan, &reservation, &order), REWARD_TAKEN);
    }
}

static void a_discount_of_a_line_is_seen_on_that_line(void **state)
{
    (void)state;
    struct reward_plan plan;
    make_order(&usual);
    reward_plan_make(&ten_off, &reservation, &order, true, &plan);
    assert_int_equal(plan.step, STEP_PUT_LINE);
    struct order_line *line = &order.lines[plan.line_number - 1];
    set_notes(order.notes, plan.notes); /* a mark elsewhere says nothing about the line */
    assert_int_equal(reward_look(&plan, &reservation, &order), REWARD_UNSEEN);
    set_notes(line->notes, plan.notes);
    assert_int_equal(reward_look(&plan, &reservation, &order), REWARD_IGNORED);
    line->number = 77; /* its mark finds it */
    line->price_fixed_variation_minor = plan.price_fixed_variation_minor;
    assert_int_equal(reward_look(&plan, &reservation, &order), REWARD_TAKEN);
    line->number = plan.line_number;
    line->notes[0] = '\0';
    assert_int_equal(reward_look(&plan, &reservation, &order), REWARD_TAKEN);
}

static void a_product_is_taken_when_it_costs_nothing(void **state)
{
    (void)state;
    struct reward_plan plan;
    make_order(&usual);
    reward_plan_make(&coffee, &reservation, &order, false, &plan);
    assert_int_equal(reward_look(&plan, &reservation, &order), REWARD_UNSEEN);
    struct order_line *line = &order.lines[order.line_count++];
    *line =
        (struct order_line){.number = 9, .total_minor = 450, .price_variation_ppm = ORDER_ONE_PPM};
    set_notes(line->notes, plan.notes);
    assert_int_equal(reward_look(&plan, &reservation, &order), REWARD_IGNORED);
    line->price_variation_ppm = 0;
    assert_int_equal(reward_look(&plan, &reservation, &order), REWARD_TAKEN);
    line->price_variation_ppm = ORDER_ONE_PPM;
    line->total_minor = 0;
    assert_int_equal(reward_look(&plan, &reservation, &order), REWARD_TAKEN);
}

/* --- was it taken off again? --- */

/* --- points that pay --- */

static const struct reward ten_paid = {
    .id = 6, .title = "$10 paid", .effect = REWARD_PAY, .amount_minor = 1000};

static struct reservation paying(void)
{
    struct reservation pays = reservation;
    pays.pays_minor = ten_paid.amount_minor;
    return pays;
}

static void a_payment_has_the_mark_as_its_ref_and_no_notes(void **state)
{
    (void)state;
    const struct reservation pays = paying();
    struct reward_plan plan;
    make_order(&usual);
    memset(order.notes, 'n', sizeof(order.notes) - 1); /* it adds none */
    reward_plan_make(&ten_paid, &pays, &order, true, &plan);
    assert_int_equal(plan.step, STEP_POST_PAYMENT);
    assert_int_equal(plan.pays_minor, 1000);
    assert_true(strncmp(plan.ref, "CP-R", 4) == 0);
    assert_string_equal(plan.notes, "");
    assert_false(reward_is_applied(&pays, &order));
    assert_int_equal(reward_look(&plan, &pays, &order), REWARD_UNSEEN);
    order.payment_count = 1;
    memcpy(order.payments[0].ref, plan.ref, sizeof(plan.ref));
    assert_true(reward_is_applied(&pays, &order));
    assert_int_equal(reward_look(&plan, &pays, &order), REWARD_TAKEN);
    reward_plan_make(&ten_paid, &pays, &order, false, &plan); /* there before it is made */
    assert_int_equal(plan.step, STEP_NONE);
}

static void a_ref_is_ours_only_whole(void **state)
{
    (void)state;
    const struct reservation pays = paying();
    struct reward_plan plan;
    make_order(&usual);
    reward_plan_make(&ten_paid, &pays, &order, false, &plan);
    order.payment_count = 1;
    snprintf(order.payments[0].ref, sizeof(order.payments[0].ref), "%.60s1", plan.ref);
    assert_false(reward_is_applied(&pays, &order));
    snprintf(order.payments[0].ref, sizeof(order.payments[0].ref), "%.*s",
             (int)strlen(plan.ref) - 1, plan.ref);
    assert_false(reward_is_applied(&pays, &order));
    snprintf(order.notes, sizeof(order.notes), "%s", plan.ref); /* notes are no payment */
    assert_false(reward_is_applied(&pays, &order));
    order.paid_minor = 999;
    assert_int_equal(reward_look(&plan, &pays, &order), REWARD_UNSEEN);
    order.paid_minor = 1000;
    assert_int_equal(reward_look(&plan, &pays, &order), REWARD_TAKEN);
}

static void a_payment_of_more_than_is_due_is_refused_whole(void **state)
{
    (void)state;
    const struct reservation pays = paying();
    struct reward_plan plan;
    make_order(&usual);
    order.paid_minor = order.total_minor - 1000;
    reward_plan_make(&ten_paid, &pays, &order, false, &plan);
    assert_int_equal(plan.step, STEP_POST_PAYMENT);
    order.paid_minor++;
    reward_plan_make(&ten_paid, &pays, &order, false, &plan);
    assert_int_equal(plan.step, STEP_NONE);
    assert_non_null(plan.problem);
}

static void only_payments_can_hide_a_payment(void **state)
{
    (void)state;
    const struct reservation pays = paying();
    struct reward_plan plan;
    make_order(&usual);
    order.notes_are_cut = true;
    order.is_cut = true; /* lines */
    assert_false(reward_may_be_hidden(&pays, &order));
    order.payment_count = ORDER_PAYMENTS_MAX;
    assert_true(reward_may_be_hidden(&pays, &order));
    reward_plan_make(&ten_paid, &pays, &order, false, &plan);
    assert_int_equal(plan.step, STEP_NONE);
}

/* What was reserved is what was approved: a reward that was changed since pays nothing. */
static void what_was_reserved_is_paid_or_nothing(void **state)
{
    (void)state;
    struct reservation pays = paying();
    struct reward_plan plan;
    make_order(&usual);
    pays.pays_minor = 999;
    reward_plan_make(&ten_paid, &pays, &order, false, &plan);
    assert_int_equal(plan.step, STEP_NONE);
    reward_plan_make(&ten_paid, &reservation, &order, false, &plan);
    assert_int_equal(plan.step, STEP_NONE);
    reward_plan_make(&ten_off, &pays, &order, false, &plan);
    assert_int_equal(plan.step, STEP_NONE);
}

static void a_reward_is_gone_when_neither_mark_nor_discount_is_left(void **state)
{
    (void)state;
    make_order(&usual);
    assert_true(reward_is_gone(&reservation, &order));
    order.price_variation_ppm = ONE + 1; /* a surcharge */
    order.price_fixed_variation_minor = 1;
    order.lines[1].price_fixed_variation_minor = 1;
    assert_true(reward_is_gone(&reservation, &order));
    order.is_cut = true;
    assert_false(reward_is_gone(&reservation, &order));
    make_order(&usual);
    memcpy(order.lines[0].notes, "CP-R42-0f3a9c1b", sizeof("CP-R42-0f3a9c1b"));
    assert_false(reward_is_gone(&reservation, &order));
    make_order(&usual);
    order.price_variation_ppm = ONE - 1;
    assert_false(reward_is_gone(&reservation, &order));
    make_order(&usual);
    order.price_fixed_variation_minor = -1;
    assert_false(reward_is_gone(&reservation, &order));
    make_order(&usual);
    order.lines[1].price_variation_ppm = 0;
    assert_false(reward_is_gone(&reservation, &order));
    make_order(&usual);
    order.lines[1].price_fixed_variation_minor = -1;
    assert_false(reward_is_gone(&reservation, &order));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_effect_meets_each_kind_of_order),
        cmocka_unit_test(closed_deleted_and_refund_orders_are_left_alone),
        cmocka_unit_test(every_other_status_is_open),
        cmocka_unit_test(a_reward_that_makes_no_sense_is_refused),
        cmocka_unit_test(what_would_overflow_is_refused),
        cmocka_unit_test(lines_that_bear_no_discount_are_passed_over),
        cmocka_unit_test(notes_are_kept_and_the_mark_is_appended),
        cmocka_unit_test(a_title_that_looks_like_a_mark_is_left_out),
        cmocka_unit_test(notes_that_would_not_fit_are_refused),
        cmocka_unit_test(line_notes_that_would_not_fit_are_refused),
        cmocka_unit_test(an_order_that_was_not_read_whole_takes_no_line),
        cmocka_unit_test(the_mark_is_a_word_of_its_own),
        cmocka_unit_test(what_was_done_is_recognised_and_not_done_twice),
        cmocka_unit_test(marks_may_hide_in_what_was_cut),
        cmocka_unit_test(a_discount_of_the_order_is_seen_by_price_and_mark),
        cmocka_unit_test(a_discount_of_a_line_is_seen_on_that_line),
        cmocka_unit_test(a_product_is_taken_when_it_costs_nothing),
        cmocka_unit_test(a_reward_is_gone_when_neither_mark_nor_discount_is_left),
        cmocka_unit_test(a_payment_has_the_mark_as_its_ref_and_no_notes),
        cmocka_unit_test(a_ref_is_ours_only_whole),
        cmocka_unit_test(a_payment_of_more_than_is_due_is_refused_whole),
        cmocka_unit_test(only_payments_can_hide_a_payment),
        cmocka_unit_test(what_was_reserved_is_paid_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
