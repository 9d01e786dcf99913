/* Reads a recording, sends it burst by burst, and compares the replies. */
#include "mocks/register/replay.h"

#include "base/clock.h"
#include "base/error.h"
#include "mocks/lightspeed/call.h"
#include "mocks/register/bill.h"
#include "mocks/register/recording.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define DIFFS_MAX 8
#define DIFF_TEXT_MAX 160

struct diff {
    const char *what;
    char recorded[DIFF_TEXT_MAX], replayed[DIFF_TEXT_MAX];
};

struct entry {
    struct jread *line;
    enum till_action action;
    enum cut_kind cut;
    enum sign_mode sign;
    int64_t offset_us, end_us;
    bool was_answered;
    struct made recorded; /* the reply's bytes */
    /* While it is sent: */
    struct request *request;
    struct made header_lines, url;
    struct options options;
    struct reply reply;
    struct judgement judgement;
    int64_t started_us;
    /* What it came to: */
    struct diff diffs[DIFFS_MAX];
    size_t diff_count;
    bool is_same;
    struct made also; /* JSON list of names */
};

struct replay {
    const struct replay_target *target;
    struct entry *entries;
    size_t count;
    struct made rewards; /* the body of the last look-up; empty: none */
    int64_t began_us;
};

/* --- reading --------------------------------------------------------------------------------- */

static bool decode(struct text base64, struct made *bytes)
{
    size_t length = base64.length;
    while (length > 0 && base64.base[length - 1] == '=')
        length--;
    size_t size = length / 4 * 3 + (length % 4 == 0 ? 0 : length % 4 - 1);
    made_reserve(bytes, size + 1);
    bytes->base[size] = '\0';
    bytes->length = size;
    return size == 0 || text_base64_decode((uint8_t *)bytes->base, size, base64);
}

static bool action_find(struct text name, enum till_action *action)
{
    for (int i = 0; i < TILL_LOYALTY; i++) {
        *action = (enum till_action)i;
        if (text_equal(name, text_of(till_action_path(*action))))
            return true;
    }
    return false;
}

static bool entry_read(struct entry *entry)
{
    const struct jread *line = entry->line;
    int64_t time_us = bill_id(line, "time_us");
    entry->offset_us = bill_id(line, "offset_us");
    entry->end_us = entry->offset_us + time_us;
    entry->was_answered = bill_id(line, "status") != 0;
    return jread_kind_of(line) == JREAD_OBJECT &&
           action_find(bill_text(line, "action"), &entry->action) &&
           cut_find(bill_text(line, "cut"), &entry->cut) &&
           sign_mode_find(bill_text(line, "sign"), &entry->sign) &&
           jread_kind_of(jread_member(line, "headers")) == JREAD_ARRAY &&
           decode(bill_text(line, "reply_body_base64"), &entry->recorded);
}

static int refuse(struct replay_result *result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int refuse(struct replay_result *result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(result->problem, sizeof(result->problem), format, arguments);
    va_end(arguments);
    return ERR_JSON_SYNTAX;
}

static int opening_read(struct text line, struct replay_result *result)
{
    struct jread *json = NULL;
    int64_t version = jread_parse(line, &json) == 0 ? bill_id(json, "tillsim_recording") : 0;
    jread_destroy(json);
    if (version == RECORDING_VERSION)
        return 0;
    if (version > RECORDING_VERSION)
        return refuse(result,
                      "The recording is of version %lld; this till reads version %d: replay it "
                      "with a newer one.",
                      (long long)version, RECORDING_VERSION);
    return refuse(result, "Line 1 is no beginning of a till's recording.");
}

static bool line_take(struct replay *replay, struct text line)
{
    struct entry *more = realloc(replay->entries, (replay->count + 1) * sizeof(*more));
    CHECK(more != NULL);
    replay->entries = more;
    struct entry *entry = &replay->entries[replay->count++];
    *entry = (struct entry){0};
    return jread_parse(line, &entry->line) == 0 && entry_read(entry);
}

/* Every line was written with its end: one that has none, and is no JSON, was cut. */
static bool last_is_cut(const struct replay *replay, bool is_ended)
{
    return !is_ended && replay->entries[replay->count - 1].line == NULL;
}

static int line_read(struct replay *replay, size_t number, struct text line, bool is_ended,
                     struct replay_result *result)
{
    if (number == 1)
        return opening_read(line, result);
    if (text_trim(line).length == 0)
        return 0;
    if (replay->count == REPLAY_EXCHANGES_MAX)
        return refuse(result, "The recording has more than %d exchanges.", REPLAY_EXCHANGES_MAX);
    if (line_take(replay, line))
        return 0;
    if (last_is_cut(replay, is_ended))
        return refuse(result, "Line %zu is cut off: the file is not the whole recording.", number);
    return refuse(result, "Line %zu is no exchange of a till's recording.", number);
}

static int replay_read(struct replay *replay, struct text rest, struct replay_result *result)
{
    for (size_t number = 1; rest.length > 0; number++) {
        const char *end = memchr(rest.base, '\n', rest.length);
        struct text line =
            text_slice(rest, 0, end == NULL ? rest.length : (size_t)(end - rest.base));
        rest = text_slice(rest, line.length + 1, rest.length);
        int err = line_read(replay, number, line, end != NULL, result);
        if (err != 0)
            return err;
    }
    return replay->count > 0 ? 0 : refuse(result, "The recording is empty.");
}

/* --- building -------------------------------------------------------------------------------- */

static void write_headers(struct jwrite *writer, const void *context)
{
    const struct entry *entry = context;
    const struct jread *headers = jread_member(entry->line, "headers");
    for (size_t i = 0; i < jread_count(headers); i++) {
        const struct jread *header = jread_element(headers, i);
        struct text name = bill_text(header, "name");
        bool is_signature = text_equal_nocase(name, TEXT("X-Kounta-Signature"));
        if (header_is_ours(name) || (is_signature && entry->request->signature[0] != '\0'))
            continue;
        text_append(writer->buffer, name);
        text_append(writer->buffer, TEXT(": "));
        text_append(writer->buffer, bill_text(header, "value"));
        text_append_char(writer->buffer, '\n');
    }
    if (entry->request->signature[0] != '\0')
        text_append_format(writer->buffer, "X-Kounta-Signature: %s\n", entry->request->signature);
}

/* Of the last look-up that was replayed; where there is none, as recorded. */
static void redeem_find(const struct replay *replay, struct entry *entry)
{
    struct jread *body = NULL;
    const struct dialect *dialect = &replay->target->config->dialect;
    size_t index = (size_t)bill_id(entry->line, "reward_index");
    struct text url = TEXT("");
    if (replay->rewards.length > 0 && jread_parse(made_text(&replay->rewards), &body) == 0 &&
        index > 0)
        url = bill_text(jread_element(jread_member(body, dialect->rewards), index - 1),
                        dialect->reward[REWARD_REDEEM_URL]);
    made_copy(&entry->url, url.length > 0 ? url : bill_text(entry->line, "url"));
    entry->options.url = entry->url.base;
    jread_destroy(body);
}

static void url_write(const struct entry *entry, const struct config *config)
{
    struct text_buffer url;
    const char *target = config->urls[entry->action];
    struct text query = bill_text(entry->line, "query");
    text_buffer_init(&url, entry->request->url, sizeof(entry->request->url));
    text_append(&url, text_of(target));
    if (query.length == 0)
        return;
    text_append_char(&url, strchr(target, '?') == NULL ? '?' : '&');
    text_append(&url, query);
}

static void options_fill(const struct replay *replay, struct entry *entry)
{
    const struct config *config = replay->target->config;
    int64_t timeout_s = bill_id(entry->line, "timeout_s");
    entry->options = (struct options){.action = entry->action,
                                      .url_is_exact = true,
                                      .dialect = &config->dialect,
                                      .is_lenient = config->is_lenient == 1,
                                      .sign_mode = SIGN_NONE,
                                      .order_id = bill_id(entry->line, "order_id"),
                                      .placeholder_id = bill_id(entry->line, "placeholder"),
                                      .reward_index = bill_id(entry->line, "reward_index")};
    entry->options.has_order = entry->options.order_id != 0;
    entry->options.has_placeholder = entry->options.placeholder_id != 0;
    int64_t most_s = replay->target->timeout_s_max;
    if (timeout_s < 1 || timeout_s > CONFIG_TIMEOUT_S_MAX)
        timeout_s = config->timeout_s;
    entry->options.timeout_s = most_s > 0 && timeout_s > most_s ? most_s : timeout_s;
}

static void entry_build(const struct replay *replay, struct entry *entry)
{
    struct made body = {0};
    const struct config *config = replay->target->config;
    entry->request = calloc(1, sizeof(*entry->request));
    CHECK(entry->request != NULL && reply_init(&entry->reply) == 0);
    options_fill(replay, entry);
    if (entry->action == TILL_REDEEM) {
        redeem_find(replay, entry);
        CHECK(request_build(entry->request, &entry->options) == 0);
    } else {
        url_write(entry, config);
    }
    entry->request->method = till_action_is_payment(entry->action) ? "POST" : "GET";
    if (decode(bill_text(entry->line, "body_base64"), &body) &&
        body.length < sizeof(entry->request->body_bytes)) {
        memcpy(entry->request->body_bytes, body.base, body.length);
        entry->request->body = (struct text){entry->request->body_bytes, body.length};
    }
    made_destroy(&body);
    if (!replay->target->keeps_signatures)
        request_sign_anew(entry->request, config->token, entry->sign);
    made_create(&entry->header_lines, write_headers, entry);
    entry->request->header_lines = entry->header_lines.base;
}

/* --- sending --------------------------------------------------------------------------------- */

static void *entry_send(void *context)
{
    static const enum wire_cut CUTS[CUT_KINDS] = {[CUT_AFTER_REQUEST] = WIRE_CUT_AFTER_REQUEST,
                                                  [CUT_AFTER_TIMEOUT] = WIRE_CUT_AFTER_TIMEOUT,
                                                  [CUT_MID_REPLY] = WIRE_CUT_MID_REPLY};
    struct entry *entry = context;
    entry->started_us = clock_wall_us();
    if (entry->cut == CUT_NONE)
        wire_send(entry->request, entry->options.timeout_s, &entry->reply);
    else
        wire_send_and_cut(entry->request, entry->options.timeout_s, CUTS[entry->cut],
                          &entry->reply);
    return NULL;
}

/* How many from first on overlapped when they were recorded. */
static size_t burst_length(const struct replay *replay, size_t first)
{
    size_t length = 1;
    int64_t end_us = replay->entries[first].end_us;
    while (first + length < replay->count && length < REPLAY_BURST_MAX &&
           replay->entries[first + length].offset_us < end_us) {
        if (replay->entries[first + length].end_us > end_us)
            end_us = replay->entries[first + length].end_us;
        length++;
    }
    return length;
}

static void burst_send(struct entry *entries, size_t count)
{
    pthread_t threads[REPLAY_BURST_MAX];
    if (count == 1) {
        (void)entry_send(&entries[0]);
        return;
    }
    for (size_t i = 0; i < count; i++)
        CHECK(pthread_create(&threads[i], NULL, entry_send, &entries[i]) == 0);
    for (size_t i = 0; i < count; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

/* --- comparing ------------------------------------------------------------------------------- */

static bool is_answered(const struct entry *entry)
{
    return entry->reply.failure == NULL && !entry->reply.was_dropped;
}

static void differ(struct entry *entry, const char *what, struct text recorded,
                   struct text replayed)
{
    struct text_buffer buffer;
    if (text_equal(recorded, replayed) || entry->diff_count == DIFFS_MAX)
        return;
    struct diff *diff = &entry->diffs[entry->diff_count++];
    diff->what = what;
    text_buffer_init(&buffer, diff->recorded, sizeof(diff->recorded));
    text_append_printable(&buffer, recorded, TEXT("?"));
    text_buffer_init(&buffer, diff->replayed, sizeof(diff->replayed));
    text_append_printable(&buffer, replayed, TEXT("?"));
}

static struct text shown(const struct jread *body, const char *name)
{
    bool flag;
    const struct jread *value = jread_member(body, name);
    if (jread_bool(value, &flag) == 0)
        return flag ? TEXT("true") : TEXT("false");
    return bill_text(body, name);
}

static void compare_payment(struct entry *entry, const struct jread *recorded)
{
    static const struct {
        const char *what;
        enum dialect_value value;
    } VALUES[] = {{"success", VALUE_SUCCESS},
                  {"amount", VALUE_AMOUNT},
                  {"balance", VALUE_BALANCE},
                  {"error", VALUE_ERROR}};
    const struct dialect *dialect = entry->options.dialect;
    for (size_t i = 0; i < COUNT_OF(VALUES); i++) {
        const char *name = dialect->reply[entry->action][VALUES[i].value];
        differ(entry, VALUES[i].what, shown(recorded, name), shown(entry->judgement.body, name));
    }
}

static void compare_count(struct entry *entry, const char *what, const struct jread *recorded,
                          const char *name)
{
    char memory[2][24];
    struct text_buffer buffers[2];
    const struct jread *lists[2] = {jread_member(recorded, name),
                                    jread_member(entry->judgement.body, name)};
    for (size_t i = 0; i < 2; i++) {
        text_buffer_init(&buffers[i], memory[i], sizeof(memory[i]));
        text_append_int64(&buffers[i], (int64_t)jread_count(lists[i]));
    }
    differ(entry, what, text_buffer_text(&buffers[0]), text_buffer_text(&buffers[1]));
}

static void compare_bodies(struct entry *entry, const struct jread *recorded)
{
    const struct dialect *dialect = entry->options.dialect;
    if (till_action_is_payment(entry->action))
        compare_payment(entry, recorded);
    else if (entry->action == TILL_CUSTOMER_SEARCH)
        compare_count(entry, "members found", recorded, dialect->wrapper[LOOK_SEARCH]);
    else if (entry->action == TILL_REWARD_LOOKUP)
        compare_count(entry, "rewards offered", recorded, dialect->rewards);
    else
        differ(entry, "success", shown(recorded, dialect->redeem_success),
               shown(entry->judgement.body, dialect->redeem_success));
}

struct also {
    const struct entry *entry;
    const struct jread *recorded;
};

static void write_value(struct jwrite *writer, const void *context)
{
    jwrite_copy(writer, context);
}

static bool values_are_equal(const struct jread *a, const struct jread *b)
{
    struct made made[2] = {{0}};
    made_create(&made[0], write_value, a);
    made_create(&made[1], write_value, b);
    bool are_equal = text_equal(made_text(&made[0]), made_text(&made[1]));
    made_destroy(&made[0]);
    made_destroy(&made[1]);
    return are_equal;
}

/* Names of members that are not the same, whether or not a till would notice. */
static void write_also(struct jwrite *writer, const void *context)
{
    const struct also *also = context;
    const struct jread *replayed = also->entry->judgement.body;
    jwrite_array_begin(writer);
    for (size_t i = 0; i < jread_count(also->recorded); i++) {
        struct text name;
        if (jread_kind_of(also->recorded) != JREAD_OBJECT)
            break;
        const struct jread *value = jread_member_at(also->recorded, i, &name);
        if (!values_are_equal(value, jread_member_named(replayed, name)))
            jwrite_text(writer, name);
    }
    for (size_t i = 0; jread_kind_of(replayed) == JREAD_OBJECT && i < jread_count(replayed); i++) {
        struct text name;
        (void)jread_member_at(replayed, i, &name);
        if (jread_member_named(also->recorded, name) == NULL)
            jwrite_text(writer, name);
    }
    jwrite_array_end(writer);
}

static void compare_status(struct entry *entry)
{
    char memory[2][24];
    int64_t statuses[2] = {bill_id(entry->line, "status"),
                           is_answered(entry) ? entry->reply.status : 0};
    struct text_buffer buffers[2];
    for (size_t i = 0; i < 2; i++) {
        text_buffer_init(&buffers[i], memory[i], sizeof(memory[i]));
        text_append_int64(&buffers[i], statuses[i]);
    }
    differ(entry, "status", text_buffer_text(&buffers[0]), text_buffer_text(&buffers[1]));
    differ(entry, "ending", bill_text(entry->line, "ending"),
           text_of(ending_name(entry->judgement.ending)));
}

static void entry_compare(struct entry *entry)
{
    struct jread *recorded = NULL;
    struct text bytes =
        is_answered(entry) ? (struct text){entry->reply.body, entry->reply.body_length} : TEXT("");
    compare_status(entry);
    entry->is_same = entry->diff_count == 0 && text_equal(bytes, made_text(&entry->recorded));
    if (jread_parse_deep(made_text(&entry->recorded), JREAD_FILE_DEPTH_MAX, &recorded) != 0)
        recorded = NULL;
    if (entry->was_answered && is_answered(entry)) {
        struct also also = {entry, recorded};
        compare_bodies(entry, recorded);
        made_create(&entry->also, write_also, &also);
    }
    jread_destroy(recorded);
}

/* --- all of it ------------------------------------------------------------------------------- */

static void entry_tell(const struct replay *replay, struct entry *entry)
{
    struct fault_set none = {0};
    struct exchange exchange = {.press = bill_id(entry->line, "press"),
                                .send = bill_id(entry->line, "send"),
                                .sends = bill_id(entry->line, "sends"),
                                .is_replay = true,
                                .started_us = entry->started_us,
                                .options = &entry->options,
                                .request = entry->request,
                                .reply = &entry->reply,
                                .judgement = &entry->judgement,
                                .faults = &none,
                                .cut = entry->cut};
    if (replay->target->on_exchange != NULL)
        replay->target->on_exchange(replay->target->context, &exchange);
}

static void entry_close(struct entry *entry)
{
    judgement_finish(&entry->judgement);
    reply_finish(&entry->reply);
    made_destroy(&entry->header_lines);
    made_destroy(&entry->url);
    free(entry->request);
    entry->request = NULL;
}

static void entry_settle(struct replay *replay, struct entry *entry, struct replay_result *result)
{
    judge(&entry->reply, entry->request, &entry->options, &entry->judgement);
    if (entry->action == TILL_REWARD_LOOKUP && is_answered(entry)) {
        made_destroy(&replay->rewards);
        made_copy(&replay->rewards, (struct text){entry->reply.body, entry->reply.body_length});
    }
    entry_compare(entry);
    entry_tell(replay, entry);
    result->sent++;
    result->same_bytes += entry->is_same;
    result->differences += entry->diff_count > 0;
    result->unanswered += entry->was_answered && !is_answered(entry);
    entry_close(entry);
}

static void replay_burst(struct replay *replay, size_t first, size_t count,
                         struct replay_result *result)
{
    struct entry *entries = &replay->entries[first];
    if (replay->target->keeps_pace)
        wire_wait(replay->began_us + entries[0].offset_us - clock_monotonic_us());
    for (size_t i = 0; i < count; i++)
        entry_build(replay, &entries[i]);
    burst_send(entries, count);
    for (size_t i = 0; i < count; i++)
        entry_settle(replay, &entries[i], result);
}

static void write_entry(const struct entry *entry, size_t number, struct jwrite *writer)
{
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "number", (int64_t)number);
    jwrite_named_text(writer, "action", till_action_path(entry->action));
    jwrite_named_bool(writer, "is_same", entry->is_same);
    jwrite_begin(writer, "differs", true);
    for (size_t i = 0; i < entry->diff_count; i++) {
        jwrite_object_begin(writer);
        jwrite_named_text(writer, "what", entry->diffs[i].what);
        jwrite_named_text(writer, "recorded", entry->diffs[i].recorded);
        jwrite_named_text(writer, "replayed", entry->diffs[i].replayed);
        jwrite_object_end(writer);
    }
    jwrite_array_end(writer);
    jwrite_key(writer, TEXT("also"));
    jwrite_raw(writer, entry->also.length > 0 ? made_text(&entry->also) : TEXT("[]"));
    jwrite_object_end(writer);
}

struct report {
    const struct replay *replay;
    const struct replay_result *result;
};

static void write_report(struct jwrite *writer, const void *context)
{
    const struct report *report = context;
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "sent", report->result->sent);
    jwrite_named_int(writer, "same_bytes", report->result->same_bytes);
    jwrite_named_int(writer, "differences", report->result->differences);
    jwrite_named_int(writer, "unanswered", report->result->unanswered);
    jwrite_begin(writer, "exchanges", true);
    /* Where it was stopped the rest was never sent. */
    for (size_t i = 0; i < (size_t)report->result->sent; i++)
        write_entry(&report->replay->entries[i], i + 1, writer);
    jwrite_array_end(writer);
    jwrite_object_end(writer);
}

static void replay_finish(struct replay *replay)
{
    for (size_t i = 0; i < replay->count; i++) {
        jread_destroy(replay->entries[i].line);
        made_destroy(&replay->entries[i].recorded);
        made_destroy(&replay->entries[i].also);
    }
    free(replay->entries);
    made_destroy(&replay->rewards);
}

static bool is_stopped(const struct replay *replay)
{
    return replay->target->is_stopped != NULL && atomic_load(replay->target->is_stopped);
}

int replay_run(struct text recording, const struct replay_target *target,
               struct replay_result *result)
{
    struct replay replay = {.target = target, .began_us = clock_monotonic_us()};
    *result = (struct replay_result){0};
    int err = replay_read(&replay, recording, result);
    for (size_t at = 0; err == 0 && at < replay.count && !is_stopped(&replay);) {
        size_t length = burst_length(&replay, at);
        replay_burst(&replay, at, length, result);
        at += length;
    }
    struct report report = {&replay, result};
    if (err == 0)
        made_create(&result->report, write_report, &report);
    replay_finish(&replay);
    return err;
}
