/* The report for programs: one JSON object. */
#include "mocks/check/report.h"

#include "base/clock.h"
#include "base/json.h"

#include <stdlib.h>

#include "base/banned.h"

/* One case: its steps with both sides, each byte escaped six-fold at worst. */
#define CASE_TEXT_MAX (STEPS_MAX * (2 * 6 * SHOWN_MAX + 1024) + 16 * 1024)

static void write_named(struct jwrite *writer, const char *name, const char *value)
{
    jwrite_key(writer, text_of(name));
    jwrite_text(writer, text_of(value));
}

static void write_number(struct jwrite *writer, const char *name, int64_t value)
{
    jwrite_key(writer, text_of(name));
    jwrite_int64(writer, value);
}

static void write_bytes(struct jwrite *writer, const char *name, const char *bytes, size_t kept)
{
    jwrite_key(writer, text_of(name));
    jwrite_text(writer, (struct text){bytes, kept});
}

static void write_step(struct jwrite *writer, const struct step *step)
{
    jwrite_object_begin(writer);
    write_named(writer, "title", step->title);
    write_bytes(writer, "sent", step->sent, step->sent_kept);
    write_number(writer, "sent_bytes", (int64_t)step->sent_length);
    write_bytes(writer, "received", step->received, step->received_kept);
    write_number(writer, "received_bytes", (int64_t)step->reading.length);
    write_number(writer, "status", step->reply.status);
    write_number(writer, "time_us", step->reply.time_us);
    if (step->reply.failure != NULL)
        write_named(writer, "failure", step->reply.failure);
    jwrite_key(writer, TEXT("is_clean_up"));
    jwrite_bool(writer, step->is_clean_up);
    jwrite_object_end(writer);
}

static void write_case(struct jwrite *writer, const struct result *result)
{
    char page[PAGE_MAX];
    const struct scene *scene = result->scene;
    jwrite_object_begin(writer);
    write_named(writer, "id", result->check->id);
    write_named(writer, "surface", surface_name(result->check->surface));
    write_named(writer, "title", result->check->title);
    write_named(writer, "evidence", result->check->evidence);
    write_named(writer, "page", result_page(result, page));
    write_named(writer, "outcome", outcome_name(scene->outcome));
    if (scene->sentence[0] != '\0')
        write_named(writer, "why", scene->sentence);
    if (scene->blocked_by != NULL)
        write_named(writer, "blocked_by", scene->blocked_by);
    if (scene->outcome == OUTCOME_FAILED)
        write_named(writer, "consequence", result_consequence(result));
    if (scene->left[0] != '\0')
        write_named(writer, "left", scene->left);
    write_number(writer, "time_us", scene->time_us);
    jwrite_key(writer, TEXT("steps"));
    jwrite_array_begin(writer);
    for (size_t i = 0; i < scene->step_count; i++)
        write_step(writer, scene->steps[i]);
    jwrite_array_end(writer);
    jwrite_object_end(writer);
}

static void write_head(const struct report *report, struct jwrite *writer)
{
    char started[64];
    struct text_buffer time;
    text_buffer_init(&time, started, sizeof(started));
    clock_append_time(&time, report->started_us);
    write_named(writer, "target", report->settings->target != NULL ? report->settings->target : "");
    write_named(writer, "profile",
                report->settings->profile == PROFILE_STRICT ? "strict" : "lenient");
    write_named(writer, "started", started);
    write_number(writer, "time_us", report->time_us);
    write_number(writer, "requests", (int64_t)report->run->requests);
    write_number(writer, "at_once_max", (int64_t)report->run->at_once_max);
    for (size_t i = 0; i < OUTCOMES; i++)
        write_number(writer, outcome_name((enum outcome)i), (int64_t)report->outcomes[i]);
}

static void flush(struct text_buffer *buffer, FILE *out)
{
    CHECK(!buffer->is_cut);
    (void)fwrite(buffer->base, 1, buffer->length, out);
    buffer->length = 0;
}

void report_write_json(const struct report *report, FILE *out)
{
    struct text_buffer buffer;
    struct jwrite writer;
    char *memory = malloc(CASE_TEXT_MAX);
    CHECK(memory != NULL);
    text_buffer_init(&buffer, memory, CASE_TEXT_MAX);
    jwrite_init(&writer, &buffer);
    jwrite_object_begin(&writer);
    write_head(report, &writer);
    jwrite_key(&writer, TEXT("cases"));
    jwrite_array_begin(&writer);
    for (size_t i = 0; i < report->count; i++) {
        write_case(&writer, &report->results[i]);
        flush(&buffer, out);
    }
    jwrite_array_end(&writer);
    jwrite_object_end(&writer);
    text_append_char(&buffer, '\n');
    flush(&buffer, out);
    free(memory);
}
