/* Reads and changes the cloud's orders for the till. */
#include "mocks/register/till.h"

#include "base/clock.h"
#include "base/error.h"
#include "mocks/lightspeed/call.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

bool till_refuse_shop(int err, const struct shop_answer *reply, struct till_answer *answer)
{
    if (err == ERR_UNREACHABLE)
        return till_refuse(answer, 503, "cloud_down", "%s.", reply->problem);
    if (err == ERR_REFUSED && reply->status == 404)
        return till_refuse(answer, 404, "not_found", "%s", reply->problem);
    if (err == ERR_REFUSED)
        return till_refuse(answer, 422, "cloud_refused", "%s", reply->problem);
    return till_refuse(answer, 502, "cloud_answer", "%s.", reply->problem);
}

bool till_order(struct till *till, int64_t order_id, struct shop_answer *reply, struct bill *bill,
                struct till_answer *answer)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/orders/%lld", (long long)order_id);
    int err = shop_ask(till->shop, "GET", path, NULL, reply);
    if (err != 0)
        return till_refuse_shop(err, reply, answer);
    return bill_read(reply->json, till_exponent(till), bill) ||
           till_refuse(answer, 502, "cloud_answer", "What the cloud said is no order.");
}

bool till_open_order(struct till *till, struct shop_answer *reply, struct bill *bill,
                     struct till_answer *answer)
{
    till_lock(till);
    int64_t order_id = till->order_id;
    till_unlock(till);
    *reply = (struct shop_answer){0};
    if (order_id == 0)
        return till_refuse(answer, 409, "no_order", "No order is open.");
    if (!till_order(till, order_id, reply, bill, answer))
        return false;
    return bill_is_open(bill) || till_refuse(answer, 409, "no_order", "This order is closed.");
}

bool till_change(struct till *till, const char *method, const char *path, made_fn write,
                 const void *context, struct till_answer *answer)
{
    struct made body = {0};
    struct shop_answer reply;
    if (write != NULL)
        made_create(&body, write, context);
    int err = shop_ask(till->shop, method, path, body.base, &reply);
    bool is_good = err == 0 || till_refuse_shop(err, &reply, answer);
    shop_answer_finish(&reply);
    made_destroy(&body);
    return is_good;
}

struct new_order {
    const struct config *config;
    int64_t customer_id, placed_us;
};

static void write_new_order(struct jwrite *writer, const void *context)
{
    const struct new_order *order = context;
    char memory[40];
    struct text_buffer placed;
    text_buffer_init(&placed, memory, sizeof(memory));
    clock_append_time(&placed, order->placed_us);
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "company_id", order->config->company_id);
    jwrite_named_int(writer, "site_id", order->config->site_id);
    jwrite_named_int(writer, "register_id", order->config->register_id);
    if (order->customer_id != 0)
        jwrite_named_int(writer, "customer_id", order->customer_id);
    jwrite_named_text_n(writer, "placed_at", text_buffer_text(&placed));
    jwrite_object_end(writer);
}

bool till_new_order(struct till *till, int64_t customer_id, int64_t *order_id,
                    struct till_answer *answer)
{
    struct made body = {0};
    struct shop_answer reply;
    struct config *config = till_config(till);
    struct new_order order = {config, customer_id, till_clock_us(till)};
    made_create(&body, write_new_order, &order);
    int err = shop_ask(till->shop, "POST", "/orders", body.base, &reply);
    bool is_good = err == 0 || till_refuse_shop(err, &reply, answer);
    if (is_good) {
        *order_id = bill_id(reply.json, "id");
        till_lock(till);
        till->order_id = *order_id;
        till_unlock(till);
    }
    shop_answer_finish(&reply);
    made_destroy(&body);
    free(config);
    return is_good;
}

bool till_order_to_fill(struct till *till, int64_t *order_id, struct till_answer *answer)
{
    struct bill bill;
    struct shop_answer reply = {0};
    till_lock(till);
    *order_id = till->order_id;
    till_unlock(till);
    bool is_good = *order_id == 0 || till_order(till, *order_id, &reply, &bill, answer);
    bool is_open = is_good && *order_id != 0 && bill_is_open(&bill);
    shop_answer_finish(&reply);
    return is_good && (is_open || till_new_order(till, 0, order_id, answer));
}

struct new_product {
    int64_t company_id;
    const char *code, *name;
};

static void write_new_product(struct jwrite *writer, const void *context)
{
    const struct new_product *product = context;
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "company_id", product->company_id);
    jwrite_named_text(writer, "name", product->name);
    jwrite_named_text(writer, "code", product->code);
    jwrite_named_int(writer, "price", 0);
    jwrite_named_int(writer, "tax_rate", 0);
    jwrite_object_end(writer);
}

static int64_t find_product(const struct jread *products, const struct new_product *wanted)
{
    for (size_t i = 0; i < jread_count(products); i++) {
        const struct jread *product = jread_element(products, i);
        if (bill_id(product, "company_id") == wanted->company_id &&
            text_equal(bill_text(product, "code"), text_of(wanted->code)))
            return bill_id(product, "id");
    }
    return 0;
}

bool till_product(struct till *till, const char *code, const char *name, int64_t *product_id,
                  struct till_answer *answer)
{
    struct shop_answer reply;
    struct made body = {0};
    struct config *config = till_config(till);
    struct new_product wanted = {config->company_id, code, name};
    free(config);
    int err = shop_ask(till->shop, "GET", "/products", NULL, &reply);
    *product_id = err == 0 ? find_product(reply.json, &wanted) : 0;
    if (err == 0 && *product_id == 0) {
        shop_answer_finish(&reply);
        made_create(&body, write_new_product, &wanted);
        err = shop_ask(till->shop, "POST", "/products", body.base, &reply);
        *product_id = bill_id(reply.json, "id");
    }
    bool is_good = err == 0 || till_refuse_shop(err, &reply, answer);
    shop_answer_finish(&reply);
    made_destroy(&body);
    return is_good;
}
