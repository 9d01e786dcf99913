/* What all reports share. */
#include "mocks/check/report.h"

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

struct text result_group(const struct result *result)
{
    struct text id = text_of(result->check->id);
    return text_slice(id, 0, strcspn(result->check->id, "-"));
}

void report_write_summary(const struct report *report, struct text_buffer *out)
{
    text_append_format(out, "%zu passed, %zu failed, %zu skipped", report->outcomes[OUTCOME_PASSED],
                       report->outcomes[OUTCOME_FAILED], report->outcomes[OUTCOME_SKIPPED]);
    text_append_format(out, "; %zu requests, at most %zu at once, %lld.%lld s",
                       report->run->requests, report->run->at_once_max,
                       (long long)(report->time_us / 1000000),
                       (long long)(report->time_us / 100000 % 10));
}
