/* Reads an order of the API into a struct: what is missing has its usual value, what is there and
 * makes no sense is refused. */
#include "base/error.h"
#include "lightspeed/decimal.h"
#include "lightspeed/oseries_api.h"

#include <string.h>

#include "base/banned.h"

#define PPM_PLACES 6
#define MILLI_PLACES 3
/* The API computes in binary: sums of parts are made before they are rounded to the currency. */
#define MONEY_PLACES DECIMAL_PLACES_MAX

/* Goes from field to field; after the first fault nothing more is read. */
struct order_reader {
    int exponent;
    bool is_bad;
};

/* --- values ----------------------------------------------------------------------------------- */

static bool is_missing(const struct jread *value)
{
    return jread_kind_of(value) == JREAD_NULL;
}

/* PHP writes a list that has lost its first element as an object. */
static const struct jread *item_at(const struct jread *list, size_t index)
{
    struct text name;
    if (jread_kind_of(list) == JREAD_OBJECT)
        return jread_member_at(list, index, &name);
    return jread_element(list, index);
}

static int64_t read_id(struct order_reader *reader, const struct jread *value)
{
    int64_t id = 0;
    if (is_missing(value))
        return 0;
    if (jread_int64(value, &id) != 0 || id < 0)
        reader->is_bad = true;
    return id;
}

/* "product":{"id":7} or "product_id":7; null for none. */
static int64_t read_reference(struct order_reader *reader, const struct jread *record,
                              const char *object, const char *id)
{
    const struct jread *inner = jread_member(record, object);
    if (is_missing(inner))
        return read_id(reader, jread_member(record, id));
    if (jread_kind_of(inner) != JREAD_OBJECT)
        return read_id(reader, inner);
    return read_id(reader, jread_member(inner, "id"));
}

static int64_t read_decimal(struct order_reader *reader, const struct jread *value, int places,
                            int64_t otherwise)
{
    struct text text;
    int64_t number = otherwise;
    if (is_missing(value))
        return otherwise;
    if (jread_scalar(value, &text) != 0 || decimal_parse(text_trim(text), places, &number) != 0)
        reader->is_bad = true;
    return number;
}

static int64_t to_minor(struct order_reader *reader, int64_t amount)
{
    int64_t minor = decimal_round(amount, MONEY_PLACES, reader->exponent);
    if (amount > DECIMAL_MAX || amount < -DECIMAL_MAX || minor > MONEY_MAX_MINOR ||
        minor < -MONEY_MAX_MINOR)
        reader->is_bad = true;
    return minor;
}

static int64_t read_money(struct order_reader *reader, const struct jread *value)
{
    return to_minor(reader, read_decimal(reader, value, MONEY_PLACES, 0));
}

static bool read_flag(struct order_reader *reader, const struct jread *value)
{
    bool flag = false;
    int64_t number;
    if (is_missing(value) || jread_bool(value, &flag) == 0)
        return flag;
    if (jread_int64(value, &number) != 0 || number < 0 || number > 1)
        reader->is_bad = true;
    return !reader->is_bad && number == 1;
}

/* What is no text is no reason to refuse an order: it is as if it were cut away. */
static bool read_text(const struct jread *value, char *out, size_t capacity)
{
    struct text text = {NULL, 0};
    bool is_whole = is_missing(value) || jread_scalar(value, &text) == 0;
    return text_copy_utf8(out, capacity, text) && is_whole;
}

/* --- parts of an order ------------------------------------------------------------------------ */

static enum order_status read_status(const struct jread *value)
{
    static const char *const words[ORDER_OTHER] = {
        [ORDER_SUBMITTED] = "SUBMITTED", [ORDER_ON_HOLD] = "ON_HOLD",
        [ORDER_PENDING] = "PENDING",     [ORDER_ACCEPTED] = "ACCEPTED",
        [ORDER_REJECTED] = "REJECTED",   [ORDER_COMPLETE] = "COMPLETE",
    };
    struct text text;
    if (jread_text(value, &text) != 0)
        return ORDER_OTHER;
    for (int status = 0; status < ORDER_OTHER; status++)
        if (text_equal_nocase(text, text_of(words[status])))
            return (enum order_status)status;
    return ORDER_OTHER;
}

static bool line_has_options(struct order_reader *reader, const struct jread *json)
{
    return jread_count(jread_member(json, "option_sets")) > 0 ||
           read_flag(reader, jread_member(json, "part_of_option_set"));
}

static void read_line(struct order_reader *reader, const struct jread *json,
                      struct order_line *line)
{
    int64_t ex_tax = read_decimal(reader, jread_member(json, "line_total_ex_tax"), MONEY_PLACES, 0);
    int64_t tax = read_decimal(reader, jread_member(json, "line_total_tax"), MONEY_PLACES, 0);
    line->product_id = read_reference(reader, json, "product", "product_id");
    line->quantity_milli = read_decimal(reader, jread_member(json, "quantity"), MILLI_PLACES, 1000);
    line->total_minor = to_minor(reader, ex_tax + tax);
    line->price_variation_ppm =
        read_decimal(reader, jread_member(json, "price_variation"), PPM_PLACES, ORDER_ONE_PPM);
    line->price_fixed_variation_minor =
        read_money(reader, jread_member(json, "price_fixed_variation"));
    line->has_options = line_has_options(reader, json);
    (void)read_text(jread_member(json, "notes"), line->notes, sizeof(line->notes));
}

static void read_payment(struct order_reader *reader, const struct jread *json,
                         struct order_payment *payment)
{
    if (is_missing(jread_member(json, "amount")))
        reader->is_bad = true; /* a payment of nothing we know */
    payment->method_id = read_reference(reader, json, "method", "method_id");
    payment->amount_minor = read_money(reader, jread_member(json, "amount"));
    (void)read_text(jread_member(json, "ref"), payment->ref, sizeof(payment->ref));
}

/* Lines and payments are numbered from 1 in the order. */
static int64_t read_number(struct order_reader *reader, const struct jread *json, int32_t index)
{
    int64_t number = read_id(reader, jread_member(json, "number"));
    return number == 0 ? index + 1 : number;
}

static int32_t list_count(struct order_reader *reader, struct oseries_order *order,
                          const struct jread *list, int32_t count_max)
{
    enum jread_kind kind = jread_kind_of(list);
    size_t count = jread_count(list);
    if (kind != JREAD_NULL && kind != JREAD_ARRAY && kind != JREAD_OBJECT)
        reader->is_bad = true;
    if (count <= (size_t)count_max)
        return (int32_t)count;
    order->is_cut = true;
    return count_max;
}

static void read_lists(struct order_reader *reader, const struct jread *json,
                       struct oseries_order *order)
{
    const struct jread *lines = jread_member(json, "lines");
    const struct jread *payments = jread_member(json, "payments");
    order->line_count = list_count(reader, order, lines, ORDER_LINES_MAX);
    order->payment_count = list_count(reader, order, payments, ORDER_PAYMENTS_MAX);
    for (int32_t i = 0; i < order->line_count && !reader->is_bad; i++) {
        const struct jread *each = item_at(lines, (size_t)i);
        reader->is_bad |= jread_kind_of(each) != JREAD_OBJECT;
        order->lines[i].number = read_number(reader, each, i);
        read_line(reader, each, &order->lines[i]);
    }
    for (int32_t i = 0; i < order->payment_count && !reader->is_bad; i++) {
        const struct jread *each = item_at(payments, (size_t)i);
        reader->is_bad |= jread_kind_of(each) != JREAD_OBJECT;
        order->payments[i].number = read_number(reader, each, i);
        read_payment(reader, each, &order->payments[i]);
    }
}

/* The twin id_str is exact where a reader of binary fractions would have bent the id. */
static int64_t read_order_id(struct order_reader *reader, const struct jread *json)
{
    const struct jread *twin = jread_member(json, "id_str");
    int64_t id = read_id(reader, is_missing(twin) ? jread_member(json, "id") : twin);
    reader->is_bad |= id == 0;
    return id;
}

static void read_sums(struct order_reader *reader, const struct jread *json,
                      struct oseries_order *order)
{
    order->total_minor = read_money(reader, jread_member(json, "total"));
    order->paid_minor = read_money(reader, jread_member(json, "paid"));
    order->price_variation_ppm =
        read_decimal(reader, jread_member(json, "price_variation"), PPM_PLACES, ORDER_ONE_PPM);
    order->price_fixed_variation_minor =
        read_money(reader, jread_member(json, "price_fixed_variation"));
}

int oseries_order_read(const struct jread *json, int exponent, struct oseries_order *order)
{
    struct order_reader reader = {.exponent = exponent};
    memset(order, 0, sizeof(*order));
    if (jread_kind_of(json) != JREAD_OBJECT)
        return ERR_BAD_REPLY;
    order->id = read_order_id(&reader, json);
    order->status = read_status(jread_member(json, "status"));
    order->is_deleted = read_flag(&reader, jread_member(json, "deleted"));
    order->site_id = read_reference(&reader, json, "site", "site_id");
    order->register_id = read_reference(&reader, json, "register", "register_id");
    order->customer_id = read_reference(&reader, json, "customer", "customer_id");
    order->is_refund = read_flag(&reader, jread_member(json, "is_refund"));
    order->refunded_order_id = read_id(&reader, jread_member(json, "refunded_order_id"));
    order->notes_are_cut =
        !read_text(jread_member(json, "notes"), order->notes, sizeof(order->notes));
    (void)read_text(jread_member(json, "updated_at"), order->updated_at, sizeof(order->updated_at));
    read_sums(&reader, json, order);
    read_lists(&reader, json, order);
    return reader.is_bad ? ERR_BAD_REPLY : 0;
}

int order_brief_read(const struct jread *json, int exponent, struct order_brief *order)
{
    struct order_reader reader = {.exponent = exponent};
    *order = (struct order_brief){0};
    if (jread_kind_of(json) != JREAD_OBJECT)
        return ERR_BAD_REPLY;
    order->id = read_order_id(&reader, json);
    order->status = read_status(jread_member(json, "status"));
    order->is_deleted = read_flag(&reader, jread_member(json, "deleted"));
    order->site_id = read_reference(&reader, json, "site", "site_id");
    order->is_refund = read_flag(&reader, jread_member(json, "is_refund"));
    order->refunded_order_id = read_id(&reader, jread_member(json, "refunded_order_id"));
    order->total_minor = read_money(&reader, jread_member(json, "total"));
    order->paid_minor = read_money(&reader, jread_member(json, "paid"));
    (void)read_text(jread_member(json, "updated_at"), order->updated_at, sizeof(order->updated_at));
    return reader.is_bad ? ERR_BAD_REPLY : 0;
}
