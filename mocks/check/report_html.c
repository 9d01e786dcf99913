/* The report for a browser: one page, no scripts, nothing from elsewhere, everything escaped. */
#include "mocks/check/report.h"

#include "base/clock.h"

#include <string.h>

#include "base/banned.h"

extern const unsigned char check_report_css[]; /* report.css, embedded by CMake */
extern const size_t check_report_css_size;

#define FAILURES_OPEN 3 /* with their bytes; more make a page that nobody reads */

static const char *const MARKS[OUTCOMES] = {"\xe2\x9c\x93", "\xe2\x9c\x97", "\xe2\x8a\x98",
                                            "\xe2\x80\x93"};

/* --- text from elsewhere --------------------------------------------------------------------- */

static void write_byte(FILE *out, char c)
{
    static const struct {
        char c;
        const char *name;
    } NAMES[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        if (NAMES[i].c == c) {
            fputs(NAMES[i].name, out);
            return;
        }
    }
    fputc(c, out);
}

/* What cannot be shown stands as \xNN: control characters, what is no UTF-8, and what turns the
 * direction of the text after it. */
static void write_escaped(FILE *out, struct text text)
{
    for (size_t at = 0; at < text.length;) {
        size_t step = text_utf8_step(text, at);
        struct text one = text_slice(text, at, step);
        bool is_shown = text_is_utf8(one) && text_is_printable(one);
        for (size_t i = 0; i < step; i++) {
            char c = one.base[i];
            if (is_shown || c == '\n')
                write_byte(out, c);
            else if (c != '\r' || at + 1 == text.length || text.base[at + 1] != '\n')
                fprintf(out, "\\x%02x", (unsigned char)c);
        }
        at += step;
    }
}

static void write_text(FILE *out, const char *text)
{
    write_escaped(out, text_of(text));
}

/* --- one request and its answer --------------------------------------------------------------- */

static void write_side(FILE *out, const char *title, const char *bytes, size_t kept, size_t length)
{
    fprintf(out, "<div class=\"side\"><h4>%s</h4><pre>", title);
    write_escaped(out, (struct text){bytes, kept});
    if (length > kept)
        fprintf(out, "\n<span class=\"rest\">... %zu bytes in all</span>", length);
    fputs("</pre></div>", out);
}

static void write_step(FILE *out, const struct step *step, bool is_open)
{
    fprintf(out, "<details class=\"step\"%s><summary><span>", is_open ? " open" : "");
    write_text(out, step->title);
    fputs(step->is_clean_up ? " <span class=\"tag\">gives back</span></span>" : "</span>", out);
    if (step->was_left)
        fputs("<span class=\"came\">not waited for</span>", out);
    else if (step->reply.failure != NULL)
        fputs("<span class=\"none\">no answer</span>", out);
    else
        fprintf(out, "<span class=\"came\">status %d, %lld.%lld ms</span>", step->reply.status,
                (long long)step->reply.time_us / 1000, (long long)step->reply.time_us / 100 % 10);
    fputs("</summary><div class=\"sides\">", out);
    write_side(out, "Asked", step->sent, step->sent_kept, step->sent_length);
    if (step->received_kept > 0 || step->reply.failure == NULL) {
        write_side(out, "Answered", step->received, step->received_kept, step->reading.length);
    } else {
        fputs("<div class=\"side\"><h4>Answered</h4><pre class=\"rest\">", out);
        write_text(out, step->reply.failure);
        fputs("</pre></div>", out);
    }
    fputs("</div></details>\n", out);
}

/* The step that went wrong is the last one that was no cleaning up. */
static size_t last_step(const struct scene *scene)
{
    size_t last = 0;
    for (size_t i = 0; i < scene->step_count; i++) {
        if (!scene->steps[i]->is_clean_up)
            last = i;
    }
    return last;
}

static void write_steps(FILE *out, const struct scene *scene, bool opens_last)
{
    for (size_t i = 0; i < scene->step_count; i++)
        write_step(out, scene->steps[i], opens_last && i == last_step(scene));
}

/* --- cases ------------------------------------------------------------------------------------ */

static void write_failure(FILE *out, const struct result *result, bool opens_last)
{
    char page[PAGE_MAX];
    fprintf(out,
            "<article class=\"failure\" id=\"%s\"><h3><code>%s</code></h3>"
            "<dl><dt>Should be</dt><dd>",
            result->check->id, result->check->id);
    write_text(out, result->check->title);
    fputs("</dd><dt>But</dt><dd>", out);
    write_text(out, result->scene->sentence);
    fputs("</dd><dd class=\"till\"><b>At the till:</b> ", out);
    write_text(out, result_consequence(result));
    fprintf(out,
            "</dd><dt>Read on</dt><dd><code>%s</code> <span class=\"tag\">%s</span></dd></dl>\n",
            result_page(result, page), result->check->evidence);
    write_steps(out, result->scene, opens_last);
    fputs("</article>\n", out);
}

static void write_row_head(FILE *out, const struct result *result)
{
    enum outcome outcome = result->scene->outcome;
    fprintf(out,
            "<span class=\"mark\" aria-label=\"%s\">%s</span><code>%s</code>"
            "<span class=\"title\">",
            outcome_name(outcome), MARKS[outcome], result->check->id);
    write_text(out, outcome == OUTCOME_SKIPPED ? result->scene->sentence : result->check->title);
    fputs("</span>", out);
}

/* The first case of a cause is shown above; the others are shown in their row. */
static void write_failed_steps(FILE *out, const struct report *report, const struct result *result)
{
    const struct result *first = report->results;
    while (!results_are_alike(first, result))
        first++;
    if (first == result) {
        fprintf(out,
                "<p class=\"note\"><a href=\"#%s\">Shown above</a>, with what was asked and "
                "answered.</p>",
                result->check->id);
        return;
    }
    fprintf(out, "<p class=\"note\">As <a href=\"#%s\"><code>%s</code></a>: ", first->check->id,
            first->check->id);
    write_text(out, result->scene->sentence);
    fputs("</p>\n", out);
    write_steps(out, result->scene, false);
}

static void write_row(FILE *out, const struct report *report, const struct result *result)
{
    char page[PAGE_MAX];
    const struct scene *scene = result->scene;
    if (scene->step_count == 0) {
        fprintf(out, "<div class=\"row %s\"><div class=\"skip\">", outcome_name(scene->outcome));
        write_row_head(out, result);
        fputs("</div></div>\n", out);
        return;
    }
    fprintf(out, "<details class=\"row %s\"><summary>", outcome_name(scene->outcome));
    write_row_head(out, result);
    fprintf(out,
            "</summary><div class=\"inside\"><p class=\"note\"><code>%s</code> "
            "<span class=\"tag\">%s</span>",
            result_page(result, page), result->check->evidence);
    if (scene->left[0] != '\0') {
        fputs(" ", out);
        write_text(out, scene->left);
    }
    fputs("</p>\n", out);
    if (result_has_cause(result))
        write_failed_steps(out, report, result);
    else
        write_steps(out, scene, false);
    fputs("</div></details>\n", out);
}

/* --- the page ------------------------------------------------------------------------------- */

static void write_title(FILE *out, const struct report *report)
{
    size_t failed = report->outcomes[OUTCOME_FAILED];
    size_t passed = report->outcomes[OUTCOME_PASSED];
    if (failed > 0)
        fprintf(out, "%zu of %zu cases failed", failed, failed + passed);
    else if (passed > 0)
        fprintf(out, "%zu cases asked, all passed", passed);
    else
        fputs("Nothing could be asked", out);
}

static void write_bar(FILE *out, const struct report *report)
{
    fputs("<div class=\"bar\" aria-hidden=\"true\">", out);
    for (size_t i = 0; i < OUTCOMES; i++) {
        if (report->outcomes[i] > 0)
            fprintf(out, "<span class=\"%s\" style=\"flex:%zu\"></span>",
                    outcome_name((enum outcome)i), report->outcomes[i]);
    }
    fputs("</div>\n<dl class=\"counts\">", out);
    for (size_t i = 0; i < OUTCOMES; i++)
        fprintf(out, "<div class=\"%s\"><dt>%s</dt><dd>%zu</dd></div>",
                report->outcomes[i] > 0 ? outcome_name((enum outcome)i) : "none",
                outcome_name((enum outcome)i), report->outcomes[i]);
    fprintf(out,
            "<div><dt>requests</dt><dd>%zu</dd></div><div><dt>at once</dt><dd>%zu</dd></div>"
            "<div><dt>seconds</dt><dd>%lld.%lld</dd></div></dl>\n",
            report->run->requests, report->run->at_once_max, (long long)report->time_us / 1000000,
            (long long)report->time_us / 100000 % 10);
}

static const char *report_target(const struct report *report)
{
    for (size_t i = 0; report->settings->target == NULL && i < TILL_LOYALTY; i++) {
        if (report->settings->url[i] != NULL)
            return report->settings->url[i];
    }
    return report->settings->target;
}

static void write_header(FILE *out, const struct report *report)
{
    char started[64];
    struct text_buffer time;
    text_buffer_init(&time, started, sizeof(started));
    clock_append_time(&time, report->started_us / CLOCK_US_PER_S * CLOCK_US_PER_S);
    fprintf(out,
            "<header class=\"%s\"><p class=\"kicker\">Register conformance, %s profile</p><h1>",
            report->outcomes[OUTCOME_FAILED] > 0 ? "is-bad" : "is-good",
            report->settings->profile == PROFILE_STRICT ? "strict" : "lenient");
    write_title(out, report);
    fputs("</h1><p class=\"target\"><code>", out);
    write_text(out, report_target(report));
    fprintf(out, "</code><br>%.10s, %.5s UTC</p>\n", started, started + sizeof("2026-01-01T") - 1);
    write_bar(out, report);
    fputs("<ul class=\"money\">", out);
    for (size_t i = 0; i < report->money_count; i++) {
        fputs(strstr(report->money[i], "given back") != NULL ? "<li>" : "<li class=\"is-odd\">",
              out);
        write_text(out, report->money[i]);
        fputs("</li>", out);
    }
    fputs("</ul></header>\n", out);
}

static void write_causes(FILE *out, const struct report *report, const struct cause *causes,
                         size_t count)
{
    fputs("<h2>Mend these first</h2>\n<ol class=\"causes\">\n", out);
    for (size_t i = 0; i < count; i++) {
        const struct result *first = &report->results[causes[i].first];
        fprintf(out, "<li><a href=\"#%s\"><b>%zu case%s</b> ", first->check->id, causes[i].count,
                causes[i].count == 1 ? "" : "s");
        write_text(out, first->scene->sentence);
        fputs("</a></li>\n", out);
    }
    fputs("</ol>\n", out);
}

/* One case for each cause; of the first ones the bytes are open. */
static void write_failures(FILE *out, const struct report *report)
{
    struct cause causes[CASES_MAX];
    size_t count = report_find_causes(report, causes);
    if (count == 0)
        return;
    if (report->outcomes[OUTCOME_FAILED] + report->outcomes[OUTCOME_BLOCKED] > 1)
        write_causes(out, report, causes, count);
    fputs("<h2>What failed</h2>\n", out);
    for (size_t i = 0; i < count; i++)
        write_failure(out, &report->results[causes[i].first], i < FAILURES_OPEN);
}

static void write_groups(FILE *out, const struct report *report)
{
    struct text group = TEXT("");
    for (size_t i = 0; i < report->count; i++) {
        struct text now = result_group(&report->results[i]);
        if (!text_equal(now, group))
            fprintf(out, "%s<h2>%s</h2><div class=\"group\">\n", i > 0 ? "</div>" : "",
                    result_group_title(&report->results[i]));
        group = now;
        write_row(out, report, &report->results[i]);
    }
    if (report->count > 0)
        fputs("</div>\n", out);
}

/* Nothing may be loaded or run, whatever an answer holds. */
void report_write_html(const struct report *report, FILE *out)
{
    fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
          "style-src 'unsafe-inline'\">\n<meta name=\"color-scheme\" content=\"light dark\">\n"
          "<title>",
          out);
    write_title(out, report);
    fputs("</title>\n<style>\n", out);
    (void)fwrite(check_report_css, 1, check_report_css_size, out);
    fputs("</style></head>\n<body>\n", out);
    write_header(out, report);
    fputs("<main>\n", out);
    write_failures(out, report);
    write_groups(out, report);
    fputs("</main>\n<footer><p>This page holds card numbers and the address of your endpoint: "
          "show it only to who may see both. How to read it: "
          "<code>docs/conformance/README.md</code>.</p></footer>\n</body></html>\n",
          out);
}
