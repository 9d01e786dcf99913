/* Makes and takes down the world, and finds things in it. */
#include "mocks/lightspeed/cloud.h"

#include "base/error.h"
#include "mocks/lightspeed/order.h"
#include "mocks/lightspeed/webhook.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define PAYMENT_ID_FIRST INT64_C(19230996)

static void company_release(void *record)
{
    struct company *company = record;
    clock_zone_destroy(company->zone);
}

static int cloud_init_tables(struct cloud *cloud)
{
    const struct {
        struct table *table;
        size_t record_size;
        size_t max;
        int64_t first_id;
        table_release_fn release;
    } TABLES[] = {
        {&cloud->applications, sizeof(struct application), APPLICATIONS_MAX, 1, NULL},
        {&cloud->companies, sizeof(struct company), COMPANIES_MAX, 7000, company_release},
        {&cloud->sites, sizeof(struct site), PLACES_MAX, 3000, NULL},
        {&cloud->tills, sizeof(struct till), PLACES_MAX, 30000, NULL},
        {&cloud->methods, sizeof(struct method), PLACES_MAX, 300, NULL},
        {&cloud->products, sizeof(struct product), PRODUCTS_MAX, 800000, NULL},
        {&cloud->customers, sizeof(struct customer), CUSTOMERS_MAX, 500000, NULL},
        {&cloud->checkins, sizeof(struct checkin), CHECKINS_MAX, 1, NULL},
        {&cloud->webhooks, sizeof(struct webhook), WEBHOOKS_MAX, 537, NULL},
        {&cloud->orders, sizeof(struct order), ORDERS_MAX, ORDER_ID_FIRST, order_release},
        {&cloud->grants, sizeof(struct grant), COMPANIES_MAX * APPLICATIONS_MAX, 1, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(TABLES); i++) {
        int err = table_init(TABLES[i].table, TABLES[i].record_size, TABLES[i].max,
                             TABLES[i].first_id, TABLES[i].release);
        if (err != 0)
            return err;
    }
    return 0;
}

static const struct settings SETTINGS_DEFAULT = {
    .access_token_ttl_s = 3600,
    .code_ttl_s = 300,
    .expired_error = "invalid_token",
    .registers_keep_ref = true,
    .rate_bearer_max = 180,
    .rate_basic_max = 60,
    .rate_window_s = 60,
    .post = {.retry_delay_ms = 200, .timeout_ms = 5000},
};

int cloud_create(struct id_source random, uint64_t seed, struct cloud **cloud)
{
    struct cloud *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    made->random = random;
    made->seed = seed;
    made->dice_state = seed;
    made->payment_next_id = PAYMENT_ID_FIRST;
    made->settings = SETTINGS_DEFAULT;
    made->journal = calloc(JOURNAL_MAX, sizeof(*made->journal));
    int err = made->journal == NULL ? ERR_NO_MEMORY : cloud_init_tables(made);
    if (err == 0)
        err = token_table_init(&made->tokens);
    if (err == 0)
        err = post_init(&made->post);
    if (err != 0) {
        cloud_destroy(made);
        return err;
    }
    *cloud = made;
    return 0;
}

void cloud_destroy(struct cloud *cloud)
{
    if (cloud == NULL)
        return;
    struct table *tables[] = {&cloud->applications, &cloud->companies, &cloud->sites,
                              &cloud->tills,        &cloud->methods,   &cloud->products,
                              &cloud->customers,    &cloud->checkins,  &cloud->webhooks,
                              &cloud->orders,       &cloud->grants};
    for (size_t i = 0; i < COUNT_OF(tables); i++)
        table_finish(tables[i]);
    token_table_finish(&cloud->tokens);
    post_finish(&cloud->post);
    free(cloud->journal);
    free(cloud);
}

void cloud_note(struct cloud *cloud, const struct call *call, int status, const char *fault,
                int64_t duration_us)
{
    struct journal_entry *entry = &cloud->journal[cloud->journal_count % JOURNAL_MAX];
    *entry = (struct journal_entry){.number = ++cloud->journal_count,
                                    .wall_us = cloud->wall_us,
                                    .status = status,
                                    .company_id = call->company == NULL ? 0 : call->company->id,
                                    .duration_us = duration_us,
                                    .fault = fault};
    struct text_buffer buffer;
    text_buffer_init(&buffer, entry->method, sizeof(entry->method));
    text_append(&buffer, call->method);
    text_buffer_init(&buffer, entry->path, sizeof(entry->path));
    text_append(&buffer, call->target);
}

/* --- look-ups */

struct application *cloud_application(const struct cloud *cloud, struct text client_id)
{
    for (size_t i = 0; i < cloud->applications.count; i++) {
        struct application *application = cloud->applications.records[i];
        if (text_equal(text_of(application->client_id), client_id))
            return application;
    }
    return NULL;
}

struct application *cloud_application_by_id(const struct cloud *cloud, int64_t id)
{
    return table_find(&cloud->applications, id);
}

struct company *cloud_company(const struct cloud *cloud, int64_t id)
{
    return table_find(&cloud->companies, id);
}

struct site *cloud_site(const struct cloud *cloud, int64_t company_id, int64_t id)
{
    struct site *site = table_find(&cloud->sites, id);
    return site != NULL && site->company_id == company_id ? site : NULL;
}

struct till *cloud_till(const struct cloud *cloud, int64_t company_id, int64_t id)
{
    struct till *till = table_find(&cloud->tills, id);
    return till != NULL && till->company_id == company_id ? till : NULL;
}

struct method *cloud_method(const struct cloud *cloud, int64_t company_id, int64_t id)
{
    struct method *method = table_find(&cloud->methods, id);
    return method != NULL && method->company_id == company_id ? method : NULL;
}

struct product *cloud_product(const struct cloud *cloud, int64_t company_id, int64_t id)
{
    struct product *product = table_find(&cloud->products, id);
    return product != NULL && product->company_id == company_id ? product : NULL;
}

struct customer *cloud_customer(const struct cloud *cloud, int64_t company_id, int64_t id)
{
    struct customer *customer = table_find(&cloud->customers, id);
    return customer != NULL && customer->company_id == company_id ? customer : NULL;
}

int company_resolve(struct company *company)
{
    struct clock_zone *zone = NULL;
    int err = currency_find(text_of(company->currency_code), &company->currency);
    if (err == 0)
        err = clock_zone_create(company->timezone, &zone);
    if (err != 0)
        return err;
    clock_zone_destroy(company->zone);
    company->zone = zone;
    return 0;
}

int64_t cloud_dice(struct cloud *cloud)
{
    uint64_t random;
    struct id_source dice = id_source_seeded(&cloud->dice_state);
    dice.fill(dice.context, (uint8_t *)&random, sizeof(random));
    return (int64_t)(random % 100);
}

void text_append_time(struct text_buffer *buffer, const struct company *company, int64_t wall_us)
{
    int32_t offset_s = clock_zone_offset_s(company->zone, wall_us);
    char bytes[40];
    struct text_buffer local;
    text_buffer_init(&local, bytes, sizeof(bytes));
    clock_append_time(&local, wall_us + offset_s * CLOCK_US_PER_S);
    text_append(buffer, text_slice(text_buffer_text(&local), 0, strlen("2026-05-29T11:14:06")));
    int32_t size_s = offset_s < 0 ? -offset_s : offset_s;
    text_append_format(buffer, "%c%02d:%02d", offset_s < 0 ? '-' : '+', (int)(size_s / 3600),
                       (int)(size_s / 60 % 60));
}

void jwrite_named_time(struct jwrite *writer, const char *name, const struct company *company,
                       int64_t wall_us)
{
    char bytes[40];
    struct text_buffer buffer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    text_append_time(&buffer, company, wall_us);
    jwrite_key(writer, text_of(name));
    jwrite_text(writer, text_buffer_text(&buffer));
}
