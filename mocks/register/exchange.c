/* Writes exchanges for the wire's screen, for recordings, and for a shell. */
#include "mocks/register/exchange.h"

#include "base/clock.h"
#include "mocks/lightspeed/call.h"

#include <string.h>

#include "base/banned.h"

static const char *const CUTS[CUT_KINDS] = {"none", "after_request", "after_timeout", "mid_reply"};

const char *cut_name(enum cut_kind cut)
{
    return CUTS[cut];
}

bool cut_find(struct text name, enum cut_kind *cut)
{
    for (int i = 0; i < CUT_KINDS; i++) {
        *cut = (enum cut_kind)i;
        if (text_equal(name, text_of(CUTS[i])))
            return true;
    }
    return false;
}

static const char *const MODES[] = {
    [SIGN_HEX] = "hex",     [SIGN_NONE] = "none",     [SIGN_WRONG] = "wrong",
    [SIGN_UPPER] = "upper", [SIGN_BASE64] = "base64", [SIGN_EMPTY] = "empty",
    [SIGN_QUERY] = "query", [SIGN_PATH] = "path",     [SIGN_URL] = "url"};

const char *sign_mode_name(enum sign_mode mode)
{
    return MODES[mode];
}

bool sign_mode_find(struct text name, enum sign_mode *mode)
{
    for (size_t i = 0; i < COUNT_OF(MODES); i++) {
        *mode = (enum sign_mode)i;
        if (text_equal(name, text_of(MODES[i])))
            return true;
    }
    return false;
}

bool head_next(struct text *rest, struct text *name, struct text *value)
{
    while (rest->length > 0) {
        const char *end = memchr(rest->base, '\n', rest->length);
        struct text line =
            text_slice(*rest, 0, end == NULL ? rest->length : (size_t)(end - rest->base));
        const char *colon = line.length == 0 ? NULL : memchr(line.base, ':', line.length);
        *rest = text_slice(*rest, line.length + 1, rest->length);
        if (colon == NULL)
            continue;
        size_t at = (size_t)(colon - line.base);
        *name = text_trim(text_slice(line, 0, at));
        *value = text_trim(text_slice(line, at + 1, line.length));
        return true;
    }
    return false;
}

bool header_is_ours(struct text name)
{
    static const char *const OURS[] = {"host", "content-length", "connection", "transfer-encoding",
                                       "expect"};
    for (size_t i = 0; i < COUNT_OF(OURS); i++)
        if (text_equal_nocase(name, text_of(OURS[i])))
            return true;
    return false;
}

/* --- the pieces ------------------------------------------------------------------------------ */

/* What was sent; where nothing was, what would have been. */
static struct text sent_head(const struct exchange *exchange, char *memory, size_t size)
{
    const struct request *request = exchange->request;
    struct text_buffer buffer;
    if (exchange->reply->sent_head != NULL && exchange->reply->sent_head[0] != '\0')
        return text_of(exchange->reply->sent_head);
    if (request->header_lines != NULL)
        return text_of(request->header_lines);
    text_buffer_init(&buffer, memory, size);
    if (request->content_type != NULL)
        text_append_format(&buffer, "Content-Type: %s\n", request->content_type);
    if (request->signature[0] != '\0')
        text_append_format(&buffer, "X-Kounta-Signature: %s\n", request->signature);
    return text_buffer_text(&buffer);
}

static void write_head(struct text head, const char *title, struct jwrite *writer)
{
    struct text name, value;
    jwrite_begin(writer, title, true);
    while (head_next(&head, &name, &value)) {
        jwrite_object_begin(writer);
        jwrite_named_text_n(writer, "name", name);
        jwrite_named_text_n(writer, "value", value);
        jwrite_object_end(writer);
    }
    jwrite_array_end(writer);
}

static void write_time(struct jwrite *writer, const char *name, int64_t wall_us)
{
    char memory[40];
    struct text_buffer buffer;
    text_buffer_init(&buffer, memory, sizeof(memory));
    clock_append_time(&buffer, wall_us);
    jwrite_named_text_n(writer, name, text_buffer_text(&buffer));
}

/* Straight into the output: a body is too long for a second copy. */
static void write_base64(struct jwrite *writer, const char *name, struct text bytes)
{
    jwrite_key(writer, text_of(name));
    text_append_char(writer->buffer, '"');
    text_append_base64(writer->buffer, bytes);
    text_append_char(writer->buffer, '"');
    writer->needs_comma = true;
}

static struct text reply_text(const struct reply *reply)
{
    return (struct text){reply->body, reply->body_length};
}

/* Cut between characters. */
static struct text shown_text(const struct reply *reply)
{
    size_t length = reply->body_length;
    if (length > EXCHANGE_SHOWN_MAX) {
        length = EXCHANGE_SHOWN_MAX;
        while (length > 0 && ((unsigned char)reply->body[length] & 0xC0u) == 0x80)
            length--;
    }
    return (struct text){reply->body, length};
}

static bool is_plain_text(struct text text)
{
    return text_is_utf8(text) && (text.length == 0 || memchr(text.base, 0, text.length) == NULL);
}

static void write_failure(const struct reply *reply, struct jwrite *writer)
{
    jwrite_key(writer, TEXT("failure"));
    if (reply->failure != NULL)
        jwrite_text(writer, text_of(reply->failure));
    else if (reply->was_dropped)
        jwrite_text(writer, TEXT("cut by a fault"));
    else
        jwrite_null(writer);
}

static void write_verdicts(const struct exchange *exchange, struct jwrite *writer)
{
    jwrite_begin(writer, "verdicts", true);
    for (int rule = 0; rule < RULES; rule++) {
        if (!rule_is_of((enum rule)rule, exchange->options->action))
            continue;
        jwrite_object_begin(writer);
        jwrite_named_text(writer, "rule", rule_name((enum rule)rule));
        jwrite_named_text(writer, "verdict", verdict_name(exchange->judgement->verdicts[rule]));
        jwrite_object_end(writer);
    }
    jwrite_array_end(writer);
}

static void write_order(const char *name, struct text order, struct jwrite *writer)
{
    jwrite_key(writer, text_of(name));
    if (order.length > 0)
        jwrite_raw(writer, order);
    else
        jwrite_null(writer);
}

/* --- for a shell ----------------------------------------------------------------------------- */

/* The inside of a quoted text. */
static void append_escaped(struct text_buffer *line, struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.base[i] == '\'')
            text_append(line, TEXT("'\\''"));
        else
            text_append_char(line, text.base[i]);
    }
}

static void append_quoted(struct text_buffer *line, struct text text)
{
    text_append_char(line, '\'');
    append_escaped(line, text);
    text_append_char(line, '\'');
}

/* curl leaves a header out that has no value, unless it ends with ';'. */
static void append_header(struct text_buffer *line, struct text name, struct text value)
{
    text_append(line, TEXT(" -H '"));
    append_escaped(line, name);
    text_append(line, value.length > 0 ? TEXT(": ") : TEXT(";"));
    append_escaped(line, value);
    text_append_char(line, '\'');
}

void exchange_write_curl(const struct exchange *exchange, struct text_buffer *line)
{
    char memory[512];
    struct text name, value, rest = sent_head(exchange, memory, sizeof(memory));
    text_append_format(line, "curl -sS -g -X %s ", exchange->request->method);
    append_quoted(line, text_of(exchange->request->url));
    while (head_next(&rest, &name, &value)) {
        if (!header_is_ours(name))
            append_header(line, name, value);
    }
    if (exchange->request->body.length > 0) {
        text_append(line, TEXT(" --data-raw "));
        append_quoted(line, exchange->request->body);
    }
}

static void write_curl(const struct exchange *exchange, struct jwrite *writer)
{
    /* A quote becomes four characters; headers and words come on top. */
    size_t room =
        4 * (exchange->request->body.length + strlen(exchange->request->url)) + 8 * HEAD_KEPT_MAX;
    struct made line = {0};
    struct text_buffer buffer;
    made_reserve(&line, room);
    text_buffer_init(&buffer, line.base, room);
    exchange_write_curl(exchange, &buffer);
    CHECK(!buffer.is_cut);
    jwrite_named_text_n(writer, "curl", text_buffer_text(&buffer));
    made_destroy(&line);
}

/* --- for the wire ---------------------------------------------------------------------------- */

static void write_numbers(const struct exchange *exchange, struct jwrite *writer)
{
    jwrite_named_int(writer, "press", exchange->press);
    jwrite_named_int(writer, "send", exchange->send);
    jwrite_named_int(writer, "sends", exchange->sends);
    jwrite_named_text(writer, "action", till_action_path(exchange->options->action));
}

static void write_request(const struct exchange *exchange, struct jwrite *writer)
{
    char memory[512];
    const struct request *request = exchange->request;
    struct text head = sent_head(exchange, memory, sizeof(memory)), rest = head, name, value;
    bool is_signed = false;
    jwrite_named_text(writer, "method", request->method);
    jwrite_named_text(writer, "url", request->url);
    write_head(head, "headers", writer);
    jwrite_named_text_n(writer, "body", request->body);
    while (head_next(&rest, &name, &value))
        is_signed = is_signed || text_equal_nocase(name, TEXT("X-Kounta-Signature"));
    jwrite_named_bool(writer, "is_signed", is_signed);
}

static void write_reply(const struct exchange *exchange, struct jwrite *writer)
{
    const struct reply *reply = exchange->reply;
    bool has_reply = reply->failure == NULL && !reply->was_dropped;
    struct text body = has_reply ? shown_text(reply) : TEXT("");
    jwrite_named_int(writer, "status", has_reply ? reply->status : 0);
    write_head(text_of(has_reply ? reply->head : ""), "reply_headers", writer);
    jwrite_named_text_n(writer, "reply_body", body);
    if (is_plain_text(body))
        jwrite_named_null(writer, "reply_body_base64");
    else
        write_base64(writer, "reply_body_base64", body);
    jwrite_named_int(writer, "time_us", reply->time_us);
    write_failure(reply, writer);
}

static void write_judgement(const struct exchange *exchange, struct jwrite *writer)
{
    const struct judgement *judgement = exchange->judgement;
    jwrite_named_text(writer, "ending", ending_name(judgement->ending));
    jwrite_named_text(writer, "amount", judgement->amount);
    jwrite_named_text(writer, "balance", judgement->balance);
    jwrite_named_text(writer, "reference", judgement->reference);
    jwrite_named_text(writer, "sentence", judgement->sentence);
    write_verdicts(exchange, writer);
}

void exchange_write(const struct exchange *exchange, struct jwrite *writer)
{
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "number", exchange->number);
    write_numbers(exchange, writer);
    jwrite_named_id(writer, "resend_of", exchange->resend_of);
    jwrite_named_bool(writer, "is_replay", exchange->is_replay);
    write_time(writer, "started", exchange->started_us);
    write_request(exchange, writer);
    jwrite_key(writer, TEXT("faults"));
    fault_set_write(exchange->faults, writer);
    write_reply(exchange, writer);
    write_judgement(exchange, writer);
    write_curl(exchange, writer);
    write_order("order_before", exchange->order_before, writer);
    write_order("order_after", exchange->order_after, writer);
    jwrite_object_end(writer);
}

/* --- for a recording ------------------------------------------------------------------------- */

/* What the register has put behind the configured address of a search or look-up. */
static struct text own_query(const struct exchange *exchange)
{
    const struct options *options = exchange->options;
    struct text url = text_of(exchange->request->url);
    if (!options->url_is_exact || options->url == NULL || till_action_is_payment(options->action) ||
        options->action == TILL_REDEEM)
        return TEXT("");
    return text_slice(url, strlen(options->url) + 1, url.length);
}

void exchange_write_record(const struct exchange *exchange, struct jwrite *writer)
{
    char memory[512];
    const struct options *options = exchange->options;
    const struct reply *reply = exchange->reply;
    bool has_reply = reply->failure == NULL && !reply->was_dropped;
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "offset_us", exchange->offset_us);
    write_numbers(exchange, writer);
    jwrite_named_text(writer, "method", exchange->request->method);
    jwrite_named_text(writer, "url", exchange->request->url);
    jwrite_named_text_n(writer, "query", own_query(exchange));
    write_head(sent_head(exchange, memory, sizeof(memory)), "headers", writer);
    write_base64(writer, "body_base64", exchange->request->body);
    jwrite_named_text(writer, "sign", sign_mode_name(options->sign_mode));
    jwrite_key(writer, TEXT("faults"));
    fault_set_write(exchange->faults, writer);
    jwrite_named_text(writer, "cut", cut_name(exchange->cut));
    jwrite_named_int(writer, "timeout_s", options->timeout_s);
    jwrite_named_id(writer, "order_id", options->has_order ? options->order_id : 0);
    jwrite_named_id(writer, "placeholder", options->has_placeholder ? options->placeholder_id : 0);
    jwrite_named_id(writer, "reward_index", options->reward_index);
    jwrite_named_int(writer, "status", has_reply ? reply->status : 0);
    jwrite_named_int(writer, "time_us", reply->time_us);
    write_failure(reply, writer);
    write_head(text_of(has_reply ? reply->head : ""), "reply_headers", writer);
    write_base64(writer, "reply_body_base64", has_reply ? reply_text(reply) : TEXT(""));
    jwrite_named_text(writer, "ending", ending_name(exchange->judgement->ending));
    jwrite_object_end(writer);
}
