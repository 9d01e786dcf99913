/* Shows orders as JSON, whole or abridged. */
#include "mocks/lightspeed/order_json.h"

#include "mocks/lightspeed/decimal.h"

#include "base/banned.h"

static void write_money(struct jwrite *writer, const char *name, int64_t amount_minor, int exponent)
{
    char digits[MONEY_TEXT_MAX];
    struct text_buffer buffer;
    text_buffer_init(&buffer, digits, sizeof(digits));
    money_append(&buffer, amount_minor, exponent);
    jwrite_key(writer, text_of(name));
    jwrite_raw(writer, text_buffer_text(&buffer));
}

static void write_decimal(struct jwrite *writer, const char *name, int64_t millionths, int places)
{
    char digits[MONEY_TEXT_MAX];
    struct text_buffer buffer;
    text_buffer_init(&buffer, digits, sizeof(digits));
    decimal_append(&buffer, millionths, places);
    jwrite_key(writer, text_of(name));
    jwrite_raw(writer, text_buffer_text(&buffer));
}

static void write_text_or_null(struct jwrite *writer, const char *name, const char *value)
{
    jwrite_key(writer, text_of(name));
    if (value[0] == '\0')
        jwrite_null(writer);
    else
        jwrite_text(writer, text_of(value));
}

static void write_raw_or(struct jwrite *writer, const char *name, const char *json,
                         struct text otherwise)
{
    jwrite_key(writer, text_of(name));
    jwrite_raw(writer, json[0] == '\0' ? otherwise : text_of(json));
}

static void write_variation(struct jwrite *writer, const struct variation *variation, int exponent)
{
    write_decimal(writer, "price_variation", variation->coefficient, DECIMAL_PLACES);
    write_money(writer, "price_fixed_variation", variation->fixed_minor, exponent);
}

static int exponent_of(const struct cloud *cloud, const struct order *order)
{
    return cloud_company(cloud, order->company_id)->currency.exponent;
}

static void write_line_product(const struct cloud *cloud, const struct order *order,
                               const struct line *line, struct jwrite *writer)
{
    const struct product *product = cloud_product(cloud, order->company_id, line->product_id);
    jwrite_key(writer, TEXT("product"));
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "id", line->product_id);
    jwrite_named_text(writer, "name", product == NULL ? "" : product->name);
    jwrite_object_end(writer);
}

static void write_line_prices(const struct line *line, int exponent, struct jwrite *writer)
{
    struct line_total total = line_total(line, exponent);
    int64_t unit = line->unit_millionths;
    int64_t unit_tax =
        decimal_scale(unit, line->tax_rate_millionths, DECIMAL_ONE + line->tax_rate_millionths);
    write_decimal(writer, "unit_price", unit - unit_tax, 4);
    write_decimal(writer, "unit_tax", unit_tax, 4);
    write_money(writer, "line_total_ex_tax", total.total_minor - total.tax_minor, exponent);
    write_money(writer, "line_total_tax", total.tax_minor, exponent);
    jwrite_key(writer, TEXT("taxes"));
    jwrite_array_begin(writer);
    if (line->tax_rate_millionths > 0) {
        jwrite_object_begin(writer);
        jwrite_named_int(writer, "id", 1);
        jwrite_named_text(writer, "name", "GST");
        write_decimal(writer, "rate", line->tax_rate_millionths, DECIMAL_PLACES);
        jwrite_object_end(writer);
    }
    jwrite_array_end(writer);
}

void order_write_line(const struct cloud *cloud, const struct order *order, size_t index,
                      struct jwrite *writer)
{
    const struct line *line = &order->lines[index];
    int exponent = exponent_of(cloud, order);
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "number", (int64_t)index + 1);
    jwrite_named_text(writer, "line_id", line->line_id);
    write_line_product(cloud, order, line, writer);
    write_decimal(writer, "quantity", line->quantity * (DECIMAL_ONE / QUANTITY_ONE), 3);
    write_variation(writer, &line->variation, exponent);
    jwrite_key(writer, TEXT("modifiers"));
    jwrite_array_begin(writer);
    for (size_t i = 0; i < line->modifier_count; i++)
        jwrite_int64(writer, line->modifiers[i]);
    jwrite_array_end(writer);
    if (line->option_sets_json[0] != '\0')
        write_raw_or(writer, "option_sets", line->option_sets_json, TEXT("[]"));
    jwrite_named_text(writer, "notes", line->notes);
    write_line_prices(line, exponent, writer);
    jwrite_named_bool(writer, "part_of_option_set", false);
    jwrite_object_end(writer);
}

static void write_payment(const struct cloud *cloud, const struct order *order, size_t index,
                          struct jwrite *writer)
{
    const struct payment *payment = &order->payments[index];
    const struct company *company = cloud_company(cloud, order->company_id);
    const struct method *method = cloud_method(cloud, company->id, payment->method_id);
    int exponent = company->currency.exponent;
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "id", payment->id);
    jwrite_named_int(writer, "number", (int64_t)index + 1);
    jwrite_key(writer, TEXT("method"));
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "id", payment->method_id);
    jwrite_named_text(writer, "name", method == NULL ? "" : method->name);
    jwrite_object_end(writer);
    write_money(writer, "amount", payment->amount_minor, exponent);
    write_money(writer, "tip", payment->tip_minor, exponent);
    write_money(writer, "credit_card_surcharge", payment->surcharge_minor, exponent);
    write_money(writer, "service_charge", payment->service_charge_minor, exponent);
    write_text_or_null(writer, "ref", payment->ref);
    jwrite_named_time(writer, "created_at", company, payment->created_us);
    jwrite_object_end(writer);
}

static void write_customer(const struct cloud *cloud, const struct order *order,
                           struct jwrite *writer)
{
    const struct customer *customer = cloud_customer(cloud, order->company_id, order->customer_id);
    jwrite_key(writer, TEXT("customer"));
    if (customer == NULL) {
        jwrite_null(writer);
        return;
    }
    /* The reference_id is not here: it is each application's own (protocol 7.2). */
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "id", customer->id);
    jwrite_named_text(writer, "first_name", customer->first_name);
    jwrite_named_text(writer, "last_name", customer->last_name);
    jwrite_named_text(writer, "email", customer->email);
    write_text_or_null(writer, "image", customer->image);
    jwrite_object_end(writer);
}

static void write_identity(const struct order *order, struct jwrite *writer)
{
    char digits[24];
    struct text_buffer buffer;
    text_buffer_init(&buffer, digits, sizeof(digits));
    text_append_int64(&buffer, order->id);
    jwrite_named_int(writer, "id", order->id);
    jwrite_key(writer, TEXT("id_str"));
    jwrite_text(writer, text_buffer_text(&buffer));
    jwrite_named_text(writer, "sale_number", order->sale_number);
    jwrite_named_text(writer, "status", order_status_name(order->status));
    jwrite_named_text(writer, "order_type", order->order_type);
    jwrite_named_text(writer, "notes", order->notes);
}

static void write_sums(const struct order *order, int exponent, struct jwrite *writer)
{
    struct order_total total = order_total(order, exponent);
    write_money(writer, "total", total.total_minor, exponent);
    write_money(writer, "total_tax", total.tax_minor, exponent);
    write_money(writer, "paid", total.paid_minor, exponent);
    write_money(writer, "tips", total.tips_minor, exponent);
}

static void write_places(const struct order *order, struct jwrite *writer)
{
    jwrite_named_id(writer, "register_id", order->register_id);
    jwrite_named_int(writer, "site_id", order->site_id);
    jwrite_named_id(writer, "staff_member_id", order->staff_id);
}

static void write_refund(const struct order *order, struct jwrite *writer)
{
    jwrite_named_bool(writer, "is_refund", order->is_refund);
    jwrite_named_id(writer, "refunded_order_id", order->refunded_order_id);
}

static void write_times(const struct cloud *cloud, const struct order *order, struct jwrite *writer)
{
    const struct company *company = cloud_company(cloud, order->company_id);
    jwrite_named_time(writer, "created_at", company, order->created_us);
    jwrite_named_time(writer, "updated_at", company, order->updated_us);
}

static void write_lists(const struct cloud *cloud, const struct order *order, struct jwrite *writer)
{
    jwrite_key(writer, TEXT("lines"));
    jwrite_array_begin(writer);
    for (size_t i = 0; i < order->line_count; i++)
        order_write_line(cloud, order, i, writer);
    jwrite_array_end(writer);
    write_raw_or(writer, "options", "", TEXT("[]"));
    jwrite_key(writer, TEXT("payments"));
    jwrite_array_begin(writer);
    for (size_t i = 0; i < order->payment_count; i++)
        write_payment(cloud, order, i, writer);
    jwrite_array_end(writer);
}

static void write_handling(const struct order *order, int exponent, struct jwrite *writer)
{
    write_text_or_null(writer, "order_payment_type", order->payment_type);
    write_refund(order, writer);
    write_text_or_null(writer, "callback_uri", order->callback_uri);
    jwrite_key(writer, TEXT("lock"));
    jwrite_array_begin(writer);
    for (size_t i = 0; i < order->lock_count; i++)
        jwrite_text(writer, text_of(order->locks[i]));
    jwrite_array_end(writer);
    jwrite_named_bool(writer, "complete_when_paid", order->is_complete_when_paid);
    jwrite_named_bool(writer, "pass_thru_printing", order->is_pass_thru_printing);
    write_money(writer, "service_charge", order->service_charge_minor, exponent);
    write_text_or_null(writer, "placed_at", order->placed_at);
    write_text_or_null(writer, "fulfil_at", order->fulfil_at);
}

void order_write(const struct cloud *cloud, const struct order *order, struct jwrite *writer)
{
    int exponent = exponent_of(cloud, order);
    jwrite_object_begin(writer);
    write_identity(order, writer);
    jwrite_named_int(writer, "guests", order->guests);
    write_sums(order, exponent, writer);
    write_places(order, writer);
    jwrite_named_bool(writer, "deleted", order->is_deleted);
    write_customer(cloud, order, writer);
    write_variation(writer, &order->variation, exponent);
    write_lists(cloud, order, writer);
    write_handling(order, exponent, writer);
    write_times(cloud, order, writer);
    jwrite_object_end(writer);
}

void order_write_abridged(const struct cloud *cloud, const struct order *order,
                          struct jwrite *writer)
{
    jwrite_object_begin(writer);
    write_identity(order, writer);
    write_sums(order, exponent_of(cloud, order), writer);
    write_places(order, writer);
    jwrite_named_id(writer, "staff_id", order->staff_id);
    jwrite_named_bool(writer, "deleted", order->is_deleted);
    write_refund(order, writer);
    write_times(cloud, order, writer);
    jwrite_object_end(writer);
}
