/* Reads orders and lines from JSON, and refuses what the real API refuses. */
#include "mocks/lightspeed/order_json.h"

#include "base/error.h"
#include "mocks/lightspeed/decimal.h"
#include "mocks/lightspeed/field.h"

#include <string.h>

#include "base/banned.h"

#define VALUE_NOT_GIVEN INT64_MIN

/* --- variations */

bool order_read_variation(const struct jread *json, int exponent, struct variation *variation,
                          struct answer *answer)
{
    static const struct field FIELDS[] = {
        FIELD_OF(struct variation, coefficient, "price_variation", FIELD_DECIMAL),
        FIELD_OF(struct variation, fixed_minor, "price_fixed_variation", FIELD_MONEY)};
    struct variation given = {.coefficient = VALUE_NOT_GIVEN, .fixed_minor = VALUE_NOT_GIVEN};
    if (!fields_read(FIELDS, COUNT_OF(FIELDS), exponent, true, json, &given, answer))
        return false;
    bool has_coefficient = given.coefficient != VALUE_NOT_GIVEN;
    bool has_fixed = given.fixed_minor != VALUE_NOT_GIVEN;
    if (has_coefficient && has_fixed) {
        answer_bad(answer,
                   "price_variation and price_fixed_variation cannot be used at the same time.");
        return false;
    }
    if (has_coefficient && (given.coefficient < 0 || given.coefficient > VARIATION_MAX)) {
        answer_bad(answer, "price_variation: a coefficient from 0 to 10 wanted.");
        return false;
    }
    if (has_coefficient)
        *variation = (struct variation){.coefficient = given.coefficient};
    if (has_fixed)
        *variation =
            (struct variation){.coefficient = DECIMAL_ONE, .fixed_minor = given.fixed_minor};
    return true;
}

/* --- the header */

static const struct field HEADER[] = {
    FIELD_OF_INT(struct order, site_id, "site_id", 1, INT64_MAX, false),
    FIELD_OF_INT(struct order, register_id, "register_id", 0, INT64_MAX, false),
    FIELD_OF_INT(struct order, customer_id, "customer_id", 0, INT64_MAX, false),
    FIELD_OF_TEXT(struct order, sale_number, "sale_number", false),
    FIELD_OF_TEXT(struct order, order_type, "order_type", false),
    FIELD_OF_TEXT(struct order, notes, "notes", false),
    FIELD_OF_INT(struct order, guests, "guests", 0, 10000, false),
    FIELD_OF(struct order, price_limit_minor, "price_limit", FIELD_MONEY),
    FIELD_OF_TEXT(struct order, callback_uri, "callback_uri", false),
    FIELD_OF(struct order, is_complete_when_paid, "complete_when_paid", FIELD_BOOL),
    FIELD_OF(struct order, is_pass_thru_printing, "pass_thru_printing", FIELD_BOOL),
    FIELD_OF_TEXT(struct order, placed_at, "placed_at", false),
    FIELD_OF_TEXT(struct order, fulfil_at, "fulfil_at", false),
};

static bool read_locks(const struct jread *json, struct order *order, struct answer *answer)
{
    const struct jread *locks = jread_member(json, "lock");
    if (locks == NULL)
        return true;
    size_t count = jread_count(locks);
    bool is_good = jread_kind_of(locks) == JREAD_ARRAY && count <= LOCKS_MAX;
    for (size_t i = 0; is_good && i < count; i++) {
        struct text name;
        is_good = jread_text(jread_element(locks, i), &name) == 0 &&
                  name.length < sizeof(order->locks[i]);
        if (!is_good)
            break;
        struct text_buffer buffer;
        text_buffer_init(&buffer, order->locks[i], sizeof(order->locks[i]));
        text_append(&buffer, name);
    }
    if (!is_good) {
        answer_bad(answer, "lock: a list of at most 8 words wanted.");
        return false;
    }
    order->lock_count = count;
    return true;
}

static bool order_places_exist(const struct cloud *cloud, const struct order *order,
                               struct answer *answer)
{
    int64_t company_id = order->company_id;
    if (cloud_site(cloud, company_id, order->site_id) == NULL)
        answer_bad(answer, "site_id: no such site of this company.");
    else if (order->register_id != 0 && cloud_till(cloud, company_id, order->register_id) == NULL)
        answer_bad(answer, "register_id: no such register of this company.");
    else if (order->customer_id != 0 &&
             cloud_customer(cloud, company_id, order->customer_id) == NULL)
        answer_bad(answer, "customer_id: no such customer of this company.");
    else
        return true;
    return false;
}

bool order_read_header(const struct cloud *cloud, const struct jread *json, struct order *order,
                       struct answer *answer)
{
    int exponent = cloud_company(cloud, order->company_id)->currency.exponent;
    return fields_read(HEADER, COUNT_OF(HEADER), exponent, true, json, order, answer) &&
           read_locks(json, order, answer) &&
           order_read_variation(json, exponent, &order->variation, answer) &&
           order_places_exist(cloud, order, answer);
}

bool order_read_status(const struct jread *json, enum order_status *status, struct answer *answer)
{
    const struct jread *value = jread_member(json, "status");
    struct text name;
    if (value == NULL || (jread_text(value, &name) == 0 && order_status_find(name, status)))
        return true;
    answer_bad(answer, "status: SUBMITTED, ON_HOLD, PENDING, ACCEPTED, REJECTED or COMPLETE "
                       "wanted.");
    return false;
}

/* --- lines */

/* What a line in JSON may say about its product and price. */
struct line_wish {
    int64_t product_id;
    int64_t quantity_millionths;
    int64_t unit_price;
    int64_t unit_price_inc_tax;
};

static const struct field WISH[] = {
    FIELD_OF_INT(struct line_wish, product_id, "product_id", 1, INT64_MAX, false),
    FIELD_OF(struct line_wish, quantity_millionths, "quantity", FIELD_DECIMAL),
    FIELD_OF(struct line_wish, unit_price, "unit_price", FIELD_DECIMAL),
    FIELD_OF(struct line_wish, unit_price_inc_tax, "unit_price_inc_tax", FIELD_DECIMAL),
};

static bool line_apply_product(const struct cloud *cloud, const struct order *order,
                               const struct line_wish *wish, bool is_new, struct line *line,
                               struct answer *answer)
{
    if (wish->product_id == VALUE_NOT_GIVEN && !is_new)
        return true;
    if (wish->product_id == VALUE_NOT_GIVEN) {
        answer_bad(answer, "product_id is required.");
        return false;
    }
    const struct product *product = cloud_product(cloud, order->company_id, wish->product_id);
    if (product == NULL) {
        answer_bad(answer, "product_id: no such product of this company.");
        return false;
    }
    line->product_id = product->id;
    line->unit_millionths = product->price_millionths;
    line->tax_rate_millionths = product->tax_rate_millionths;
    return true;
}

/* unit_price is without tax and goes first (protocol o-series 7.3). */
static bool line_apply_price(const struct line_wish *wish, struct line *line, struct answer *answer)
{
    int64_t price = line->unit_millionths;
    if (wish->unit_price != VALUE_NOT_GIVEN)
        price =
            decimal_scale(wish->unit_price, DECIMAL_ONE + line->tax_rate_millionths, DECIMAL_ONE);
    else if (wish->unit_price_inc_tax != VALUE_NOT_GIVEN)
        price = wish->unit_price_inc_tax;
    if (price < 0 || price > PRICE_MAX) {
        answer_bad(answer, "unit_price: from 0 to 100000 wanted.");
        return false;
    }
    line->unit_millionths = price;
    return true;
}

static bool line_apply_quantity(const struct order *order, const struct line_wish *wish,
                                struct line *line, struct answer *answer)
{
    if (wish->quantity_millionths == VALUE_NOT_GIVEN)
        return true;
    int64_t quantity = decimal_scale(wish->quantity_millionths, QUANTITY_ONE, DECIMAL_ONE);
    bool has_sign = order->is_refund ? quantity < 0 : quantity > 0;
    if (!has_sign || quantity > QUANTITY_MAX || quantity < -QUANTITY_MAX) {
        answer_bad(answer, "quantity: above 0 and at most 1000 wanted (below 0 on a refund).");
        return false;
    }
    line->quantity = quantity;
    return true;
}

/* A new list of modifiers replaces the old one. Negative ids leave something out, at no price. */
static bool line_apply_modifiers(const struct cloud *cloud, const struct order *order,
                                 const struct jread *list, struct line *line, struct answer *answer)
{
    size_t count = jread_count(list);
    bool is_good = jread_kind_of(list) == JREAD_ARRAY && count <= LINE_MODIFIERS_MAX;
    int64_t price = 0;
    for (size_t i = 0; is_good && i < count; i++) {
        int64_t id = 0;
        is_good = jread_int64(jread_element(list, i), &id) == 0 && id > INT64_MIN;
        const struct product *product =
            is_good ? cloud_product(cloud, order->company_id, id < 0 ? -id : id) : NULL;
        is_good = product != NULL;
        line->modifiers[i] = id;
        price += is_good && id > 0 ? product->price_millionths : 0;
    }
    if (!is_good) {
        answer_bad(answer, "modifiers: a list of at most 16 products of this company wanted.");
        return false;
    }
    line->modifier_count = count;
    line->modifiers_millionths = price;
    return true;
}

static bool line_apply_options(const struct cloud *cloud, const struct order *order,
                               const struct jread *json, struct line *line, struct answer *answer)
{
    const struct jread *modifiers = jread_member(json, "modifiers");
    const struct jread *sets = jread_member(json, "option_sets");
    bool has_sets = jread_count(sets) > 0;
    if (has_sets && jread_count(modifiers) > 0) {
        answer_bad(answer, "modifiers and option_sets cannot be used at the same time.");
        return false;
    }
    if (sets != NULL) {
        struct text_buffer buffer;
        struct jwrite writer;
        text_buffer_init(&buffer, line->option_sets_json, sizeof(line->option_sets_json));
        jwrite_init(&writer, &buffer);
        if (has_sets)
            jwrite_copy(&writer, sets);
        if (buffer.is_cut || jread_kind_of(sets) != JREAD_ARRAY) {
            answer_bad(answer, "option_sets: a list of at most 1023 bytes wanted.");
            return false;
        }
    }
    return modifiers == NULL || line_apply_modifiers(cloud, order, modifiers, line, answer);
}

static bool line_apply_variation(const struct jread *json, int exponent, struct line *line,
                                 struct answer *answer)
{
    if (!order_read_variation(json, exponent, &line->variation, answer))
        return false;
    bool is_varied = line->variation.coefficient != DECIMAL_ONE || line->variation.fixed_minor != 0;
    if (line->option_sets_json[0] == '\0' || !is_varied)
        return true;
    answer_bad(answer, "A line with option_sets takes no price variation.");
    return false;
}

/* protocol o-series 7.3: refused while the order is one that the kitchen sees. */
static bool line_is_in_stock(const struct cloud *cloud, const struct order *order,
                             const struct line *line, struct answer *answer)
{
    const struct product *product = cloud_product(cloud, order->company_id, line->product_id);
    bool is_checked = order->status == ORDER_ON_HOLD || order->status == ORDER_PENDING ||
                      order->status == ORDER_COMPLETE;
    if (!is_checked || product == NULL || product->stock == NO_STOCK ||
        line->quantity <= product->stock * QUANTITY_ONE)
        return true;
    answer_error(answer, 400, "out_of_stock", "Product (%lld) is out of stock.",
                 (long long)product->id);
    return false;
}

/* Unique within its order, and only there (protocol o-series 7.3). */
static void line_choose_id(struct cloud *cloud, const struct order *order, struct line *line)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    bool is_taken = true;
    while (is_taken) {
        uint8_t bytes[LINE_ID_CHARS];
        cloud->random.fill(cloud->random.context, bytes, sizeof(bytes));
        for (size_t i = 0; i < LINE_ID_CHARS; i++)
            line->line_id[i] = letters[bytes[i] % (sizeof(letters) - 1)];
        is_taken = false;
        for (size_t i = 0; i < order->line_count; i++)
            is_taken |= strcmp(order->lines[i].line_id, line->line_id) == 0;
    }
}

bool order_read_line(struct cloud *cloud, const struct order *order, const struct jread *json,
                     bool is_new, struct line *line, struct answer *answer)
{
    static const struct field NOTES[] = {FIELD_OF_TEXT(struct line, notes, "notes", false)};
    int exponent = cloud_company(cloud, order->company_id)->currency.exponent;
    struct line_wish wish = {VALUE_NOT_GIVEN, VALUE_NOT_GIVEN, VALUE_NOT_GIVEN, VALUE_NOT_GIVEN};
    if (is_new) {
        *line = (struct line){.quantity = order->is_refund ? -QUANTITY_ONE : QUANTITY_ONE,
                              .variation = {.coefficient = DECIMAL_ONE}};
        line_choose_id(cloud, order, line);
    }
    return fields_read(WISH, COUNT_OF(WISH), exponent, true, json, &wish, answer) &&
           fields_read(NOTES, COUNT_OF(NOTES), exponent, true, json, line, answer) &&
           line_apply_product(cloud, order, &wish, is_new, line, answer) &&
           line_apply_price(&wish, line, answer) &&
           line_apply_quantity(order, &wish, line, answer) &&
           line_apply_options(cloud, order, json, line, answer) &&
           line_apply_variation(json, exponent, line, answer) &&
           line_is_in_stock(cloud, order, line, answer);
}

/* An optional number says before which line it goes (protocol o-series 7.3). */
static bool order_place_line(struct order *order, const struct jread *json, const struct line *line,
                             struct answer *answer)
{
    const struct jread *value = jread_member(json, "number");
    int64_t number = (int64_t)order->line_count + 1;
    if (value != NULL && (jread_int64(value, &number) != 0 || number < 1)) {
        answer_bad(answer, "number: a position from 1 on wanted.");
        return false;
    }
    size_t index = (size_t)number - 1;
    if (index > order->line_count)
        index = order->line_count;
    if (order_insert_line(order, index, line))
        return true;
    answer_error(answer, 400, "bad_request", "An order has at most %d lines.", ORDER_LINES_MAX);
    return false;
}

bool order_read_lines(struct cloud *cloud, const struct jread *json, struct order *order,
                      struct answer *answer)
{
    const struct jread *list =
        jread_kind_of(json) == JREAD_ARRAY ? json : jread_member(json, "lines");
    bool is_list = jread_kind_of(list) == JREAD_ARRAY;
    size_t count = is_list ? jread_count(list) : 1;
    for (size_t i = 0; i < count; i++) {
        const struct jread *one = is_list ? jread_element(list, i) : json;
        struct line line;
        if (jread_kind_of(one) != JREAD_OBJECT) {
            answer_bad(answer, "lines: objects wanted.");
            return false;
        }
        if (!order_read_line(cloud, order, one, true, &line, answer) ||
            !order_place_line(order, one, &line, answer))
            return false;
    }
    return true;
}
