/* Webhooks: the events, and the subscriptions as a resource of the API. */
#include "mocks/lightspeed/webhook.h"

#include "base/error.h"
#include "base/seal.h"
#include "mocks/lightspeed/api.h"
#include "mocks/lightspeed/field.h"
#include "mocks/lightspeed/order_json.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* An order of 100 lines with long notes, escaped. */
#define BODY_MAX (1024 * 1024)

static const char *const TOPICS[] = {
    "orders/created",    "orders/updated",    "orders/completed",  "orders/deleted",
    "customers/created", "customers/updated", "customers/deleted", "products/created",
    "products/updated",  "products/deleted",  "sites/created",     "sites/updated",
    "registers/created", "registers/updated", "registers/deleted", "staff/created",
    "staff/updated",     "staff/deleted",     "checkins/created",  "checkins/deleted",
};

/* --- sending */

static void sign(const struct application *application, struct text body, char *hex)
{
    uint8_t mac[SEAL_MAC_BYTES];
    struct seal_hmac *hmac = seal_hmac_create(text_of(application->signature_token));
    seal_hmac_sign(hmac, body, mac);
    seal_hmac_destroy(hmac);
    text_hex_encode(hex, mac, sizeof(mac));
}

static void copy_text(char *place, size_t size, const char *value)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, place, size);
    text_append(&buffer, text_of(value));
}

static void deliver(struct cloud *cloud, const struct webhook *webhook, const char *topic,
                    int64_t subject_id, struct text body)
{
    const struct application *application = cloud_application_by_id(cloud, webhook->application_id);
    struct delivery delivery = {.webhook_id = webhook->id,
                                .application_id = webhook->application_id,
                                .subject_id = subject_id,
                                .header_count = webhook->header_count};
    copy_text(delivery.topic, sizeof(delivery.topic), topic);
    copy_text(delivery.address, sizeof(delivery.address), webhook->address);
    for (size_t i = 0; i < webhook->header_count; i++) {
        struct text_buffer buffer;
        text_buffer_init(&buffer, delivery.headers[i], sizeof(delivery.headers[i]));
        text_append_format(&buffer, "%s: %s", webhook->headers[i].name, webhook->headers[i].value);
    }
    sign(application, body, delivery.signature);
    post_add(cloud, &delivery, body);
}

static bool webhook_wants(const struct webhook *webhook, const char *topic, int64_t company_id,
                          int64_t site_id)
{
    if (webhook->company_id != company_id || strcmp(webhook->topic, topic) != 0)
        return false;
    bool is_wanted = !webhook->has_filter || site_id == 0;
    for (size_t i = 0; i < webhook->site_count; i++)
        is_wanted |= webhook->site_ids[i] == site_id;
    return is_wanted;
}

/* What stands in the body may depend on who gets it, so it is written for each. */
struct event {
    const char *topic;
    int64_t company_id;
    int64_t site_id; /* 0: of no site */
    int64_t subject_id;
    void (*write)(const struct cloud *cloud, const void *subject, int64_t application_id,
                  struct jwrite *writer);
    const void *subject;
};

static struct text event_write(const struct cloud *cloud, const struct event *event,
                               int64_t application_id, char *memory)
{
    struct text_buffer buffer;
    struct jwrite writer;
    text_buffer_init(&buffer, memory, BODY_MAX);
    jwrite_init(&writer, &buffer);
    event->write(cloud, event->subject, application_id, &writer);
    return buffer.is_cut ? TEXT("") : text_buffer_text(&buffer);
}

static void event_fire(struct cloud *cloud, const struct event *event)
{
    char *memory = NULL;
    for (size_t i = 0; i < cloud->webhooks.count; i++) {
        const struct webhook *webhook = cloud->webhooks.records[i];
        if (!webhook_wants(webhook, event->topic, event->company_id, event->site_id))
            continue;
        if (memory == NULL)
            memory = malloc(BODY_MAX);
        if (memory == NULL)
            return;
        struct text body = event_write(cloud, event, webhook->application_id, memory);
        deliver(cloud, webhook, event->topic, event->subject_id, body);
    }
    free(memory);
}

static void write_order(const struct cloud *cloud, const void *subject, int64_t application_id,
                        struct jwrite *writer)
{
    (void)application_id;
    order_write(cloud, subject, writer);
}

static struct event order_event(const char *topic, const struct order *order)
{
    return (struct event){.topic = topic,
                          .company_id = order->company_id,
                          .site_id = order->site_id,
                          .subject_id = order->id,
                          .write = write_order,
                          .subject = order};
}

void webhook_fire_order(struct cloud *cloud, const char *topic, const struct order *order)
{
    struct event event = order_event(topic, order);
    event_fire(cloud, &event);
}

bool webhook_send_order(struct cloud *cloud, const struct webhook *webhook,
                        const struct order *order)
{
    if (webhook->company_id != order->company_id)
        return false;
    char *memory = malloc(BODY_MAX);
    if (memory == NULL)
        return false;
    struct event event = order_event(webhook->topic, order);
    struct text body = event_write(cloud, &event, webhook->application_id, memory);
    deliver(cloud, webhook, webhook->topic, order->id, body);
    free(memory);
    return true;
}

/* What it carries is not known (protocol o-series 7.2); the whole order, signed, says enough. */
void webhook_fire_callback(struct cloud *cloud, const struct order *order)
{
    struct webhook webhook = {.company_id = order->company_id,
                              .application_id = order->application_id};
    if (order->callback_uri[0] == '\0' || order->application_id == 0)
        return;
    copy_text(webhook.address, sizeof(webhook.address), order->callback_uri);
    copy_text(webhook.topic, sizeof(webhook.topic), "callback_uri");
    (void)webhook_send_order(cloud, &webhook, order);
}

static void write_customer(const struct cloud *cloud, const void *subject, int64_t application_id,
                           struct jwrite *writer)
{
    customer_write(cloud, subject, application_id, writer);
}

void webhook_fire_customer(struct cloud *cloud, const char *topic, const struct customer *customer)
{
    struct event event = {.topic = topic,
                          .company_id = customer->company_id,
                          .subject_id = customer->id,
                          .write = write_customer,
                          .subject = customer};
    event_fire(cloud, &event);
}

static void write_site(const struct cloud *cloud, const void *subject, int64_t application_id,
                       struct jwrite *writer)
{
    (void)cloud;
    (void)application_id;
    site_write(subject, writer);
}

void webhook_fire_site(struct cloud *cloud, const char *topic, const struct site *site)
{
    struct event event = {.topic = topic,
                          .company_id = site->company_id,
                          .site_id = site->id,
                          .subject_id = site->id,
                          .write = write_site,
                          .subject = site};
    event_fire(cloud, &event);
}

static void write_till(const struct cloud *cloud, const void *subject, int64_t application_id,
                       struct jwrite *writer)
{
    (void)application_id;
    till_write(cloud, subject, writer);
}

void webhook_fire_till(struct cloud *cloud, const char *topic, const struct till *till)
{
    struct event event = {.topic = topic,
                          .company_id = till->company_id,
                          .site_id = till->site_id,
                          .subject_id = till->id,
                          .write = write_till,
                          .subject = till};
    event_fire(cloud, &event);
}

/* --- reading (protocol o-series 5) */

static const struct field WEBHOOK[] = {
    FIELD_OF_TEXT(struct webhook, topic, "topic", true),
    FIELD_OF_TEXT(struct webhook, address, "address", true),
    FIELD_OF_TEXT(struct webhook, format, "format", false),
};

static bool read_filter(const struct jread *json, struct webhook *webhook, struct answer *answer)
{
    const struct jread *filter = jread_member(json, "filter");
    if (filter == NULL)
        return true;
    const struct jread *sites = jread_member(filter, "site_ids");
    size_t count = jread_count(sites);
    bool is_good = jread_kind_of(filter) == JREAD_OBJECT &&
                   jread_count(filter) == (sites == NULL ? 0 : 1) && count <= WEBHOOK_SITES_MAX &&
                   (sites == NULL || jread_kind_of(sites) == JREAD_ARRAY);
    for (size_t i = 0; is_good && i < count; i++)
        is_good = jread_int64(jread_element(sites, i), &webhook->site_ids[i]) == 0;
    if (!is_good) {
        answer_bad(answer, "filter: an object with a list of at most 32 site_ids wanted.");
        return false;
    }
    webhook->has_filter = sites != NULL;
    webhook->site_count = count;
    return true;
}

/* Only Authorization or X-*, never X-Kounta*. */
static bool header_is_allowed(struct text name)
{
    static const struct text own = {"X-Kounta", 8}, extra = {"X-", 2};
    bool is_token = name.length > 2;
    for (size_t i = 0; i < name.length; i++) {
        char c = name.base[i];
        is_token = is_token && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                (c >= '0' && c <= '9') || c == '-' || c == '_');
    }
    if (!is_token || text_equal_nocase(text_slice(name, 0, own.length), own))
        return false;
    return text_equal_nocase(name, TEXT("Authorization")) ||
           text_equal_nocase(text_slice(name, 0, extra.length), extra);
}

static bool read_header(const struct jread *headers, size_t index, struct webhook *webhook)
{
    struct text name, value;
    const struct jread *member = jread_member_at(headers, index, &name);
    if (!header_is_allowed(name) || jread_scalar(member, &value) != 0 ||
        !text_is_printable(value) || name.length >= sizeof(webhook->headers[0].name) ||
        value.length >= sizeof(webhook->headers[0].value))
        return false;
    struct text_buffer buffer;
    text_buffer_init(&buffer, webhook->headers[index].name, sizeof(webhook->headers[0].name));
    text_append(&buffer, name);
    text_buffer_init(&buffer, webhook->headers[index].value, sizeof(webhook->headers[0].value));
    text_append(&buffer, value);
    return true;
}

static bool read_headers(const struct jread *json, struct webhook *webhook, struct answer *answer)
{
    const struct jread *headers = jread_member(json, "headers");
    if (headers == NULL)
        return true;
    size_t count = jread_count(headers);
    bool is_good = jread_kind_of(headers) == JREAD_OBJECT && count <= DELIVERY_HEADERS_MAX;
    for (size_t i = 0; is_good && i < count; i++)
        is_good = read_header(headers, i, webhook);
    if (!is_good) {
        answer_bad(answer, "headers: at most 8, only Authorization or X-*, never X-Kounta*.");
        return false;
    }
    webhook->header_count = count;
    return true;
}

static bool topic_is_known(const char *topic)
{
    for (size_t i = 0; i < COUNT_OF(TOPICS); i++)
        if (strcmp(topic, TOPICS[i]) == 0)
            return true;
    return false;
}

static bool webhook_read(const struct jread *json, bool is_new, struct webhook *webhook,
                         struct answer *answer)
{
    if (!fields_read(WEBHOOK, COUNT_OF(WEBHOOK), 2, is_new, json, webhook, answer) ||
        !read_filter(json, webhook, answer) || !read_headers(json, webhook, answer))
        return false;
    struct text address = text_of(webhook->address);
    bool is_http =
        text_starts_with(address, TEXT("http://")) || text_starts_with(address, TEXT("https://"));
    if (!topic_is_known(webhook->topic))
        answer_bad(answer, "topic: there is none of that name.");
    else if (!is_http || !text_is_printable(address))
        answer_bad(answer, "address: an http or https address wanted.");
    else if (strcmp(webhook->format, "json") != 0 && strcmp(webhook->format, "xml") != 0)
        answer_bad(answer, "format: json or xml wanted.");
    else
        return true;
    return false;
}

static void webhook_write(const struct cloud *cloud, const struct call *call, const void *record,
                          struct jwrite *writer)
{
    const struct webhook *webhook = record;
    const struct company *company = cloud_company(cloud, webhook->company_id);
    (void)call;
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "id", webhook->id);
    fields_write(WEBHOOK, COUNT_OF(WEBHOOK), 2, webhook, writer);
    jwrite_named_time(writer, "created_at", company, webhook->created_us);
    jwrite_named_time(writer, "updated_at", company, webhook->updated_us);
    jwrite_key(writer, TEXT("filter"));
    jwrite_object_begin(writer);
    if (webhook->has_filter) {
        jwrite_key(writer, TEXT("site_ids"));
        jwrite_array_begin(writer);
        for (size_t i = 0; i < webhook->site_count; i++)
            jwrite_int64(writer, webhook->site_ids[i]);
        jwrite_array_end(writer);
    }
    jwrite_object_end(writer);
    jwrite_key(writer, TEXT("headers"));
    jwrite_object_begin(writer);
    for (size_t i = 0; i < webhook->header_count; i++)
        jwrite_named_text(writer, webhook->headers[i].name, webhook->headers[i].value);
    jwrite_object_end(writer);
    jwrite_object_end(writer);
}

/* --- the resource: of a company and of one application */

static bool webhook_is_own(const struct cloud *cloud, const struct call *call, const void *record,
                           const void *context)
{
    (void)cloud;
    (void)context;
    const struct webhook *webhook = record;
    return webhook->company_id == call->company->id &&
           webhook->application_id == call->application->id;
}

void api_webhook_list(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct page_source source = {
        .table = &cloud->webhooks, .is_listed = webhook_is_own, .write = webhook_write};
    api_answer_page(cloud, call, answer, &source);
}

static struct webhook *api_webhook(const struct cloud *cloud, const struct call *call,
                                   struct answer *answer)
{
    struct webhook *webhook = table_find(&cloud->webhooks, call->ids[0]);
    if (webhook != NULL && webhook_is_own(cloud, call, webhook, NULL))
        return webhook;
    answer_not_found(answer, "webhook");
    return NULL;
}

void api_webhook_get(struct cloud *cloud, struct call *call, struct answer *answer)
{
    const struct webhook *webhook = api_webhook(cloud, call, answer);
    if (webhook != NULL)
        webhook_write(cloud, call, webhook, &answer->writer);
}

void api_webhook_post(struct cloud *cloud, struct call *call, struct answer *answer)
{
    const struct jread *json = call_json(call, answer);
    struct webhook draft = {.company_id = call->company->id,
                            .application_id = call->application->id,
                            .format = "json",
                            .created_us = cloud->wall_us,
                            .updated_us = cloud->wall_us};
    if (json == NULL || !webhook_read(json, true, &draft, answer))
        return;
    struct webhook *webhook = table_add(&cloud->webhooks, 0);
    if (webhook == NULL) {
        answer_error(answer, 503, "full", "This fake keeps at most %d webhooks.", WEBHOOKS_MAX);
        return;
    }
    draft.id = webhook->id;
    *webhook = draft;
    answer_created(answer, call, "/v1/companies/%lld/webhooks/%lld", (long long)call->company->id,
                   (long long)webhook->id);
}

/* Only what is given changes; a filter must be complete (protocol o-series 5). */
void api_webhook_put(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct webhook *webhook = api_webhook(cloud, call, answer);
    const struct jread *json = webhook == NULL ? NULL : call_json(call, answer);
    if (json == NULL)
        return;
    struct webhook draft = *webhook;
    if (!webhook_read(json, false, &draft, answer))
        return;
    draft.updated_us = cloud->wall_us;
    *webhook = draft;
    answer_updated(answer);
}

void api_webhook_delete(struct cloud *cloud, struct call *call, struct answer *answer)
{
    const struct webhook *webhook = api_webhook(cloud, call, answer);
    if (webhook == NULL)
        return;
    table_remove(&cloud->webhooks, webhook->id);
    answer_empty(answer, 204);
}
