/* Judges the facts of counterpart doctor, one line after the other, in ONE table. */
#include "handlers/doctor_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

const char *doctor_state_name(enum doctor_state state)
{
    switch (state) {
    case DOCTOR_OK:
        return "ok";
    case DOCTOR_TODO:
        return "todo";
    case DOCTOR_WAITS:
        return "waits";
    case DOCTOR_UNKNOWN:
        return "unknown";
    case DOCTOR_OFF:
        return "off";
    }
    return "unknown";
}

/* --- one line */

/* What does not fit is cut: the sentences leave room for the longest public URL. */
static void write_sentence(char out[DOCTOR_SENTENCE_MAX], const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
static void write_sentence(char out[DOCTOR_SENTENCE_MAX], const char *format, va_list arguments)
{
    (void)vsnprintf(out, DOCTOR_SENTENCE_MAX, format, arguments);
}

void line_find(struct doctor_line *line, enum doctor_state state, const char *format, ...)
{
    va_list arguments;
    line->state = state;
    va_start(arguments, format);
    write_sentence(line->found, format, arguments);
    va_end(arguments);
}

void line_advise(struct doctor_line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_sentence(line->todo, format, arguments);
    va_end(arguments);
}

void line_command(struct doctor_line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_sentence(line->command, format, arguments);
    va_end(arguments);
}

void line_offer(struct doctor_line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_sentence(line->instead, format, arguments);
    va_end(arguments);
}

struct quoted quoted_of(const char *word)
{
    struct quoted quoted;
    struct text_buffer buffer;
    char printable[QUOTED_MAX / 4];
    text_buffer_init(&buffer, printable, sizeof(printable));
    text_append_printable(&buffer, text_of(word), TEXT(" "));
    text_buffer_init(&buffer, quoted.text, sizeof(quoted.text));
    text_append_char(&buffer, '\'');
    for (const char *at = printable; *at != '\0'; at++)
        if (*at == '\'')
            text_append(&buffer, TEXT("'\\''"));
        else
            text_append_char(&buffer, *at);
    text_append_char(&buffer, '\'');
    return quoted;
}

struct span span_of(int64_t duration_us)
{
    static const struct {
        int64_t s;
        const char *one, *several;
    } units[] = {{CLOCK_S_PER_DAY, "1 day", "days"},
                 {3600, "1 hour", "hours"},
                 {60, "1 minute", "minutes"},
                 {1, "1 second", "seconds"}};
    struct span span;
    int64_t s = (duration_us < 0 ? -duration_us : duration_us) / CLOCK_US_PER_S;
    size_t i = 0;
    while (i + 1 < COUNT_OF(units) && s < units[i].s)
        i++;
    int64_t count = s / units[i].s;
    (void)snprintf(span.text, sizeof(span.text), "%lld %s", (long long)count, units[i].several);
    if (count == 1)
        (void)snprintf(span.text, sizeof(span.text), "%s", units[i].one);
    return span;
}

bool line_waits_for(const struct judging *judging, struct doctor_line *line,
                    enum doctor_line_id other)
{
    const struct doctor_line *before = &judging->report->lines[other];
    if (before->state != DOCTOR_TODO && before->state != DOCTOR_WAITS)
        return false;
    line_find(line, DOCTOR_WAITS, "After: %s", before->title);
    return true;
}

/* --- all of them */

static const struct {
    const char *id, *group, *title;
} names[DOCTOR_LINES] = {
#define X(symbol, id, group, title) [symbol] = {id, group, title},
    DOCTOR_LINE_LIST(X)
#undef X
};

static const doctor_judge_fn judges[DOCTOR_LINES] = {
    [DOCTOR_SERVICE] = judge_service,
    [DOCTOR_DATA_FOLDER] = judge_data_folder,
    [DOCTOR_MASTER_KEY] = judge_master_key,
    [DOCTOR_DISK] = judge_disk,
    [DOCTOR_REDIS] = judge_redis,
    [DOCTOR_CLOCK] = judge_clock,
    [DOCTOR_PUBLIC_URL] = judge_public_url,
    [DOCTOR_REACHABLE] = judge_reachable,
    [DOCTOR_CERTIFICATE] = judge_certificate,
    [DOCTOR_JSON] = judge_json,
    [DOCTOR_UNCHANGED] = judge_unchanged,
    [DOCTOR_APP] = judge_app,
    [DOCTOR_TOKEN] = judge_token,
    [DOCTOR_GRANT] = judge_grant,
    [DOCTOR_COMPANY] = judge_company,
    [DOCTOR_SITES] = judge_sites,
    [DOCTOR_METHOD] = judge_method,
    [DOCTOR_FOREIGN] = judge_foreign,
    [DOCTOR_PROFILE] = judge_profile,
    [DOCTOR_CHECKOUT] = judge_call,
    [DOCTOR_CHECK_BALANCE] = judge_call,
    [DOCTOR_TOP_UP] = judge_call,
    [DOCTOR_REFUND] = judge_call,
    [DOCTOR_CUSTOMER_SEARCH] = judge_call,
    [DOCTOR_REWARD_LOOKUP] = judge_call,
    [DOCTOR_REDEEM] = judge_call,
    [DOCTOR_WEBHOOK] = judge_call,
    [DOCTOR_SIGNATURES] = judge_signatures,
    [DOCTOR_REPLIES] = judge_replies,
    [DOCTOR_PROOFS] = judge_proofs,
    [DOCTOR_WORK] = judge_work,
};

static void judge_line(const struct judging *judging, enum doctor_line_id id)
{
    struct doctor_line *line = &judging->report->lines[id];
    *line = (struct doctor_line){
        .id = names[id].id, .group = names[id].group, .title = names[id].title};
    judges[id](judging, line);
}

void doctor_judge(const struct doctor_facts *facts, struct doctor_report *report)
{
    const struct judging judging = {facts, report};
    /* A register that signs wrongly is not a register that does not call: so before the calls. */
    for (int id = 0; id < DOCTOR_CHECKOUT; id++)
        judge_line(&judging, (enum doctor_line_id)id);
    judge_line(&judging, DOCTOR_SIGNATURES);
    for (int id = DOCTOR_CHECKOUT; id < DOCTOR_LINES; id++)
        if (id != DOCTOR_SIGNATURES)
            judge_line(&judging, (enum doctor_line_id)id);
}

bool doctor_is_green(const struct doctor_report *report)
{
    for (int id = 0; id < DOCTOR_LINES; id++)
        if (report->lines[id].state == DOCTOR_TODO || report->lines[id].state == DOCTOR_WAITS)
            return false;
    return true;
}
