/* Turns the cloud's orders into what the till shows. */
#include "mocks/register/bill.h"

#include "base/money.h"
#include "mocks/lightspeed/call.h"
#include "mocks/lightspeed/decimal.h"

#include <string.h>

#include "base/banned.h"

bool bill_money(const struct jread *json, const char *name, int exponent, int64_t *amount_minor)
{
    struct text text;
    return jread_scalar(jread_member(json, name), &text) == 0 &&
           money_parse(text, exponent, amount_minor) == 0;
}

int64_t bill_id(const struct jread *json, const char *name)
{
    int64_t id = 0;
    return jread_int64(jread_member(json, name), &id) == 0 ? id : 0;
}

struct text bill_text(const struct jread *json, const char *name)
{
    struct text text = TEXT("");
    return jread_scalar(jread_member(json, name), &text) == 0 ? text : TEXT("");
}

bool bill_method_is_plain(const struct jread *method, int64_t company_id)
{
    return bill_id(method, "company_id") == company_id &&
           bill_text(method, "ledger_code").length > 0;
}

static bool flag(const struct jread *json, const char *name)
{
    bool is_set = false;
    return jread_bool(jread_member(json, name), &is_set) == 0 && is_set;
}

static int64_t line_minor(const struct jread *line, int exponent)
{
    int64_t net_minor = 0, tax_minor = 0, sum_minor = 0;
    bool is_good = bill_money(line, "line_total_ex_tax", exponent, &net_minor) &&
                   bill_money(line, "line_total_tax", exponent, &tax_minor) &&
                   money_add(net_minor, tax_minor, &sum_minor);
    return is_good ? sum_minor : 0;
}

/* What is due, as the cloud counts it: a service charge is due too, and tips pay for it. */
static int64_t due_minor(const struct jread *order, const struct bill *bill)
{
    int64_t charge_minor = 0;
    const struct jread *payments = jread_member(order, "payments");
    (void)bill_money(order, "service_charge", bill->exponent, &charge_minor);
    for (size_t i = 0; i < jread_count(payments); i++) {
        int64_t share_minor = 0, tip_minor = 0;
        const struct jread *payment = jread_element(payments, i);
        (void)bill_money(payment, "service_charge", bill->exponent, &share_minor);
        (void)bill_money(payment, "tip", bill->exponent, &tip_minor);
        charge_minor -= share_minor < tip_minor ? share_minor : tip_minor;
    }
    return bill->total_minor + charge_minor - bill->paid_minor;
}

bool bill_read(const struct jread *order, int exponent, struct bill *bill)
{
    *bill = (struct bill){.order = order,
                          .exponent = exponent,
                          .id = bill_id(order, "id"),
                          .site_id = bill_id(order, "site_id"),
                          .is_complete = text_equal(bill_text(order, "status"), TEXT("COMPLETE")),
                          .is_deleted = flag(order, "deleted"),
                          .is_refund = flag(order, "is_refund")};
    const struct jread *lines = jread_member(order, "lines");
    if (bill->id == 0 || !bill_money(order, "total", exponent, &bill->total_minor) ||
        !bill_money(order, "paid", exponent, &bill->paid_minor))
        return false;
    for (size_t i = 0; i < jread_count(lines); i++)
        bill->subtotal_minor += line_minor(jread_element(lines, i), exponent);
    bill->due_minor = due_minor(order, bill);
    return true;
}

bool bill_is_open(const struct bill *bill)
{
    return !bill->is_complete && !bill->is_deleted &&
           !text_equal(bill_text(bill->order, "status"), TEXT("REJECTED"));
}

static struct text method_name(const struct jread *payment)
{
    return bill_text(jread_member(payment, "method"), "name");
}

bool bill_has_payment(const struct bill *bill, const char *method, const char *ref)
{
    const struct jread *payments = jread_member(bill->order, "payments");
    for (size_t i = 0; i < jread_count(payments); i++) {
        const struct jread *payment = jread_element(payments, i);
        if (text_equal(method_name(payment), text_of(method)) &&
            text_equal(bill_text(payment, "ref"), text_of(ref)))
            return true;
    }
    return false;
}

bool bill_has_line_noted(const struct bill *bill, const char *notes)
{
    const struct jread *lines = jread_member(bill->order, "lines");
    for (size_t i = 0; i < jread_count(lines); i++)
        if (text_equal(bill_text(jread_element(lines, i), "notes"), text_of(notes)))
            return true;
    return false;
}

const struct jread *bill_payment(const struct bill *bill, int64_t number, const char *method)
{
    const struct jread *payments = jread_member(bill->order, "payments");
    for (size_t i = jread_count(payments); i > 0; i--) {
        int64_t amount_minor = 0;
        const struct jread *payment = jread_element(payments, i - 1);
        if (number != 0 && bill_id(payment, "number") == number)
            return payment;
        if (number == 0 && text_equal(method_name(payment), text_of(method)) &&
            bill_money(payment, "amount", bill->exponent, &amount_minor) && amount_minor > 0)
            return payment;
    }
    return NULL;
}

/* --- writing --------------------------------------------------------------------------------- */

/* With at least as many decimals as the currency has: "4.5" is a price of 4.50. */
static void write_price(const struct jread *line, int exponent, struct jwrite *writer)
{
    int64_t net = 0, tax = 0;
    char memory[MONEY_TEXT_MAX];
    struct text_buffer buffer;
    text_buffer_init(&buffer, memory, sizeof(memory));
    if (decimal_parse(bill_text(line, "unit_price"), &net) != 0 ||
        decimal_parse(bill_text(line, "unit_tax"), &tax) != 0)
        net = tax = 0;
    int64_t unit = decimal_power(DECIMAL_PLACES - exponent);
    if ((net + tax) % unit == 0)
        money_append(&buffer, (net + tax) / unit, exponent);
    else
        decimal_append(&buffer, net + tax, DECIMAL_PLACES);
    jwrite_named_text_n(writer, "unit_price", text_buffer_text(&buffer));
}

static void write_lines(const struct bill *bill, struct jwrite *writer)
{
    const struct jread *lines = jread_member(bill->order, "lines");
    jwrite_begin(writer, "lines", true);
    for (size_t i = 0; i < jread_count(lines); i++) {
        const struct jread *line = jread_element(lines, i);
        const struct jread *product = jread_member(line, "product");
        jwrite_object_begin(writer);
        jwrite_named_int(writer, "number", bill_id(line, "number"));
        jwrite_named_int(writer, "product_id", bill_id(product, "id"));
        jwrite_named_text_n(writer, "name", bill_text(product, "name"));
        jwrite_named_text_n(writer, "quantity", bill_text(line, "quantity"));
        write_price(line, bill->exponent, writer);
        jwrite_named_money(writer, "price", line_minor(line, bill->exponent), bill->exponent);
        jwrite_named_text_n(writer, "notes", bill_text(line, "notes"));
        jwrite_object_end(writer);
    }
    jwrite_array_end(writer);
}

static void write_payments(const struct bill *bill, const char *partner_method,
                           struct jwrite *writer)
{
    const struct jread *payments = jread_member(bill->order, "payments");
    jwrite_begin(writer, "payments", true);
    for (size_t i = 0; i < jread_count(payments); i++) {
        const struct jread *payment = jread_element(payments, i);
        bool is_partner = text_equal(method_name(payment), text_of(partner_method));
        int64_t amount_minor = 0;
        (void)bill_money(payment, "amount", bill->exponent, &amount_minor);
        jwrite_object_begin(writer);
        jwrite_named_int(writer, "number", bill_id(payment, "number"));
        jwrite_named_text_n(writer, "method", method_name(payment));
        jwrite_named_text(writer, "kind", is_partner ? "partner" : "plain");
        jwrite_named_money(writer, "amount", amount_minor, bill->exponent);
        jwrite_named_text_n(writer, "ref", bill_text(payment, "ref"));
        jwrite_object_end(writer);
    }
    jwrite_array_end(writer);
}

static void write_name(const struct jread *customer, const char *title, struct jwrite *writer)
{
    char memory[256];
    struct text_buffer buffer;
    text_buffer_init(&buffer, memory, sizeof(memory));
    text_append(&buffer, bill_text(customer, "first_name"));
    text_append_char(&buffer, ' ');
    text_append(&buffer, bill_text(customer, "last_name"));
    jwrite_named_text_n(writer, title, text_trim(text_buffer_text(&buffer)));
}

static void write_customer(const struct bill *bill, struct text reference_id, struct jwrite *writer)
{
    const struct jread *customer = jread_member(bill->order, "customer");
    if (customer == NULL) {
        jwrite_named_null(writer, "customer");
        return;
    }
    jwrite_begin(writer, "customer", false);
    jwrite_named_int(writer, "id", bill_id(customer, "id"));
    write_name(customer, "name", writer);
    jwrite_named_text_n(writer, "reference_id", reference_id);
    jwrite_object_end(writer);
}

static void write_head(const struct bill *bill, struct jwrite *writer)
{
    jwrite_named_int(writer, "id", bill->id);
    jwrite_named_text_n(writer, "sale_number", bill_text(bill->order, "sale_number"));
}

void bill_write(const struct bill *bill, const char *partner_method, struct text reference_id,
                struct jwrite *writer)
{
    jwrite_object_begin(writer);
    write_head(bill, writer);
    jwrite_named_text_n(writer, "status", bill_text(bill->order, "status"));
    jwrite_named_bool(writer, "is_deleted", bill->is_deleted);
    jwrite_named_bool(writer, "is_refund", bill->is_refund);
    jwrite_named_id(writer, "refunded_order_id", bill_id(bill->order, "refunded_order_id"));
    jwrite_named_text_n(writer, "notes", bill_text(bill->order, "notes"));
    write_lines(bill, writer);
    jwrite_named_money(writer, "subtotal", bill->subtotal_minor, bill->exponent);
    jwrite_named_money(writer, "discount", bill->subtotal_minor - bill->total_minor,
                       bill->exponent);
    jwrite_named_money(writer, "total", bill->total_minor, bill->exponent);
    jwrite_named_money(writer, "paid", bill->paid_minor, bill->exponent);
    jwrite_named_money(writer, "due", bill->due_minor, bill->exponent);
    write_payments(bill, partner_method, writer);
    write_customer(bill, reference_id, writer);
    jwrite_object_end(writer);
}

void bill_write_open(const struct bill *bill, struct jwrite *writer)
{
    jwrite_object_begin(writer);
    write_head(bill, writer);
    jwrite_named_money(writer, "total", bill->total_minor, bill->exponent);
    jwrite_named_money(writer, "paid", bill->paid_minor, bill->exponent);
    jwrite_named_money(writer, "due", bill->due_minor, bill->exponent);
    write_name(jread_member(bill->order, "customer"), "customer", writer);
    jwrite_object_end(writer);
}

void bill_write_closed(const struct bill *bill, const char *partner_method, struct jwrite *writer)
{
    jwrite_object_begin(writer);
    write_head(bill, writer);
    jwrite_named_money(writer, "total", bill->total_minor, bill->exponent);
    jwrite_named_bool(writer, "is_refund", bill->is_refund);
    jwrite_named_bool(writer, "is_deleted", bill->is_deleted);
    jwrite_named_id(writer, "refunded_order_id", bill_id(bill->order, "refunded_order_id"));
    write_payments(bill, partner_method, writer);
    jwrite_object_end(writer);
}
