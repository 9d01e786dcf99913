/* Customers and their check-ins over the API. */
#include "mocks/lightspeed/api.h"

#include "base/error.h"
#include "mocks/lightspeed/field.h"
#include "mocks/lightspeed/webhook.h"

#include <string.h>

#include "base/banned.h"

#define CHECKIN_MIN_DEFAULT 120
#define CHECKIN_MIN_LEAST 5
#define CHECKIN_MIN_MOST 180

/* --- reading and writing */

static const struct field CUSTOMER[] = {
    FIELD_OF_TEXT(struct customer, first_name, "first_name", true),
    FIELD_OF_TEXT(struct customer, last_name, "last_name", false),
    FIELD_OF_TEXT(struct customer, email, "email", false),
    FIELD_OF_TEXT(struct customer, phone, "phone", false),
};
static const struct field CUSTOMER_EXTRAS[] = {
    FIELD_OF_TEXT(struct customer, email, "primary_email_address", false),
    FIELD_OF_TEXT(struct customer, image, "image", false),
    FIELD_OF(struct customer, accepts_marketing, "accepts_marketing", FIELD_BOOL),
};

static const char NO_ADDRESS[] = "{\"address\":\"\",\"city\":\"\",\"state\":\"\","
                                 "\"postal_code\":\"\",\"country\":\"\"}";

static void write_kept(struct jwrite *writer, const char *name, const char *json,
                       struct text otherwise)
{
    jwrite_key(writer, text_of(name));
    jwrite_raw(writer, json[0] == '\0' ? otherwise : text_of(json));
}

void customer_write(const struct cloud *cloud, const struct customer *customer,
                    int64_t application_id, struct jwrite *writer)
{
    const struct company *company = cloud_company(cloud, customer->company_id);
    struct text no_address = text_of(NO_ADDRESS);
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "id", customer->id);
    fields_write(CUSTOMER, COUNT_OF(CUSTOMER), 2, customer, writer);
    jwrite_named_text(writer, "primary_email_address", customer->email);
    write_kept(writer, "tags", customer->tags_json, TEXT("[]"));
    /* private to each application; empty when it has none (protocol o-series 7.5) */
    jwrite_named_text(writer, "reference_id",
                      application_id == 0 ? "" : customer->references[application_id - 1]);
    jwrite_key(writer, TEXT("image"));
    if (customer->image[0] == '\0')
        jwrite_null(writer);
    else
        jwrite_text(writer, text_of(customer->image));
    jwrite_named_bool(writer, "accepts_marketing", customer->accepts_marketing);
    write_kept(writer, "primary_address", customer->primary_address_json, no_address);
    write_kept(writer, "shipping_address", customer->shipping_address_json, no_address);
    /* always the present moment: protocol o-series 7.5 */
    jwrite_named_time(writer, "created_at", company, cloud->wall_us);
    jwrite_named_time(writer, "updated_at", company, cloud->wall_us);
    jwrite_object_end(writer);
}

static bool keep_json(const struct jread *json, const char *name, enum jread_kind kind, char *place,
                      struct answer *answer)
{
    const struct jread *value = jread_member(json, name);
    if (value == NULL)
        return true;
    struct text_buffer buffer;
    struct jwrite writer;
    text_buffer_init(&buffer, place, JSON_KEPT_MAX);
    jwrite_init(&writer, &buffer);
    if (jread_kind_of(value) == kind)
        jwrite_copy(&writer, value);
    if (buffer.length > 0 && !buffer.is_cut)
        return true;
    answer_error(answer, 400, "bad_request", "%s: %s of at most %d bytes wanted.", name,
                 kind == JREAD_ARRAY ? "a list" : "an object", JSON_KEPT_MAX - 1);
    return false;
}

bool customer_read(const struct jread *json, bool is_new, int64_t application_id,
                   struct customer *customer, struct answer *answer)
{
    struct field reference = {.name = "reference_id", .kind = FIELD_TEXT, .size = NAME_MAX_BYTES};
    char ignored[NAME_MAX_BYTES] = "";
    char *place = application_id == 0 ? ignored : customer->references[application_id - 1];
    if (!fields_read(CUSTOMER_EXTRAS, COUNT_OF(CUSTOMER_EXTRAS), 2, is_new, json, customer,
                     answer) ||
        !fields_read(CUSTOMER, COUNT_OF(CUSTOMER), 2, is_new, json, customer, answer) ||
        !fields_read(&reference, 1, 2, is_new, json, place, answer) ||
        !keep_json(json, "tags", JREAD_ARRAY, customer->tags_json, answer) ||
        !keep_json(json, "primary_address", JREAD_OBJECT, customer->primary_address_json, answer) ||
        !keep_json(json, "shipping_address", JREAD_OBJECT, customer->shipping_address_json, answer))
        return false;
    if (customer->email[0] != '\0' || customer->phone[0] != '\0')
        return true;
    answer_bad(answer, "email or phone is required.");
    return false;
}

/* --- lists and look-ups */

struct customer_filter {
    bool has_reference;
    char reference_id[NAME_MAX_BYTES];
};

static bool customer_is_listed(const struct cloud *cloud, const struct call *call,
                               const void *record, const void *context)
{
    (void)cloud;
    const struct customer *customer = record;
    const struct customer_filter *filter = context;
    if (customer->company_id != call->company->id)
        return false;
    return !filter->has_reference ||
           (filter->reference_id[0] != '\0' &&
            strcmp(customer->references[call->application->id - 1], filter->reference_id) == 0);
}

static void write_listed(const struct cloud *cloud, const struct call *call, const void *record,
                         struct jwrite *writer)
{
    customer_write(cloud, record, call->application->id, writer);
}

/* By e-mail, or by first name, last name and phone together: protocol o-series 7.5. */
struct customer_search {
    char email[NAME_MAX_BYTES];
    char first_name[NAME_MAX_BYTES];
    char last_name[NAME_MAX_BYTES];
    char phone[NAME_MAX_BYTES];
    bool is_by_email;
};

static bool same(const char *a, const char *b)
{
    return text_equal_nocase(text_of(a), text_of(b));
}

static bool customer_is_found(const struct customer_search *search, const struct customer *customer)
{
    if (search->is_by_email)
        return same(customer->email, search->email);
    return same(customer->first_name, search->first_name) &&
           same(customer->last_name, search->last_name) && same(customer->phone, search->phone);
}

/* 302 to the record, or 404. */
static void answer_search(const struct cloud *cloud, const struct call *call,
                          const struct customer_search *search, struct answer *answer)
{
    for (size_t i = 0; i < cloud->customers.count; i++) {
        const struct customer *customer = cloud->customers.records[i];
        if (customer->company_id != call->company->id || !customer_is_found(search, customer))
            continue;
        answer_created(answer, call, "/v1/companies/%lld/customers/%lld%s",
                       (long long)call->company->id, (long long)customer->id,
                       call->has_json_suffix ? ".json" : "");
        answer->status = 302;
        return;
    }
    answer_not_found(answer, "customer");
}

void api_customer_list(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct customer_search search = {.is_by_email = false};
    search.is_by_email = call_query(call, "email", search.email, sizeof(search.email));
    bool is_by_name =
        call_query(call, "first_name", search.first_name, sizeof(search.first_name)) &&
        call_query(call, "last_name", search.last_name, sizeof(search.last_name)) &&
        call_query(call, "phone", search.phone, sizeof(search.phone));
    if (search.is_by_email || is_by_name) {
        answer_search(cloud, call, &search, answer);
        return;
    }
    struct customer_filter filter = {.has_reference = false};
    filter.has_reference =
        call_query(call, "reference_id", filter.reference_id, sizeof(filter.reference_id));
    struct page_source source = {.table = &cloud->customers,
                                 .is_listed = customer_is_listed,
                                 .write = write_listed,
                                 .context = &filter};
    api_answer_page(cloud, call, answer, &source);
}

/* --- one customer */

static struct customer *api_customer(const struct cloud *cloud, const struct call *call,
                                     struct answer *answer)
{
    struct customer *customer = cloud_customer(cloud, call->company->id, call->ids[0]);
    if (customer == NULL)
        answer_not_found(answer, "customer");
    return customer;
}

void api_customer_get(struct cloud *cloud, struct call *call, struct answer *answer)
{
    const struct customer *customer = api_customer(cloud, call, answer);
    if (customer != NULL)
        customer_write(cloud, customer, call->application->id, &answer->writer);
}

void api_customer_post(struct cloud *cloud, struct call *call, struct answer *answer)
{
    const struct jread *json = call_json(call, answer);
    struct customer draft = {.company_id = call->company->id};
    if (json == NULL || !customer_read(json, true, call->application->id, &draft, answer))
        return;
    struct customer *customer = table_add(&cloud->customers, 0);
    if (customer == NULL) {
        answer_error(answer, 503, "full", "This fake keeps at most %d customers.", CUSTOMERS_MAX);
        return;
    }
    draft.id = customer->id;
    *customer = draft;
    webhook_fire_customer(cloud, "customers/created", customer);
    answer_created(answer, call, "/v1/companies/%lld/customers/%lld", (long long)call->company->id,
                   (long long)customer->id);
}

void api_customer_put(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct customer *customer = api_customer(cloud, call, answer);
    const struct jread *json = customer == NULL ? NULL : call_json(call, answer);
    if (json == NULL)
        return;
    struct customer draft = *customer;
    if (!customer_read(json, false, call->application->id, &draft, answer))
        return;
    *customer = draft;
    webhook_fire_customer(cloud, "customers/updated", customer);
    answer_updated(answer);
}

/* --- check-ins */

static bool checkin_is_valid(const struct cloud *cloud, const struct checkin *checkin)
{
    return cloud->wall_us < checkin->start_us + checkin->duration_min * 60 * CLOCK_US_PER_S;
}

static struct checkin *find_checkin(const struct cloud *cloud, const struct call *call,
                                    int64_t site_id, int64_t customer_id)
{
    for (size_t i = 0; i < cloud->checkins.count; i++) {
        struct checkin *checkin = cloud->checkins.records[i];
        if (checkin->company_id == call->company->id && checkin->customer_id == customer_id &&
            (site_id == 0 || checkin->site_id == site_id) && checkin_is_valid(cloud, checkin))
            return checkin;
    }
    return NULL;
}

static void forget_old_checkins(struct cloud *cloud)
{
    for (size_t i = cloud->checkins.count; i > 0; i--) {
        const struct checkin *checkin = cloud->checkins.records[i - 1];
        if (!checkin_is_valid(cloud, checkin))
            table_remove(&cloud->checkins, checkin->id);
    }
}

static void write_checkin(const struct cloud *cloud, const struct checkin *checkin,
                          struct jwrite *writer)
{
    const struct company *company = cloud_company(cloud, checkin->company_id);
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "customer_id", checkin->customer_id);
    jwrite_named_time(writer, "start_time", company, checkin->start_us);
    jwrite_named_int(writer, "duration", checkin->duration_min);
    jwrite_object_end(writer);
}

void checkins_write(const struct cloud *cloud, int64_t site_id, struct jwrite *writer)
{
    jwrite_array_begin(writer);
    for (size_t i = 0; i < cloud->checkins.count; i++) {
        const struct checkin *checkin = cloud->checkins.records[i];
        if (checkin->site_id == site_id && checkin_is_valid(cloud, checkin))
            write_checkin(cloud, checkin, writer);
    }
    jwrite_array_end(writer);
}

static bool has_site(const struct call *call, struct answer *answer)
{
    if (call->site_id != 0)
        return true;
    answer_not_found(answer, "resource"); /* check-ins stand under a site */
    return false;
}

static bool checkin_is_listed(const struct cloud *cloud, const struct call *call,
                              const void *record, const void *context)
{
    (void)context;
    const struct checkin *checkin = record;
    return checkin->site_id == call->site_id && checkin_is_valid(cloud, checkin);
}

static void write_listed_checkin(const struct cloud *cloud, const struct call *call,
                                 const void *record, struct jwrite *writer)
{
    (void)call;
    write_checkin(cloud, record, writer);
}

void api_checkin_list(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct page_source source = {
        .table = &cloud->checkins, .is_listed = checkin_is_listed, .write = write_listed_checkin};
    if (has_site(call, answer))
        api_answer_page(cloud, call, answer, &source);
}

static struct checkin *api_checkin(const struct cloud *cloud, const struct call *call,
                                   struct answer *answer)
{
    if (!has_site(call, answer))
        return NULL;
    struct checkin *checkin = find_checkin(cloud, call, call->site_id, call->ids[0]);
    if (checkin == NULL)
        answer_error(answer, 404, "not_found", "This customer is not checked in.");
    return checkin;
}

void api_checkin_get(struct cloud *cloud, struct call *call, struct answer *answer)
{
    const struct checkin *checkin = api_checkin(cloud, call, answer);
    if (checkin != NULL)
        write_checkin(cloud, checkin, &answer->writer);
}

void api_checkin_delete(struct cloud *cloud, struct call *call, struct answer *answer)
{
    const struct checkin *checkin = api_checkin(cloud, call, answer);
    if (checkin == NULL)
        return;
    table_remove(&cloud->checkins, checkin->id);
    answer_empty(answer, 204);
}

void api_checkin_post(struct cloud *cloud, struct call *call, struct answer *answer)
{
    static const struct field FIELDS[] = {
        FIELD_OF_INT(struct checkin, customer_id, "customer_id", 1, INT64_MAX, true),
        FIELD_OF_INT(struct checkin, duration_min, "duration", CHECKIN_MIN_LEAST, CHECKIN_MIN_MOST,
                     false)};
    struct checkin draft = {.company_id = call->company->id,
                            .site_id = call->site_id,
                            .start_us = cloud->wall_us,
                            .duration_min = CHECKIN_MIN_DEFAULT};
    if (!has_site(call, answer))
        return;
    const struct jread *json = call_json(call, answer);
    if (json == NULL || !fields_read(FIELDS, COUNT_OF(FIELDS), 2, true, json, &draft, answer))
        return;
    if (cloud_customer(cloud, draft.company_id, draft.customer_id) == NULL) {
        answer_bad(answer, "customer_id: no such customer of this company.");
        return;
    }
    if (find_checkin(cloud, call, 0, draft.customer_id) != NULL) {
        answer_bad(answer, "This customer is already checked in.");
        return;
    }
    forget_old_checkins(cloud);
    struct checkin *checkin = table_add(&cloud->checkins, 0);
    if (checkin == NULL) {
        answer_error(answer, 503, "full", "This fake keeps at most %d check-ins.", CHECKINS_MAX);
        return;
    }
    draft.id = checkin->id;
    *checkin = draft;
    answer_created(answer, call, "/v1/companies/%lld/sites/%lld/checkins/%lld",
                   (long long)draft.company_id, (long long)draft.site_id,
                   (long long)draft.customer_id);
}
