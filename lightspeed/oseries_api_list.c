/* The O-Series API: lists of orders, a page at a time. */
#include "lightspeed/oseries_api.h"

#include "base/clock.h"
#include "base/error.h"
#include "lightspeed/oseries_call.h"

#include <stdlib.h>

#include "base/banned.h"

#define TIME_MAX 40
#define SECOND_CHARS 19 /* "2026-05-29T11:14:06" */
/* Bills that were forgotten are many in the end; in a tab so old nobody looks for a payment. */
#define OLD_US (60 * CLOCK_S_PER_DAY * CLOCK_US_PER_S)

static const char *const list_paths[] = {
    [ORDERS_ALL] = "/orders",
    [ORDERS_OLD_OPEN] = "/orders/pending",
    [ORDERS_DELETED] = "/orders/deleted",
};

static int read_orders(const struct oseries_call *call, const struct jread *document,
                       struct order_brief *orders, int32_t *count)
{
    int exponent = call_exponent(call);
    int err = exponent < 0 ? ERR_NOT_FOUND : 0;
    if (jread_kind_of(document) != JREAD_ARRAY || jread_count(document) > ORDER_PAGE_MAX)
        return ERR_BAD_REPLY;
    *count = (int32_t)jread_count(document);
    for (int32_t i = 0; i < *count && err == 0; i++)
        err = order_brief_read(jread_element(document, (size_t)i), exponent, &orders[i]);
    return err;
}

static void on_page(struct oseries_call *call, const struct api_result *result,
                    const struct jread *document, const struct outbound_reply *reply)
{
    struct api_result told = *result;
    struct order_page page = {.count = 0};
    struct order_brief *orders = NULL;
    if (told.error == 0) {
        orders = malloc(ORDER_PAGE_MAX * sizeof(*orders)); /* some 12 KiB */
        told.error =
            orders == NULL ? ERR_NO_MEMORY : read_orders(call, document, orders, &page.count);
    }
    if (told.error == 0)
        told.error = call_find_next_page(call, reply, &page.has_next, &page.next);
    page.orders = orders;
    call->on_order_page(call->context, &told, told.error == 0 ? &page : NULL);
    free(orders);
}

/* Dates as ISO 8601 in UTC (protocol o-series 7.1). */
static void make_time(int64_t wall_us, char time[TIME_MAX])
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, time, TIME_MAX);
    clock_append_time(&buffer, wall_us);
    CHECK(!buffer.is_cut && buffer.length > SECOND_CHARS);
}

static void set_first_page(struct oseries_call *call, enum order_list list,
                           int64_t created_since_us)
{
    char since[TIME_MAX], before[TIME_MAX];
    bool is_old = list == ORDERS_OLD_OPEN;
    make_time(is_old ? created_since_us - OLD_US : created_since_us, since);
    make_time(created_since_us, before);
    if (is_old)
        call_set_path(call, "%s?created_gte=%.*sZ&created_lt=%.*sZ", list_paths[list], SECOND_CHARS,
                      since, SECOND_CHARS, before);
    else
        call_set_path(call, "%s?created_gte=%.*sZ", list_paths[list], SECOND_CHARS, since);
}

void oseries_api_list_orders(struct oseries_api *api, const struct api_call *call,
                             enum order_list list, int64_t created_since_us,
                             const struct api_page *from, api_order_page_fn on_done, void *context)
{
    struct oseries_call *made = call_create(api, call, "GET", on_page);
    set_first_page(made, list, created_since_us);
    if (from != NULL) {
        char first[API_URL_MAX];
        struct text_buffer path;
        text_buffer_init(&path, first, sizeof(first));
        text_append(&path, text_of(made->url));
        call_set_page(made, from, first);
    }
    made->on_order_page = on_done;
    made->context = context;
    call_begin(made);
}
