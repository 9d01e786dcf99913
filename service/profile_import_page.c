/* Tells what an import has found: as JSON, or for people. */
#include "service/profile_import.h"

#include "handlers/profile_import.h"
#include "service/answer.h"

#include <string.h>

#include "base/banned.h"

/* --- JSON --- */

static void print_pair(FILE *file, const char *name, const char *value)
{
    fprintf(file, "\"%s\":", name);
    answer_write_text(file, text_of(value));
}

static void print_findings(FILE *file, const struct import_report *report)
{
    fputs(",\"fields\":[", file);
    for (int32_t i = 0; i < report->finding_count; i++) {
        const struct import_finding *finding = &report->findings[i];
        fputs(i == 0 ? "{" : ",{", file);
        print_pair(file, "where", finding->where);
        putc(',', file);
        print_pair(file, "name", finding->name);
        putc(',', file);
        print_pair(file, "sure", import_sureness_name(finding->sureness));
        putc(',', file);
        print_pair(file, "why", finding->why);
        putc(',', file);
        print_pair(file, "example", finding->example);
        putc('}', file);
    }
    putc(']', file);
}

static void print_questions(FILE *file, const struct import_report *report)
{
    fputs(",\"questions\":[", file);
    for (int32_t i = 0; i < report->question_count; i++) {
        const struct import_question *question = &report->questions[i];
        fputs(i == 0 ? "{" : ",{", file);
        print_pair(file, "where", question->where);
        putc(',', file);
        print_pair(file, "question", question->sentence);
        fputs(",\"candidates\":[", file);
        for (int32_t c = 0; c < question->candidate_count; c++) {
            fputs(c == 0 ? "" : ",", file);
            answer_write_text(file, text_of(question->candidates[c]));
        }
        fputs("],", file);
        print_pair(file, "option", question->option);
        putc('}', file);
    }
    putc(']', file);
}

static void print_notes(FILE *file, const struct import_report *report, const char *list,
                        bool are_warnings)
{
    bool is_first = true;
    fprintf(file, ",\"%s\":[", list);
    for (int32_t i = 0; i < report->note_count; i++) {
        if (report->notes[i].is_warning != are_warnings)
            continue;
        fputs(is_first ? "" : ",", file);
        answer_write_text(file, text_of(report->notes[i].sentence));
        is_first = false;
    }
    putc(']', file);
}

void profile_import_print_json(FILE *file, const struct import_report *report, const char *name,
                               const char *written)
{
    bool is_done = report->question_count == 0;
    fprintf(file, "{\"success\":%s,", is_done ? "true" : "false");
    if (!is_done)
        fprintf(file, "\"error\":\"%d open question%s\",\"code\":\"ambiguous\",",
                (int)report->question_count, report->question_count == 1 ? "" : "s");
    print_pair(file, "name", name);
    if (written != NULL) {
        putc(',', file);
        print_pair(file, "file", written);
    }
    fputs(",\"examples\":{", file);
    for (int action = 0; action < IMPORT_ACTIONS; action++)
        fprintf(file, "%s\"%s\":%d", action == 0 ? "" : ",",
                import_action_name((enum import_action)action), (int)report->examples[action]);
    putc('}', file);
    print_findings(file, report);
    print_questions(file, report);
    print_notes(file, report, "warnings", true);
    print_notes(file, report, "notes", false);
    if (is_done)
        fprintf(file, ",\"is_default\":%s,\"profile\":%s", report->is_default ? "true" : "false",
                report->is_default ? "{}" : report->profile);
    fputs("}\n", file);
}

/* --- people --- */

static int width_of(const struct import_report *report, bool is_name)
{
    int width = 0;
    for (int32_t i = 0; i < report->finding_count; i++) {
        const struct import_finding *finding = &report->findings[i];
        int each = answer_width(text_of(is_name ? finding->name : finding->where));
        width = each > width ? each : width;
    }
    return width;
}

static void print_cell(FILE *file, const char *text, int width)
{
    char bytes[ANSWER_CELL_MAX];
    struct text_buffer cell;
    text_buffer_init(&cell, bytes, sizeof(bytes));
    text_append_printable(&cell, text_of(text), TEXT("?"));
    fputs(bytes, file);
    for (int i = answer_width(text_buffer_text(&cell)); i < width + 2; i++)
        putc(' ', file);
}

static void print_found(FILE *file, const struct import_report *report)
{
    int where_width = width_of(report, false), name_width = width_of(report, true);
    for (int32_t i = 0; i < report->finding_count; i++) {
        const struct import_finding *finding = &report->findings[i];
        fputs("  ", file);
        print_cell(file, finding->where, where_width);
        print_cell(file, finding->name, name_width);
        print_cell(file, import_sureness_name(finding->sureness), 8);
        fprintf(file, "%s (", finding->why);
        print_cell(file, finding->example, -2);
        fputs(")\n", file);
    }
}

static void print_sentences(FILE *file, const struct import_report *report)
{
    for (int warnings = 1; warnings >= 0; warnings--)
        for (int32_t i = 0; i < report->note_count; i++) {
            if (report->notes[i].is_warning != (warnings == 1))
                continue;
            putc(warnings == 1 ? '!' : ' ', file);
            answer_print_wrapped(file, text_of(report->notes[i].sentence), 2);
        }
}

static void print_asked(FILE *file, const struct import_report *report)
{
    for (int32_t i = 0; i < report->question_count; i++) {
        const struct import_question *question = &report->questions[i];
        putc('?', file);
        answer_print_wrapped(file, text_of(question->sentence), 2);
        for (int32_t c = 0; c < question->candidate_count; c++) {
            fputs(c == 0 ? "    it may be " : ", ", file);
            print_cell(file, question->candidates[c], -2);
        }
        fputs(question->candidate_count > 0 ? "\n" : "", file);
        fputs("    answer with ", file);
        print_cell(file, question->option, -2);
        putc('\n', file);
    }
}

void profile_import_print(FILE *file, const struct import_report *report, const char *name,
                          const char *written)
{
    print_found(file, report);
    print_sentences(file, report);
    if (report->question_count > 0) {
        print_asked(file, report);
        fputs("No profile was made: answer what is asked, then import again.\n", file);
    } else if (report->is_default) {
        fputs("Nothing differs from the default: no profile is needed.\n", file);
    } else if (written == NULL) {
        fprintf(file, "\n%s.json:\n%s", name, report->profile);
    } else if (strcmp(written, "-") != 0) {
        fprintf(file,
                "Written: %s. The service reads it in the folder that COUNTERPART_PROFILES names: "
                "start it with that, or send it a SIGHUP; then: counterpart tenant set "
                "--tenant ID --profile %s\n",
                written, name);
    }
}
