/* Writes the whole state: what the cloud holds now, beside what stands on the screen. */
#include "mocks/register/till.h"

#include "base/clock.h"
#include "base/error.h"
#include "mocks/lightspeed/call.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

#define OPEN_SHOWN_MAX 50
#define CLOSED_SHOWN_MAX 20
/* Older orders than so many are neither shown nor asked for again. */
#define ORDERS_ASKED 200

enum shelf_kind {
    SHELF_COMPANIES,
    SHELF_METHODS,
    SHELF_PRODUCTS,
    SHELF_CUSTOMERS,
    SHELF_GRANTS,
    SHELF_CHECKINS,
    SHELF_ORDERS,
    SHELF_ORDER, /* the one on the screen */
    SHELVES,
};

struct snapshot {
    struct till *till;
    struct config *config; /* owned */
    struct shop_answer shelf[SHELVES];
    struct offer offer;
    struct currency currency;
    struct made products;
    int64_t products_version, known_products;
    bool is_up;
    char why[SHOP_PROBLEM_MAX];
    int64_t clock_us, last_exchange;
};

/* --- gathering ------------------------------------------------------------------------------- */

static void paths_write(struct till *till, const struct config *config, char paths[SHELVES][64])
{
    static const char *const FIXED[] = {"/companies", "/payment_methods", "/products", "/customers",
                                        "/grants"};
    till_lock(till);
    int64_t order_id = till->order_id, from = till->orders_from;
    till_unlock(till);
    for (size_t i = 0; i < COUNT_OF(FIXED); i++)
        (void)snprintf(paths[i], 64, "%s", FIXED[i]);
    (void)snprintf(paths[SHELF_CHECKINS], 64, "/sites/%lld/checkins", (long long)config->site_id);
    (void)snprintf(paths[SHELF_ORDERS], 64, from > 0 ? "/orders?start=%lld" : "/orders",
                   (long long)from);
    paths[SHELF_ORDER][0] = '\0';
    if (order_id != 0)
        (void)snprintf(paths[SHELF_ORDER], 64, "/orders/%lld", (long long)order_id);
}

/* A shelf that the cloud refuses (another company's site) is empty; one that does not answer ends
 * it. */
static void snapshot_fetch(struct snapshot *snapshot)
{
    char paths[SHELVES][64];
    paths_write(snapshot->till, snapshot->config, paths);
    snapshot->is_up = true;
    for (size_t i = 0; snapshot->is_up && i < SHELVES; i++) {
        if (paths[i][0] == '\0')
            continue;
        struct shop_answer *reply = &snapshot->shelf[i];
        int err = shop_ask(snapshot->till->shop, "GET", paths[i], NULL, reply);
        if (err == 0)
            continue;
        jread_destroy(reply->json);
        reply->json = NULL;
        if (err == ERR_REFUSED)
            continue;
        snapshot->is_up = false;
        (void)snprintf(snapshot->why, sizeof(snapshot->why), "%.250s.", reply->problem);
    }
}

static const struct jread *shelf(const struct snapshot *snapshot, enum shelf_kind kind)
{
    return snapshot->is_up ? snapshot->shelf[kind].json : NULL;
}

static bool is_ours(const struct snapshot *snapshot, const struct jread *record)
{
    return bill_id(record, "company_id") == snapshot->config->company_id;
}

static void snapshot_find_currency(struct snapshot *snapshot)
{
    struct currency currency;
    const struct jread *companies = shelf(snapshot, SHELF_COMPANIES);
    for (size_t i = 0; i < jread_count(companies); i++) {
        const struct jread *company = jread_element(companies, i);
        if (bill_id(company, "id") == snapshot->config->company_id &&
            currency_find(bill_text(company, "currency"), &currency) == 0) {
            till_lock(snapshot->till);
            snapshot->till->currency = currency;
            till_unlock(snapshot->till);
        }
    }
}

static void snapshot_keep_orders(struct snapshot *snapshot)
{
    const struct jread *orders = shelf(snapshot, SHELF_ORDERS);
    size_t count = jread_count(orders);
    if (count <= ORDERS_ASKED)
        return;
    till_lock(snapshot->till);
    snapshot->till->orders_from = bill_id(jread_element(orders, count - ORDERS_ASKED), "id");
    till_unlock(snapshot->till);
}

static bool is_sold(const struct snapshot *snapshot, const struct jread *product)
{
    struct text code = bill_text(product, "code");
    return is_ours(snapshot, product) && !text_equal(code, TEXT(BILL_TOP_UP_CODE)) &&
           !text_equal(code, TEXT(BILL_REFUND_CODE));
}

static void write_products(struct jwrite *writer, const void *context)
{
    const struct snapshot *snapshot = context;
    const struct jread *products = shelf(snapshot, SHELF_PRODUCTS);
    int exponent = snapshot->currency.exponent;
    jwrite_array_begin(writer);
    for (size_t i = 0; i < jread_count(products); i++) {
        const struct jread *product = jread_element(products, i);
        int64_t price_minor = 0;
        if (!is_sold(snapshot, product) || !bill_money(product, "price", exponent, &price_minor))
            continue;
        jwrite_object_begin(writer);
        jwrite_named_int(writer, "id", bill_id(product, "id"));
        jwrite_named_text_n(writer, "name", bill_text(product, "name"));
        jwrite_named_money(writer, "price", price_minor, exponent);
        jwrite_named_bool(writer, "is_sold_out",
                          text_equal(bill_text(product, "stock"), TEXT("0")));
        jwrite_object_end(writer);
    }
    jwrite_array_end(writer);
}

/* The version is a time: a page that outlives this process has none that comes again. What we write
 * of a product is shorter than what the cloud does. */
static void snapshot_make_products(struct snapshot *snapshot)
{
    struct till *till = snapshot->till;
    made_create_sized(&snapshot->products, snapshot->shelf[SHELF_PRODUCTS].body.length,
                      write_products, snapshot);
    till_lock(till);
    if (!text_equal(made_text(&till->products), made_text(&snapshot->products))) {
        int64_t now_us = clock_wall_us();
        bool has_passed = now_us > till->products_version;
        made_destroy(&till->products);
        made_copy(&till->products, made_text(&snapshot->products));
        till->products_version = has_passed ? now_us : till->products_version + 1;
    }
    snapshot->products_version = till->products_version;
    till_unlock(till);
}

static void snapshot_take(struct till *till, int64_t known_products, struct snapshot *snapshot)
{
    *snapshot = (struct snapshot){
        .till = till, .config = till_config(till), .known_products = known_products};
    snapshot_fetch(snapshot);
    snapshot_find_currency(snapshot);
    snapshot_keep_orders(snapshot);
    snapshot->clock_us = till_clock_us(till);
    snapshot->last_exchange = wire_log_last(&till->wire);
    till_lock(till);
    bool is_unregistered = till->faults.next.is_unregistered;
    snapshot->currency = till->currency;
    till_unlock(till);
    snapshot_make_products(snapshot);
    offer_make(snapshot->config, is_unregistered, shelf(snapshot, SHELF_GRANTS), &snapshot->offer);
}

static void snapshot_finish(struct snapshot *snapshot)
{
    for (size_t i = 0; i < SHELVES; i++)
        shop_answer_finish(&snapshot->shelf[i]);
    made_destroy(&snapshot->products);
    free(snapshot->config);
}

/* --- what the cloud holds -------------------------------------------------------------------- */

static void write_cloud(const struct snapshot *snapshot, struct jwrite *writer)
{
    jwrite_begin(writer, "cloud", false);
    jwrite_named_bool(writer, "is_up", snapshot->is_up);
    jwrite_named_text(writer, "url", shop_url(snapshot->till->shop));
    jwrite_named_text(writer, "why", snapshot->why);
    jwrite_object_end(writer);
}

static void write_clock(const struct snapshot *snapshot, struct jwrite *writer)
{
    char memory[40];
    struct text_buffer buffer;
    text_buffer_init(&buffer, memory, sizeof(memory));
    clock_append_time(&buffer, snapshot->clock_us);
    jwrite_named_text_n(writer, "clock", text_buffer_text(&buffer));
    jwrite_begin(writer, "currency", false);
    jwrite_named_text(writer, "code", snapshot->currency.code);
    jwrite_named_text(writer, "symbol", currency_symbol(&snapshot->currency));
    jwrite_named_int(writer, "exponent", snapshot->currency.exponent);
    jwrite_object_end(writer);
}

static void write_partner(const struct snapshot *snapshot, struct jwrite *writer)
{
    static const char *const ACTIONS[CONFIG_URLS] = {[TILL_CHECKOUT] = "checkout",
                                                     [TILL_CHECK_BALANCE] = "check_balance",
                                                     [TILL_TOP_UP] = "top_up",
                                                     [TILL_REFUND] = "refund",
                                                     [TILL_CUSTOMER_SEARCH] = "customer_search",
                                                     [TILL_REWARD_LOOKUP] = "reward_lookup"};
    const struct offer *offer = &snapshot->offer;
    jwrite_begin(writer, "partner", false);
    jwrite_named_bool(writer, "is_active", offer->is_active);
    jwrite_named_text(writer, "why", offer->is_active ? "" : offer->why);
    jwrite_begin(writer, "actions", true);
    for (size_t i = 0; i < CONFIG_URLS; i++)
        if (offer->actions[i])
            jwrite_text(writer, text_of(ACTIONS[i]));
    jwrite_array_end(writer);
    jwrite_object_end(writer);
}

static void write_type(struct jwrite *writer, struct text name, const char *kind)
{
    jwrite_object_begin(writer);
    jwrite_named_text_n(writer, "name", name);
    jwrite_named_text(writer, "kind", kind);
    jwrite_object_end(writer);
}

/* The merchant's own payment methods have a ledger code; an application's has none. */
static void write_types(const struct snapshot *snapshot, struct jwrite *writer)
{
    const struct jread *methods = shelf(snapshot, SHELF_METHODS);
    struct text ours = text_of(snapshot->config->payment_name);
    jwrite_begin(writer, "payment_types", true);
    if (snapshot->offer.is_active && snapshot->is_up)
        write_type(writer, ours, "partner");
    for (size_t i = 0; i < jread_count(methods); i++) {
        bool is_active = false;
        const struct jread *method = jread_element(methods, i);
        if (is_ours(snapshot, method) && !text_equal(bill_text(method, "name"), ours) &&
            bill_text(method, "ledger_code").length > 0 &&
            jread_bool(jread_member(method, "active"), &is_active) == 0 && is_active)
            write_type(writer, bill_text(method, "name"), "plain");
    }
    jwrite_array_end(writer);
}

static bool is_checked_in(const struct snapshot *snapshot, int64_t customer_id)
{
    const struct jread *checkins = shelf(snapshot, SHELF_CHECKINS);
    for (size_t i = 0; i < jread_count(checkins); i++)
        if (bill_id(jread_element(checkins, i), "customer_id") == customer_id)
            return true;
    return false;
}

static struct text reference_of(const struct snapshot *snapshot, const struct jread *customer)
{
    return bill_text(jread_member(customer, "reference_ids"), snapshot->config->client_id);
}

static void write_customer(const struct snapshot *snapshot, const struct jread *customer,
                           struct jwrite *writer)
{
    char memory[256];
    struct text_buffer name;
    text_buffer_init(&name, memory, sizeof(memory));
    text_append(&name, bill_text(customer, "first_name"));
    text_append_char(&name, ' ');
    text_append(&name, bill_text(customer, "last_name"));
    int64_t id = bill_id(customer, "id");
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "id", id);
    jwrite_named_text_n(writer, "name", text_trim(text_buffer_text(&name)));
    jwrite_named_text_n(writer, "email", bill_text(customer, "email"));
    jwrite_named_text_n(writer, "phone", bill_text(customer, "phone"));
    jwrite_named_text_n(writer, "reference_id", reference_of(snapshot, customer));
    jwrite_named_bool(writer, "is_checked_in", is_checked_in(snapshot, id));
    jwrite_object_end(writer);
}

static void write_customers(const struct snapshot *snapshot, struct jwrite *writer)
{
    const struct jread *customers = shelf(snapshot, SHELF_CUSTOMERS);
    jwrite_begin(writer, "customers", true);
    for (size_t i = 0; i < jread_count(customers); i++)
        if (is_ours(snapshot, jread_element(customers, i)))
            write_customer(snapshot, jread_element(customers, i), writer);
    jwrite_array_end(writer);
}

/* Deleted ones are counted on their own, so that they push no other out of sight. */
static void write_orders(const struct snapshot *snapshot, bool wants_open, size_t max,
                         struct jwrite *writer)
{
    size_t shown[2] = {0, 0};
    const struct jread *orders = shelf(snapshot, SHELF_ORDERS);
    jwrite_begin(writer, wants_open ? "orders" : "closed_orders", true);
    for (size_t i = jread_count(orders); i > 0 && shown[false] < max; i--) {
        struct bill bill;
        if (!bill_read(jread_element(orders, i - 1), snapshot->currency.exponent, &bill) ||
            bill.site_id != snapshot->config->site_id || bill_is_open(&bill) != wants_open ||
            shown[bill.is_deleted] == max)
            continue;
        if (wants_open)
            bill_write_open(&bill, writer);
        else
            bill_write_closed(&bill, snapshot->config->payment_name, writer);
        shown[bill.is_deleted]++;
    }
    jwrite_array_end(writer);
}

static void write_order(const struct snapshot *snapshot, struct jwrite *writer)
{
    struct bill bill;
    struct text reference = TEXT("");
    const struct jread *order = shelf(snapshot, SHELF_ORDER);
    const struct jread *customers = shelf(snapshot, SHELF_CUSTOMERS);
    if (order == NULL || !bill_read(order, snapshot->currency.exponent, &bill)) {
        jwrite_named_null(writer, "order");
        return;
    }
    for (size_t i = 0; i < jread_count(customers); i++) {
        const struct jread *customer = jread_element(customers, i);
        if (bill_id(customer, "id") == bill_id(jread_member(order, "customer"), "id"))
            reference = reference_of(snapshot, customer);
    }
    jwrite_key(writer, TEXT("order"));
    bill_write(&bill, snapshot->config->payment_name, reference, writer);
}

/* --- the whole ------------------------------------------------------------------------------- */

static void write_config(struct till *till, struct jwrite *writer)
{
    jwrite_begin(writer, "config", false);
    jwrite_key(writer, TEXT("draft"));
    config_write(&till->draft, writer);
    jwrite_key(writer, TEXT("synced"));
    config_write(&till->synced, writer);
    jwrite_named_bool(writer, "needs_sync", !config_equal(&till->draft, &till->synced));
    jwrite_object_end(writer);
}

static void write_screen(struct till *till, struct jwrite *writer)
{
    made_write(&till->members, "members", writer);
    made_write(&till->member, "member", writer);
    made_write(&till->rewards, "rewards", writer);
    jwrite_key(writer, TEXT("faults"));
    till_faults_write(&till->faults, writer);
    jwrite_begin(writer, "recording", false);
    recording_write(&till->recording, writer);
    jwrite_named_bool(writer, "is_replaying", till->is_replaying);
    made_write(&till->report, "report", writer);
    jwrite_object_end(writer);
    made_write(&till->crash, "crash", writer);
    made_write(&till->said, "said", writer);
    jwrite_named_int(writer, "is_busy", till->busy_count);
}

static void write_state(struct jwrite *writer, const void *context)
{
    const struct snapshot *snapshot = context;
    struct till *till = snapshot->till;
    jwrite_object_begin(writer);
    till_lock(till);
    write_config(till, writer);
    till_unlock(till);
    write_cloud(snapshot, writer);
    write_clock(snapshot, writer);
    write_partner(snapshot, writer);
    write_types(snapshot, writer);
    jwrite_named_int(writer, "products_version", snapshot->products_version);
    if (snapshot->products_version == snapshot->known_products)
        jwrite_named_null(writer, "products");
    else
        made_write(&snapshot->products, "products", writer);
    write_customers(snapshot, writer);
    write_orders(snapshot, true, OPEN_SHOWN_MAX, writer);
    write_orders(snapshot, false, CLOSED_SHOWN_MAX, writer);
    write_order(snapshot, writer);
    till_lock(till);
    write_screen(till, writer);
    till_unlock(till);
    jwrite_named_int(writer, "last_exchange", snapshot->last_exchange);
    jwrite_object_end(writer);
}

void till_state(struct till *till, int64_t known_products, struct made *json)
{
    struct snapshot snapshot;
    snapshot_take(till, known_products, &snapshot);
    made_create_sized(json, snapshot.products.length * 2, write_state, &snapshot);
    snapshot_finish(&snapshot);
}
