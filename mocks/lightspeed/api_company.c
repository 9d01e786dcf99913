/* Companies, sites, registers, payment methods and products over the API. */
#include "mocks/lightspeed/api.h"

#include "mocks/lightspeed/decimal.h"
#include "mocks/lightspeed/field.h"
#include "mocks/lightspeed/webhook.h"

#include <string.h>

#include "base/banned.h"

/* --- the company */

static void write_timezone(const struct cloud *cloud, const struct company *company,
                           struct jwrite *writer)
{
    char stamp[40];
    struct text_buffer buffer;
    text_buffer_init(&buffer, stamp, sizeof(stamp));
    text_append_time(&buffer, company, cloud->wall_us);
    jwrite_key(writer, TEXT("timezone"));
    jwrite_object_begin(writer);
    jwrite_named_text(writer, "offset", stamp + strlen("2026-05-29T11:14:06"));
    jwrite_named_text(writer, "name", company->timezone);
    jwrite_object_end(writer);
}

static void write_address(struct jwrite *writer, const char *name)
{
    jwrite_key(writer, text_of(name));
    jwrite_object_begin(writer);
    jwrite_key(writer, TEXT("lines"));
    jwrite_array_begin(writer);
    jwrite_text(writer, TEXT("1 Example Street"));
    jwrite_array_end(writer);
    jwrite_named_text(writer, "city", "Sydney");
    jwrite_named_text(writer, "zone", "NSW");
    jwrite_named_text(writer, "postal_code", "2000");
    jwrite_named_text(writer, "country", "AU");
    jwrite_object_end(writer);
}

static int64_t count_sites(const struct cloud *cloud, int64_t company_id)
{
    int64_t count = 0;
    for (size_t i = 0; i < cloud->sites.count; i++)
        count += ((const struct site *)cloud->sites.records[i])->company_id == company_id;
    return count;
}

static int64_t count_tills(const struct cloud *cloud, int64_t company_id)
{
    int64_t count = 0;
    for (size_t i = 0; i < cloud->tills.count; i++)
        count += ((const struct till *)cloud->tills.records[i])->company_id == company_id;
    return count;
}

void api_company_get(struct cloud *cloud, struct call *call, struct answer *answer)
{
    const struct company *company = call->company;
    struct jwrite *writer = &answer->writer;
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "id", company->id);
    jwrite_named_text(writer, "name", company->name);
    jwrite_named_text(writer, "currency", company->currency.code);
    write_timezone(cloud, company, writer);
    jwrite_named_text(writer, "business_number", company->business_number);
    write_address(writer, "postal_address");
    jwrite_key(writer, TEXT("sites"));
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "count", count_sites(cloud, company->id));
    jwrite_object_end(writer);
    jwrite_key(writer, TEXT("registers"));
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "count", count_tills(cloud, company->id));
    jwrite_named_int(writer, "limit", PLACES_MAX);
    jwrite_object_end(writer);
    jwrite_object_end(writer);
}

/* --- sites */

static const struct field SITE[] = {
    FIELD_OF_TEXT(struct site, name, "name", true),
    FIELD_OF_TEXT(struct site, code, "code", false),
    FIELD_OF_TEXT(struct site, email, "email", false),
};

void site_write(const struct site *site, struct jwrite *writer)
{
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "id", site->id);
    fields_write(SITE, COUNT_OF(SITE), 2, site, writer);
    write_address(writer, "location");
    jwrite_key(writer, TEXT("price_list"));
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "id", 1);
    jwrite_named_text(writer, "name", "Standard");
    jwrite_object_end(writer);
    jwrite_object_end(writer);
}

static void write_listed_site(const struct cloud *cloud, const struct call *call,
                              const void *record, struct jwrite *writer)
{
    (void)cloud;
    (void)call;
    const struct site *site = record;
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "id", site->id);
    jwrite_named_text(writer, "name", site->name);
    jwrite_named_text(writer, "code", site->code);
    jwrite_object_end(writer);
}

static bool site_is_listed(const struct cloud *cloud, const struct call *call, const void *record,
                           const void *context)
{
    (void)cloud;
    (void)context;
    return ((const struct site *)record)->company_id == call->company->id;
}

void api_site_list(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct page_source source = {
        .table = &cloud->sites, .is_listed = site_is_listed, .write = write_listed_site};
    api_answer_page(cloud, call, answer, &source);
}

static struct site *api_site(const struct cloud *cloud, const struct call *call,
                             struct answer *answer)
{
    struct site *site = cloud_site(cloud, call->company->id, call->ids[0]);
    if (site == NULL)
        answer_not_found(answer, "site");
    return site;
}

void api_site_get(struct cloud *cloud, struct call *call, struct answer *answer)
{
    const struct site *site = api_site(cloud, call, answer);
    if (site != NULL)
        site_write(site, &answer->writer);
}

void api_site_put(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct site *site = api_site(cloud, call, answer);
    const struct jread *json = site == NULL ? NULL : call_json(call, answer);
    if (json == NULL)
        return;
    struct site changed = *site;
    if (!fields_read(SITE, COUNT_OF(SITE), 2, false, json, &changed, answer))
        return;
    *site = changed;
    webhook_fire_site(cloud, "sites/updated", site);
    answer_updated(answer);
}

static void write_status(const struct site *site, struct jwrite *writer)
{
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "site_id", site->id);
    jwrite_named_text(writer, "status", site->is_online ? "online" : "offline");
    jwrite_named_text(writer, "online_ordering", site->is_ordering_online ? "online" : "offline");
    if (site->pass_thru_register_id != 0)
        jwrite_named_int(writer, "pass_thru_printing_register", site->pass_thru_register_id);
    jwrite_object_end(writer);
}

void api_site_status(struct cloud *cloud, struct call *call, struct answer *answer)
{
    const struct site *site = api_site(cloud, call, answer);
    if (site != NULL)
        write_status(site, &answer->writer);
}

void api_company_status(struct cloud *cloud, struct call *call, struct answer *answer)
{
    jwrite_array_begin(&answer->writer);
    for (size_t i = 0; i < cloud->sites.count; i++) {
        const struct site *site = cloud->sites.records[i];
        if (site->company_id == call->company->id)
            write_status(site, &answer->writer);
    }
    jwrite_array_end(&answer->writer);
}

/* --- registers */

static void write_listed_till(const struct cloud *cloud, const struct call *call,
                              const void *record, struct jwrite *writer)
{
    (void)cloud;
    (void)call;
    const struct till *till = record;
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "id", till->id);
    jwrite_named_text(writer, "code", till->code);
    jwrite_named_text(writer, "name", till->name);
    jwrite_named_int(writer, "site_id", till->site_id);
    jwrite_object_end(writer);
}

static bool till_is_listed(const struct cloud *cloud, const struct call *call, const void *record,
                           const void *context)
{
    (void)cloud;
    (void)context;
    const struct till *till = record;
    return till->company_id == call->company->id &&
           (call->site_id == 0 || till->site_id == call->site_id);
}

void api_till_list(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct page_source source = {
        .table = &cloud->tills, .is_listed = till_is_listed, .write = write_listed_till};
    api_answer_page(cloud, call, answer, &source);
}

static void write_named(struct jwrite *writer, const char *key, int64_t id, const char *name)
{
    jwrite_key(writer, text_of(key));
    if (id == 0) {
        jwrite_null(writer);
        return;
    }
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "id", id);
    jwrite_named_text(writer, "name", name);
    jwrite_object_end(writer);
}

void till_write(const struct cloud *cloud, const struct till *till, struct jwrite *writer)
{
    const struct site *site = cloud_site(cloud, till->company_id, till->site_id);
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "id", till->id);
    jwrite_named_int(writer, "company_id", till->company_id);
    jwrite_named_text(writer, "code", till->code);
    jwrite_named_text(writer, "name", till->name);
    write_named(writer, "site", till->site_id, site == NULL ? "" : site->name);
    write_named(writer, "current_staff_member", till->staff_id, till->staff_name);
    jwrite_named_text(writer, "sale_prefix", till->sale_prefix);
    jwrite_named_text(writer, "return_prefix", till->return_prefix);
    jwrite_named_bool(writer, "assigned_to_device", till->is_assigned);
    jwrite_object_end(writer);
}

void api_till_get(struct cloud *cloud, struct call *call, struct answer *answer)
{
    const struct till *till = cloud_till(cloud, call->company->id, call->ids[0]);
    if (till == NULL || (call->site_id != 0 && till->site_id != call->site_id))
        answer_not_found(answer, "register");
    else
        till_write(cloud, till, &answer->writer);
}

/* --- payment methods */

static void write_method(const struct cloud *cloud, const struct call *call, const void *record,
                         struct jwrite *writer)
{
    (void)cloud;
    (void)call;
    const struct method *method = record;
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "id", method->id);
    jwrite_named_text(writer, "name", method->name);
    jwrite_named_text(writer, "ledger_code", method->ledger_code);
    jwrite_object_end(writer);
}

static bool method_is_listed(const struct cloud *cloud, const struct call *call, const void *record,
                             const void *context)
{
    (void)cloud;
    (void)context;
    const struct method *method = record;
    return method->company_id == call->company->id && method->is_active;
}

void api_method_list(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct page_source source = {
        .table = &cloud->methods, .is_listed = method_is_listed, .write = write_method};
    api_answer_page(cloud, call, answer, &source);
}

/* --- products */

static void write_price(struct jwrite *writer, const char *name, int64_t millionths)
{
    char digits[MONEY_TEXT_MAX];
    struct text_buffer buffer;
    text_buffer_init(&buffer, digits, sizeof(digits));
    decimal_append(&buffer, millionths, 4);
    jwrite_key(writer, text_of(name));
    jwrite_raw(writer, text_buffer_text(&buffer));
}

static void write_product(const struct cloud *cloud, const struct call *call, const void *record,
                          struct jwrite *writer)
{
    (void)cloud;
    (void)call;
    const struct product *product = record;
    int64_t tax = decimal_scale(product->price_millionths, product->tax_rate_millionths,
                                DECIMAL_ONE + product->tax_rate_millionths);
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "id", product->id);
    jwrite_named_text(writer, "name", product->name);
    jwrite_named_text(writer, "code", product->code);
    write_price(writer, "unit_price", product->price_millionths - tax);
    write_price(writer, "unit_price_inc_tax", product->price_millionths);
    jwrite_key(writer, TEXT("stock"));
    if (product->stock == NO_STOCK)
        jwrite_null(writer);
    else
        jwrite_int64(writer, product->stock);
    jwrite_object_end(writer);
}

static bool product_is_listed(const struct cloud *cloud, const struct call *call,
                              const void *record, const void *context)
{
    (void)cloud;
    (void)context;
    return ((const struct product *)record)->company_id == call->company->id;
}

void api_product_list(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct page_source source = {
        .table = &cloud->products, .is_listed = product_is_listed, .write = write_product};
    api_answer_page(cloud, call, answer, &source);
}

void api_product_get(struct cloud *cloud, struct call *call, struct answer *answer)
{
    const struct product *product = cloud_product(cloud, call->company->id, call->ids[0]);
    if (product == NULL)
        answer_not_found(answer, "product");
    else
        write_product(cloud, call, product, &answer->writer);
}
