/* What a cashier does to orders: all of it in the cloud, nothing at the partner. */
#include "mocks/register/till.h"

#include "mocks/lightspeed/call.h"
#include "mocks/lightspeed/decimal.h"

#include <stdio.h>

#include "base/banned.h"

static const char *const NO_NAMES[] = {NULL};

static void show_order(struct till *till, int64_t order_id)
{
    till_lock(till);
    till->order_id = order_id;
    till_unlock(till);
}

static bool take_customer(const struct till_call *call, int64_t *customer_id,
                          struct till_answer *answer)
{
    static const char *const NAMES[] = {"customer_id", NULL};
    return till_names_are_known(call->json, NAMES, answer) &&
           till_take_int(call->json, "customer_id", 1, INT64_MAX, customer_id, answer);
}

bool till_order_new(struct till *till, struct till_call *call, struct till_answer *answer)
{
    int64_t order_id, customer_id = 0;
    return take_customer(call, &customer_id, answer) &&
           till_new_order(till, customer_id, &order_id, answer);
}

bool till_order_open(struct till *till, struct till_call *call, struct till_answer *answer)
{
    struct bill bill;
    struct shop_answer reply = {0};
    bool is_good = till_names_are_known(call->json, NO_NAMES, answer) &&
                   till_order(till, call->ids[0], &reply, &bill, answer);
    if (is_good)
        show_order(till, bill.id);
    shop_answer_finish(&reply);
    return is_good;
}

bool till_order_delete(struct till *till, struct till_call *call, struct till_answer *answer)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/orders/%lld/delete", (long long)call->ids[0]);
    if (!till_names_are_known(call->json, NO_NAMES, answer) ||
        !till_change(till, "POST", path, NULL, NULL, answer))
        return false;
    till_lock(till);
    if (till->order_id == call->ids[0])
        till->order_id = 0;
    till_unlock(till);
    return true;
}

bool till_order_close(struct till *till, struct till_call *call, struct till_answer *answer)
{
    if (!till_names_are_known(call->json, NO_NAMES, answer))
        return false;
    show_order(till, 0);
    return true;
}

/* --- lines ----------------------------------------------------------------------------------- */

struct line_wish {
    int64_t product_id; /* 0: not named */
    struct text quantity;
};

static void write_line(struct jwrite *writer, const void *context)
{
    const struct line_wish *wish = context;
    jwrite_object_begin(writer);
    jwrite_named_id(writer, "product_id", wish->product_id);
    jwrite_key(writer, TEXT("quantity"));
    jwrite_raw(writer, wish->quantity);
    jwrite_object_end(writer);
}

static bool take_quantity(const struct till_call *call, bool is_required, struct line_wish *wish,
                          struct till_answer *answer)
{
    int64_t millionths;
    if (!till_take_text(call->json, "quantity", is_required, &wish->quantity, answer))
        return false;
    if (wish->quantity.length == 0)
        wish->quantity = TEXT("1");
    if (decimal_parse(wish->quantity, &millionths) == 0 && millionths > 0 &&
        millionths % (DECIMAL_ONE / 1000) == 0)
        return true;
    return till_refuse(answer, 422, "bad_value",
                       "quantity: a number above zero with at most three decimals wanted, such as "
                       "\"1\" or \"0.5\".");
}

bool till_line_add(struct till *till, struct till_call *call, struct till_answer *answer)
{
    static const char *const NAMES[] = {"product_id", "quantity", NULL};
    char path[64];
    int64_t order_id;
    struct line_wish wish = {0};
    if (!till_names_are_known(call->json, NAMES, answer) ||
        !till_take_int(call->json, "product_id", 1, INT64_MAX, &wish.product_id, answer) ||
        !take_quantity(call, false, &wish, answer))
        return false;
    if (wish.product_id == 0)
        return till_refuse(answer, 400, "missing", "product_id is missing.");
    if (!till_order_to_fill(till, &order_id, answer))
        return false;
    (void)snprintf(path, sizeof(path), "/orders/%lld/lines", (long long)order_id);
    return till_change(till, "POST", path, write_line, &wish, answer);
}

static bool line_path(struct till *till, const struct till_call *call, char path[96],
                      struct till_answer *answer)
{
    struct bill bill;
    struct shop_answer reply;
    bool is_good = till_open_order(till, &reply, &bill, answer);
    if (is_good)
        (void)snprintf(path, 96, "/orders/%lld/lines/%lld", (long long)bill.id,
                       (long long)call->ids[0]);
    shop_answer_finish(&reply);
    return is_good;
}

static void write_quantity(struct jwrite *writer, const void *context)
{
    const struct line_wish *wish = context;
    jwrite_object_begin(writer);
    jwrite_key(writer, TEXT("quantity"));
    jwrite_raw(writer, wish->quantity);
    jwrite_object_end(writer);
}

bool till_line_put(struct till *till, struct till_call *call, struct till_answer *answer)
{
    static const char *const NAMES[] = {"quantity", NULL};
    char path[96];
    struct line_wish wish = {0};
    return till_names_are_known(call->json, NAMES, answer) &&
           take_quantity(call, true, &wish, answer) && line_path(till, call, path, answer) &&
           till_change(till, "PUT", path, write_quantity, &wish, answer);
}

bool till_line_delete(struct till *till, struct till_call *call, struct till_answer *answer)
{
    char path[96];
    return till_names_are_known(call->json, NO_NAMES, answer) &&
           line_path(till, call, path, answer) &&
           till_change(till, "DELETE", path, NULL, NULL, answer);
}

/* --- customers ------------------------------------------------------------------------------- */

static void write_customer(struct jwrite *writer, const void *context)
{
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "customer_id", *(const int64_t *)context);
    jwrite_object_end(writer);
}

/* The cloud takes 0 for nobody. */
bool till_customer(struct till *till, struct till_call *call, struct till_answer *answer)
{
    char path[64];
    struct bill bill;
    struct shop_answer reply = {0};
    int64_t customer_id = 0;
    bool is_good =
        take_customer(call, &customer_id, answer) && till_open_order(till, &reply, &bill, answer);
    if (is_good) {
        (void)snprintf(path, sizeof(path), "/orders/%lld", (long long)bill.id);
        is_good = till_change(till, "PUT", path, write_customer, &customer_id, answer);
    }
    shop_answer_finish(&reply);
    return is_good;
}

static int64_t site_of(struct till *till)
{
    till_lock(till);
    int64_t site_id = till->synced.site_id;
    till_unlock(till);
    return site_id;
}

bool till_checkin_add(struct till *till, struct till_call *call, struct till_answer *answer)
{
    char path[64];
    int64_t customer_id = 0;
    if (!take_customer(call, &customer_id, answer))
        return false;
    (void)snprintf(path, sizeof(path), "/sites/%lld/checkins", (long long)site_of(till));
    return till_change(till, "POST", path, write_customer, &customer_id, answer);
}

bool till_checkin_delete(struct till *till, struct till_call *call, struct till_answer *answer)
{
    char path[96];
    (void)snprintf(path, sizeof(path), "/sites/%lld/checkins/%lld", (long long)site_of(till),
                   (long long)call->ids[0]);
    return till_names_are_known(call->json, NO_NAMES, answer) &&
           till_change(till, "DELETE", path, NULL, NULL, answer);
}
