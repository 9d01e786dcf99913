/* Writes the doctor's report as a page that stands alone. */
#include "service/answer.h"
#include "service/doctor.h"
#include "service/html.h"

#include "base/banned.h"

#define WORDS_MAX 4096

static const struct {
    struct text state;
    enum html_tone tone;
    struct text word;
} badges[] = {
    {{"ok", 2}, HTML_GOOD, {"green", 5}},
    {{"todo", 4}, HTML_BAD, {"to do", 5}},
    {{"waits", 5}, HTML_NOTICE, {"waits", 5}},
    {{"unknown", 7}, HTML_PLAIN, {"not known", 9}},
    {{"off", 3}, HTML_PLAIN, {"not used here", 13}},
};

static size_t badge_of(struct text state)
{
    size_t i = 0;
    while (i + 1 < COUNT_OF(badges) && !text_equal(badges[i].state, state))
        i++;
    return i;
}

static struct html_line line_of(const char *words, struct text code)
{
    return (struct html_line){code.length > 0 ? text_of(words) : TEXT(""), code};
}

/* What was found; below it what to do, what to paste where, and the exact command. */
static void write_line(struct html_table *table, const struct jread *line)
{
    const struct jread *paste = jread_member(line, "paste");
    struct html_line lines[] = {
        {.words = answer_text(line, "todo")},
        line_of("The address:", answer_text(paste, "text")),
        line_of("The command:", answer_text(line, "command")),
        line_of("Where the shop does not want it:", answer_text(line, "instead")),
    };
    size_t badge = badge_of(answer_text(line, "state"));
    html_row_begin(table);
    html_cell_badge(table, badges[badge].tone, badges[badge].word, TEXT(""));
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
    char bytes[128];
    struct text_buffer label;
    if (jread_count(fields) == 0)
        return;
    html_section_begin(file, TEXT("To be pasted into the Back Office"));
    html_paragraph(file, TEXT("Integrations, your application. Save, then Sync on each register."));
    html_facts_begin(file);
    for (size_t i = 0; i < jread_count(fields); i++) {
        const struct jread *field = jread_element(fields, i);
        if (!answer_bool(field, "is_wanted"))
            continue;
        text_buffer_init(&label, bytes, sizeof(bytes));
        text_append(&label, answer_text(field, "tab"));
        text_append(&label, TEXT(", "));
        text_append(&label, answer_text(field, "field"));
        html_fact(file, text_buffer_text(&label), answer_text(field, "text"));
    }
    html_facts_end(file);
    html_section_end(file);
}

static void write_verdict(FILE *file, const struct jread *report)
{
    char bytes[256], words[WORDS_MAX];
    struct text_buffer heading, sentence;
    const struct jread *first = doctor_first(report);
    text_buffer_init(&heading, bytes, sizeof(bytes));
    doctor_append_verdict(&heading, report);
    text_buffer_init(&sentence, words, sizeof(words));
    text_append(&sentence, TEXT("The first is: "));
    text_append(&sentence, answer_text(first, "title"));
    text_append(&sentence, TEXT(". "));
    text_append(&sentence, answer_text(first, "todo"));
    if (sentence.base[sentence.length - 1] != '.')
        text_append_char(&sentence, '.');
    html_verdict(file, answer_bool(report, "is_green") ? HTML_GOOD : HTML_BAD,
                 text_buffer_text(&heading),
                 first == NULL ? TEXT("Nothing stands between this merchant and its registers.")
                               : text_buffer_text(&sentence));
}

void doctor_page_write(FILE *file, const struct jread *report)
{
    char bytes[256];
    struct text_buffer note;
    struct answer_style style;
    struct text name = answer_text(report, "name");
    answer_style_init(&style, report);
    html_begin(file, TEXT("From here to the register"), name.length > 0 ? name : TEXT("nobody"));
    write_verdict(file, report);
    write_groups(file, jread_member(report, "lines"));
    write_fields(file, jread_member(report, "back_office"));
    text_buffer_init(&note, bytes, sizeof(bytes));
    text_append(&note, TEXT("Made "));
    answer_append_time(&note, &style, answer_time_us(report, "made_at"), false);
    text_append(&note, TEXT(" by counterpart doctor. It holds addresses that nobody else should "
                            "have."));
    html_end(file, text_buffer_text(&note));
    answer_style_finish(&style);
}
