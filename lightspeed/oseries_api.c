/* The O-Series API: orders, their lines and payments. */
#include "lightspeed/oseries_api.h"

#include "base/error.h"
#include "base/url.h"
#include "lightspeed/decimal.h"
#include "lightspeed/oseries_call.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define PPM_PLACES 6

/* --- life ------------------------------------------------------------------------------------- */

int oseries_api_create(const struct oseries_api_config *config, struct oseries_api **api)
{
    struct oseries_api *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    struct text url = text_of(config->api_url);
    while (url.length > 0 && url.base[url.length - 1] == '/')
        url.length--;
    struct text_buffer buffer;
    text_buffer_init(&buffer, made->url, sizeof(made->url));
    text_append(&buffer, url);
    if (buffer.is_cut || !url_is_same_origin(url, url)) {
        free(made);
        return ERR_BAD_CONFIG;
    }
    made->outbound = config->outbound;
    made->oauth = config->oauth;
    made->directory = config->directory;
    calls_init(made);
    *api = made;
    return 0;
}

void oseries_api_destroy(struct oseries_api *api)
{
    if (api == NULL)
        return;
    calls_finish(api);
    free(api);
}

void oseries_api_read_counters(struct oseries_api *api, struct api_counters *counters)
{
    *counters = (struct api_counters){
        .calls = atomic_load(&api->call_count),
        .failures = atomic_load(&api->failures),
        .refreshes = atomic_load(&api->refreshes),
        .rate_limited = atomic_load(&api->rate_limited),
        .waited = atomic_load(&api->waited),
        .waiting = atomic_load(&api->waiting),
    };
}

int call_exponent(const struct oseries_call *call)
{
    const struct directory_snapshot *snapshot = directory_acquire(call->api->directory);
    const struct directory_tenant *found = directory_find_id(snapshot, call->call.tenant_id);
    int exponent = found == NULL ? -1 : found->tenant.currency.exponent;
    directory_release(snapshot);
    return exponent;
}

/* --- reading an order ------------------------------------------------------------------------- */

static int read_order(const struct oseries_call *call, const struct jread *document,
                      struct oseries_order *order)
{
    int exponent = call_exponent(call);
    if (exponent < 0)
        return ERR_NOT_FOUND;
    int err = oseries_order_read(document, exponent, order);
    return err == 0 && order->id != call->record_id ? ERR_BAD_REPLY : err;
}

static void on_order(struct oseries_call *call, const struct api_result *result,
                     const struct jread *document, const struct outbound_reply *reply)
{
    (void)reply;
    struct api_result told = *result;
    if (told.error != 0) {
        call->on_order(call->context, &told, NULL);
        return;
    }
    struct oseries_order *order = malloc(sizeof(*order)); /* some 70 KiB: not for a stack */
    told.error = order == NULL ? ERR_NO_MEMORY : read_order(call, document, order);
    call->on_order(call->context, &told, told.error == 0 ? order : NULL);
    free(order);
}

void oseries_api_get_order(struct oseries_api *api, const struct api_call *call, int64_t order_id,
                           api_order_fn on_done, void *context)
{
    struct oseries_call *made = call_create(api, call, "GET", on_order);
    call_set_path(made, "/orders/%" PRId64, order_id);
    made->record_id = order_id;
    made->on_order = on_done;
    made->context = context;
    call_begin(made);
}

/* --- changes ---------------------------------------------------------------------------------- */

static void on_changed(struct oseries_call *call, const struct api_result *result,
                       const struct jread *document, const struct outbound_reply *reply)
{
    (void)document, (void)reply;
    call->on_done(call->context, result);
}

static void write_decimal(struct jwrite *json, struct text name, int64_t value, int places)
{
    char bytes[MONEY_TEXT_MAX];
    struct text_buffer buffer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    decimal_append(&buffer, value, places);
    jwrite_key(json, name);
    jwrite_raw(json, text_buffer_text(&buffer));
}

/* What orders and lines have in common; NULL leaves a field as it is. */
static void write_variations(struct jwrite *json, int exponent, const int64_t *ppm,
                             const int64_t *fixed_minor, const char *notes)
{
    if (ppm != NULL)
        write_decimal(json, TEXT("price_variation"), *ppm, PPM_PLACES);
    if (fixed_minor != NULL)
        write_decimal(json, TEXT("price_fixed_variation"), *fixed_minor, exponent);
    if (notes != NULL) {
        jwrite_key(json, TEXT("notes"));
        jwrite_text(json, text_of(notes));
    }
}

/* A body on its way into a call: begun, filled by the caller, sent. */
struct change {
    struct oseries_call *call;
    int exponent;
    struct jwrite json;
    struct text_buffer buffer;
    char bytes[CALL_BODY_MAX];
};

static void change_begin(struct change *change, struct oseries_call *call, api_done_fn on_done,
                         void *context)
{
    call->on_done = on_done;
    call->context = context;
    change->call = call;
    change->exponent = call_exponent(call);
    if (change->exponent < 0)
        change->exponent = 0; /* no such tenant: it has no grant either, and nothing is sent */
    text_buffer_init(&change->buffer, change->bytes, sizeof(change->bytes));
    jwrite_init(&change->json, &change->buffer);
    jwrite_object_begin(&change->json);
}

static void change_send(struct change *change)
{
    jwrite_object_end(&change->json);
    CHECK(!change->buffer.is_cut);
    call_set_body(change->call, text_buffer_text(&change->buffer));
    call_begin(change->call);
}

void oseries_api_put_order(struct oseries_api *api, const struct api_call *call, int64_t order_id,
                           const struct order_change *change, api_done_fn on_done, void *context)
{
    struct change body;
    struct oseries_call *made = call_create(api, call, "PUT", on_changed);
    CHECK(change->notes == NULL || strlen(change->notes) <= ORDER_NOTES_MAX);
    call_set_path(made, "/orders/%" PRId64, order_id);
    change_begin(&body, made, on_done, context);
    write_variations(&body.json, body.exponent, change->price_variation_ppm,
                     change->price_fixed_variation_minor, change->notes);
    change_send(&body);
}

void oseries_api_post_line(struct oseries_api *api, const struct api_call *call, int64_t order_id,
                           const struct line_change *line, api_done_fn on_done, void *context)
{
    struct change body;
    struct oseries_call *made = call_create(api, call, "POST", on_changed);
    CHECK(line->notes == NULL || strlen(line->notes) <= ORDER_NOTES_MAX);
    call_set_path(made, "/orders/%" PRId64 "/lines", order_id);
    change_begin(&body, made, on_done, context);
    jwrite_key(&body.json, TEXT("product_id"));
    jwrite_int64(&body.json, line->product_id);
    jwrite_key(&body.json, TEXT("quantity"));
    jwrite_int64(&body.json, 1);
    write_variations(&body.json, body.exponent, line->price_variation_ppm,
                     line->price_fixed_variation_minor, line->notes);
    change_send(&body);
}

void oseries_api_put_line(struct oseries_api *api, const struct api_call *call, int64_t order_id,
                          int64_t line_number, const struct line_change *line, api_done_fn on_done,
                          void *context)
{
    struct change body;
    struct oseries_call *made = call_create(api, call, "PUT", on_changed);
    CHECK(line->notes == NULL || strlen(line->notes) <= ORDER_NOTES_MAX);
    call_set_path(made, "/orders/%" PRId64 "/lines/%" PRId64, order_id, line_number);
    change_begin(&body, made, on_done, context);
    write_variations(&body.json, body.exponent, line->price_variation_ppm,
                     line->price_fixed_variation_minor, line->notes);
    change_send(&body);
}

/* method_id is left out: it is the application's own (protocol o-series 7.4). */
void oseries_api_post_payment(struct oseries_api *api, const struct api_call *call,
                              int64_t order_id, int64_t amount_minor, const char *ref,
                              api_done_fn on_done, void *context)
{
    struct change body;
    struct oseries_call *made = call_create(api, call, "POST", on_changed);
    CHECK(strlen(ref) <= ORDER_REF_MAX);
    call_set_path(made, "/orders/%" PRId64 "/payments", order_id);
    change_begin(&body, made, on_done, context);
    write_decimal(&body.json, TEXT("amount"), amount_minor, body.exponent);
    jwrite_key(&body.json, TEXT("ref"));
    jwrite_text(&body.json, text_of(ref));
    change_send(&body);
}

void oseries_api_post_notification(struct oseries_api *api, const struct api_call *call,
                                   int64_t order_id, const struct notice *notice,
                                   api_done_fn on_done, void *context)
{
    struct change body;
    struct oseries_call *made = call_create(api, call, "POST", on_changed);
    CHECK(strlen(notice->message) <= NOTICE_MAX && notice->duration_s >= NOTICE_S_MIN &&
          notice->duration_s <= NOTICE_S_MAX);
    call_set_path(made, "/orders/%" PRId64 "/notifications", order_id);
    change_begin(&body, made, on_done, context);
    jwrite_key(&body.json, TEXT("broadcast_level"));
    jwrite_text(&body.json, TEXT("now"));
    jwrite_key(&body.json, TEXT("alert_colour"));
    jwrite_text(&body.json, notice->is_urgent ? TEXT("red") : TEXT("orange"));
    jwrite_key(&body.json, TEXT("message"));
    jwrite_text(&body.json, text_of(notice->message));
    jwrite_key(&body.json, TEXT("duration"));
    jwrite_int64(&body.json, notice->duration_s);
    change_send(&body);
}
