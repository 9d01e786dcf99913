/* Fuzzes the import: whatever the file, it is refused with a sentence, or asked about, or becomes a
 * profile that compiles. The first line, if it begins with '#', is an answer or an action. */
#include "base/error.h"
#include "handlers/profile_import.h"

#include <string.h>

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_report(const struct import_report *report)
{
    CHECK(report->finding_count >= 0 && report->finding_count <= IMPORT_FINDINGS_MAX);
    CHECK(report->question_count >= 0 && report->question_count <= IMPORT_QUESTIONS_MAX);
    CHECK(report->note_count >= 0 && report->note_count <= IMPORT_NOTES_MAX);
    for (int32_t i = 0; i < report->finding_count; i++)
        CHECK(report->findings[i].name[0] != '\0' &&
              text_is_utf8(text_of(report->findings[i].name)));
    for (int32_t i = 0; i < report->question_count; i++)
        CHECK(report->questions[i].sentence[0] != '\0' && report->questions[i].option[0] != '\0');
    bool has_profile = report->profile[0] != '\0';
    CHECK(has_profile == (report->question_count == 0 && !report->is_default));
}

/* "#checkout.amount=sum": --field; "#checkout": --action. */
static struct text take_order(struct text file, struct import_order *order)
{
    if (file.length == 0 || file.base[0] != '#')
        return file;
    const char *end = memchr(file.base, '\n', file.length);
    size_t length = end == NULL ? file.length : (size_t)(end - file.base);
    struct text said = text_slice(file, 1, length - 1);
    bool is_field = said.length > 0 && memchr(said.base, '=', said.length) != NULL;
    if (is_field)
        order->fields[order->field_count++] = said;
    else if (said.length > 0)
        order->actions[order->action_count++] = said;
    return text_slice(file, length + (end != NULL), file.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct import_report report;
    struct import_order order = {0};
    char sentence[512];
    struct text_buffer problem;
    struct text file = take_order((struct text){(const char *)data, size}, &order);
    text_buffer_init(&problem, sentence, sizeof(sentence));
    int err = profile_import(file, &order, NULL, &report, &problem);
    CHECK(err == 0 || err == ERR_BAD_CONFIG || err == ERR_NO_MEMORY);
    CHECK((err == ERR_BAD_CONFIG) == (problem.length > 0));
    if (err == 0)
        check_report(&report);
    return 0;
}
