/* Reads the service's answers and shows them as people expect them. */
#include "service/answer.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/banned.h"

/* --- members */

struct text answer_text(const struct jread *object, const char *name)
{
    struct text text;
    return jread_scalar(jread_member(object, name), &text) == 0 ? text : TEXT("");
}

int64_t answer_int64(const struct jread *object, const char *name)
{
    int64_t number;
    return jread_int64(jread_member(object, name), &number) == 0 ? number : 0;
}

bool answer_bool(const struct jread *object, const char *name)
{
    bool flag;
    return jread_bool(jread_member(object, name), &flag) == 0 && flag;
}

int64_t answer_time_us(const struct jread *object, const char *name)
{
    int64_t time_us;
    return clock_parse_time(answer_text(object, name), &time_us) == 0 ? time_us : 0;
}

/* --- JSON again */

void answer_write_text(FILE *file, struct text text)
{
    static const size_t piece = 1024; /* of which each byte may take six */
    char bytes[6 * 1024 + 8];
    putc('"', file);
    for (size_t at = 0, length; at < text.length; at += length) {
        struct text_buffer buffer;
        struct jwrite writer;
        for (length = 0; at + length < text.length && length < piece - 4;)
            length += text_utf8_step(text, at + length);
        text_buffer_init(&buffer, bytes, sizeof(bytes));
        jwrite_init(&writer, &buffer);
        jwrite_text(&writer, text_slice(text, at, length));
        fwrite(bytes + 1, 1, buffer.length - 2, file); /* without its quotes */
    }
    putc('"', file);
}

static void print_array(FILE *file, const struct jread *array)
{
    putc('[', file);
    for (size_t i = 0; i < jread_count(array); i++) {
        if (i > 0)
            putc(',', file);
        answer_write(file, jread_element(array, i));
    }
    putc(']', file);
}

static void print_object(FILE *file, const struct jread *object)
{
    putc('{', file);
    for (size_t i = 0; i < jread_count(object); i++) {
        struct text name;
        const struct jread *value = jread_member_at(object, i, &name);
        if (i > 0)
            putc(',', file);
        answer_write_text(file, name);
        putc(':', file);
        answer_write(file, value);
    }
    putc('}', file);
}

void answer_write(FILE *file, const struct jread *value)
{
    struct text text = TEXT("");
    bool flag;
    switch (jread_kind_of(value)) {
    case JREAD_NULL:
        fputs("null", file);
        return;
    case JREAD_BOOL:
        fputs(jread_bool(value, &flag) == 0 && flag ? "true" : "false", file);
        return;
    case JREAD_NUMBER:
        if (jread_scalar(value, &text) == 0)
            fwrite(text.base, 1, text.length, file);
        return;
    case JREAD_STRING:
        if (jread_scalar(value, &text) != 0)
            text = TEXT("");
        answer_write_text(file, text);
        return;
    case JREAD_ARRAY:
        print_array(file, value);
        return;
    case JREAD_OBJECT:
        print_object(file, value);
        return;
    }
}

int answer_write_page(const char *path, answer_page_fn write, const struct jread *report)
{
    bool is_standard = strcmp(path, "-") == 0;
    FILE *file = is_standard ? stdout : fopen(path, "w");
    if (file == NULL)
        goto err_without_file;
    write(file, report);
    bool is_written = fflush(file) == 0 && ferror(file) == 0;
    if (!is_standard && fclose(file) != 0)
        is_written = false;
    if (is_written)
        return 0;
err_without_file:
    fprintf(stderr, "counterpart: %s cannot be written: %s\n", path, strerror(errno));
    return ERR_IO;
}

/* --- money and times */

void answer_style_init(struct answer_style *style, const struct jread *object)
{
    char zone[128];
    *style = (struct answer_style){.zone = NULL};
    if (currency_find(answer_text(object, "currency"), &style->currency) != 0)
        style->currency = (struct currency){.code = "", .exponent = 2};
    if (!text_copy_utf8(zone, sizeof(zone), answer_text(object, "timezone")) ||
        clock_zone_create(zone, &style->zone) != 0)
        style->zone = NULL;
}

void answer_style_finish(struct answer_style *style)
{
    clock_zone_destroy(style->zone);
    style->zone = NULL;
}

/* Groups of three before the point; amounts come without. */
static void append_grouped(struct text_buffer *buffer, struct text digits)
{
    size_t whole = 0;
    while (whole < digits.length && digits.base[whole] != '.')
        whole++;
    for (size_t i = 0; i < digits.length; i++) {
        if (i > 0 && i < whole && (whole - i) % 3 == 0)
            text_append_char(buffer, ',');
        text_append_char(buffer, digits.base[i]);
    }
}

void answer_append_money(struct text_buffer *buffer, const struct answer_style *style,
                         struct text amount, bool is_signed)
{
    int64_t amount_minor;
    if (money_parse(amount, style->currency.exponent, &amount_minor) != 0) {
        text_append(buffer, amount); /* beyond MONEY_MAX_MINOR: a sum of very many */
        return;
    }
    if (amount_minor < 0)
        text_append_char(buffer, '-');
    else if (is_signed && amount_minor > 0)
        text_append_char(buffer, '+');
    text_append(buffer, text_of(currency_symbol(&style->currency)));
    append_grouped(buffer, amount_minor < 0 ? text_slice(amount, 1, amount.length) : amount);
}

void answer_append_time(struct text_buffer *buffer, const struct answer_style *style,
                        int64_t time_us, bool with_seconds)
{
    char bytes[64];
    struct text_buffer text;
    if (time_us == 0)
        return;
    if (style->zone != NULL)
        time_us += clock_zone_offset_s(style->zone, time_us) * CLOCK_US_PER_S;
    text_buffer_init(&text, bytes, sizeof(bytes));
    clock_append_time(&text, time_us);
    text_append(buffer, text_slice(text_buffer_text(&text), 0, 10));
    text_append_char(buffer, ' ');
    text_append(buffer, text_slice(text_buffer_text(&text), 11, with_seconds ? 8 : 5));
}

/* --- words and columns */

int answer_width(struct text text)
{
    int width = 0; /* continuation bytes of UTF-8 do not count */
    for (size_t i = 0; i < text.length; i++)
        width += ((unsigned char)text.base[i] & 0xc0) != 0x80;
    return width;
}

void answer_append_made(struct text_buffer *buffer, const struct answer_style *style,
                        const struct jread *report, const char *command)
{
    int64_t made_us = answer_time_us(report, "made_at");
    text_append(buffer, made_us == 0 ? TEXT("Made") : TEXT("Made on "));
    answer_append_time(buffer, style, made_us, true);
    if (made_us != 0) {
        struct text zone = answer_text(report, "timezone");
        bool is_known = style->zone != NULL && text_is_printable(zone);
        text_append(buffer, TEXT(" ("));
        text_append(buffer, is_known ? zone : TEXT("UTC"));
        text_append_char(buffer, ')');
    }
    text_append_format(buffer, " by counterpart %s.", command);
}

void answer_append_cell(struct text_buffer *buffer, struct text text, int width)
{
    size_t at = 0;
    int left = answer_width(text) > width ? width - 1 : width;
    for (; at < text.length && left > 0; left--)
        at += text_utf8_step(text, at);
    text_append_printable(buffer, text_slice(text, 0, at), TEXT("?"));
    if (at < text.length)
        text_append(buffer, TEXT("\xe2\x80\xa6"));
}

/* Where the output is no terminal, or does not say how wide it is. */
#define LINE_WIDTH_DEFAULT 100
#define LINE_WIDTH_MIN 40

static int line_width(FILE *file)
{
    struct winsize size;
    if (ioctl(fileno(file), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return LINE_WIDTH_DEFAULT;
    return size.ws_col;
}

static struct text take_word(struct text *rest)
{
    size_t length = 0;
    while (length < rest->length && rest->base[length] != ' ')
        length++;
    struct text word = text_slice(*rest, 0, length);
    *rest = text_slice(*rest, length + (length < rest->length), rest->length);
    return word;
}

void answer_print_wrapped(FILE *file, struct text text, int indent)
{
    char bytes[ANSWER_CELL_MAX];
    int room = line_width(file) - indent, used = 0;
    if (room < LINE_WIDTH_MIN)
        room = LINE_WIDTH_MIN;
    while (text.length > 0) {
        struct text_buffer word;
        text_buffer_init(&word, bytes, sizeof(bytes));
        text_append_printable(&word, take_word(&text), TEXT("?"));
        int width = answer_width(text_buffer_text(&word));
        bool begins_line = used == 0 || used + 1 + width > room;
        if (begins_line)
            fprintf(file, "%s%*s%s", used == 0 ? "" : "\n", indent, "", bytes);
        else
            fprintf(file, " %s", bytes);
        used = begins_line ? width : used + 1 + width;
    }
    putc('\n', file);
}

void answer_append_count(struct text_buffer *buffer, int64_t count, const char *one,
                         const char *many)
{
    text_append_format(buffer, "%lld %s", (long long)count, count == 1 ? one : many);
}

static struct text make_cell(const struct answer_table *table, const struct jread *row, int column,
                             char bytes[ANSWER_CELL_MAX])
{
    struct text_buffer cell;
    text_buffer_init(&cell, bytes, ANSWER_CELL_MAX);
    table->cell(table->context, row, column, &cell);
    return text_buffer_text(&cell);
}

void answer_table_measure(struct answer_table *table, const struct jread *row)
{
    char bytes[ANSWER_CELL_MAX];
    CHECK(table->count <= ANSWER_COLUMNS_MAX);
    for (int i = 0; i < table->count; i++) {
        int title = answer_width(text_of(table->columns[i].title));
        int width = answer_width(make_cell(table, row, i, bytes));
        width = width > title ? width : title;
        if (width > table->widths[i])
            table->widths[i] = width;
    }
}

static void print_cell(const struct answer_table *table, FILE *file, int column, struct text text)
{
    int padding = table->widths[column] - answer_width(text);
    bool is_last = column == table->count - 1;
    if (column > 0)
        fputs("  ", file);
    if (table->columns[column].is_number && padding > 0)
        fprintf(file, "%*s", padding, "");
    fwrite(text.base, 1, text.length, file);
    if (!table->columns[column].is_number && !is_last && padding > 0)
        fprintf(file, "%*s", padding, "");
    if (is_last)
        putc('\n', file);
}

void answer_table_print(struct answer_table *table, FILE *file, const struct jread *row)
{
    char bytes[ANSWER_CELL_MAX];
    if (!table->has_header) {
        fprintf(file, "%*s", table->indent, "");
        for (int i = 0; i < table->count; i++)
            print_cell(table, file, i, text_of(table->columns[i].title));
    }
    table->has_header = true;
    fprintf(file, "%*s", table->indent, "");
    for (int i = 0; i < table->count; i++)
        print_cell(table, file, i, make_cell(table, row, i, bytes));
}
