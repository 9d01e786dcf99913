/* Plain records over the control address: what can be added and changed, one table row a kind. */
#include "mocks/lightspeed/control.h"

#include "base/error.h"
#include "mocks/lightspeed/api.h"
#include "mocks/lightspeed/decimal.h"
#include "mocks/lightspeed/field.h"
#include "mocks/lightspeed/webhook.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

struct kind {
    const char *name;
    size_t table; /* offset in struct cloud */
    const struct field *fields;
    size_t field_count;
    const char *const *other_names; /* members that check reads */
    /* NULL: none needed. On the way in: what the fields cannot say; false: refused. */
    void (*prepare)(void *record);
    bool (*check)(struct cloud *cloud, const struct jread *json, void *record,
                  struct answer *answer);
    void (*done)(struct cloud *cloud, const void *record, bool is_new);
    void (*write)(const struct cloud *cloud, const void *record, struct jwrite *writer);
    /* NULL: others hang on such a record, so it cannot be deleted. */
    void (*leave)(struct cloud *cloud, const void *record);
};

static bool company_exists(const struct cloud *cloud, int64_t company_id, struct answer *answer)
{
    if (cloud_company(cloud, company_id) != NULL)
        return true;
    answer_bad(answer, "company_id: no such company.");
    return false;
}

/* --- applications */

static const struct field APPLICATION[] = {
    FIELD_OF_TEXT(struct application, name, "name", false),
    FIELD_OF_TEXT(struct application, client_id, "client_id", true),
    FIELD_OF_TEXT(struct application, client_secret, "client_secret", true),
    FIELD_OF_TEXT(struct application, signature_token, "signature_token", true),
    FIELD_OF_INT(struct application, own_company_id, "own_company_id", 0, INT64_MAX, false),
    FIELD_OF(struct application, may_pay_foreign_orders, "may_pay_foreign_orders", FIELD_BOOL),
};
static const char *const APPLICATION_OTHERS[] = {"redirect_uris", NULL};

static bool application_check(struct cloud *cloud, const struct jread *json, void *record,
                              struct answer *answer)
{
    struct application *application = record;
    const struct application *twin = cloud_application(cloud, text_of(application->client_id));
    if (twin != NULL && twin->id != application->id) {
        answer_bad(answer, "client_id: taken.");
        return false;
    }
    const struct jread *uris = jread_member(json, "redirect_uris");
    if (uris == NULL)
        return true;
    size_t count = jread_count(uris);
    bool is_good = jread_kind_of(uris) == JREAD_ARRAY && count <= REDIRECTS_MAX;
    for (size_t i = 0; is_good && i < count; i++) {
        struct text uri;
        is_good = jread_text(jread_element(uris, i), &uri) == 0 && uri.length < URL_MAX;
        if (!is_good)
            break;
        struct text_buffer buffer;
        text_buffer_init(&buffer, application->redirect_uris[i], URL_MAX);
        text_append(&buffer, uri);
    }
    application->redirect_count = count;
    if (!is_good)
        answer_bad(answer, "redirect_uris: a list of at most 8 addresses wanted.");
    return is_good;
}

static void application_write(const struct cloud *cloud, const void *record, struct jwrite *writer)
{
    const struct application *application = record;
    (void)cloud;
    jwrite_key(writer, TEXT("redirect_uris"));
    jwrite_array_begin(writer);
    for (size_t i = 0; i < application->redirect_count; i++)
        jwrite_text(writer, text_of(application->redirect_uris[i]));
    jwrite_array_end(writer);
}

/* --- companies */

static const struct field COMPANY[] = {
    FIELD_OF_TEXT(struct company, name, "name", true),
    FIELD_OF_TEXT(struct company, currency_code, "currency", true),
    FIELD_OF_TEXT(struct company, timezone, "timezone", true),
    FIELD_OF_TEXT(struct company, business_number, "business_number", false),
};

static void company_prepare(void *record)
{
    struct company *company = record;
    company->sale_next = SALE_FIRST;
    memcpy(company->currency_code, "AUD", sizeof("AUD"));
    memcpy(company->timezone, "Australia/Sydney", sizeof("Australia/Sydney"));
}

static bool company_check(struct cloud *cloud, const struct jread *json, void *record,
                          struct answer *answer)
{
    (void)cloud;
    (void)json;
    if (company_resolve(record) == 0)
        return true;
    answer_bad(answer, "currency or timezone: there is none of that name.");
    return false;
}

/* --- sites, registers, payment methods, products */

static const struct field SITE[] = {
    FIELD_OF_INT(struct site, company_id, "company_id", 1, INT64_MAX, true),
    FIELD_OF_TEXT(struct site, name, "name", true),
    FIELD_OF_TEXT(struct site, code, "code", false),
    FIELD_OF_TEXT(struct site, email, "email", false),
    FIELD_OF(struct site, is_online, "online", FIELD_BOOL),
    FIELD_OF(struct site, is_ordering_online, "online_ordering", FIELD_BOOL),
    FIELD_OF_INT(struct site, pass_thru_register_id, "pass_thru_printing_register", 0, INT64_MAX,
                 false),
};

static void site_prepare(void *record)
{
    struct site *site = record;
    site->is_online = true;
    site->is_ordering_online = true;
}

static bool site_check(struct cloud *cloud, const struct jread *json, void *record,
                       struct answer *answer)
{
    (void)json;
    return company_exists(cloud, ((const struct site *)record)->company_id, answer);
}

static void site_done(struct cloud *cloud, const void *record, bool is_new)
{
    webhook_fire_site(cloud, is_new ? "sites/created" : "sites/updated", record);
}

static const struct field TILL[] = {
    FIELD_OF_INT(struct till, site_id, "site_id", 1, INT64_MAX, true),
    FIELD_OF_TEXT(struct till, name, "name", true),
    FIELD_OF_TEXT(struct till, code, "code", false),
    FIELD_OF_TEXT(struct till, sale_prefix, "sale_prefix", false),
    FIELD_OF_TEXT(struct till, return_prefix, "return_prefix", false),
    FIELD_OF_INT(struct till, staff_id, "staff_id", 0, INT64_MAX, false),
    FIELD_OF_TEXT(struct till, staff_name, "staff_name", false),
    FIELD_OF(struct till, is_assigned, "assigned_to_device", FIELD_BOOL),
};

static bool till_check(struct cloud *cloud, const struct jread *json, void *record,
                       struct answer *answer)
{
    struct till *till = record;
    const struct site *site = table_find(&cloud->sites, till->site_id);
    (void)json;
    if (site == NULL) {
        answer_bad(answer, "site_id: no such site.");
        return false;
    }
    till->company_id = site->company_id;
    return true;
}

static void till_done(struct cloud *cloud, const void *record, bool is_new)
{
    webhook_fire_till(cloud, is_new ? "registers/created" : "registers/updated", record);
}

static void till_leave(struct cloud *cloud, const void *record)
{
    webhook_fire_till(cloud, "registers/deleted", record);
}

static const struct field METHOD[] = {
    FIELD_OF_INT(struct method, company_id, "company_id", 1, INT64_MAX, true),
    FIELD_OF_TEXT(struct method, name, "name", true),
    FIELD_OF_TEXT(struct method, ledger_code, "ledger_code", false),
    FIELD_OF(struct method, is_active, "active", FIELD_BOOL),
};
static const char *const METHOD_OTHERS[] = {"client_id", NULL};

static void method_prepare(void *record)
{
    ((struct method *)record)->is_active = true;
}

static bool method_check(struct cloud *cloud, const struct jread *json, void *record,
                         struct answer *answer)
{
    struct method *method = record;
    struct text client_id;
    if (jread_text(jread_member(json, "client_id"), &client_id) == 0) {
        const struct application *application = cloud_application(cloud, client_id);
        if (application == NULL) {
            answer_bad(answer, "client_id: no such application.");
            return false;
        }
        method->application_id = application->id;
    }
    return company_exists(cloud, method->company_id, answer);
}

static const struct field PRODUCT[] = {
    FIELD_OF_INT(struct product, company_id, "company_id", 1, INT64_MAX, true),
    FIELD_OF_TEXT(struct product, name, "name", true),
    FIELD_OF_TEXT(struct product, code, "code", false),
    FIELD_OF(struct product, price_millionths, "price", FIELD_DECIMAL),
    FIELD_OF(struct product, tax_rate_millionths, "tax_rate", FIELD_DECIMAL),
    FIELD_OF_INT(struct product, stock, "stock", NO_STOCK, 1000000, false),
};

static void product_prepare(void *record)
{
    struct product *product = record;
    product->tax_rate_millionths = DECIMAL_ONE / 10;
    product->stock = NO_STOCK;
}

static void product_leave(struct cloud *cloud, const void *record)
{
    (void)cloud; /* lines that have it go on without its name */
    (void)record;
}

static bool product_check(struct cloud *cloud, const struct jread *json, void *record,
                          struct answer *answer)
{
    const struct product *product = record;
    (void)json;
    if (product->price_millionths < 0 || product->price_millionths > PRICE_MAX ||
        product->tax_rate_millionths < 0 || product->tax_rate_millionths > DECIMAL_ONE) {
        answer_bad(answer, "price from 0 to 100000 and tax_rate from 0 to 1 wanted.");
        return false;
    }
    return company_exists(cloud, product->company_id, answer);
}

/* --- customers */

static const struct field CUSTOMER[] = {
    FIELD_OF_INT(struct customer, company_id, "company_id", 1, INT64_MAX, true),
};
static const char *const CUSTOMER_OTHERS[] = {"first_name",
                                              "last_name",
                                              "email",
                                              "phone",
                                              "primary_email_address",
                                              "image",
                                              "accepts_marketing",
                                              "tags",
                                              "primary_address",
                                              "shipping_address",
                                              "reference_ids",
                                              NULL};

/* {"demo-client":"M-1"}: each application's own. */
static bool read_references(const struct cloud *cloud, const struct jread *json,
                            struct customer *customer, struct answer *answer)
{
    const struct jread *references = jread_member(json, "reference_ids");
    for (size_t i = 0; i < jread_count(references); i++) {
        struct text client_id, reference;
        const struct jread *value = jread_member_at(references, i, &client_id);
        const struct application *application = cloud_application(cloud, client_id);
        if (application == NULL || jread_scalar(value, &reference) != 0 ||
            reference.length >= NAME_MAX_BYTES) {
            answer_bad(answer, "reference_ids: an object of client ids and texts wanted.");
            return false;
        }
        struct text_buffer buffer;
        text_buffer_init(&buffer, customer->references[application->id - 1], NAME_MAX_BYTES);
        text_append(&buffer, reference);
    }
    return true;
}

static bool customer_check(struct cloud *cloud, const struct jread *json, void *record,
                           struct answer *answer)
{
    struct customer *customer = record;
    bool is_new = customer->first_name[0] == '\0';
    return company_exists(cloud, customer->company_id, answer) &&
           customer_read(json, is_new, 0, customer, answer) &&
           read_references(cloud, json, customer, answer);
}

static void customer_done(struct cloud *cloud, const void *record, bool is_new)
{
    webhook_fire_customer(cloud, is_new ? "customers/created" : "customers/updated", record);
}

static void customer_leave(struct cloud *cloud, const void *record)
{
    webhook_fire_customer(cloud, "customers/deleted", record);
}

static void customer_show(const struct cloud *cloud, const void *record, struct jwrite *writer)
{
    const struct customer *customer = record;
    jwrite_named_text(writer, "first_name", customer->first_name);
    jwrite_named_text(writer, "last_name", customer->last_name);
    jwrite_named_text(writer, "email", customer->email);
    jwrite_named_text(writer, "phone", customer->phone);
    jwrite_key(writer, TEXT("reference_ids"));
    jwrite_object_begin(writer);
    for (size_t i = 0; i < cloud->applications.count; i++) {
        const struct application *application = cloud->applications.records[i];
        const char *reference = customer->references[application->id - 1];
        if (reference[0] != '\0')
            jwrite_named_text(writer, application->client_id, reference);
    }
    jwrite_object_end(writer);
}

/* --- all kinds alike */

static const struct kind KINDS[] = {
    {"applications", offsetof(struct cloud, applications), APPLICATION, COUNT_OF(APPLICATION),
     APPLICATION_OTHERS, NULL, application_check, NULL, application_write, NULL},
    {"companies", offsetof(struct cloud, companies), COMPANY, COUNT_OF(COMPANY), NULL,
     company_prepare, company_check, NULL, NULL, NULL},
    {"sites", offsetof(struct cloud, sites), SITE, COUNT_OF(SITE), NULL, site_prepare, site_check,
     site_done, NULL, NULL},
    {"registers", offsetof(struct cloud, tills), TILL, COUNT_OF(TILL), NULL, NULL, till_check,
     till_done, NULL, till_leave},
    {"payment_methods", offsetof(struct cloud, methods), METHOD, COUNT_OF(METHOD), METHOD_OTHERS,
     method_prepare, method_check, NULL, NULL, NULL},
    {"products", offsetof(struct cloud, products), PRODUCT, COUNT_OF(PRODUCT), NULL,
     product_prepare, product_check, NULL, NULL, product_leave},
    {"customers", offsetof(struct cloud, customers), CUSTOMER, COUNT_OF(CUSTOMER), CUSTOMER_OTHERS,
     NULL, customer_check, customer_done, customer_show, customer_leave},
};

static struct table *kind_table(const struct kind *kind, const struct cloud *cloud)
{
    return (struct table *)(void *)((char *)cloud + kind->table);
}

static int64_t record_id(const void *record)
{
    int64_t id;
    memcpy(&id, record, sizeof(id));
    return id;
}

static void record_write(const struct cloud *cloud, const struct kind *kind, const void *record,
                         struct jwrite *writer)
{
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "id", record_id(record));
    fields_write(kind->fields, kind->field_count, 2, record, writer);
    if (kind->write != NULL)
        kind->write(cloud, record, writer);
    jwrite_object_end(writer);
}

static bool names_are_known(const struct kind *kind, const struct jread *json,
                            struct answer *answer)
{
    const char *names[32] = {"id"};
    size_t count = 1;
    for (const char *const *other = kind->other_names; other != NULL && *other != NULL; other++)
        names[count++] = *other;
    CHECK(count < COUNT_OF(names));
    return fields_are_known(kind->fields, kind->field_count, names, json, answer);
}

static bool draft_read(struct cloud *cloud, const struct kind *kind, const struct jread *json,
                       bool is_new, void *draft, struct answer *answer)
{
    return names_are_known(kind, json, answer) &&
           fields_read(kind->fields, kind->field_count, 2, is_new, json, draft, answer) &&
           kind->check(cloud, json, draft, answer);
}

static void record_done(struct cloud *cloud, const struct kind *kind, const void *record,
                        bool is_new, struct answer *answer)
{
    if (kind->done != NULL)
        kind->done(cloud, record, is_new);
    answer->status = is_new ? 201 : 200;
    record_write(cloud, kind, record, &answer->writer);
}

static void record_post(struct cloud *cloud, const struct kind *kind, const struct jread *json,
                        void *draft, struct answer *answer)
{
    struct table *table = kind_table(kind, cloud);
    int64_t id = 0;
    const struct jread *wanted = jread_member(json, "id");
    if (wanted != NULL && (jread_int64(wanted, &id) != 0 || id < 1)) {
        answer_bad(answer, "id: a whole number from 1 on wanted.");
        return;
    }
    if (kind->prepare != NULL)
        kind->prepare(draft);
    if (!draft_read(cloud, kind, json, true, draft, answer))
        return;
    void *record = table_add(table, id);
    if (record == NULL) {
        if (table->release != NULL)
            table->release(draft);
        answer_bad(answer, "The id is taken, or this fake has no more room.");
        return;
    }
    id = record_id(record);
    memcpy(record, draft, table->record_size);
    memcpy(record, &id, sizeof(id));
    record_done(cloud, kind, record, true, answer);
}

static void record_put(struct cloud *cloud, const struct kind *kind, const struct jread *json,
                       void *record, void *draft, struct answer *answer)
{
    memcpy(draft, record, kind_table(kind, cloud)->record_size);
    if (!draft_read(cloud, kind, json, false, draft, answer))
        return;
    memcpy(record, draft, kind_table(kind, cloud)->record_size);
    record_done(cloud, kind, record, false, answer);
}

static const struct kind *find_kind(struct text name)
{
    for (size_t i = 0; i < COUNT_OF(KINDS); i++)
        if (text_equal(name, text_of(KINDS[i].name)))
            return &KINDS[i];
    return NULL;
}

/* By id; an application also by its client id. */
static void *find_record(const struct cloud *cloud, const struct kind *kind,
                         const struct call *call)
{
    if (kind->fields == APPLICATION) {
        struct application *application = cloud_application(cloud, call->segments[2]);
        if (application != NULL)
            return application;
    }
    return table_find(kind_table(kind, cloud), call_segment_id(call, 2));
}

static void kind_answer(struct cloud *cloud, const struct kind *kind, struct call *call,
                        struct answer *answer)
{
    void *record = call->segment_count == 3 ? find_record(cloud, kind, call) : NULL;
    const struct jread *json = NULL;
    if (call->segment_count > 3 || (call->segment_count == 3 && record == NULL)) {
        answer_not_found(answer, "record");
        return;
    }
    if (call_method_is(call, "GET")) {
        if (record == NULL)
            control_write_records(cloud, kind->name, &answer->writer);
        else
            record_write(cloud, kind, record, &answer->writer);
        return;
    }
    if (record != NULL && kind->leave != NULL && call_method_is(call, "DELETE")) {
        kind->leave(cloud, record);
        table_remove(kind_table(kind, cloud), record_id(record));
        answer_empty(answer, 204);
        return;
    }
    if (!call_method_is(call, record == NULL ? "POST" : "PUT")) {
        answer_error(answer, 405, "method_not_allowed", "Another method is wanted here.");
        return;
    }
    void *draft = calloc(1, kind_table(kind, cloud)->record_size);
    CHECK(draft != NULL);
    json = call_json(call, answer);
    if (json != NULL && record == NULL)
        record_post(cloud, kind, json, draft, answer);
    else if (json != NULL)
        record_put(cloud, kind, json, record, draft, answer);
    free(draft);
}

bool control_record(struct cloud *cloud, struct call *call, struct answer *answer)
{
    const struct kind *kind = call->segment_count < 2 ? NULL : find_kind(call->segments[1]);
    if (kind == NULL)
        return false;
    kind_answer(cloud, kind, call, answer);
    return true;
}

void control_write_records(const struct cloud *cloud, const char *name, struct jwrite *writer)
{
    const struct kind *kind = find_kind(text_of(name));
    CHECK(kind != NULL);
    const struct table *table = kind_table(kind, cloud);
    jwrite_array_begin(writer);
    for (size_t i = 0; i < table->count; i++)
        record_write(cloud, kind, table->records[i], writer);
    jwrite_array_end(writer);
}
