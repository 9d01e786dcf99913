/* What a reward does to an order, and whether it was done: pure, from one read of the order. */
#include "lightspeed/redeem.h"

#include "lightspeed/booking.h"

#include <string.h>

#include "base/banned.h"

#define MARK_MAX                                                                                   \
    (sizeof(REWARD_MARK) + 20 + 1 + REWARD_MARK_TOKEN_CHARS) /* an int64_t, '-' and a NUL */
#define ALL_BP 10000
/* Variations beyond 1000 times the price are nobody's discount or surcharge; below this no product
 * of one with ALL_BP overflows. */
#define VARIATION_MAX_PPM (INT64_C(1000) * ORDER_ONE_PPM)
/* Longer notes of a line may have lost their end when they were read. */
#define LINE_NOTES_MAX (sizeof(((struct order_line *)NULL)->notes) - 1)
#define UTF8_MAX 4

/* --- the mark --- */

static struct text mark_write(const struct reservation *reservation, char out[MARK_MAX])
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, out, MARK_MAX);
    text_append(&buffer, TEXT(REWARD_MARK));
    text_append_int64(&buffer, reservation->id);
    text_append_char(&buffer, '-');
    text_append(&buffer, (struct text){reservation->token_id,
                                       strnlen(reservation->token_id, REWARD_MARK_TOKEN_CHARS)});
    CHECK(!buffer.is_cut);
    return text_buffer_text(&buffer);
}

static bool is_word_character(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-';
}

/* As a whole word: CP-R4-0f3a9c1b is not in CP-R4-0f3a9c1bd. */
static bool notes_have_mark(const char *notes, struct text mark)
{
    for (const char *at = notes; (at = strstr(at, mark.base)) != NULL; at++)
        if ((at == notes || !is_word_character(at[-1])) && !is_word_character(at[mark.length]))
            return true;
    return false;
}

static bool payments_have_ref(const struct oseries_order *order, struct text ref)
{
    for (int32_t i = 0; i < order->payment_count; i++)
        if (text_equal(text_of(order->payments[i].ref), ref))
            return true;
    return false;
}

bool reward_is_applied(const struct reservation *reservation, const struct oseries_order *order)
{
    char bytes[MARK_MAX];
    struct text mark = mark_write(reservation, bytes);
    if (reservation->pays_minor != 0)
        return payments_have_ref(order, mark);
    if (notes_have_mark(order->notes, mark))
        return true;
    for (int32_t i = 0; i < order->line_count; i++)
        if (notes_have_mark(order->lines[i].notes, mark))
            return true;
    return false;
}

static bool line_notes_may_be_cut(const struct order_line *line)
{
    return strlen(line->notes) + UTF8_MAX > LINE_NOTES_MAX;
}

bool reward_may_be_hidden(const struct reservation *reservation, const struct oseries_order *order)
{
    if (reservation->pays_minor != 0)
        return order_payments_are_cut(order) ||
               payments_count_alike(order, reservation->pays_minor) > reservation->alike_before;
    if (order->notes_are_cut || order->is_cut)
        return true;
    for (int32_t i = 0; i < order->line_count; i++)
        if (line_notes_may_be_cut(&order->lines[i]))
            return true;
    return false;
}

static bool is_discount(int64_t variation_ppm, int64_t fixed_minor)
{
    return variation_ppm < ORDER_ONE_PPM || fixed_minor < 0;
}

/* Another value than the planned one is the API's rounding, or somebody else's: it was no ignoring.
 */
static bool is_changed(const struct reward_plan *plan, int64_t ppm, int64_t fixed_minor,
                       int64_t total_minor)
{
    return (plan->has_ppm && ppm != plan->old_ppm) ||
           (plan->has_fixed && fixed_minor != plan->old_fixed_minor) ||
           total_minor < plan->old_total_minor;
}

static bool line_is_changed(const struct reward_plan *plan, const struct order_line *line)
{
    if (plan->step == STEP_POST_LINE)
        return line->price_variation_ppm == plan->price_variation_ppm || line->total_minor <= 0;
    return is_changed(plan, line->price_variation_ppm, line->price_fixed_variation_minor,
                      line->total_minor);
}

/* Its numbers may change; the mark stays with it. */
static const struct order_line *find_marked_line(const struct oseries_order *order,
                                                 struct text mark)
{
    for (int32_t i = 0; i < order->line_count; i++)
        if (notes_have_mark(order->lines[i].notes, mark))
            return &order->lines[i];
    return NULL;
}

static const struct order_line *find_line(const struct oseries_order *order, int64_t number)
{
    for (int32_t i = 0; i < order->line_count; i++)
        if (order->lines[i].number == number)
            return &order->lines[i];
    return NULL;
}

enum reward_sight reward_look(const struct reward_plan *plan, const struct reservation *reservation,
                              const struct oseries_order *order)
{
    char bytes[MARK_MAX];
    struct text mark = mark_write(reservation, bytes);
    CHECK(plan->step != STEP_NONE);
    /* More was paid: an API that keeps no ref has taken it, too. */
    if (plan->step == STEP_POST_PAYMENT)
        return payments_have_ref(order, mark) ||
                       order->paid_minor - plan->old_paid_minor >= plan->pays_minor
                   ? REWARD_TAKEN
                   : REWARD_UNSEEN;
    if (plan->step == STEP_PUT_ORDER) {
        if (is_changed(plan, order->price_variation_ppm, order->price_fixed_variation_minor,
                       order->total_minor))
            return REWARD_TAKEN;
        return notes_have_mark(order->notes, mark) ? REWARD_IGNORED : REWARD_UNSEEN;
    }
    const struct order_line *marked = find_marked_line(order, mark);
    if (marked != NULL)
        return line_is_changed(plan, marked) ? REWARD_TAKEN : REWARD_IGNORED;
    const struct order_line *line =
        plan->step == STEP_PUT_LINE ? find_line(order, plan->line_number) : NULL;
    return line != NULL && line_is_changed(plan, line) ? REWARD_TAKEN : REWARD_UNSEEN;
}

bool order_has_discount(const struct oseries_order *order)
{
    bool has = is_discount(order->price_variation_ppm, order->price_fixed_variation_minor);
    for (int32_t i = 0; i < order->line_count && !has; i++)
        has = is_discount(order->lines[i].price_variation_ppm,
                          order->lines[i].price_fixed_variation_minor);
    return has;
}

bool reward_is_gone(const struct reservation *reservation, const struct oseries_order *order)
{
    return !reward_is_applied(reservation, order) && !reward_may_be_hidden(reservation, order) &&
           !order_has_discount(order);
}

/* --- one step --- */

static void refuse(struct reward_plan *plan, const char *problem)
{
    *plan = (struct reward_plan){.step = STEP_NONE, .problem = problem};
}

/* "Gold member; $10 off (CP-R42-0f3a9c1b)". A title that looks like a mark is left out, lest it is
 * taken for one. */
static bool write_notes(const struct reward *reward, const struct reservation *reservation,
                        const char *before, size_t length_max, struct reward_plan *plan)
{
    char bytes[MARK_MAX];
    struct text_buffer notes;
    CHECK(length_max < sizeof(plan->notes));
    text_buffer_init(&notes, plan->notes, length_max + 1);
    text_append(&notes, text_of(before));
    if (before[0] != '\0')
        text_append(&notes, TEXT("; "));
    bool is_plain = reward->title[0] != '\0' && strstr(reward->title, REWARD_MARK) == NULL;
    text_append(&notes, is_plain ? text_of(reward->title) : TEXT("Reward"));
    text_append(&notes, TEXT(" ("));
    text_append(&notes, mark_write(reservation, bytes));
    text_append_char(&notes, ')');
    return !notes.is_cut;
}

static void put_order(const struct reward *reward, const struct reservation *reservation,
                      const struct oseries_order *order, struct reward_plan *plan)
{
    plan->step = STEP_PUT_ORDER;
    plan->old_ppm = order->price_variation_ppm;
    plan->old_fixed_minor = order->price_fixed_variation_minor;
    plan->old_total_minor = order->total_minor;
    if (order->notes_are_cut ||
        !write_notes(reward, reservation, order->notes, ORDER_NOTES_MAX, plan))
        refuse(plan, "The order's notes are too long to add the reward. Shorten them");
}

static void put_order_amount(const struct reward *reward, const struct reservation *reservation,
                             const struct oseries_order *order, int64_t amount_minor,
                             struct reward_plan *plan)
{
    plan->has_fixed = true;
    if (!money_add(order->price_fixed_variation_minor, -amount_minor,
                   &plan->price_fixed_variation_minor))
        refuse(plan, "The order has a discount that cannot be added to");
    else
        put_order(reward, reservation, order, plan);
}

/* Never both kinds of variation on one line, none on one with options (protocol o-series 7.3). */
static bool line_can_bear(const struct order_line *line, int64_t amount_minor)
{
    return !line->has_options && line->quantity_milli > 0 && line->total_minor >= amount_minor &&
           line->price_variation_ppm == ORDER_ONE_PPM;
}

static const struct order_line *find_dearest(const struct oseries_order *order,
                                             int64_t amount_minor)
{
    const struct order_line *dearest = NULL;
    for (int32_t i = 0; i < order->line_count; i++) {
        const struct order_line *line = &order->lines[i];
        if (line_can_bear(line, amount_minor) &&
            (dearest == NULL || line->total_minor > dearest->total_minor))
            dearest = line;
    }
    return dearest;
}

static int64_t due_minor_of(const struct oseries_order *order)
{
    int64_t due_minor;
    return money_add(order->total_minor, -order->paid_minor, &due_minor) ? due_minor : 0;
}

/* What a line must give so that the order, whose factor shrinks it, gives amount_minor: rounded for
 * the customer, but not below what is left to pay. 0: there is no such amount. */
static int64_t line_amount_minor(const struct oseries_order *order, int64_t amount_minor)
{
    int64_t ppm = order->price_variation_ppm;
    if (ppm <= 0 || ppm > VARIATION_MAX_PPM)
        return 0;
    /* 10^15 minor units times 10^9 need 80 bits. */
    unsigned __int128 scaled = (unsigned __int128)(uint64_t)amount_minor * ORDER_ONE_PPM;
    unsigned __int128 line_minor = (scaled + (uint64_t)ppm - 1) / (uint64_t)ppm;
    unsigned __int128 due_scaled = (unsigned __int128)(uint64_t)due_minor_of(order) * ORDER_ONE_PPM;
    if (line_minor > MONEY_MAX_MINOR)
        return 0;
    if (line_minor * (uint64_t)ppm > due_scaled)
        line_minor--;
    return (int64_t)line_minor;
}

static void put_line(const struct reward *reward, const struct reservation *reservation,
                     const struct oseries_order *order, int64_t amount_minor,
                     struct reward_plan *plan)
{
    int64_t line_minor = line_amount_minor(order, amount_minor);
    const struct order_line *line = find_dearest(order, line_minor);
    if (order->is_cut) {
        refuse(plan, "The order has too many lines for this reward");
    } else if (line_minor <= 0) {
        refuse(plan, "The order has a discount that cannot be added to");
    } else if (line == NULL) {
        refuse(plan, "No single item of the order can take this discount");
    } else if (line_notes_may_be_cut(line)) {
        refuse(plan, "An item's notes are too long to add the reward. Shorten them");
    } else if (!money_add(line->price_fixed_variation_minor, -line_minor,
                          &plan->price_fixed_variation_minor)) {
        refuse(plan, "The item has a discount that cannot be added to");
    } else {
        plan->step = STEP_PUT_LINE;
        plan->line_number = line->number;
        plan->has_fixed = true;
        plan->old_ppm = line->price_variation_ppm;
        plan->old_fixed_minor = line->price_fixed_variation_minor;
        plan->old_total_minor = line->total_minor;
        if (!write_notes(reward, reservation, line->notes, LINE_NOTES_MAX - UTF8_MAX, plan))
            refuse(plan, "An item's notes are too long to add the reward. Shorten them");
    }
}

/* --- the effects --- */

static void plan_amount(const struct reward *reward, const struct reservation *reservation,
                        const struct oseries_order *order, int64_t amount_minor, bool is_on_line,
                        struct reward_plan *plan)
{
    if (amount_minor <= 0)
        refuse(plan, "This reward comes to nothing on this order");
    else if (amount_minor > due_minor_of(order))
        refuse(plan, "Less is left to pay on this order than the reward is worth");
    else if (is_on_line)
        put_line(reward, reservation, order, amount_minor, plan);
    else
        put_order_amount(reward, reservation, order, amount_minor, plan);
}

/* amount * bp / 10000, rounded down, without overflow. */
static int64_t share_minor(int64_t amount_minor, int32_t bp)
{
    return amount_minor / ALL_BP * bp + amount_minor % ALL_BP * bp / ALL_BP;
}

/* Of what the order comes to now: a second reward takes its percentage of the rest. A fraction of a
 * millionth is rounded towards the price. */
static void plan_percent(const struct reward *reward, const struct reservation *reservation,
                         const struct oseries_order *order, bool discount_is_on_line,
                         struct reward_plan *plan)
{
    bool has_fixed = order->price_fixed_variation_minor != 0;
    int64_t ppm = order->price_variation_ppm;
    int64_t amount_minor = share_minor(order->total_minor, reward->percent_bp);
    bool is_on_line = discount_is_on_line || ppm < 0 || ppm > VARIATION_MAX_PPM ||
                      (has_fixed && ppm != ORDER_ONE_PPM);
    plan_amount(reward, reservation, order, amount_minor, is_on_line, plan);
    if (plan->step != STEP_PUT_ORDER || has_fixed)
        return;
    plan->has_fixed = false;
    plan->price_fixed_variation_minor = 0;
    plan->has_ppm = true;
    plan->price_variation_ppm = (ppm * (ALL_BP - reward->percent_bp) + ALL_BP - 1) / ALL_BP;
}

static void plan_product(const struct reward *reward, const struct reservation *reservation,
                         const struct oseries_order *order, struct reward_plan *plan)
{
    plan->step = STEP_POST_LINE;
    plan->product_id = reward->product_id;
    plan->has_ppm = true;
    plan->price_variation_ppm = 0;
    bool is_sound = write_notes(reward, reservation, "", LINE_NOTES_MAX - UTF8_MAX, plan);
    CHECK(is_sound); /* a title and a mark are shorter than the notes of a line */
    if (order->is_cut || order->line_count == ORDER_LINES_MAX)
        refuse(plan, "The order has too many lines for this reward");
}

static void plan_pay(const struct reservation *reservation, const struct oseries_order *order,
                     struct reward_plan *plan)
{
    _Static_assert(MARK_MAX <= sizeof(plan->ref), "a mark fits a ref");
    plan->step = STEP_POST_PAYMENT;
    plan->pays_minor = reservation->pays_minor;
    plan->old_paid_minor = order->paid_minor;
    plan->alike_before = payments_count_alike(order, reservation->pays_minor);
    (void)mark_write(reservation, plan->ref);
    if (reservation->pays_minor > due_minor_of(order))
        refuse(plan, "Less is left to pay on this order than the reward is worth");
    else if (order_payments_are_cut(order))
        refuse(plan, "The order has too many payments for this reward");
}

static bool reward_is_sound(const struct reward *reward)
{
    switch (reward->effect) {
    case REWARD_MONEY_OFF:
    case REWARD_PAY:
        return reward->amount_minor > 0 && reward->amount_minor <= MONEY_MAX_MINOR;
    case REWARD_PERCENT_OFF:
        return reward->percent_bp > 0 && reward->percent_bp <= ALL_BP;
    case REWARD_PRODUCT:
        return reward->product_id > 0;
    }
    return false;
}

/* What was reserved to pay is paid, and no other amount and no discount in its place. */
static bool is_as_reserved(const struct reward *reward, const struct reservation *reservation)
{
    int64_t pays_minor = reward->effect == REWARD_PAY ? reward->amount_minor : 0;
    return reservation->pays_minor == pays_minor;
}

static const char *find_problem(const struct reward *reward, const struct reservation *reservation,
                                const struct oseries_order *order)
{
    if (order->is_deleted)
        return "The order was deleted";
    if (order->status == ORDER_COMPLETE || order->status == ORDER_REJECTED)
        return "The order is closed. Open the sale, then redeem";
    if (order->is_refund)
        return "A reward cannot be put on a refund";
    return reward_is_sound(reward) && is_as_reserved(reward, reservation)
               ? NULL
               : "This reward is not set up correctly. Ask the manager";
}

void reward_plan_make(const struct reward *reward, const struct reservation *reservation,
                      const struct oseries_order *order, bool discount_is_on_line,
                      struct reward_plan *plan)
{
    *plan = (struct reward_plan){.step = STEP_NONE};
    const char *problem = find_problem(reward, reservation, order);
    if (problem == NULL && reward_is_applied(reservation, order))
        problem = "The sale has this reward's mark already. Look the member up again";
    if (problem != NULL) {
        refuse(plan, problem);
        return;
    }
    switch (reward->effect) {
    case REWARD_MONEY_OFF:
        plan_amount(reward, reservation, order, reward->amount_minor,
                    discount_is_on_line || order->price_variation_ppm != ORDER_ONE_PPM, plan);
        break;
    case REWARD_PERCENT_OFF:
        plan_percent(reward, reservation, order, discount_is_on_line, plan);
        break;
    case REWARD_PRODUCT:
        plan_product(reward, reservation, order, plan);
        break;
    case REWARD_PAY:
        plan_pay(reservation, order, plan);
        break;
    }
}
