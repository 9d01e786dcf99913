/* Writes the doctor's report as a page that stands alone. */
#include "service/answer.h"
#include "service/doctor.h"
#include "service/words.h"

#include "base/banned.h"

static struct html_line line_of(const char *words, struct text code)
{
    return (struct html_line){code.length > 0 ? text_of(words) : TEXT(""), code};
}

/* What was found; below it what to do, what to paste where, and the exact command. */
static void write_line(struct html_table *table, const struct jread *line)
{
    const struct doctor_look *look = doctor_look_of(line);
    const struct html_line lines[] = {
        {.words = answer_text(line, "todo")},
        line_of("The address:", answer_text(jread_member(line, "paste"), "text")),
        line_of("The command:", answer_text(line, "command")),
        line_of("Where the shop does not want it:", answer_text(line, "instead")),
    };
    html_row_begin(table);
    html_cell_badge(table, look->tone, look->word, TEXT(""));
    html_cell(table, answer_text(line, "title"), TEXT(""));
    html_cell_lines(table, answer_text(line, "found"), lines, COUNT_OF(lines));
    html_row_end(table);
}

static void write_group(FILE *file, const struct jread *lines, struct text group)
{
    static const struct html_column columns[] = {
        {.title = "State", .is_short = true, .width_rem = 10},
        {.title = "What", .is_short = true, .width_rem = 13},
        {.title = "Found", .is_wide = true},
    };
    struct html_table table;
    html_section_begin(file, group);
    html_checks_begin(&table, file, group, columns);
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
    if (sentence.buffer.base[sentence.buffer.length - 1] != '.')
        text_append_char(&sentence.buffer, '.');
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
