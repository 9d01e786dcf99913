/* The routes of /_till, in one table. */
#include "mocks/register/till.h"

#include <string.h>

#include "base/banned.h"

#define NDJSON "application/x-ndjson"

enum route_kind {
    ROUTE_TOOL, /* answers with the state; works on a crashed till too */
    ROUTE_TILL, /* the same, and a crashed till refuses */
    ROUTE_RAW,  /* as a tool, with a body that is no JSON object */
    ROUTE_READ, /* has an answer of its own */
    ROUTE_ASK,  /* the same, to a question that comes as a JSON object */
};

static bool read_state(struct till *till, struct till_call *call, struct till_answer *answer)
{
    till_state(till, call->known_products, &answer->body);
    return true;
}

/* A query parameter; absent: 0. */
static bool take_query(const char *name, const char *value, int64_t max, int64_t *number,
                       struct till_answer *answer)
{
    *number = 0;
    if (value == NULL ||
        (text_parse_int64(text_of(value), number) == 0 && *number >= 0 && *number <= max))
        return true;
    return till_refuse(answer, 422, "bad_value", "%s: a whole number from 0 to %lld wanted.", name,
                       (long long)max);
}

static bool read_wire(struct till *till, struct till_call *call, struct till_answer *answer)
{
    int64_t after, before, wait_ms;
    if (!take_query("after", call->after, INT64_MAX, &after, answer) ||
        !take_query("before", call->before, INT64_MAX, &before, answer) ||
        !take_query("wait_ms", call->wait_ms, WIRE_LOG_WAIT_MS_MAX, &wait_ms, answer))
        return false;
    if (call->before != NULL && (call->after != NULL || call->wait_ms != NULL))
        return till_refuse(answer, 422, "bad_value", "before: stands alone, without %s.",
                           call->after != NULL ? "after" : "wait_ms");
    if (call->before != NULL)
        wire_log_read_back(&till->wire, before, &answer->body);
    else
        wire_log_read(&till->wire, after, wait_ms, &answer->body);
    return true;
}

static bool read_exchange(struct till *till, struct till_call *call, struct till_answer *answer)
{
    if (wire_log_find(&till->wire, call->ids[0], &answer->body))
        return true;
    return till_refuse(answer, 404, "not_found", "The wire has no exchange %lld.",
                       (long long)call->ids[0]);
}

static bool read_recording(struct till *till, struct till_call *call, struct till_answer *answer)
{
    (void)call;
    answer->content_type = NDJSON;
    recording_copy(&till->recording, &answer->body);
    return true;
}

static void write_names(struct jwrite *writer, const void *context)
{
    dialect_write(context, writer);
}

static bool read_names(struct till *till, struct till_call *call, struct till_answer *answer)
{
    (void)till;
    (void)call;
    made_create(&answer->body, write_names, dialect_documented());
    return true;
}

/* "#" is a number. */
static const struct route {
    const char *method;
    const char *pattern;
    till_fn answer;
    enum route_kind kind;
} ROUTES[] = {
    {"GET", "state", read_state, ROUTE_READ},
    {"GET", "wire", read_wire, ROUTE_READ},
    {"GET", "wire/#", read_exchange, ROUTE_READ},
    {"GET", "recording", read_recording, ROUTE_READ},
    {"GET", "names", read_names, ROUTE_READ},
    {"PUT", "config", till_config_put, ROUTE_TOOL},
    {"POST", "config/check", till_config_check, ROUTE_ASK},
    {"POST", "config/revert", till_config_revert, ROUTE_TOOL},
    {"POST", "sync", till_sync, ROUTE_TOOL},
    {"POST", "restart", till_restart, ROUTE_TOOL},
    {"POST", "said", till_said_dismiss, ROUTE_TOOL},
    {"PUT", "faults", till_faults_put, ROUTE_TOOL},
    {"DELETE", "wire", till_wire_clear, ROUTE_TOOL},
    {"POST", "resend", till_resend, ROUTE_TOOL},
    {"POST", "recording", till_recording_post, ROUTE_TOOL},
    {"POST", "replay", till_replay, ROUTE_RAW},
    {"POST", "replay/stop", till_replay_stop, ROUTE_TOOL},
    {"POST", "orders", till_order_new, ROUTE_TILL},
    {"POST", "orders/close", till_order_close, ROUTE_TILL},
    {"POST", "orders/#/open", till_order_open, ROUTE_TILL},
    {"POST", "orders/#/delete", till_order_delete, ROUTE_TILL},
    {"POST", "lines", till_line_add, ROUTE_TILL},
    {"PUT", "lines/#", till_line_put, ROUTE_TILL},
    {"DELETE", "lines/#", till_line_delete, ROUTE_TILL},
    {"POST", "customer", till_customer, ROUTE_TILL},
    {"POST", "checkins", till_checkin_add, ROUTE_TILL},
    {"DELETE", "checkins/#", till_checkin_delete, ROUTE_TILL},
    {"POST", "pay", till_pay, ROUTE_TILL},
    {"POST", "check-balance", till_check_balance, ROUTE_TILL},
    {"POST", "top-up", till_top_up, ROUTE_TILL},
    {"POST", "refund", till_refund, ROUTE_TILL},
    {"POST", "search", till_search, ROUTE_TILL},
    {"POST", "members/#/pick", till_pick, ROUTE_TILL},
    {"POST", "member/leave", till_member_leave, ROUTE_TILL},
    {"POST", "rewards/#/redeem", till_redeem, ROUTE_TILL},
};

static bool route_matches(const char *pattern, struct till_call *call)
{
    size_t ids = 0;
    struct text path = text_of(call->path);
    while (*pattern != '\0') {
        size_t length = strcspn(pattern, "/"), given = 0;
        while (given < path.length && path.base[given] != '/')
            given++;
        struct text word = text_slice(path, 0, given);
        if (length == 1 && *pattern == '#') {
            if (!text_is_digits(word) || text_parse_int64(word, &call->ids[ids++]) != 0)
                return false;
        } else if (!text_equal(word, (struct text){pattern, length})) {
            return false;
        }
        pattern += length;
        path = text_slice(path, given, path.length);
        if (*pattern == '/' && path.length > 0) {
            pattern++;
            path = text_slice(path, 1, path.length);
        } else if (*pattern == '/' || path.length > 0) {
            return false;
        }
    }
    return true;
}

static const struct route *route_find(struct till_call *call, struct till_answer *answer)
{
    bool is_known = false;
    for (size_t i = 0; i < COUNT_OF(ROUTES); i++) {
        if (!route_matches(ROUTES[i].pattern, call))
            continue;
        is_known = true;
        if (strcmp(call->method, ROUTES[i].method) == 0)
            return &ROUTES[i];
    }
    if (is_known)
        (void)till_refuse(answer, 405, "wrong_method", "Another method is wanted here.");
    else
        (void)till_refuse(answer, 404, "not_found", "There is nothing at /_till/%.64s.",
                          call->path);
    return NULL;
}

/* An empty body is an object without members. */
static bool body_read(struct till_call *call, struct till_answer *answer)
{
    if (text_trim(call->body).length == 0)
        return true;
    if (jread_parse(call->body, &call->json) == 0 && jread_kind_of(call->json) == JREAD_OBJECT)
        return true;
    return till_refuse(answer, 400, "bad_json", "The body is no JSON object.");
}

static bool till_is_running(struct till *till, struct till_answer *answer)
{
    till_lock(till);
    bool has_crashed = till->crash.length > 0;
    till_unlock(till);
    return !has_crashed || till_refuse(answer, 409, "crashed", "The till has crashed: restart it.");
}

void till_answer_call(struct till *till, struct till_call *call, struct till_answer *answer)
{
    *answer = (struct till_answer){.status = 200, .content_type = "application/json"};
    const struct route *route = route_find(call, answer);
    if (route == NULL)
        return;
    bool is_good =
        take_query("products", call->products, INT64_MAX, &call->known_products, answer) &&
        (route->kind != ROUTE_TILL || till_is_running(till, answer)) &&
        (route->kind == ROUTE_READ || route->kind == ROUTE_RAW || body_read(call, answer)) &&
        route->answer(till, call, answer);
    if (is_good && route->kind != ROUTE_READ && route->kind != ROUTE_ASK)
        till_state(till, call->known_products, &answer->body);
    else if (!is_good)
        answer->content_type = "application/json";
    jread_destroy(call->json);
    call->json = NULL;
}
