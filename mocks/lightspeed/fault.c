/* Reads, matches and counts the rules of misbehaviour. */
#include "mocks/lightspeed/fault.h"

#include "base/error.h"
#include "base/id.h"
#include "mocks/lightspeed/decimal.h"
#include "mocks/lightspeed/field.h"

#include <string.h>

#include "base/banned.h"

static const char *const NAMES[FAULT_ACTIONS] = {
    [FAULT_DROP_BEFORE] = "drop_before",
    [FAULT_DROP_AFTER] = "drop_after",
    [FAULT_HANG] = "hang",
    [FAULT_STATUS] = "status",
    [FAULT_TRUNCATE] = "truncate",
    [FAULT_HTML] = "html",
    [FAULT_HUGE] = "huge",
    [FAULT_EXPIRED_TOKEN] = "expired_token",
    [FAULT_RATE_LIMIT] = "rate_limit",
};

static const struct field FIELDS[] = {
    FIELD_OF_TEXT(struct fault, method, "method", false),
    FIELD_OF_TEXT(struct fault, path, "path", false),
    FIELD_OF_INT(struct fault, skip, "skip", 0, INT32_MAX, false),
    FIELD_OF_INT(struct fault, count, "count", 0, INT32_MAX, false),
    FIELD_OF(struct fault, chance_millionths, "probability", FIELD_DECIMAL),
    FIELD_OF(struct fault, then_drops, "drop", FIELD_BOOL),
    FIELD_OF_INT(struct fault, ms, "ms", 0, FAULT_MS_MAX, false),
    FIELD_OF_INT(struct fault, status, "status", 200, 599, false),
    FIELD_OF_TEXT(struct fault, content_type, "content_type", false),
    FIELD_OF_INT(struct fault, retry_after_s, "retry_after", -1, 86400, false),
    FIELD_OF_INT(struct fault, size, "size", 1, FAULT_SIZE_MAX, false),
};
static const char *const OTHER_NAMES[] = {"match", "action", "when", "body", NULL};

const char *fault_name(enum fault_action action)
{
    return NAMES[action];
}

static bool read_action(struct fault *fault, const struct jread *json, struct answer *answer)
{
    struct text name;
    if (jread_text(jread_member(json, "action"), &name) == 0) {
        for (size_t i = 0; i < FAULT_ACTIONS; i++) {
            if (!text_equal(name, text_of(NAMES[i])))
                continue;
            fault->action = (enum fault_action)i;
            return true;
        }
    }
    answer_bad(answer, "action: one of drop_before, drop_after, hang, status, truncate, html, "
                       "huge, expired_token, rate_limit wanted.");
    return false;
}

/* "before" (the default) or "after" the request has done what it asks for. */
static bool read_when(struct fault *fault, const struct jread *json, struct answer *answer)
{
    struct text when = TEXT("before");
    const struct jread *value = jread_member(json, "when");
    bool is_good = value == NULL || jread_text(value, &when) == 0;
    fault->is_after = text_equal(when, TEXT("after"));
    if (is_good && (fault->is_after || text_equal(when, TEXT("before"))))
        return true;
    answer_bad(answer, "when: before or after wanted.");
    return false;
}

/* Text goes out as it is; any other JSON as JSON. */
static bool read_body(struct fault *fault, const struct jread *json, struct answer *answer)
{
    const struct jread *value = jread_member(json, "body");
    struct text_buffer buffer;
    text_buffer_init(&buffer, fault->body, sizeof(fault->body));
    struct text text;
    if (jread_text(value, &text) == 0) {
        text_append(&buffer, text);
    } else if (value != NULL) {
        struct jwrite writer;
        jwrite_init(&writer, &buffer);
        jwrite_copy(&writer, value);
    }
    if (!buffer.is_cut)
        return true;
    answer_bad(answer, "body: too long.");
    return false;
}

static bool fault_read(struct fault *fault, const struct jread *json, struct answer *answer)
{
    static const struct field MATCH[] = {FIELD_OF_TEXT(struct fault, method, "method", false),
                                         FIELD_OF_TEXT(struct fault, path, "path", false)};
    *fault = (struct fault){.chance_millionths = DECIMAL_ONE,
                            .ms = 1000,
                            .status = 503,
                            .retry_after_s = -1,
                            .size = 1024 * 1024};
    const struct jread *match = jread_member(json, "match");
    if (!fields_are_known(FIELDS, COUNT_OF(FIELDS), OTHER_NAMES, json, answer) ||
        !fields_read(FIELDS, COUNT_OF(FIELDS), 2, true, json, fault, answer))
        return false;
    if (match != NULL && (!fields_are_known(MATCH, COUNT_OF(MATCH), NULL, match, answer) ||
                          !fields_read(MATCH, COUNT_OF(MATCH), 2, true, match, fault, answer)))
        return false;
    return read_action(fault, json, answer) && read_when(fault, json, answer) &&
           read_body(fault, json, answer);
}

void faults_add(struct faults *faults, const struct jread *json, struct answer *answer)
{
    const struct jread *rules = jread_member(json, "rules");
    bool is_list = jread_kind_of(rules) == JREAD_ARRAY;
    size_t count = is_list ? jread_count(rules) : 1;
    size_t added = 0;
    for (; added < count && faults->count + added < FAULTS_MAX; added++) {
        const struct jread *rule = is_list ? jread_element(rules, added) : json;
        if (!fault_read(&faults->rules[faults->count + added], rule, answer))
            return; /* all or nothing */
    }
    if (added < count) {
        answer_error(answer, 400, "bad_request", "At most %d rules.", FAULTS_MAX);
        return;
    }
    faults->count += added;
    answer->status = 201;
    jwrite_object_begin(&answer->writer);
    jwrite_named_int(&answer->writer, "rules", (int64_t)faults->count);
    jwrite_object_end(&answer->writer);
}

static bool fault_matches(const struct fault *fault, const struct call *call)
{
    if (fault->method[0] != '\0' && !text_equal(text_of(fault->method), call->method))
        return false;
    return fault->path[0] == '\0' ||
           memmem(call->target.base, call->target.length, fault->path, strlen(fault->path)) != NULL;
}

static bool fault_fires(struct fault *fault, uint64_t *dice_state)
{
    if (++fault->matched <= fault->skip || (fault->count != 0 && fault->fired == fault->count))
        return false;
    if (fault->chance_millionths >= DECIMAL_ONE)
        return true;
    uint64_t random;
    struct id_source dice = id_source_seeded(dice_state);
    dice.fill(dice.context, (uint8_t *)&random, sizeof(random));
    return (int64_t)(random % (uint64_t)DECIMAL_ONE) < fault->chance_millionths;
}

struct fault *faults_take(struct faults *faults, uint64_t *dice_state, const struct call *call)
{
    for (size_t i = 0; i < faults->count; i++) {
        struct fault *fault = &faults->rules[i];
        if (!fault_matches(fault, call) || !fault_fires(fault, dice_state))
            continue;
        fault->fired++;
        return fault;
    }
    return NULL;
}

void faults_write(const struct faults *faults, struct jwrite *writer)
{
    jwrite_array_begin(writer);
    for (size_t i = 0; i < faults->count; i++) {
        const struct fault *fault = &faults->rules[i];
        jwrite_object_begin(writer);
        jwrite_named_text(writer, "action", NAMES[fault->action]);
        jwrite_named_text(writer, "when", fault->is_after ? "after" : "before");
        fields_write(FIELDS, COUNT_OF(FIELDS), 2, fault, writer);
        jwrite_named_int(writer, "matched", fault->matched);
        jwrite_named_int(writer, "fired", fault->fired);
        jwrite_object_end(writer);
    }
    jwrite_array_end(writer);
}
