/* Where a call goes first, and the routes of the control address. */
#include "mocks/lightspeed/control.h"

#include "mocks/lightspeed/api.h"
#include "mocks/lightspeed/oauth.h"

#include <string.h>

#include "base/banned.h"

static void control_index(struct cloud *cloud, struct call *call, struct answer *answer);

static void control_faults_get(struct cloud *cloud, struct call *call, struct answer *answer)
{
    (void)call;
    faults_write(&cloud->faults, &answer->writer);
}

static void control_faults_post(struct cloud *cloud, struct call *call, struct answer *answer)
{
    const struct jread *json = call_json(call, answer);
    if (json != NULL)
        faults_add(&cloud->faults, json, answer);
}

static void control_faults_delete(struct cloud *cloud, struct call *call, struct answer *answer)
{
    (void)call;
    cloud->faults.count = 0;
    cloud->dice_state = cloud->seed; /* the next rules throw the same dice again */
    answer_empty(answer, 204);
}

static void control_requests_delete(struct cloud *cloud, struct call *call, struct answer *answer)
{
    (void)call;
    cloud->journal_count = 0;
    answer_empty(answer, 204);
}

/* "#" is a number. */
static const struct control_route {
    const char *method;
    const char *pattern;
    api_fn answer;
} ROUTES[] = {
    {"GET", "", control_index},
    {"GET", "state", control_state},
    {"GET", "requests", control_requests},
    {"DELETE", "requests", control_requests_delete},
    {"GET", "grants", control_grants},
    {"GET", "deliveries", control_deliveries},
    {"GET", "settings", control_settings_get},
    {"PUT", "settings", control_settings_put},
    {"GET", "faults", control_faults_get},
    {"POST", "faults", control_faults_post},
    {"DELETE", "faults", control_faults_delete},
    {"POST", "tokens/revoke", control_revoke},
    {"GET", "orders", control_order_list},
    {"POST", "orders", control_order_post},
    {"GET", "orders/#", control_order_get},
    {"PUT", "orders/#", control_order_put},
    {"GET", "orders/#/notifications", control_order_notifications},
    {"POST", "orders/#/payments", control_order_pay},
    {"POST", "orders/#/lines", control_order_add_lines},
    {"PUT", "orders/#/lines/#", control_order_put_line},
    {"DELETE", "orders/#/lines/#", control_order_remove_line},
    {"POST", "orders/#/complete", control_order_complete},
    {"POST", "orders/#/delete", control_order_delete},
    {"POST", "orders/#/reopen", control_order_reopen},
    {"POST", "orders/#/split", control_order_split},
    {"POST", "orders/#/merge", control_order_merge},
    {"POST", "orders/#/hide", control_order_hide},
    {"POST", "orders/#/show", control_order_show},
    {"GET", "notifications", control_notifications},
    {"GET", "sites/#/checkins", control_checkins_get},
    {"POST", "sites/#/checkins", control_checkins_post},
    {"DELETE", "sites/#/checkins/#", control_checkins_delete},
    {"POST", "webhooks/#/send", control_webhook_send},
};

static void control_index(struct cloud *cloud, struct call *call, struct answer *answer)
{
    (void)cloud;
    (void)call;
    jwrite_array_begin(&answer->writer);
    for (size_t i = 0; i < COUNT_OF(ROUTES); i++) {
        char line[64];
        struct text_buffer buffer;
        text_buffer_init(&buffer, line, sizeof(line));
        text_append_format(&buffer, "%s /_cloud/%s", ROUTES[i].method, ROUTES[i].pattern);
        jwrite_text(&answer->writer, text_buffer_text(&buffer));
    }
    jwrite_array_end(&answer->writer);
}

static bool route_matches(const char *pattern, struct call *call)
{
    size_t at = 1;
    call->id_count = 0;
    while (*pattern != '\0') {
        size_t length = strcspn(pattern, "/");
        struct text word = {pattern, length};
        if (at >= call->segment_count)
            return false;
        int64_t id = call_segment_id(call, at);
        if (text_equal(word, TEXT("#")) && id != 0)
            call->ids[call->id_count++] = id;
        else if (!text_equal(word, call->segments[at]))
            return false;
        at++;
        pattern += length + (pattern[length] == '/' ? 1 : 0);
    }
    return at == call->segment_count;
}

void control_answer(struct cloud *cloud, struct call *call, struct answer *answer)
{
    bool is_known = false;
    for (size_t i = 0; i < COUNT_OF(ROUTES); i++) {
        if (!route_matches(ROUTES[i].pattern, call))
            continue;
        is_known = true;
        if (!call_method_is(call, ROUTES[i].method))
            continue;
        ROUTES[i].answer(cloud, call, answer);
        return;
    }
    if (is_known)
        answer_error(answer, 405, "method_not_allowed", "Another method is wanted here.");
    else if (!control_record(cloud, call, answer))
        answer_not_found(answer, "control; GET /_cloud lists them");
}

/* --- the whole address space */

static void answer_authorize(struct cloud *cloud, struct call *call, struct answer *answer)
{
    if (call_method_is(call, "GET"))
        oauth_authorize_get(cloud, call, answer);
    else if (call_method_is(call, "POST"))
        oauth_authorize_post(cloud, call, answer);
    else
        answer_error(answer, 405, "method_not_allowed", "GET or POST wanted.");
}

void cloud_answer(struct cloud *cloud, struct call *call, struct answer *answer)
{
    bool is_v1 = call_segment_is(call, 0, "v1");
    if (call_segment_is(call, 0, "_cloud"))
        control_answer(cloud, call, answer);
    else if (is_v1 && call->segment_count == 2 && call_segment_is(call, 1, "token"))
        oauth_token(cloud, call, answer);
    else if (is_v1)
        api_answer(cloud, call, answer);
    else if (call->segment_count == 1 && call_segment_is(call, 0, "authorize"))
        answer_authorize(cloud, call, answer);
    else
        answer_not_found(answer, "page");
}
