/* Prints the service's answers for people. */
#include "service/render.h"

#include <string.h>

#include "base/banned.h"

#define COLUMNS_MAX 24
#define KEY_WIDTH 26
#define INDENT 2

static struct text scalar_text(const struct jread *value)
{
    bool flag;
    struct text text;
    if (jread_bool(value, &flag) == 0)
        return flag ? TEXT("yes") : TEXT("no");
    if (jread_scalar(value, &text) == 0)
        return text;
    return TEXT("-");
}

static bool is_nested(const struct jread *value)
{
    enum jread_kind kind = jread_kind_of(value);
    return kind == JREAD_ARRAY || kind == JREAD_OBJECT;
}

static int width_of(struct text text)
{
    int width = 0; /* characters: continuation bytes of UTF-8 do not count */
    for (size_t i = 0; i < text.length; i++)
        width += ((unsigned char)text.base[i] & 0xc0) != 0x80;
    return width;
}

static void print_text(FILE *file, struct text text, int width)
{
    size_t step;
    for (size_t at = 0; at < text.length; at += step) {
        step = text_utf8_step(text, at);
        struct text each = text_slice(text, at, step);
        if (text_is_printable(each))
            fwrite(each.base, 1, each.length, file);
        else
            putc('?', file);
    }
    for (int i = width_of(text); i < width; i++)
        fputc(' ', file);
}

/* --- tables */

struct column {
    struct text name;
    int width;
};

static int find_columns(const struct jread *array, struct column *columns)
{
    int count = 0;
    const struct jread *first = jread_element(array, 0);
    for (size_t i = 0; i < jread_count(first) && count < COLUMNS_MAX; i++) {
        struct text name;
        if (is_nested(jread_member_at(first, i, &name)))
            continue;
        columns[count++] = (struct column){name, width_of(name)};
    }
    return count;
}

static const struct jread *cell(const struct jread *row, struct text name)
{
    for (size_t i = 0; i < jread_count(row); i++) {
        struct text each;
        const struct jread *value = jread_member_at(row, i, &each);
        if (text_equal(each, name))
            return value;
    }
    return NULL;
}

static void print_table(FILE *file, const struct jread *array, int indent)
{
    struct column columns[COLUMNS_MAX];
    int count = find_columns(array, columns);
    for (size_t row = 0; row < jread_count(array); row++)
        for (int i = 0; i < count; i++) {
            int width = width_of(scalar_text(cell(jread_element(array, row), columns[i].name)));
            if (width > columns[i].width)
                columns[i].width = width;
        }
    fprintf(file, "%*s", indent, "");
    for (int i = 0; i < count; i++)
        print_text(file, columns[i].name, columns[i].width + 2);
    fputc('\n', file);
    for (size_t row = 0; row < jread_count(array); row++) {
        fprintf(file, "%*s", indent, "");
        for (int i = 0; i < count; i++)
            print_text(file, scalar_text(cell(jread_element(array, row), columns[i].name)),
                       columns[i].width + 2);
        fputc('\n', file);
    }
}

/* --- objects */

static void print_nested(FILE *file, const struct jread *value, int indent);

static void print_object(FILE *file, const struct jread *object, int indent)
{
    for (size_t i = 0; i < jread_count(object); i++) {
        struct text name;
        const struct jread *value = jread_member_at(object, i, &name);
        fprintf(file, "%*s", indent, "");
        print_text(file, name, KEY_WIDTH - indent);
        if (is_nested(value)) {
            fputc('\n', file);
            print_nested(file, value, indent + INDENT);
        } else {
            fputc(' ', file);
            print_text(file, scalar_text(value), 0);
            fputc('\n', file);
        }
    }
}

/* Rows that hold objects themselves (tenants with settings) do not fit a table. */
static bool is_flat(const struct jread *array)
{
    const struct jread *first = jread_element(array, 0);
    for (size_t i = 0; i < jread_count(first); i++) {
        struct text name;
        if (jread_kind_of(jread_member_at(first, i, &name)) == JREAD_OBJECT)
            return false;
    }
    return jread_kind_of(first) == JREAD_OBJECT;
}

static void print_nested(FILE *file, const struct jread *value, int indent)
{
    if (jread_kind_of(value) == JREAD_OBJECT) {
        print_object(file, value, indent);
        return;
    }
    if (jread_count(value) == 0) {
        fprintf(file, "%*s(none)\n", indent, "");
        return;
    }
    if (is_flat(value)) {
        print_table(file, value, indent);
        return;
    }
    for (size_t i = 0; i < jread_count(value); i++) {
        print_nested(file, jread_element(value, i), indent);
        fputc('\n', file);
    }
}

void render_value(FILE *file, const struct jread *value)
{
    print_nested(file, value, 0);
}
