/* What all reports share. */
#include "mocks/check/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

const char *result_consequence(const struct result *result)
{
    return result->scene->consequence[0] != '\0' ? result->scene->consequence
                                                 : result->check->consequence;
}

const char *result_page(const struct result *result, char out[PAGE_MAX])
{
    (void)snprintf(out, PAGE_MAX, "docs/conformance/%s.md", result->check->id);
    return out;
}

static const struct {
    struct text word;
    const char *title;
} GROUPS[] = {
    {{"shape", 5}, "The shape of answers"},
    {{"json", 4}, "JSON on every path"},
    {{"signature", 9}, "Signatures"},
    {{"amount", 6}, "Amounts"},
    {{"balance", 7}, "Balances"},
    {{"partial", 7}, "Less than asked"},
    {{"once", 4}, "Asked again, answered once"},
    {{"refund", 6}, "Refunds"},
    {{"top-up", 6}, "Top-ups"},
    {{"card", 4}, "Ways to give a card"},
    {{"fields", 6}, "What else stands in a request"},
    {{"race", 4}, "Many tills at once"},
    {{"client", 6}, "Slow and broken clients"},
    {{"latency", 7}, "Waiting"},
    {{"search", 6}, "Customer search"},
    {{"lookup", 6}, "Reward look-up"},
    {{"redeem", 6}, "Redemption"},
};

static size_t group_index(const char *id)
{
    for (size_t i = 0; i < COUNT_OF(GROUPS); i++) {
        if (text_starts_with(text_of(id), GROUPS[i].word) && id[GROUPS[i].word.length] == '-')
            return i;
    }
    check_failed("a case without a group", __FILE__, __LINE__);
}

struct text result_group(const struct result *result)
{
    return GROUPS[group_index(result->check->id)].word;
}

const char *result_group_title(const struct result *result)
{
    return GROUPS[group_index(result->check->id)].title;
}

/* --- causes ---------------------------------------------------------------------------------- */

bool result_has_cause(const struct result *result)
{
    return result->scene->outcome == OUTCOME_FAILED || result->scene->outcome == OUTCOME_BLOCKED;
}

bool results_are_alike(const struct result *a, const struct result *b)
{
    return result_has_cause(a) && result_has_cause(b) &&
           sentences_are_alike(a->scene->sentence, b->scene->sentence);
}

static int compare_causes(const void *left, const void *right)
{
    const struct cause *a = left, *b = right;
    if (a->is_money != b->is_money)
        return a->is_money ? -1 : 1;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return a->first < b->first ? -1 : 1;
}

static bool is_about_money(const struct result *result)
{
    enum wrong wrong = result->scene->wrong;
    return wrong == WRONG_LESS || wrong == WRONG_MORE;
}

size_t report_find_causes(const struct report *report, struct cause causes[CASES_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < report->count; i++) {
        const struct result *result = &report->results[i];
        size_t at = 0;
        if (!result_has_cause(result))
            continue;
        while (at < count && !results_are_alike(result, &report->results[causes[at].first]))
            at++;
        if (at == count)
            causes[count++] = (struct cause){.first = i, .is_money = is_about_money(result)};
        causes[at].count++;
    }
    qsort(causes, count, sizeof(causes[0]), compare_causes);
    return count;
}

void report_write_summary(const struct report *report, struct text_buffer *out)
{
    for (size_t i = 0; i < OUTCOMES; i++)
        text_append_format(out, "%s%zu %s", i == 0 ? "" : ", ", report->outcomes[i],
                           outcome_name((enum outcome)i));
    text_append_format(out, "; %zu requests, at most %zu at once, %lld.%lld s",
                       report->run->requests, report->run->at_once_max,
                       (long long)(report->time_us / 1000000),
                       (long long)(report->time_us / 100000 % 10));
}
