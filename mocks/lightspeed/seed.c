/* The world the fake starts with: two companies, a few plainly invented people, open orders. */
#include "mocks/lightspeed/cloud.h"

#include "base/error.h"
#include "mocks/lightspeed/decimal.h"
#include "mocks/lightspeed/order.h"

#include <string.h>

#include "base/banned.h"

#define PRICE(cents) ((cents) * (DECIMAL_ONE / 100))

static const struct company COMPANIES[] = {
    {.id = 5678, .name = "Demo Coffee", .currency_code = "AUD", .timezone = "Australia/Sydney"},
    {.id = 6789, .name = "Second Cup", .currency_code = "AUD", .timezone = "Australia/Perth"},
};

static const struct site SITES[] = {
    {.id = 923, .company_id = 5678, .name = "High Street", .code = "HS"},
    {.id = 924, .company_id = 5678, .name = "Harbour", .code = "HB"},
    {.id = 1923, .company_id = 6789, .name = "Station", .code = "ST"},
};

static const struct till TILLS[] = {
    {.id = 9091,
     .company_id = 5678,
     .site_id = 923,
     .name = "Terminal 1",
     .code = "T1",
     .sale_prefix = "HS1-",
     .return_prefix = "HS1R-"},
    {.id = 9092,
     .company_id = 5678,
     .site_id = 924,
     .name = "Terminal 2",
     .code = "T2",
     .sale_prefix = "HB1-",
     .return_prefix = "HB1R-"},
    {.id = 19091,
     .company_id = 6789,
     .site_id = 1923,
     .name = "Terminal 1",
     .code = "T1",
     .sale_prefix = "ST1-",
     .return_prefix = "ST1R-"},
};

/* application 1 is the demo application; its method bears the name that stands on the screen. */
static const struct method METHODS[] = {
    {.id = 1, .company_id = 5678, .name = "Cash", .ledger_code = "200"},
    {.id = 2, .company_id = 5678, .name = "Card", .ledger_code = "201"},
    {.id = 88, .company_id = 5678, .application_id = 1, .name = "Our Gift Card"},
    {.id = 101, .company_id = 6789, .name = "Cash", .ledger_code = "200"},
    {.id = 188, .company_id = 6789, .application_id = 1, .name = "Our Gift Card"},
};

static const struct product PRODUCTS[] = {
    {.id = 7301, .company_id = 5678, .name = "Espresso", .price_millionths = PRICE(400)},
    {.id = 7302, .company_id = 5678, .name = "Latte", .price_millionths = PRICE(450)},
    {.id = 7303, .company_id = 5678, .name = "Flat white", .price_millionths = PRICE(450)},
    {.id = 7304, .company_id = 5678, .name = "Tea", .price_millionths = PRICE(420)},
    {.id = 7305, .company_id = 5678, .name = "Croissant", .price_millionths = PRICE(550)},
    {.id = 7306, .company_id = 5678, .name = "Banana bread", .price_millionths = PRICE(650)},
    {.id = 7307, .company_id = 5678, .name = "Avocado toast", .price_millionths = PRICE(1650)},
    {.id = 7308, .company_id = 5678, .name = "Breakfast for two", .price_millionths = PRICE(4500)},
    {.id = 7309, .company_id = 5678, .name = "Coffee beans 250 g", .price_millionths = PRICE(1800)},
    {.id = 7310, .company_id = 5678, .name = "Seasonal cake", .price_millionths = PRICE(900)},
    {.id = 7390, .company_id = 5678, .name = "Oat milk", .price_millionths = PRICE(70)},
    {.id = 8301, .company_id = 6789, .name = "Espresso", .price_millionths = PRICE(380)},
    {.id = 8302, .company_id = 6789, .name = "Muffin", .price_millionths = PRICE(500)},
};
#define PRODUCT_SOLD_OUT 7310

static const struct customer CUSTOMERS[] = {
    {.id = 389427,
     .company_id = 5678,
     .first_name = "David",
     .last_name = "Kent",
     .email = "david.kent@example.com",
     .phone = "0400 000 000",
     .tags_json = "[\"Gold\"]",
     .references = {"M-1"}},
    {.id = 389428,
     .company_id = 5678,
     .first_name = "Test",
     .last_name = "Customer",
     .email = "test.customer@example.com",
     .phone = "0400 000 001"},
    {.id = 389429,
     .company_id = 5678,
     .first_name = "Sample",
     .last_name = "Guest",
     .email = "sample.guest@example.com",
     .phone = "0400 000 002"},
    {.id = 389430,
     .company_id = 5678,
     .first_name = "Nomail",
     .last_name = "Example",
     .phone = "0400 000 003"},
    {.id = 489427,
     .company_id = 6789,
     .first_name = "Other",
     .last_name = "Shopper",
     .email = "other.shopper@example.com",
     .phone = "0400 000 004"},
};

static void copy_text(char *place, size_t size, const char *value)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, place, size);
    text_append(&buffer, text_of(value));
}

static int seed_application(struct cloud *cloud, const struct cloud_demo *demo)
{
    struct application *application = table_add(&cloud->applications, 1);
    if (application == NULL)
        return ERR_NO_MEMORY;
    copy_text(application->name, sizeof(application->name), "Counterpart Demo");
    copy_text(application->client_id, sizeof(application->client_id), demo->client_id);
    copy_text(application->client_secret, sizeof(application->client_secret), demo->client_secret);
    copy_text(application->signature_token, sizeof(application->signature_token),
              demo->signature_token);
    for (size_t i = 0; i < demo->redirect_count && i < REDIRECTS_MAX; i++)
        copy_text(application->redirect_uris[application->redirect_count++], URL_MAX,
                  demo->redirect_uris[i]);
    application->own_company_id = COMPANIES[0].id;
    return 0;
}

/* Records of one kind, from their table into the world's. */
static int seed_records(struct table *table, const void *records, size_t count)
{
    const char *from = records;
    for (size_t i = 0; i < count; i++, from += table->record_size) {
        int64_t id;
        memcpy(&id, from, sizeof(id));
        void *record = table_add(table, id);
        if (record == NULL)
            return ERR_NO_MEMORY;
        memcpy(record, from, table->record_size);
    }
    return 0;
}

/* What the tables above leave out because it is the same for all. */
static int seed_details(struct cloud *cloud)
{
    for (size_t i = 0; i < cloud->companies.count; i++) {
        struct company *company = cloud->companies.records[i];
        company->sale_next = SALE_FIRST;
        copy_text(company->business_number, sizeof(company->business_number), "00 000 000 000");
        int err = company_resolve(company);
        if (err != 0)
            return err;
    }
    for (size_t i = 0; i < cloud->sites.count; i++) {
        struct site *site = cloud->sites.records[i];
        site->is_online = true;
        site->is_ordering_online = true;
    }
    for (size_t i = 0; i < cloud->tills.count; i++) {
        struct till *till = cloud->tills.records[i];
        till->is_assigned = true;
        till->staff_id = 1200 + (int64_t)i;
        copy_text(till->staff_name, sizeof(till->staff_name), "Demo Staff");
    }
    for (size_t i = 0; i < cloud->methods.count; i++)
        ((struct method *)cloud->methods.records[i])->is_active = true;
    for (size_t i = 0; i < cloud->products.count; i++) {
        struct product *product = cloud->products.records[i];
        product->tax_rate_millionths = DECIMAL_ONE / 10;
        product->stock = product->id == PRODUCT_SOLD_OUT ? 0 : NO_STOCK;
    }
    return 0;
}

static int seed_order(struct cloud *cloud, int64_t till_id, int64_t customer_id,
                      const int64_t *product_ids, size_t count)
{
    const struct till *till = table_find(&cloud->tills, till_id);
    struct order *order = table_add(&cloud->orders, 0);
    if (order == NULL)
        return ERR_NO_MEMORY;
    struct company *company = cloud_company(cloud, till->company_id);
    order->company_id = till->company_id;
    order->site_id = till->site_id;
    order->register_id = till->id;
    order->staff_id = till->staff_id;
    order->customer_id = customer_id;
    order->status = ORDER_PENDING;
    order->guests = 1;
    order->variation.coefficient = DECIMAL_ONE;
    order->created_us = order->updated_us = cloud->wall_us;
    copy_text(order->order_type, sizeof(order->order_type), "Dine in");
    struct text_buffer buffer;
    text_buffer_init(&buffer, order->sale_number, sizeof(order->sale_number));
    text_append(&buffer, text_of(till->sale_prefix));
    text_append_int64(&buffer, company->sale_next++);
    for (size_t i = 0; i < count; i++) {
        const struct product *product = table_find(&cloud->products, product_ids[i]);
        struct line line = {.product_id = product->id,
                            .quantity = QUANTITY_ONE,
                            .unit_millionths = product->price_millionths,
                            .tax_rate_millionths = product->tax_rate_millionths,
                            .variation = {.coefficient = DECIMAL_ONE}};
        text_buffer_init(&buffer, line.line_id, sizeof(line.line_id));
        text_append_format(&buffer, "demo%02d", (int)i);
        if (!order_insert_line(order, i, &line))
            return ERR_NO_MEMORY;
    }
    return 0;
}

static int seed_orders(struct cloud *cloud)
{
    static const int64_t breakfast[] = {7308, 7302, 7303}, snack[] = {7301, 7305};
    int err = seed_order(cloud, 9091, 389427, breakfast, COUNT_OF(breakfast));
    return err != 0 ? err : seed_order(cloud, 9091, 0, snack, COUNT_OF(snack));
}

int cloud_seed(struct cloud *cloud, const struct cloud_demo *demo)
{
    const struct {
        struct table *table;
        const void *records;
        size_t count;
    } PARTS[] = {
        {&cloud->companies, COMPANIES, COUNT_OF(COMPANIES)},
        {&cloud->sites, SITES, COUNT_OF(SITES)},
        {&cloud->tills, TILLS, COUNT_OF(TILLS)},
        {&cloud->methods, METHODS, COUNT_OF(METHODS)},
        {&cloud->products, PRODUCTS, COUNT_OF(PRODUCTS)},
        {&cloud->customers, CUSTOMERS, COUNT_OF(CUSTOMERS)},
    };
    int err = seed_application(cloud, demo);
    for (size_t i = 0; err == 0 && i < COUNT_OF(PARTS); i++)
        err = seed_records(PARTS[i].table, PARTS[i].records, PARTS[i].count);
    if (err == 0)
        err = seed_details(cloud);
    return err == 0 ? seed_orders(cloud) : err;
}
