/*
 * Invariants of oseries_order_read (byte 0 gives the exponent, the rest is the API's reply):
 *   it is read or refused, and what is read is within all limits, in whole UTF-8 characters;
 *   what was read, written as an order, is read again as the same: nothing is bent on the way.
 */
#include "base/error.h"
#include "lightspeed/decimal.h"
#include "lightspeed/oseries_api.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define AGAIN_MAX (512 * 1024)

static const char *const words[] = {"SUBMITTED", "ON_HOLD",  "PENDING", "ACCEPTED",
                                    "REJECTED",  "COMPLETE", "other"};

static void check_text(const char *text, size_t capacity)
{
    CHECK(strnlen(text, capacity) < capacity);
    CHECK(text_is_utf8(text_of(text)));
}

static void check_money(int64_t amount_minor)
{
    CHECK(amount_minor >= -MONEY_MAX_MINOR && amount_minor <= MONEY_MAX_MINOR);
}

static void check_limits(const struct oseries_order *order)
{
    CHECK(order->id > 0 && order->site_id >= 0 && order->register_id >= 0);
    CHECK(order->customer_id >= 0 && order->refunded_order_id >= 0);
    CHECK(order->status >= ORDER_SUBMITTED && order->status <= ORDER_OTHER);
    CHECK(order->line_count >= 0 && order->line_count <= ORDER_LINES_MAX);
    CHECK(order->payment_count >= 0 && order->payment_count <= ORDER_PAYMENTS_MAX);
    check_text(order->notes, sizeof(order->notes));
    check_text(order->updated_at, sizeof(order->updated_at));
    check_money(order->total_minor);
    check_money(order->paid_minor);
    check_money(order->price_fixed_variation_minor);
    for (int32_t i = 0; i < order->line_count; i++) {
        CHECK(order->lines[i].number > 0 && order->lines[i].product_id >= 0);
        check_text(order->lines[i].notes, sizeof(order->lines[i].notes));
        check_money(order->lines[i].total_minor);
        check_money(order->lines[i].price_fixed_variation_minor);
    }
    for (int32_t i = 0; i < order->payment_count; i++) {
        CHECK(order->payments[i].number > 0 && order->payments[i].method_id >= 0);
        check_text(order->payments[i].ref, sizeof(order->payments[i].ref));
        check_money(order->payments[i].amount_minor);
    }
}

static void write_int(struct jwrite *json, struct text name, int64_t value)
{
    jwrite_key(json, name);
    jwrite_int64(json, value);
}

static void write_decimal(struct jwrite *json, struct text name, int64_t value, int places)
{
    char bytes[32];
    struct text_buffer buffer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    decimal_append(&buffer, value, places);
    jwrite_key(json, name);
    jwrite_raw(json, text_buffer_text(&buffer));
}

static void write_text(struct jwrite *json, struct text name, const char *value)
{
    jwrite_key(json, name);
    jwrite_text(json, text_of(value));
}

static void write_line(struct jwrite *json, const struct order_line *line, int exponent)
{
    jwrite_object_begin(json);
    write_int(json, TEXT("number"), line->number);
    write_int(json, TEXT("product_id"), line->product_id);
    write_decimal(json, TEXT("quantity"), line->quantity_milli, 3);
    write_decimal(json, TEXT("line_total_ex_tax"), line->total_minor, exponent);
    write_decimal(json, TEXT("price_variation"), line->price_variation_ppm, 6);
    write_decimal(json, TEXT("price_fixed_variation"), line->price_fixed_variation_minor, exponent);
    write_int(json, TEXT("part_of_option_set"), line->has_options);
    write_text(json, TEXT("notes"), line->notes);
    jwrite_object_end(json);
}

static void write_payment(struct jwrite *json, const struct order_payment *payment, int exponent)
{
    jwrite_object_begin(json);
    write_int(json, TEXT("number"), payment->number);
    write_int(json, TEXT("method_id"), payment->method_id);
    write_decimal(json, TEXT("amount"), payment->amount_minor, exponent);
    write_text(json, TEXT("ref"), payment->ref);
    jwrite_object_end(json);
}

static void write_head(struct jwrite *json, const struct oseries_order *order, int exponent)
{
    write_int(json, TEXT("id"), order->id);
    write_text(json, TEXT("status"), words[order->status]);
    write_int(json, TEXT("deleted"), order->is_deleted);
    write_int(json, TEXT("site_id"), order->site_id);
    write_int(json, TEXT("register_id"), order->register_id);
    write_int(json, TEXT("customer_id"), order->customer_id);
    write_decimal(json, TEXT("total"), order->total_minor, exponent);
    write_decimal(json, TEXT("paid"), order->paid_minor, exponent);
    write_decimal(json, TEXT("price_variation"), order->price_variation_ppm, 6);
    write_decimal(json, TEXT("price_fixed_variation"), order->price_fixed_variation_minor,
                  exponent);
    write_int(json, TEXT("is_refund"), order->is_refund);
    write_int(json, TEXT("refunded_order_id"), order->refunded_order_id);
    write_text(json, TEXT("notes"), order->notes);
    write_text(json, TEXT("updated_at"), order->updated_at);
}

static void write_order(struct jwrite *json, const struct oseries_order *order, int exponent)
{
    jwrite_object_begin(json);
    write_head(json, order, exponent);
    jwrite_key(json, TEXT("lines"));
    jwrite_array_begin(json);
    for (int32_t i = 0; i < order->line_count; i++)
        write_line(json, &order->lines[i], exponent);
    jwrite_array_end(json);
    jwrite_key(json, TEXT("payments"));
    jwrite_array_begin(json);
    for (int32_t i = 0; i < order->payment_count; i++)
        write_payment(json, &order->payments[i], exponent);
    jwrite_array_end(json);
    jwrite_object_end(json);
}

static struct text write_whole(char *memory, const struct oseries_order *order, int exponent)
{
    struct text_buffer buffer;
    struct jwrite json;
    text_buffer_init(&buffer, memory, AGAIN_MAX);
    jwrite_init(&json, &buffer);
    write_order(&json, order, exponent);
    CHECK(!buffer.is_cut);
    return text_buffer_text(&buffer);
}

static void check_again(const struct oseries_order *order, int exponent)
{
    static struct oseries_order again;
    struct jread *document;
    char *memory = malloc(AGAIN_MAX), *memory_again = malloc(AGAIN_MAX);
    CHECK(memory != NULL && memory_again != NULL);
    struct text text = write_whole(memory, order, exponent);
    CHECK(jread_parse(text, &document) == 0);
    CHECK(oseries_order_read(document, exponent, &again) == 0);
    CHECK(!again.is_cut && !again.notes_are_cut); /* what was cut is gone for good */
    CHECK(text_equal(text, write_whole(memory_again, &again, exponent)));
    jread_destroy(document);
    free(memory_again);
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct oseries_order order;
    struct jread *document;
    if (size == 0)
        return 0;
    int exponent = data[0] % (MONEY_EXPONENT_MAX + 1);
    if (jread_parse((struct text){(const char *)data + 1, size - 1}, &document) != 0)
        return 0;
    int err = oseries_order_read(document, exponent, &order);
    CHECK(err == 0 || err == ERR_BAD_REPLY);
    jread_destroy(document);
    if (err == 0) {
        check_limits(&order);
        check_again(&order, exponent);
    }
    return 0;
}
