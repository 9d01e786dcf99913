/* The report for a terminal: a line for each case, and more on those that failed. */
#include "mocks/check/report.h"
#include "mocks/register/paper.h"

#include <string.h>

#include "base/banned.h"

#define BYTES_LINES_MAX 24

static void print_line(const struct result *result)
{
    static const struct {
        const char *sign;
        enum ink ink;
    } MARKS[OUTCOMES] = {{"\xe2\x9c\x94", INK_GREEN},
                         {"\xe2\x9c\x98", INK_RED},
                         {"\xe2\x8a\x98", INK_YELLOW},
                         {"-", INK_FAINT}};
    enum outcome outcome = result->scene->outcome;
    printf("  %s%s%s %-24s ", ink(MARKS[outcome].ink), MARKS[outcome].sign, ink(INK_PLAIN),
           result->check->id);
    if (outcome == OUTCOME_SKIPPED)
        printf("%s%s%s\n", ink(INK_FAINT), result->scene->sentence, ink(INK_PLAIN));
    else if (outcome == OUTCOME_BLOCKED)
        printf("%sblocked by %s%s\n", ink(INK_FAINT), result->scene->blocked_by, ink(INK_PLAIN));
    else
        printf("%s\n", result->check->title);
}

static void print_bytes(const char *title, const char *bytes, size_t kept, size_t length)
{
    struct text rest = {bytes, kept};
    printf("    %s%s%s\n", ink(INK_BOLD), title, ink(INK_PLAIN));
    size_t lines = 0;
    for (; rest.length > 0 && lines < BYTES_LINES_MAX; lines++) {
        size_t end = 0;
        while (end < rest.length && rest.base[end] != '\n')
            end++;
        struct text line = text_slice(rest, 0, end);
        if (line.length > 0 && line.base[line.length - 1] == '\r')
            line.length--;
        paper_wrap(line, "      ", "      ", 6);
        rest = text_slice(rest, end + 1, rest.length);
    }
    if (rest.length > 0 || length > kept)
        printf("      %s... %zu bytes in all%s\n", ink(INK_FAINT), length, ink(INK_PLAIN));
}

static void print_step(const struct step *step)
{
    char title[160];
    (void)snprintf(title, sizeof(title), "%s", step->title);
    print_bytes(title, step->sent, step->sent_kept, step->sent_length);
    if (step->reply.failure != NULL && !step->was_left)
        printf("    %sanswer: %s%s\n", ink(INK_RED), step->reply.failure, ink(INK_PLAIN));
    if (step->received_kept > 0) {
        (void)snprintf(title, sizeof(title), "answer, after %lld ms",
                       (long long)step->reply.time_us / 1000);
        print_bytes(title, step->received, step->received_kept, step->reading.length);
    }
}

/* The last steps are where it went wrong; all of them are in the other reports. */
#define STEPS_SHOWN 3

/* The other cases of the same cause. */
static void print_alike(const struct report *report, const struct result *result)
{
    char line[CASES_MAX * 32];
    struct text_buffer others;
    text_buffer_init(&others, line, sizeof(line));
    for (size_t i = 0; i < report->count; i++) {
        const struct result *other = &report->results[i];
        if (other != result && results_are_alike(result, other))
            text_append_format(&others, "%s%s", others.length > 0 ? ", " : "", other->check->id);
    }
    if (others.length > 0)
        paper_wrap(text_buffer_text(&others), "  as well as  ", "              ", LINES_ALL);
}

static void print_failure(const struct report *report, const struct result *result)
{
    char page[PAGE_MAX];
    const struct scene *scene = result->scene;
    size_t count = 0;
    paper_rule(result->check->id, "");
    printf("  should be   %s [%s]\n", result->check->title, result->check->evidence);
    paper_wrap(text_of(scene->sentence), "  but         ", "              ", 8);
    paper_wrap(text_of(result_consequence(result)), "  the till    ", "              ", 8);
    printf("  page        %s\n", result_page(result, page));
    print_alike(report, result);
    for (size_t i = 0; i < scene->step_count; i++)
        count += !scene->steps[i]->is_clean_up;
    for (size_t i = 0, seen = 0; i < scene->step_count; i++) {
        if (scene->steps[i]->is_clean_up)
            continue;
        if (seen++ + STEPS_SHOWN >= count)
            print_step(scene->steps[i]);
    }
    putchar('\n');
}

static void print_lines(const struct report *report)
{
    struct text group = TEXT("");
    for (size_t i = 0; i < report->count; i++) {
        struct text now = result_group(&report->results[i]);
        if (!text_equal(now, group))
            printf("%s%.*s%s\n", ink(INK_BOLD), (int)now.length, now.base, ink(INK_PLAIN));
        group = now;
        print_line(&report->results[i]);
    }
    putchar('\n');
}

static void print_causes(const struct report *report, const struct cause *causes, size_t count)
{
    if (count == report->outcomes[OUTCOME_FAILED] + report->outcomes[OUTCOME_BLOCKED])
        return;
    printf("%sMend these first%s\n", ink(INK_BOLD), ink(INK_PLAIN));
    for (size_t i = 0; i < count; i++) {
        char title[32];
        if (causes[i].count == 1 && !causes[i].is_money)
            continue;
        (void)snprintf(title, sizeof(title), "  %3zu case%s  ", causes[i].count,
                       causes[i].count == 1 ? " " : "s");
        paper_wrap(text_of(report->results[causes[i].first].scene->sentence), title,
                   "             ", 8);
    }
    putchar('\n');
}

void report_print_text(const struct report *report)
{
    char line[SENTENCE_MAX];
    struct text_buffer summary;
    struct cause causes[CASES_MAX];
    size_t count = report_find_causes(report, causes);
    print_lines(report);
    print_causes(report, causes, count);
    for (size_t i = 0; i < count; i++)
        print_failure(report, &report->results[causes[i].first]);
    for (size_t i = 0; i < report->count; i++) {
        if (report->results[i].scene->left[0] != '\0')
            printf("%s%s: %s%s\n", ink(INK_YELLOW), report->results[i].check->id,
                   report->results[i].scene->left, ink(INK_PLAIN));
    }
    for (size_t i = 0; i < report->money_count; i++)
        printf("%s\n", report->money[i]);
    text_buffer_init(&summary, line, sizeof(line));
    report_write_summary(report, &summary);
    printf("%s%s%s\n", ink(report->outcomes[OUTCOME_FAILED] > 0 ? INK_RED : INK_GREEN), line,
           ink(INK_PLAIN));
}
