/* Customer search, the member panel, and redemption, as a cashier walks through them. */
#include "mocks/register/press.h"

#include "base/error.h"
#include "base/id.h"
#include "mocks/lightspeed/call.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

static const char *const NO_NAMES[] = {NULL};

/* Until redemption a random number stands for the sale (protocol o-series 3.1); as long as a real
 * one. */
static int64_t random_placeholder(void)
{
    struct id_source source = id_source_system();
    uint64_t random;
    source.fill(source.context, (uint8_t *)&random, sizeof(random));
    return INT64_C(2200000000) + (int64_t)(random % UINT64_C(7700000000));
}

static void press_take_placeholder(struct press *press)
{
    press->options.placeholder_id = random_placeholder();
    press->options.has_placeholder = true;
}

/* --- members as the state shows them --------------------------------------------------------- */

static void write_params(const struct jread *params, struct jwrite *writer)
{
    jwrite_begin(writer, "params", true);
    for (size_t i = 0; jread_kind_of(params) == JREAD_OBJECT && i < jread_count(params); i++) {
        struct text name, value = TEXT("");
        const struct jread *param = jread_member_at(params, i, &name);
        jwrite_object_begin(writer);
        jwrite_named_text_n(writer, "name", name);
        jwrite_named_text_n(writer, "value", jread_scalar(param, &value) == 0 ? value : TEXT(""));
        jwrite_object_end(writer);
    }
    jwrite_array_end(writer);
}

struct look {
    const struct press *press;
    enum dialect_look look;
};

static void write_member_of(const struct look *look, const struct jread *member,
                            struct jwrite *writer)
{
    static const struct {
        const char *name;
        enum dialect_member field;
    } FIELDS[] = {{"id", MEMBER_ID},
                  {"first_name", MEMBER_FIRST_NAME},
                  {"last_name", MEMBER_LAST_NAME},
                  {"email_address", MEMBER_EMAIL},
                  {"points", MEMBER_POINTS},
                  {"points_label", MEMBER_POINTS_LABEL},
                  {"icon_url", MEMBER_ICON_URL},
                  {"intro_text", MEMBER_INTRO_TEXT}};
    const char(*names)[DIALECT_NAME_MAX] = look->press->config->dialect.member[look->look];
    jwrite_object_begin(writer);
    for (size_t i = 0; i < COUNT_OF(FIELDS); i++) {
        struct text value = bill_text(member, names[FIELDS[i].field]);
        if (FIELDS[i].field == MEMBER_POINTS_LABEL && value.length == 0)
            value = TEXT("Points"); /* the documented default */
        jwrite_named_text_n(writer, FIELDS[i].name, value);
    }
    write_params(jread_member(member, names[MEMBER_PARAMS]), writer);
    jwrite_object_end(writer);
}

static const struct jread *found_in(const struct look *look)
{
    return jread_member(press_judgement(look->press)->body,
                        look->press->config->dialect.wrapper[look->look]);
}

static void write_members(struct jwrite *writer, const void *context)
{
    const struct look *look = context;
    const struct jread *members = found_in(look);
    jwrite_array_begin(writer);
    for (size_t i = 0; i < jread_count(members); i++) {
        struct text key;
        write_member_of(look, jread_member_at(members, i, &key), writer);
    }
    jwrite_array_end(writer);
}

static void write_member(struct jwrite *writer, const void *context)
{
    const struct look *look = context;
    write_member_of(look, found_in(look), writer);
}

static void write_rewards(struct jwrite *writer, const void *context)
{
    static const char *const NAMES[DIALECT_REWARDS] = {"id", "title", "terms", "points_required",
                                                       "redeem_url"};
    const struct look *look = context;
    const struct dialect *dialect = &look->press->config->dialect;
    const struct jread *rewards =
        jread_member(press_judgement(look->press)->body, dialect->rewards);
    jwrite_array_begin(writer);
    for (size_t i = 0; i < jread_count(rewards); i++) {
        jwrite_object_begin(writer);
        for (size_t field = 0; field < DIALECT_REWARDS; field++)
            jwrite_named_text_n(writer, NAMES[field],
                                bill_text(jread_element(rewards, i), dialect->reward[field]));
        jwrite_object_end(writer);
    }
    jwrite_array_end(writer);
}

/* --- search ---------------------------------------------------------------------------------- */

static void search_show(struct press *press)
{
    struct look look = {press, LOOK_SEARCH};
    struct till *till = press->till;
    bool is_good = press_judgement(press)->ending == ENDING_APPROVED;
    till_lock(till);
    made_destroy(&till->member);
    made_destroy(&till->rewards);
    made_destroy(&till->members);
    made_destroy(&till->said);
    if (is_good)
        made_create(&till->members, write_members, &look);
    till_unlock(till);
    if (is_good && press_judgement(press)->found == 0) {
        struct said said = {.action = "search",
                            .ending = "info",
                            .title = "Nobody found",
                            .text = "The partner knows nobody of that name or number.",
                            .exchange = press->sends[press->chosen].exchange};
        till_say(till, &said);
    } else if (!is_good) {
        press_say(press, "search");
    }
}

bool till_search(struct till *till, struct till_call *call, struct till_answer *answer)
{
    static const char *const NAMES[] = {"keyword", NULL};
    struct press press;
    struct text keyword;
    bool is_good = press_begin(&press, till, TILL_CUSTOMER_SEARCH, answer) &&
                   till_names_are_known(call->json, NAMES, answer) &&
                   till_take_text(call->json, "keyword", true, &keyword, answer);
    if (is_good && text_trim(keyword).length == 0)
        is_good = till_refuse(answer, 422, "bad_value", "keyword: something to search for wanted.");
    if (is_good) {
        struct made copy = {0};
        made_copy(&copy, keyword);
        press.options.keyword = copy.base;
        press_take_placeholder(&press);
        is_good = press_send(&press, answer);
        if (is_good) {
            press_tell(&press);
            search_show(&press);
        }
        made_destroy(&copy);
    }
    press_finish(&press);
    return is_good;
}

/* --- whose order it is ----------------------------------------------------------------------- */

struct linked {
    const struct config *config;
    const struct jread *member; /* of the state */
};

static void write_customer(struct jwrite *writer, const void *context)
{
    const struct linked *linked = context;
    struct text first = bill_text(linked->member, "first_name");
    struct text email = bill_text(linked->member, "email_address");
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "company_id", linked->config->company_id);
    jwrite_named_text_n(writer, "first_name", first.length > 0 ? first : TEXT("Guest"));
    jwrite_named_text_n(writer, "last_name", bill_text(linked->member, "last_name"));
    jwrite_named_text_n(writer, "email", email.length > 0 ? email : TEXT("guest@noemail.invalid"));
    jwrite_begin(writer, "reference_ids", false);
    jwrite_named_text_n(writer, linked->config->client_id, bill_text(linked->member, "id"));
    jwrite_object_end(writer);
    jwrite_object_end(writer);
}

static int64_t find_customer(const struct jread *customers, const struct linked *linked)
{
    struct text wanted = bill_text(linked->member, "id");
    for (size_t i = 0; i < jread_count(customers); i++) {
        const struct jread *customer = jread_element(customers, i);
        struct text reference =
            bill_text(jread_member(customer, "reference_ids"), linked->config->client_id);
        if (bill_id(customer, "company_id") == linked->config->company_id &&
            text_equal(reference, wanted))
            return bill_id(customer, "id");
    }
    return 0;
}

/* The cloud's customer of this member, made where there is none; 0: the cloud has none to give, and
 * the look-up goes on without. */
static int64_t link_customer(struct till *till, const struct linked *linked)
{
    struct shop_answer reply;
    struct made body = {0};
    CHECK(pthread_mutex_lock(&till->drawer) == 0);
    int err = shop_ask(till->shop, "GET", "/customers", NULL, &reply);
    int64_t customer_id = err == 0 ? find_customer(reply.json, linked) : 0;
    if (err == 0 && customer_id == 0) {
        shop_answer_finish(&reply);
        made_create(&body, write_customer, linked);
        err = shop_ask(till->shop, "POST", "/customers", body.base, &reply);
        customer_id = err == 0 ? bill_id(reply.json, "id") : 0;
    }
    CHECK(pthread_mutex_unlock(&till->drawer) == 0);
    shop_answer_finish(&reply);
    made_destroy(&body);
    return customer_id;
}

static void write_customer_id(struct jwrite *writer, const void *context)
{
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "customer_id", *(const int64_t *)context);
    jwrite_object_end(writer);
}

/* Where an order is open, it becomes his; that none is, is fine. */
static void attach_customer(struct till *till, int64_t customer_id)
{
    char path[64];
    struct bill bill;
    struct shop_answer reply;
    struct till_answer ignored = {0};
    bool is_open = till_open_order(till, &reply, &bill, &ignored);
    if (is_open && customer_id != 0) {
        (void)snprintf(path, sizeof(path), "/orders/%" PRId64, bill.id);
        is_open = till_change(till, "PUT", path, write_customer_id, &customer_id, &ignored);
    }
    made_destroy(&ignored.body);
    shop_answer_finish(&reply);
}

/* --- the member panel ------------------------------------------------------------------------ */

static void lookup_show(struct press *press)
{
    struct look look = {press, LOOK_LOOKUP};
    struct till *till = press->till;
    if (press_judgement(press)->ending != ENDING_APPROVED) {
        press_say(press, "pick");
        return;
    }
    till_lock(till);
    made_destroy(&till->rewards);
    made_create(&till->rewards, write_rewards, &look);
    if (bill_text(found_in(&look), press->config->dialect.member[LOOK_LOOKUP][MEMBER_ID]).length >
        0) {
        made_destroy(&till->member);
        made_create(&till->member, write_member, &look);
    }
    till->placeholder_id = press->options.placeholder_id;
    till_unlock(till);
}

static bool lookup_ask(struct press *press, struct text reference, int64_t customer_id,
                       struct till_answer *answer)
{
    struct made copy = {0};
    made_copy(&copy, reference);
    press->options.reference = copy.base;
    press->options.customer_id = customer_id;
    press_take_placeholder(press);
    bool is_good = press_send(press, answer);
    if (is_good) {
        press_tell(press);
        lookup_show(press);
    }
    made_destroy(&copy);
    return is_good;
}

/* Without an address for rewards there is only the panel. */
static bool pick_look_up(struct till *till, const struct jread *member, int64_t customer_id,
                         struct till_answer *answer)
{
    struct press press;
    struct till_answer not_offered = {0};
    bool is_good = true;
    if (press_begin(&press, till, TILL_REWARD_LOOKUP, &not_offered))
        is_good = lookup_ask(&press, bill_text(member, "id"), customer_id, answer);
    press_finish(&press);
    made_destroy(&not_offered.body);
    return is_good;
}

static void write_copy(struct jwrite *writer, const void *context)
{
    jwrite_copy(writer, context);
}

static void member_show(struct till *till, const struct jread *member)
{
    till_lock(till);
    made_destroy(&till->member);
    made_destroy(&till->rewards);
    made_destroy(&till->said);
    made_create(&till->member, write_copy, member);
    till_unlock(till);
}

/* A list of the state, parsed; NULL: it is not there. ownership: jread_destroy. */
static struct jread *list_of(struct till *till, const struct made *list)
{
    struct jread *json = NULL;
    till_lock(till);
    if (list->length > 0)
        CHECK(jread_parse(made_text(list), &json) == 0);
    till_unlock(till);
    return json;
}

bool till_pick(struct till *till, struct till_call *call, struct till_answer *answer)
{
    struct jread *members = list_of(till, &till->members);
    const struct jread *member = jread_element(members, (size_t)call->ids[0]);
    bool is_good = till_names_are_known(call->json, NO_NAMES, answer) &&
                   (member != NULL || till_refuse(answer, 404, "not_found", "No such member."));
    if (is_good) {
        struct config *config = till_config(till);
        struct linked linked = {config, member};
        member_show(till, member);
        int64_t customer_id = link_customer(till, &linked);
        attach_customer(till, customer_id);
        is_good = pick_look_up(till, member, customer_id, answer);
        free(config);
    }
    jread_destroy(members);
    return is_good;
}

bool till_member_leave(struct till *till, struct till_call *call, struct till_answer *answer)
{
    if (!till_names_are_known(call->json, NO_NAMES, answer))
        return false;
    till_lock(till);
    made_destroy(&till->members);
    made_destroy(&till->member);
    made_destroy(&till->rewards);
    till_unlock(till);
    return true;
}

/* --- redeem ---------------------------------------------------------------------------------- */

static void redeem_say(struct press *press, struct text title)
{
    char text[SAID_MAX + 192], money[2][TILL_MONEY_MAX];
    struct bill before, after;
    struct till *till = press->till;
    int exponent = till_exponent(till);
    bool is_known = bill_read(press->before.json, exponent, &before) &&
                    bill_read(press->after.json, exponent, &after);
    bool has_changed =
        is_known && !text_equal(made_text(&press->before.body), made_text(&press->after.body));
    struct said said = {.action = "redeem",
                        .ending = ending_name(ENDING_APPROVED),
                        .title = "Reward redeemed",
                        .text = text,
                        .exchange = press->sends[press->chosen].exchange,
                        .is_booked = has_changed};
    int length = (int)(title.length > 120 ? 120 : title.length);
    if (!is_known)
        (void)snprintf(text, sizeof(text), "%.*s.", length, title.base);
    else if (!has_changed)
        (void)snprintf(text, sizeof(text), "%.*s. The order has not changed.", length, title.base);
    else
        (void)snprintf(text, sizeof(text), "%.*s. The order was %s and is %s now.", length,
                       title.base, till_money(till, before.total_minor, money[0]),
                       till_money(till, after.total_minor, money[1]));
    till_say(till, &said);
}

static bool redeem_ask(struct press *press, const struct jread *reward, int64_t order_id,
                       struct till_answer *answer)
{
    struct made url = {0};
    struct till *till = press->till;
    made_copy(&url, bill_text(reward, "redeem_url"));
    till_lock(till);
    press->options.placeholder_id = till->placeholder_id;
    till_unlock(till);
    press->options.has_placeholder = true;
    press->options.url = url.base;
    press->options.order_id = press->order_id = order_id;
    press->options.has_order = true;
    bool is_good = press_send(press, answer);
    if (is_good) {
        press_tell(press);
        if (press_judgement(press)->ending == ENDING_APPROVED)
            redeem_say(press, bill_text(reward, "title"));
        else
            press_say(press, "redeem");
    }
    made_destroy(&url);
    return is_good;
}

bool till_redeem(struct till *till, struct till_call *call, struct till_answer *answer)
{
    struct press press = {0};
    struct bill bill;
    struct shop_answer reply = {0};
    struct jread *rewards = list_of(till, &till->rewards);
    const struct jread *reward = jread_element(rewards, (size_t)call->ids[0]);
    bool is_good = till_names_are_known(call->json, NO_NAMES, answer) &&
                   (reward != NULL || till_refuse(answer, 404, "not_found", "No such reward.")) &&
                   till_open_order(till, &reply, &bill, answer) &&
                   press_begin(&press, till, TILL_REDEEM, answer);
    if (is_good) {
        press.options.reward_index = call->ids[0] + 1;
        is_good = redeem_ask(&press, reward, bill.id, answer);
    }
    press_finish(&press);
    shop_answer_finish(&reply);
    jread_destroy(rewards);
    return is_good;
}
