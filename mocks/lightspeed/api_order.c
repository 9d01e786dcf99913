/* Orders over the API: one by one, and lists with their filters. */
#include "mocks/lightspeed/api.h"

#include "base/error.h"
#include "mocks/lightspeed/decimal.h"
#include "mocks/lightspeed/sale.h"
#include "mocks/lightspeed/stamp.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

struct order *api_order(const struct cloud *cloud, const struct call *call, struct answer *answer)
{
    struct order *order = table_find(&cloud->orders, call->ids[0]);
    if (order != NULL && order->company_id == call->company->id &&
        !order_is_hidden(order, cloud->mono_us))
        return order;
    answer_not_found(answer, "order");
    return NULL;
}

void api_order_get(struct cloud *cloud, struct call *call, struct answer *answer)
{
    const struct order *order = api_order(cloud, call, answer);
    if (order != NULL)
        order_write(cloud, order, &answer->writer);
}

void api_order_by_sale(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct text wanted = call->segments[call->resource + 2];
    for (size_t i = 0; i < cloud->orders.count; i++) {
        const struct order *order = cloud->orders.records[i];
        if (order->company_id != call->company->id || order_is_hidden(order, cloud->mono_us) ||
            !text_equal(text_of(order->sale_number), wanted))
            continue;
        order_write(cloud, order, &answer->writer);
        return;
    }
    answer_not_found(answer, "order");
}

void api_order_post(struct cloud *cloud, struct call *call, struct answer *answer)
{
    const struct jread *json = call_json(call, answer);
    if (json == NULL)
        return;
    const struct order *order =
        sale_create(cloud, call->company, call->application, call->site_id, json, answer);
    if (order != NULL)
        answer_created(answer, call, "/v1/companies/%lld/orders/%lld", (long long)call->company->id,
                       (long long)order->id);
}

void api_order_put(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct order *order = api_order(cloud, call, answer);
    const struct jread *json = order == NULL ? NULL : call_json(call, answer);
    if (json != NULL && sale_update(cloud, order, call->application, json, answer))
        answer_updated(answer);
}

/* --- lists */

enum comparison {
    LESS,
    LESS_OR_EQUAL,
    GREATER,
    GREATER_OR_EQUAL,
    COMPARISONS,
};
static const char *const COMPARISON_NAMES[COMPARISONS] = {"lt", "lte", "gt", "gte"};

struct order_filter {
    bool has_status[ORDER_STATUSES];
    bool has_any_status;
    bool wants_deleted;
    bool wants_discounted;
    bool wants_customer;
    bool wants_account;
    bool has_created[COMPARISONS];
    int64_t created_us[COMPARISONS];
    bool has_value[COMPARISONS];
    int64_t value_minor[COMPARISONS];
};

static bool filter_take_word(struct order_filter *filter, struct text word)
{
    const struct {
        const char *name;
        bool *flag;
    } WORDS[] = {{"deleted", &filter->wants_deleted},
                 {"discounted", &filter->wants_discounted},
                 {"linkedcustomer", &filter->wants_customer},
                 {"accounts", &filter->wants_account}};
    enum order_status status;
    if (order_status_find(word, &status)) {
        filter->has_status[status] = true;
        filter->has_any_status = true;
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(WORDS); i++) {
        if (!text_equal(word, text_of(WORDS[i].name)))
            continue;
        *WORDS[i].flag = true;
        return true;
    }
    return false;
}

static bool compares(enum comparison comparison, int64_t value, int64_t bound)
{
    switch (comparison) {
    case LESS:
        return value < bound;
    case LESS_OR_EQUAL:
        return value <= bound;
    case GREATER:
        return value > bound;
    case GREATER_OR_EQUAL:
        return value >= bound;
    case COMPARISONS:
        break;
    }
    return false;
}

static bool filter_read_bounds(struct order_filter *filter, const struct call *call,
                               enum comparison at, struct answer *answer)
{
    char name[32], value[64];
    const char *suffix = COMPARISON_NAMES[at];
    (void)snprintf(name, sizeof(name), "created_%s", suffix);
    filter->has_created[at] = call_query(call, name, value, sizeof(value));
    if (filter->has_created[at] &&
        stamp_parse(text_of(value), call->company->zone, &filter->created_us[at]) != 0) {
        answer_error(answer, 400, "bad_request", "%s: a date or a time wanted.", name);
        return false;
    }
    (void)snprintf(name, sizeof(name), "value_%s", suffix);
    filter->has_value[at] = call_query(call, name, value, sizeof(value));
    if (filter->has_value[at] && money_parse(text_of(value), call->company->currency.exponent,
                                             &filter->value_minor[at]) != 0) {
        answer_error(answer, 400, "bad_request", "%s: an amount wanted.", name);
        return false;
    }
    return true;
}

static bool filter_read(struct order_filter *filter, const struct call *call, struct answer *answer)
{
    char status[32];
    for (size_t i = call->resource + 1; i < call->segment_count; i++) {
        if (filter_take_word(filter, call->segments[i]))
            continue;
        answer_not_found(answer, "order filter");
        return false;
    }
    if (call_query(call, "status", status, sizeof(status)) &&
        !filter_take_word(filter, text_of(status))) {
        answer_bad(answer, "status: there is none of that name.");
        return false;
    }
    for (size_t i = 0; i < COMPARISONS; i++)
        if (!filter_read_bounds(filter, call, (enum comparison)i, answer))
            return false;
    return true;
}

static bool order_is_discounted(const struct order *order)
{
    bool is_discounted =
        order->variation.coefficient < DECIMAL_ONE || order->variation.fixed_minor < 0;
    for (size_t i = 0; i < order->line_count; i++)
        is_discounted |= order->lines[i].variation.coefficient < DECIMAL_ONE ||
                         order->lines[i].variation.fixed_minor < 0;
    return is_discounted;
}

static bool order_is_in_scope(const struct call *call, const struct order *order)
{
    return order->company_id == call->company->id &&
           (call->site_id == 0 || order->site_id == call->site_id) &&
           (call->register_id == 0 || order->register_id == call->register_id) &&
           (call->staff_id == 0 || order->staff_id == call->staff_id) &&
           (call->customer_id == 0 || order->customer_id == call->customer_id);
}

static bool order_is_within(const struct order_filter *filter, const struct call *call,
                            const struct order *order)
{
    for (size_t i = 0; i < COMPARISONS; i++) {
        enum comparison comparison = (enum comparison)i;
        if (filter->has_created[i] &&
            !compares(comparison, order->created_us, filter->created_us[i]))
            return false;
        /* Sums are asked for by few, and thousands of orders are looked at. */
        if (filter->has_value[i] &&
            !compares(comparison, order_total(order, call->company->currency.exponent).total_minor,
                      filter->value_minor[i]))
            return false;
    }
    return true;
}

static bool order_is_listed(const struct cloud *cloud, const struct call *call, const void *record,
                            const void *context)
{
    const struct order *order = record;
    const struct order_filter *filter = context;
    return order_is_in_scope(call, order) && order->visible_us <= cloud->mono_us &&
           !order_is_hidden(order, cloud->mono_us) && order->is_deleted == filter->wants_deleted &&
           (!filter->has_any_status || filter->has_status[order->status]) &&
           (!filter->wants_discounted || order_is_discounted(order)) &&
           (!filter->wants_customer || order->customer_id != 0) &&
           (!filter->wants_account ||
            text_equal_nocase(text_of(order->payment_type), TEXT("account"))) &&
           order_is_within(filter, call, order);
}

static void write_listed(const struct cloud *cloud, const struct call *call, const void *record,
                         struct jwrite *writer)
{
    (void)call;
    order_write_abridged(cloud, record, writer);
}

void api_order_list(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct order_filter filter = {0};
    struct page_source source = {.table = &cloud->orders,
                                 .is_listed = order_is_listed,
                                 .write = write_listed,
                                 .context = &filter};
    if (filter_read(&filter, call, answer))
        api_answer_page(cloud, call, answer, &source);
}
