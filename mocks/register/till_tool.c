/* What stands beside the till: back office, faults, the wire's tools, recording. */
#include "mocks/register/booking.h"
#include "mocks/register/press.h"
#include "mocks/register/replay.h"

#include "base/clock.h"
#include "mocks/lightspeed/call.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

static const char *const NO_NAMES[] = {NULL};

/* --- back office ----------------------------------------------------------------------------- */

static struct config *copy_draft(struct till *till)
{
    struct config *config = malloc(sizeof(*config));
    CHECK(config != NULL);
    till_lock(till);
    *config = till->draft;
    till_unlock(till);
    return config;
}

/* Where the cloud does not answer it has none that are known. */
static const struct jread *ask_methods(struct till *till, struct shop_answer *reply)
{
    return shop_ask(till->shop, "GET", "/payment_methods", NULL, reply) == 0 ? reply->json : NULL;
}

static bool name_is_free(struct till *till, const struct till_call *call,
                         const struct config *config, struct till_answer *answer)
{
    struct shop_answer reply;
    if (jread_member(call->json, "payment_name") == NULL)
        return true;
    bool is_free = config_name_is_free(config, ask_methods(till, &reply), answer);
    shop_answer_finish(&reply);
    return is_free;
}

bool till_config_put(struct till *till, struct till_call *call, struct till_answer *answer)
{
    struct config *config = copy_draft(till);
    bool is_good =
        config_read(config, call->json, answer) && name_is_free(till, call, config, answer);
    if (is_good) {
        till_lock(till);
        till->draft = *config;
        till_unlock(till);
    }
    free(config);
    return is_good;
}

struct problems {
    const struct config *config;
    const struct jread *json, *methods;
};

static void write_problems(struct jwrite *writer, const void *context)
{
    const struct problems *problems = context;
    config_write_problems(problems->config, problems->json, problems->methods, writer);
}

bool till_config_check(struct till *till, struct till_call *call, struct till_answer *answer)
{
    struct shop_answer reply = {0};
    struct config *config = copy_draft(till);
    bool is_named = jread_member(call->json, "payment_name") != NULL;
    struct problems problems = {config, call->json, is_named ? ask_methods(till, &reply) : NULL};
    made_create(&answer->body, write_problems, &problems);
    shop_answer_finish(&reply);
    free(config);
    return true;
}

bool till_config_revert(struct till *till, struct till_call *call, struct till_answer *answer)
{
    if (!till_names_are_known(call->json, NO_NAMES, answer))
        return false;
    till_lock(till);
    till->draft = till->synced;
    till_unlock(till);
    return true;
}

bool till_sync(struct till *till, struct till_call *call, struct till_answer *answer)
{
    if (!till_names_are_known(call->json, NO_NAMES, answer))
        return false;
    till_lock(till);
    till->synced = till->draft;
    till_forget(till);
    till_unlock(till);
    struct config *config = till_config(till);
    if (config->has_payments)
        booking_make_method(till, config);
    free(config);
    return true;
}

bool till_restart(struct till *till, struct till_call *call, struct till_answer *answer)
{
    if (!till_names_are_known(call->json, NO_NAMES, answer))
        return false;
    till_lock(till);
    till_forget(till);
    till_unlock(till);
    return true;
}

bool till_said_dismiss(struct till *till, struct till_call *call, struct till_answer *answer)
{
    if (!till_names_are_known(call->json, NO_NAMES, answer))
        return false;
    till_lock(till);
    made_destroy(&till->said);
    till_unlock(till);
    return true;
}

bool till_faults_put(struct till *till, struct till_call *call, struct till_answer *answer)
{
    till_lock(till);
    struct till_faults faults = till->faults;
    bool is_good = till_faults_read(&faults, call->json, answer);
    if (is_good)
        till->faults = faults;
    till_unlock(till);
    return is_good;
}

bool till_wire_clear(struct till *till, struct till_call *call, struct till_answer *answer)
{
    if (!till_names_are_known(call->json, NO_NAMES, answer))
        return false;
    wire_log_clear(&till->wire);
    return true;
}

bool till_recording_post(struct till *till, struct till_call *call, struct till_answer *answer)
{
    static const char *const NAMES[] = {"on", NULL};
    bool is_on = false;
    if (!till_names_are_known(call->json, NAMES, answer) ||
        !till_take_bool(call->json, "on", &is_on, answer))
        return false;
    if (jread_member(call->json, "on") == NULL)
        return till_refuse(answer, 400, "missing", "on is missing.");
    till_lock(till);
    int64_t seed = till->faults.seed;
    till_unlock(till);
    if (is_on)
        recording_begin(&till->recording, till_clock_us(till), seed);
    else
        recording_end(&till->recording);
    return true;
}

/* --- resend ---------------------------------------------------------------------------------- */

struct resend {
    struct till *till;
    const struct till_call *call;
    struct config *config;
    struct jread *original;
    struct request *request;
    struct options options;
    struct made lines;
    bool signs;
};

static bool header_is_good(struct text name, struct text value)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = name.base[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              strchr("!#$%&'*+-.^_`|~", c) != NULL) ||
            c == '\0')
            return false;
    }
    for (size_t i = 0; i < value.length; i++)
        if ((unsigned char)value.base[i] < ' ' && value.base[i] != '\t')
            return false;
    return name.length > 0;
}

/* A text with NUL has no characters for who asks for them. */
static bool header_is_taken(const struct jread *header, struct till_answer *answer)
{
    struct text name = TEXT(""), value = TEXT("");
    const struct jread *texts[] = {jread_member(header, "name"), jread_member(header, "value")};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (jread_kind_of(texts[i]) != JREAD_STRING)
            return till_refuse(answer, 400, "wrong_type",
                               "headers: each has a name and a value, both text.");
    if (jread_text(texts[0], &name) == 0 && jread_text(texts[1], &value) == 0 &&
        header_is_good(name, value))
        return true;
    return till_refuse(answer, 422, "bad_value",
                       "headers: each has a name of letters, digits and hyphens, and a value of "
                       "one line.");
}

struct header_list {
    const struct jread *headers;
    bool leaves_signature_out;
};

/* As text, not as JSON: the writer only lends its memory. */
static void write_header_lines(struct jwrite *writer, const void *context)
{
    const struct header_list *list = context;
    for (size_t i = 0; i < jread_count(list->headers); i++) {
        const struct jread *header = jread_element(list->headers, i);
        struct text name = bill_text(header, "name"), value = bill_text(header, "value");
        if (header_is_ours(name) ||
            (list->leaves_signature_out && text_equal_nocase(name, TEXT("X-Kounta-Signature"))))
            continue;
        text_append(writer->buffer, name);
        text_append(writer->buffer, TEXT(": "));
        text_append(writer->buffer, value);
        text_append_char(writer->buffer, '\n');
    }
}

static bool resend_take_headers(struct resend *resend, struct till_answer *answer)
{
    const struct jread *given = jread_member(resend->call->json, "headers");
    struct header_list list = {given, resend->signs};
    if (given == NULL)
        list.headers = jread_member(resend->original, "headers");
    if (jread_kind_of(list.headers) != JREAD_ARRAY)
        return till_refuse(answer, 400, "wrong_type", "headers: a list wanted.");
    for (size_t i = 0; i < jread_count(list.headers); i++)
        if (!header_is_taken(jread_element(list.headers, i), answer))
            return false;
    made_create(&resend->lines, write_header_lines, &list);
    return true;
}

static bool resend_take_body(struct resend *resend, struct till_answer *answer)
{
    struct text body;
    struct text_buffer buffer;
    struct request *request = resend->request;
    if (!till_take_text(resend->call->json, "body", false, &body, answer))
        return false;
    if (jread_member(resend->call->json, "body") == NULL)
        body = bill_text(resend->original, "body");
    text_buffer_init(&buffer, request->body_bytes, sizeof(request->body_bytes));
    text_append(&buffer, body);
    request->body = text_buffer_text(&buffer);
    return !buffer.is_cut || till_refuse(answer, 413, "too_large", "The body is too long.");
}

static bool resend_take_url(struct resend *resend, struct till_answer *answer)
{
    struct text url;
    struct text_buffer buffer;
    if (!till_take_text(resend->call->json, "url", false, &url, answer))
        return false;
    if (jread_member(resend->call->json, "url") == NULL)
        url = bill_text(resend->original, "url");
    if (!text_starts_with(url, TEXT("http://")) && !text_starts_with(url, TEXT("https://")))
        return till_refuse(answer, 422, "bad_value", "url: http:// or https:// wanted.");
    if (!text_is_printable(url) || memchr(url.base, ' ', url.length) != NULL)
        return till_refuse(answer, 422, "bad_value", "url: no spaces or control characters.");
    text_buffer_init(&buffer, resend->request->url, sizeof(resend->request->url));
    text_append(&buffer, url);
    return !buffer.is_cut || till_refuse(answer, 413, "too_large", "The address is too long.");
}

static enum till_action action_of(const struct jread *exchange)
{
    struct text name = bill_text(exchange, "action");
    for (int i = 0; i < TILL_LOYALTY; i++)
        if (text_equal(name, text_of(till_action_path((enum till_action)i))))
            return (enum till_action)i;
    return TILL_CHECKOUT;
}

static void resend_sign(struct resend *resend)
{
    enum sign_mode mode = config_sign_mode(resend->config);
    if (!resend->signs)
        return;
    if (strcmp(resend->request->method, "POST") == 0)
        mode = SIGN_HEX;
    request_sign_anew(resend->request, resend->config->token, mode);
    if (resend->request->signature[0] == '\0')
        return;
    struct made more = {0};
    struct text_buffer buffer;
    size_t room = resend->lines.length + REQUEST_SIGNATURE_MAX + 32;
    made_reserve(&more, room);
    text_buffer_init(&buffer, more.base, room);
    text_append(&buffer, made_text(&resend->lines));
    text_append_format(&buffer, "X-Kounta-Signature: %s\n", resend->request->signature);
    CHECK(!buffer.is_cut);
    made_destroy(&resend->lines);
    resend->lines = (struct made){buffer.base, buffer.length};
}

static void resend_send(struct resend *resend)
{
    struct reply reply;
    struct judgement judgement;
    struct fault_set none = {0};
    CHECK(reply_init(&reply) == 0);
    resend_sign(resend);
    resend->request->header_lines = resend->lines.base;
    till_lock(resend->till);
    int64_t press = ++resend->till->press_count;
    resend->till->busy_count++;
    till_unlock(resend->till);
    struct exchange exchange = {.press = press,
                                .send = 1,
                                .sends = 1,
                                .resend_of = bill_id(resend->original, "number"),
                                .started_us = till_clock_us(resend->till),
                                .options = &resend->options,
                                .request = resend->request,
                                .reply = &reply,
                                .judgement = &judgement,
                                .faults = &none};
    int64_t began_us = clock_monotonic_us();
    wire_send(resend->request, resend->config->timeout_s, &reply);
    judge(&reply, resend->request, &resend->options, &judgement);
    till_lock(resend->till);
    resend->till->busy_count--;
    till_unlock(resend->till);
    (void)wire_log_add(&resend->till->wire, &exchange);
    recording_add(&resend->till->recording, &exchange, began_us);
    judgement_finish(&judgement);
    reply_finish(&reply);
}

static void resend_fill(struct resend *resend)
{
    const struct config *config = resend->config;
    resend->options = (struct options){.action = action_of(resend->original),
                                       .dialect = &config->dialect,
                                       .is_lenient = config->is_lenient == 1,
                                       .sign_mode = SIGN_NONE,
                                       .timeout_s = config->timeout_s};
    resend->request->method =
        text_equal(bill_text(resend->original, "method"), TEXT("GET")) ? "GET" : "POST";
    resend->options.has_placeholder = placeholder_find(
        &resend->options, text_of(resend->request->url), &resend->options.placeholder_id);
    resend->request->placeholders = 1; /* it was replaced when it was sent first */
}

static bool resend_find(struct resend *resend, struct till_answer *answer)
{
    static const char *const NAMES[] = {"number", "url", "headers", "body", "sign", NULL};
    struct made json = {0};
    int64_t number = 0;
    if (!till_names_are_known(resend->call->json, NAMES, answer) ||
        !till_take_int(resend->call->json, "number", 1, INT64_MAX, &number, answer) ||
        !till_take_bool(resend->call->json, "sign", &resend->signs, answer))
        return false;
    if (number == 0)
        return till_refuse(answer, 400, "missing", "number is missing.");
    if (!wire_log_find(&resend->till->wire, number, &json))
        return till_refuse(answer, 404, "not_found", "The wire has no exchange %lld.",
                           (long long)number);
    /* An order stands in it, one level deeper than the cloud has sent it. */
    CHECK(jread_parse_deep(made_text(&json), JREAD_FILE_DEPTH_MAX, &resend->original) == 0);
    made_destroy(&json);
    return true;
}

bool till_resend(struct till *till, struct till_call *call, struct till_answer *answer)
{
    struct resend resend = {.till = till, .call = call, .config = till_config(till)};
    resend.request = calloc(1, sizeof(*resend.request));
    CHECK(resend.request != NULL);
    bool is_good = resend_find(&resend, answer) && resend_take_headers(&resend, answer) &&
                   resend_take_body(&resend, answer) && resend_take_url(&resend, answer);
    if (is_good) {
        resend_fill(&resend);
        resend_send(&resend);
    }
    made_destroy(&resend.lines);
    jread_destroy(resend.original);
    free(resend.request);
    free(resend.config);
    return is_good;
}

/* --- replay ---------------------------------------------------------------------------------- */

static void on_replayed(void *context, struct exchange *exchange)
{
    struct till *till = context;
    (void)wire_log_add(&till->wire, exchange);
}

static bool replay_begin(struct till *till, struct till_answer *answer)
{
    till_lock(till);
    bool is_free = !till->is_replaying;
    till->is_replaying = true;
    if (is_free)
        atomic_store(&till->is_replay_stopped, false);
    till_unlock(till);
    return is_free || till_refuse(answer, 409, "replaying", "A replay is under way.");
}

bool till_replay(struct till *till, struct till_call *call, struct till_answer *answer)
{
    struct replay_result result;
    if (!replay_begin(till, answer))
        return false;
    struct config *config = till_config(till);
    struct replay_target target = {.config = config,
                                   .timeout_s_max = config->timeout_s,
                                   .is_stopped = &till->is_replay_stopped,
                                   .on_exchange = on_replayed,
                                   .context = till};
    int err = replay_run(call->body, &target, &result);
    till_lock(till);
    till->is_replaying = false;
    if (err == 0) {
        made_destroy(&till->report);
        till->report = result.report;
    }
    till_unlock(till);
    free(config);
    return err == 0 || till_refuse(answer, 422, "bad_value", "%s", result.problem);
}

/* That none is under way is fine: it may just have ended. */
bool till_replay_stop(struct till *till, struct till_call *call, struct till_answer *answer)
{
    static const char *const NAMES[] = {NULL};
    if (!till_names_are_known(call->json, NAMES, answer))
        return false;
    atomic_store(&till->is_replay_stopped, true);
    return true;
}
