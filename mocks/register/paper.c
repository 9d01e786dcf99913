/* Lays text out on the paper of a receipt. */
#include "mocks/register/paper.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define LABEL_MARGIN 6 /* around a labelled line */

const char *ink(enum ink which)
{
    static const char *const CODES[] = {"\033[0m",  "\033[2m",  "\033[1m",
                                        "\033[32m", "\033[31m", "\033[33m"};
    return isatty(STDOUT_FILENO) ? CODES[which] : "";
}

size_t paper_columns(struct text text)
{
    size_t columns = 0;
    for (size_t i = 0; i < text.length; i++)
        columns += ((unsigned char)text.base[i] & 0xC0) != 0x80;
    return columns;
}

void paper_spaces(size_t count)
{
    for (size_t i = 0; i < count; i++)
        putchar(' ');
}

void paper_rule(const char *title, const char *note)
{
    size_t used = paper_columns(text_of(title)) + paper_columns(text_of(note)) +
                  (note[0] != '\0' ? 2 : 0) + 4;
    printf("%s──%s %s%s%s", ink(INK_FAINT), ink(INK_PLAIN), ink(INK_BOLD), title, ink(INK_PLAIN));
    if (note[0] != '\0')
        printf("  %s", note);
    printf(" %s", ink(INK_FAINT));
    for (size_t column = used; column < PAPER_WIDTH; column++)
        fputs("─", stdout);
    printf("%s\n", ink(INK_PLAIN));
}

void paper_foreign(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.base[i];
        if (c < 0x20 || c == 0x7f)
            printf("\\x%02x", c);
        else
            putchar(c);
    }
}

/* Bytes of the next line: all that fits, or what fits up to the last good place to break. */
static size_t wrap_length(struct text text)
{
    size_t columns = 0, end = 0, good = 0;
    while (end < text.length && columns < WRAP_WIDTH) {
        size_t size = text_utf8_length(text_slice(text, end, text.length));
        end += size > 0 ? size : 1;
        columns++;
        if (strchr(",&?/ ", text.base[end - 1]) != NULL && text.base[end - 1] != '\0')
            good = end;
    }
    return end == text.length || good < WRAP_WIDTH / 2 ? end : good;
}

void paper_wrap(struct text text, const char *start, const char *indent, size_t lines_max)
{
    const char *margin = start;
    size_t lines = 0;
    do {
        size_t length = wrap_length(text);
        fputs(margin, stdout);
        margin = indent;
        paper_foreign(text_slice(text, 0, length));
        putchar('\n');
        text = text_slice(text, length, text.length);
        lines++;
    } while (text.length > 0 && lines < lines_max);
    if (text.length > 0)
        printf("%s%s... %zu bytes more (--json shows all)%s\n", indent, ink(INK_FAINT), text.length,
               ink(INK_PLAIN));
}

static void print_pair(struct text label, enum ink label_ink, struct text value, enum ink value_ink)
{
    size_t used = paper_columns(label) + paper_columns(value);
    printf("    %s", ink(label_ink));
    paper_foreign(label);
    fputs(ink(INK_PLAIN), stdout);
    /* A value that does not fit beside its label is still a word apart from it. */
    paper_spaces(used + 1 < PAPER_WIDTH - LABEL_MARGIN ? PAPER_WIDTH - LABEL_MARGIN - used : 1);
    fputs(ink(value_ink), stdout);
    paper_foreign(value);
    printf("%s\n", ink(INK_PLAIN));
}

void paper_line(struct text label, enum ink which, struct text value)
{
    if (value.length > 0)
        print_pair(label, INK_FAINT, value, which);
}

void paper_entry(struct text label, struct text value)
{
    print_pair(label, INK_BOLD, value, INK_PLAIN);
}
