/* The O-Series API: customers, and the one redirect that is followed. */
#include "base/error.h"
#include "base/url.h"
#include "lightspeed/oseries_call.h"

#include <inttypes.h>
#include <string.h>

#include "base/banned.h"

/* As much as fits; what is no text is none. */
static void read_text(const struct jread *json, const char *name, char *out, size_t capacity)
{
    struct text text = {NULL, 0};
    if (jread_scalar(jread_member(json, name), &text) != 0)
        text.length = 0;
    (void)text_copy_utf8(out, capacity, text);
}

static int read_customer(const struct jread *json, struct oseries_customer *customer)
{
    *customer = (struct oseries_customer){0};
    if (jread_int64(jread_member(json, "id"), &customer->id) != 0 || customer->id <= 0)
        return ERR_BAD_REPLY;
    read_text(json, "reference_id", customer->reference_id, sizeof(customer->reference_id));
    read_text(json, "first_name", customer->first_name, sizeof(customer->first_name));
    read_text(json, "last_name", customer->last_name, sizeof(customer->last_name));
    read_text(json, "email", customer->email, sizeof(customer->email));
    if (customer->email[0] == '\0')
        read_text(json, "primary_email_address", customer->email, sizeof(customer->email));
    read_text(json, "phone", customer->phone, sizeof(customer->phone));
    return 0;
}

static void on_customer(struct oseries_call *call, const struct api_result *result,
                        const struct jread *document, const struct outbound_reply *reply)
{
    (void)reply;
    struct api_result told = *result;
    struct oseries_customer customer;
    /* A search may answer with the list of those that it has found. */
    bool is_list = jread_kind_of(document) == JREAD_ARRAY;
    if (told.error == 0 && is_list && jread_count(document) == 0)
        told.error = ERR_NOT_FOUND;
    if (told.error == 0)
        told.error = read_customer(is_list ? jread_element(document, 0) : document, &customer);
    if (told.error == 0 && call->record_id != 0 && customer.id != call->record_id)
        told.error = ERR_BAD_REPLY;
    call->on_customer(call->context, &told, told.error == 0 ? &customer : NULL);
}

void oseries_api_get_customer(struct oseries_api *api, const struct api_call *call,
                              int64_t customer_id, api_customer_fn on_done, void *context)
{
    struct oseries_call *made = call_create(api, call, "GET", on_customer);
    call_set_path(made, "/customers/%" PRId64, customer_id);
    made->record_id = customer_id;
    made->on_customer = on_done;
    made->context = context;
    call_begin(made);
}

/* "/v1/companies/1/customers/2" or a whole address; false: not on the API's own origin. */
static bool follow(struct oseries_call *next, struct text location)
{
    char bytes[CALL_URL_MAX];
    struct text_buffer url;
    text_buffer_init(&url, bytes, sizeof(bytes));
    bool is_path = text_starts_with(location, TEXT("/")) && !text_starts_with(location, TEXT("//"));
    if (is_path && !url_origin(text_of(next->api->url), &url))
        return false;
    text_append(&url, location);
    return !url.is_cut && url_is_same_origin(text_buffer_text(&url), text_of(next->api->url)) &&
           call_set_url(next, text_buffer_text(&url));
}

/* Protocol o-series 7.5: 302 to the record, which wants the Authorization again. It is sent to
 * nobody else than the API. */
static void on_found(struct oseries_call *call, const struct api_result *result,
                     const struct jread *document, const struct outbound_reply *reply)
{
    bool is_redirect = reply != NULL && reply->error == 0 &&
                       (reply->status == 302 || reply->status == 301 || reply->status == 303 ||
                        reply->status == 307 || reply->status == 308);
    if (!is_redirect) {
        on_customer(call, result, document, reply);
        return;
    }
    struct oseries_call *next = call_create(call->api, &call->call, "GET", on_customer);
    next->on_customer = call->on_customer;
    next->context = call->context;
    if (follow(next, reply->location)) {
        call_begin(next);
        return;
    }
    call_discard(next);
    on_customer(call, result, NULL, reply); /* ERR_BAD_REPLY */
}

void oseries_api_find_customer(struct oseries_api *api, const struct api_call *call,
                               const char *email, api_customer_fn on_done, void *context)
{
    char bytes[CALL_URL_MAX];
    struct text_buffer encoded;
    struct oseries_call *made = call_create(api, call, "GET", on_found);
    text_buffer_init(&encoded, bytes, sizeof(bytes));
    text_append_percent(&encoded, text_of(email));
    CHECK(strlen(email) < sizeof(((struct oseries_customer *)NULL)->email));
    call_set_path(made, "/customers?email=%s", bytes);
    made->on_customer = on_done;
    made->context = context;
    call_begin(made);
}
