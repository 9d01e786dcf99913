/* Prints the doctor's report for people at a terminal. */
#include "service/answer.h"
#include "service/doctor.h"

#include "base/banned.h"

#define INDENT 2
#define INDENT_TODO 6

struct printing {
    FILE *file;
    bool is_coloured;
};

static void print_coloured(const struct printing *printing, const char *colour, struct text text,
                           int indent)
{
    if (printing->is_coloured)
        fputs(colour, printing->file);
    answer_print_wrapped(printing->file, text, indent);
    if (printing->is_coloured)
        fputs("\033[0m", printing->file);
}

/* To be copied: on one line, however long. */
static void print_whole(const struct printing *printing, const char *before, struct text text)
{
    char bytes[4096];
    struct text_buffer line;
    text_buffer_init(&line, bytes, sizeof(bytes));
    text_append_printable(&line, text, TEXT("?"));
    fprintf(printing->file, "%*s%s%s\n", INDENT_TODO, "", before, bytes);
}

static void print_paste(const struct printing *printing, const struct jread *paste)
{
    char bytes[256];
    struct text_buffer line;
    if (jread_kind_of(paste) != JREAD_OBJECT)
        return;
    text_buffer_init(&line, bytes, sizeof(bytes));
    text_append(&line, TEXT("Tab "));
    doctor_append_place(&line, paste);
    text_append(&line, TEXT(":"));
    answer_print_wrapped(printing->file, text_buffer_text(&line), INDENT_TODO);
    print_whole(printing, "", answer_text(paste, "text"));
}

static void print_line(const struct printing *printing, const struct jread *line)
{
    char bytes[4096];
    struct text_buffer head;
    const struct doctor_look *look = doctor_look_of(line);
    struct text todo = answer_text(line, "todo"), command = answer_text(line, "command");
    struct text instead = answer_text(line, "instead");
    text_buffer_init(&head, bytes, sizeof(bytes));
    text_append_format(&head, "%s ", look->sign);
    text_append(&head, answer_text(line, "title"));
    text_append(&head, TEXT(": "));
    text_append(&head, answer_text(line, "found"));
    print_coloured(printing, look->colour, text_buffer_text(&head), INDENT);
    if (todo.length > 0)
        answer_print_wrapped(printing->file, todo, INDENT_TODO);
    print_paste(printing, jread_member(line, "paste"));
    if (command.length > 0)
        print_whole(printing, "$ ", command);
    if (instead.length > 0)
        print_whole(printing, "Not wanted here: $ ", instead);
}

static void print_lines(const struct printing *printing, const struct jread *lines)
{
    struct text group = TEXT("");
    for (size_t i = 0; i < jread_count(lines); i++) {
        const struct jread *line = jread_element(lines, i);
        if (!text_equal(answer_text(line, "group"), group)) {
            group = answer_text(line, "group");
            putc('\n', printing->file);
            print_coloured(printing, "\033[1m", group, 0);
        }
        print_line(printing, line);
    }
}

static void print_fields(const struct printing *printing, const struct jread *fields)
{
    char bytes[128];
    struct text_buffer head;
    if (jread_count(fields) == 0)
        return;
    putc('\n', printing->file);
    print_coloured(printing, "\033[1m",
                   TEXT("Back Office, Integrations, your application; then Save, and Sync on the "
                        "register"),
                   0);
    for (size_t i = 0; i < jread_count(fields); i++) {
        const struct jread *field = jread_element(fields, i);
        if (!answer_bool(field, "is_wanted"))
            continue;
        text_buffer_init(&head, bytes, sizeof(bytes));
        doctor_append_place(&head, field);
        answer_print_wrapped(printing->file, text_buffer_text(&head), INDENT);
        print_whole(printing, "", answer_text(field, "text"));
    }
}

static void print_webhooks(const struct printing *printing, const struct jread *webhooks)
{
    char bytes[512];
    struct text_buffer head;
    if (jread_kind_of(webhooks) != JREAD_OBJECT)
        return;
    text_buffer_init(&head, bytes, sizeof(bytes));
    text_append(&head, TEXT("Webhooks, which the service registers itself: "));
    text_append(&head, answer_text(webhooks, "topics"));
    text_append(&head, TEXT(", below"));
    answer_print_wrapped(printing->file, text_buffer_text(&head), INDENT);
    print_whole(printing, "", answer_text(webhooks, "below"));
}

void doctor_text_write(FILE *file, const struct jread *report, bool is_coloured)
{
    const struct printing printing = {file, is_coloured};
    char bytes[512];
    struct text_buffer head;
    text_buffer_init(&head, bytes, sizeof(bytes));
    if (answer_text(report, "name").length > 0) {
        text_append(&head, answer_text(report, "name"));
        text_append(&head, TEXT(": "));
    }
    doctor_append_verdict(&head, report);
    print_coloured(&printing, answer_bool(report, "is_green") ? "\033[1;32m" : "\033[1m",
                   text_buffer_text(&head), 0);
    print_lines(&printing, jread_member(report, "lines"));
    print_fields(&printing, jread_member(report, "back_office"));
    print_webhooks(&printing, jread_member(report, "webhooks"));
}
