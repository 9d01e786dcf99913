/* Writes the doctor's report as a page that stands alone. */
#include "service/answer.h"
#include "service/doctor.h"
#include "service/words.h"

#include "base/banned.h"

/* What to do, the exact command, and what to paste where. */
static void append_todo(struct text_buffer *buffer, const struct jread *line)
{
    const struct jread *paste = jread_member(line, "paste");
    struct text command = answer_text(line, "command");
    text_append(buffer, answer_text(line, "todo"));
    if (jread_kind_of(paste) == JREAD_OBJECT) {
        text_append(buffer, TEXT(". The address: "));
        text_append(buffer, answer_text(paste, "text"));
    }
    if (command.length > 0) {
        text_append(buffer, buffer->length > 0 ? TEXT(". The command: ") : TEXT(""));
        text_append(buffer, command);
    }
    if (answer_text(line, "instead").length > 0) {
        text_append(buffer, TEXT(". Where the shop does not want it: "));
        text_append(buffer, answer_text(line, "instead"));
    }
}

static void write_line(struct html_table *table, const struct jread *line)
{
    struct words todo;
    const struct doctor_look *look = doctor_look_of(line);
    append_todo(words_begin(&todo), line);
    html_row_begin(table);
    html_cell_badge(table, look->tone, look->word, TEXT(""));
    html_cell(table, answer_text(line, "title"), TEXT(""));
    html_cell(table, answer_text(line, "found"), words_text(&todo));
    html_row_end(table);
}

static void write_group(FILE *file, const struct jread *lines, struct text group)
{
    static const struct html_column columns[] = {
        {.title = "State", .is_short = true},
        {.title = "What"},
        {.title = "Found", .is_wide = true},
    };
    struct html_table table;
    html_section_begin(file, group);
    html_table_begin(&table, file, group, columns, COUNT_OF(columns));
    for (size_t i = 0; i < jread_count(lines); i++)
        if (text_equal(answer_text(jread_element(lines, i), "group"), group))
            write_line(&table, jread_element(lines, i));
    html_table_end(&table);
    html_section_end(file);
}

static void write_groups(FILE *file, const struct jread *lines)
{
    struct text group = TEXT("");
    for (size_t i = 0; i < jread_count(lines); i++) {
        struct text next = answer_text(jread_element(lines, i), "group");
        if (text_equal(next, group))
            continue;
        group = next;
        write_group(file, lines, group);
    }
}

static void write_fields(FILE *file, const struct jread *fields)
{
    struct words label;
    if (jread_count(fields) == 0)
        return;
    html_section_begin(file, TEXT("To be pasted into the Back Office"));
    html_paragraph(file, TEXT("Integrations, your application. Save, then Sync on each register."));
    html_facts_begin(file);
    for (size_t i = 0; i < jread_count(fields); i++) {
        const struct jread *field = jread_element(fields, i);
        if (!answer_bool(field, "is_wanted"))
            continue;
        doctor_append_place(words_begin(&label), field);
        html_fact(file, words_text(&label), answer_text(field, "text"));
    }
    html_facts_end(file);
    html_section_end(file);
}

static void write_verdict(FILE *file, const struct jread *report)
{
    struct words heading, sentence;
    const struct jread *first = doctor_first(report);
    doctor_append_verdict(words_begin(&heading), report);
    text_append(words_begin(&sentence), TEXT("The first is: "));
    text_append(&sentence.buffer, answer_text(first, "title"));
    text_append(&sentence.buffer, TEXT(". "));
    text_append(&sentence.buffer, answer_text(first, "todo"));
    html_verdict(file, answer_bool(report, "is_green") ? HTML_GOOD : HTML_BAD, words_text(&heading),
                 first == NULL ? TEXT("Nothing stands between this merchant and its registers.")
                               : words_text(&sentence));
}

void doctor_page_write(FILE *file, const struct jread *report)
{
    struct words note;
    struct answer_style style;
    struct text name = answer_text(report, "name");
    answer_style_init(&style, report);
    html_begin(file, TEXT("From here to the register"), name.length > 0 ? name : TEXT("nobody"));
    write_verdict(file, report);
    write_groups(file, jread_member(report, "lines"));
    write_fields(file, jread_member(report, "back_office"));
    answer_append_made(words_begin(&note), &style, report, "doctor");
    text_append(&note.buffer, TEXT(" It holds addresses that nobody else should have."));
    html_end(file, words_text(&note));
    answer_style_finish(&style);
}
