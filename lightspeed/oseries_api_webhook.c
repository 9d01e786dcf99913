/* The O-Series API: the company's webhooks, brought to what they should be. */
#include "base/error.h"
#include "base/log.h"
#include "lightspeed/oseries_call.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define TOPICS_MAX (TENANT_TOPICS_MAX / 2 + 1) /* of one letter, with commas between */
#define ADDRESS_MAX 2048                       /* public URL, surface, tenant key, topic */
#define BODY_MAX (6 * (ADDRESS_MAX + TENANT_TOPICS_MAX) + 64) /* each byte as \u00XX */

struct topic {
    struct text name; /* in names */
    bool is_there;    /* one points where it should */
    int64_t stray_id; /* one points elsewhere; 0: none */
};

/* List, page by page; then post or put, one topic after the other. */
struct ensuring {
    struct oseries_api *api;
    struct api_call call;
    api_done_fn on_done;
    void *context;
    char names[TENANT_TOPICS_MAX + 1];
    char *address;
    struct topic topics[TOPICS_MAX];
    int topic_count;
    int at;
    int pages;
};

static void ensuring_end(struct ensuring *ensuring, const struct api_result *result)
{
    ensuring->on_done(ensuring->context, result);
    free(ensuring->address);
    free(ensuring);
}

static void ensuring_fail(struct ensuring *ensuring, int error)
{
    const struct api_result result = {.error = error};
    ensuring_end(ensuring, &result);
}

static struct text topic_address(const struct ensuring *ensuring, const struct topic *topic,
                                 char out[ADDRESS_MAX])
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, out, ADDRESS_MAX);
    text_append(&buffer, text_of(ensuring->address));
    text_append_char(&buffer, '/');
    text_append(&buffer, topic->name);
    CHECK(!buffer.is_cut);
    return text_buffer_text(&buffer);
}

/* --- changes ---------------------------------------------------------------------------------- */

static void ensure_next(struct ensuring *ensuring, const struct api_result *result);

static void on_changed(struct oseries_call *call, const struct api_result *result,
                       const struct jread *document, const struct outbound_reply *reply)
{
    (void)document, (void)reply;
    struct ensuring *ensuring = call->work;
    if (result->error != 0) {
        ensuring_end(ensuring, result);
        return;
    }
    log_event(LOG_INFO, "webhook_set", LOG_INT("tenant_id", ensuring->call.tenant_id),
              LOG_TEXT_N("topic", ensuring->topics[ensuring->at].name));
    ensuring->at++;
    ensure_next(ensuring, result);
}

static void write_pair(struct jwrite *json, struct text name, struct text value)
{
    jwrite_key(json, name);
    jwrite_text(json, value);
}

/* Protocol o-series 5: PUT changes only the attributes given, so a filter stays. */
static void ensure_topic(struct ensuring *ensuring, const struct topic *topic)
{
    char bytes[BODY_MAX], address[ADDRESS_MAX];
    struct text_buffer buffer;
    struct jwrite json;
    const char *method = topic->stray_id == 0 ? "POST" : "PUT";
    struct oseries_call *call = call_create(ensuring->api, &ensuring->call, method, on_changed);
    if (topic->stray_id == 0)
        call_set_path(call, "/webhooks");
    else
        call_set_path(call, "/webhooks/%" PRId64, topic->stray_id);
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    jwrite_init(&json, &buffer);
    jwrite_object_begin(&json);
    if (topic->stray_id == 0)
        write_pair(&json, TEXT("topic"), topic->name);
    write_pair(&json, TEXT("address"), topic_address(ensuring, topic, address));
    write_pair(&json, TEXT("format"), TEXT("json"));
    jwrite_object_end(&json);
    CHECK(!buffer.is_cut);
    call->work = ensuring;
    call_set_body(call, text_buffer_text(&buffer));
    call_begin(call);
}

static void ensure_next(struct ensuring *ensuring, const struct api_result *result)
{
    while (ensuring->at < ensuring->topic_count && ensuring->topics[ensuring->at].is_there)
        ensuring->at++;
    if (ensuring->at == ensuring->topic_count)
        ensuring_end(ensuring, result);
    else
        ensure_topic(ensuring, &ensuring->topics[ensuring->at]);
}

/* --- the list --------------------------------------------------------------------------------- */

static void note_webhook(struct ensuring *ensuring, const struct jread *json)
{
    char wanted[ADDRESS_MAX];
    struct text topic, address, format;
    int64_t id;
    if (jread_text(jread_member(json, "topic"), &topic) != 0 ||
        jread_int64(jread_member(json, "id"), &id) != 0 || id <= 0)
        return;
    if (jread_text(jread_member(json, "address"), &address) != 0)
        address = TEXT("");
    if (jread_text(jread_member(json, "format"), &format) != 0)
        format = TEXT("json");
    for (int i = 0; i < ensuring->topic_count; i++) {
        struct topic *each = &ensuring->topics[i];
        if (!text_equal(topic, each->name))
            continue;
        if (text_equal(address, topic_address(ensuring, each, wanted)) &&
            text_equal(format, TEXT("json")))
            each->is_there = true;
        else
            each->stray_id = id;
    }
}

static void on_page(struct oseries_call *call, const struct api_result *result,
                    const struct jread *document, const struct outbound_reply *reply);

/* false: there is none. *error: there is one, and it cannot be got at. */
static bool make_next_page(const struct oseries_call *call, const struct outbound_reply *reply,
                           struct oseries_call **next, int *error)
{
    struct ensuring *ensuring = call->work;
    struct api_page page;
    bool has_next;
    *error = call_find_next_page(call, reply, &has_next, &page);
    if (*error == 0 && has_next && ++ensuring->pages > CALL_PAGES_MAX)
        *error = ERR_BAD_REPLY;
    if (*error != 0 || !has_next)
        return false;
    *next = call_create(call->api, &call->call, "GET", on_page);
    (*next)->work = ensuring;
    call_set_page(*next, &page, call->url);
    return true;
}

static void on_page(struct oseries_call *call, const struct api_result *result,
                    const struct jread *document, const struct outbound_reply *reply)
{
    struct ensuring *ensuring = call->work;
    struct oseries_call *next;
    int error = 0;
    if (result->error != 0) {
        ensuring_end(ensuring, result);
        return;
    }
    if (jread_kind_of(document) != JREAD_ARRAY)
        error = ERR_BAD_REPLY;
    for (size_t i = 0; i < jread_count(document) && error == 0; i++)
        note_webhook(ensuring, jread_element(document, i));
    if (error == 0 && make_next_page(call, reply, &next, &error))
        call_begin(next);
    else if (error != 0)
        ensuring_fail(ensuring, error);
    else
        ensure_next(ensuring, result);
}

/* --- the entry -------------------------------------------------------------------------------- */

static void add_topics(struct ensuring *ensuring)
{
    struct text rest = text_of(ensuring->names);
    while (rest.length > 0) {
        const char *comma = memchr(rest.base, ',', rest.length);
        size_t length = comma == NULL ? rest.length : (size_t)(comma - rest.base);
        struct text name = text_trim(text_slice(rest, 0, length));
        if (name.length > 0)
            ensuring->topics[ensuring->topic_count++].name = name;
        rest = text_slice(rest, length + 1, rest.length);
    }
}

void oseries_api_ensure_webhooks(struct oseries_api *api, const struct api_call *call,
                                 const char *topics, const char *address, api_done_fn on_done,
                                 void *context)
{
    struct ensuring *ensuring = calloc(1, sizeof(*ensuring));
    CHECK(ensuring != NULL);
    *ensuring = (struct ensuring){
        .api = api, .call = *call, .on_done = on_done, .context = context, .pages = 1};
    ensuring->address = strdup(address);
    CHECK(ensuring->address != NULL && strlen(topics) <= TENANT_TOPICS_MAX &&
          strlen(address) + 1 + TENANT_TOPICS_MAX < ADDRESS_MAX);
    memcpy(ensuring->names, topics, strlen(topics) + 1);
    add_topics(ensuring);
    struct oseries_call *list = call_create(api, call, "GET", on_page);
    call_set_path(list, "/webhooks");
    list->work = ensuring;
    call_begin(list);
}
