/* The report for build servers: JUnit's XML, one suite a group, one test case a case. */
#include "mocks/check/report.h"

#include "base/banned.h"

/* XML 1.0 section 2.2: control characters cannot stand in a document, escaped or not. */
static void write_escaped(FILE *out, struct text text)
{
    for (size_t at = 0; at < text.length;) {
        struct text rest = text_slice(text, at, text.length);
        size_t size = text_utf8_length(rest);
        unsigned char c = (unsigned char)text.base[at];
        bool is_plain = size > 1 || (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\t';
        /* U+FFFE and U+FFFF are UTF-8, but no XML. */
        if (size == 3 && c == 0xEF && (unsigned char)rest.base[1] == 0xBF &&
            (unsigned char)rest.base[2] >= 0xBE)
            is_plain = false;
        if (c == '&' || c == '<' || c == '>' || c == '"')
            fprintf(out, "&#%d;", c);
        else if (size > 0 && is_plain)
            (void)fwrite(rest.base, 1, size, out);
        else if (c != '\r')
            fputs("\xef\xbf\xbd", out);
        at += size > 0 ? size : 1;
    }
}

static void write_attribute(FILE *out, const char *name, const char *value)
{
    fprintf(out, " %s=\"", name);
    write_escaped(out, text_of(value));
    fputc('"', out);
}

static void write_time(FILE *out, int64_t time_us)
{
    fprintf(out, " time=\"%lld.%06lld\"", (long long)(time_us / 1000000),
            (long long)(time_us % 1000000));
}

static void write_steps(FILE *out, const struct scene *scene)
{
    for (size_t i = 0; i < scene->step_count; i++) {
        const struct step *step = scene->steps[i];
        if (step->is_clean_up)
            continue;
        fputs("\n--- ", out);
        write_escaped(out, text_of(step->title));
        fputc('\n', out);
        write_escaped(out, (struct text){step->sent, step->sent_kept});
        fputs("\n--- answer: ", out);
        write_escaped(out, text_of(step->reply.failure));
        fputc('\n', out);
        write_escaped(out, (struct text){step->received, step->received_kept});
        fputc('\n', out);
    }
}

static void write_case(FILE *out, const struct result *result)
{
    char page[PAGE_MAX];
    const struct scene *scene = result->scene;
    struct text group = result_group(result);
    fprintf(out, "    <testcase classname=\"tillsim.check.%.*s\"", (int)group.length, group.base);
    write_attribute(out, "name", result->check->id);
    write_time(out, scene->time_us);
    if (scene->outcome == OUTCOME_PASSED) {
        fputs("/>\n", out);
        return;
    }
    bool is_failed = scene->outcome == OUTCOME_FAILED;
    fprintf(out, ">\n      <%s message=\"", is_failed ? "failure" : "skipped");
    if (scene->blocked_by != NULL)
        fprintf(out, "blocked by %s: ", scene->blocked_by);
    write_escaped(out, text_of(scene->sentence));
    fputc('"', out);
    if (is_failed) {
        fputs(">should be: ", out);
        write_escaped(out, text_of(result->check->title));
        fputs("\nthe till: ", out);
        write_escaped(out, text_of(result_consequence(result)));
        fprintf(out, "\npage: %s\n", result_page(result, page));
        write_steps(out, scene);
        fputs("</failure>", out);
    } else {
        fputs("/>", out);
    }
    fputs("\n    </testcase>\n", out);
}

/* JUnit knows no other word for what could not be judged. */
static size_t count_skipped(const size_t outcomes[OUTCOMES])
{
    return outcomes[OUTCOME_SKIPPED] + outcomes[OUTCOME_BLOCKED];
}

/* Results from first on that are of one group. */
static size_t group_length(const struct report *report, size_t first, size_t outcomes[OUTCOMES],
                           int64_t *time_us)
{
    struct text group = result_group(&report->results[first]);
    size_t length = 0;
    *time_us = 0;
    while (first + length < report->count &&
           text_equal(result_group(&report->results[first + length]), group)) {
        outcomes[report->results[first + length].scene->outcome]++;
        *time_us += report->results[first + length].scene->time_us;
        length++;
    }
    return length;
}

void report_write_junit(const struct report *report, FILE *out)
{
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", out);
    fprintf(out,
            "<testsuites name=\"tillsim check\" tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\"",
            report->count, report->outcomes[OUTCOME_FAILED], count_skipped(report->outcomes));
    write_time(out, report->time_us);
    fputs(">\n", out);
    for (size_t first = 0; first < report->count;) {
        size_t outcomes[OUTCOMES] = {0};
        int64_t time_us;
        struct text group = result_group(&report->results[first]);
        size_t length = group_length(report, first, outcomes, &time_us);
        fprintf(out, "  <testsuite name=\"%.*s\" tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\"",
                (int)group.length, group.base, length, outcomes[OUTCOME_FAILED],
                count_skipped(outcomes));
        write_time(out, time_us);
        fputs(">\n", out);
        for (size_t i = 0; i < length; i++)
            write_case(out, &report->results[first + i]);
        fputs("  </testsuite>\n", out);
        first += length;
    }
    fputs("</testsuites>\n", out);
}
