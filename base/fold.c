/* Folds text for searching: ASCII by a table of its own, the rest of Unicode by GLib. */
#include "base/fold.h"

#include <glib.h>
#include <string.h>

#include "base/banned.h"

struct folder {
    struct text_buffer *buffer;
    bool has_word;       /* something was appended by this call */
    bool is_after_space; /* a separator stands between what was appended and what comes */
};

/* Letters that Unicode does not take apart, as people without them on the keyboard type them. */
static const struct {
    gunichar letter;
    const char *plain;
} plain_letters[] = {
    {0x00E6, "ae"}, /* æ */
    {0x00F0, "d"},  /* eth */
    {0x00F8, "o"},  /* o with stroke */
    {0x00FE, "th"}, /* thorn */
    {0x0111, "d"},  /* d with stroke */
    {0x0127, "h"},  /* h with stroke */
    {0x0131, "i"},  /* dotless i */
    {0x0142, "l"},  /* l with stroke */
    {0x0153, "oe"}, /* oe ligature */
    {0x0167, "t"},  /* t with stroke */
};

/* Whole or not at all, so that no character is ever cut in two. */
static void append_letter(struct folder *folder, const char *bytes, size_t size)
{
    struct text_buffer *buffer = folder->buffer;
    bool needs_space = folder->has_word && folder->is_after_space;
    size_t room = buffer->capacity - 1 - buffer->length;
    if (buffer->is_cut || room < size + needs_space) {
        buffer->is_cut = true;
        return;
    }
    if (needs_space)
        text_append_char(buffer, ' ');
    text_append(buffer, (struct text){bytes, size});
    folder->has_word = true;
    folder->is_after_space = false;
}

static void append_ascii(struct folder *folder, char c)
{
    if (c >= 'A' && c <= 'Z')
        c = (char)(c - 'A' + 'a');
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
        append_letter(folder, &c, 1);
    else if (c != '\'' && c != '`')
        folder->is_after_space = true;
}

static bool append_plain(struct folder *folder, gunichar letter)
{
    for (size_t i = 0; i < COUNT_OF(plain_letters); i++)
        if (plain_letters[i].letter == letter) {
            struct text plain = text_of(plain_letters[i].plain);
            append_letter(folder, plain.base, plain.length);
            return true;
        }
    return false;
}

/* Accents, and signs that only say how to set or read the text around them, vanish. So does what
 * people take for an apostrophe, the okina of Hawaii and the prime of transcriptions among it:
 * whoever looks for the name types one of them, or none. (' and ` are ASCII's.) */
static bool is_silent(gunichar letter)
{
    GUnicodeType type = g_unichar_type(letter);
    return type == G_UNICODE_NON_SPACING_MARK || type == G_UNICODE_ENCLOSING_MARK ||
           type == G_UNICODE_FORMAT || letter == 0x2018 || letter == 0x2019 || letter == 0x201B ||
           letter == 0x2032 || (letter >= 0x02B9 && letter <= 0x02BD && letter != 0x02BA);
}

/* The bytes of an acute accent that stands alone at the front of text, for an apostrophe; 0: none.
 * Decomposed it would be a space, and an accent on that. */
static size_t lone_acute(struct text text)
{
    static const char *const acutes[] = {"\u00B4", "\u1FFD"};
    for (size_t i = 0; i < COUNT_OF(acutes); i++)
        if (text_starts_with(text, text_of(acutes[i])))
            return strlen(acutes[i]);
    return 0;
}

/* A character after decomposition and case folding. */
static void append_folded(struct folder *folder, gunichar letter)
{
    char bytes[6]; /* what g_unichar_to_utf8 may write */
    if (letter < 0x80) {
        append_ascii(folder, (char)letter);
        return;
    }
    if (is_silent(letter) || append_plain(folder, letter))
        return;
    int digit = g_unichar_digit_value(letter);
    if (digit >= 0)
        append_ascii(folder, (char)('0' + digit));
    else if (g_unichar_isalnum(letter) || g_unichar_type(letter) == G_UNICODE_SPACING_MARK)
        append_letter(folder, bytes, (size_t)g_unichar_to_utf8(letter, bytes));
    else
        folder->is_after_space = true;
}

/* Folding the case can make composed letters again, and decomposing make new capitals: twice, as
 * Unicode (section 3.13, definition D146) wants it. */
static void append_unicode(struct folder *folder, struct text run)
{
    gchar *text = g_utf8_normalize(run.base, (gssize)run.length, G_NORMALIZE_ALL);
    CHECK(text != NULL); /* NULL is for what is not UTF-8 */
    for (int round = 0; round < 2; round++) {
        gchar *folded = g_utf8_casefold(text, -1);
        g_free(text);
        text = g_utf8_normalize(folded, -1, G_NORMALIZE_ALL);
        g_free(folded);
        CHECK(text != NULL);
    }
    for (const gchar *at = text; *at != '\0'; at = g_utf8_next_char(at))
        append_folded(folder, g_utf8_get_char(at));
    g_free(text);
}

/* The characters beyond ASCII at the front of text, which must be well-formed, up to an acute that
 * stands alone; 0: none. */
static size_t unicode_run(struct text text)
{
    size_t size = 0;
    while (size < text.length && (unsigned char)text.base[size] >= 0x80) {
        struct text rest = text_slice(text, size, text.length);
        size_t step = text_utf8_length(rest);
        if (step == 0 || lone_acute(rest) > 0)
            break;
        size += step;
    }
    return size;
}

void fold_append(struct text_buffer *buffer, struct text text)
{
    struct folder folder = {.buffer = buffer};
    for (size_t i = 0; i < text.length && !buffer->is_cut;) {
        struct text rest = text_slice(text, i, text.length);
        size_t acute = lone_acute(rest), run = unicode_run(rest);
        if (acute > 0) {
            i += acute;
        } else if (run > 0) {
            append_unicode(&folder, (struct text){text.base + i, run});
            i += run;
        } else if ((unsigned char)text.base[i] < 0x80) {
            append_ascii(&folder, text.base[i++]);
        } else {
            folder.is_after_space = true; /* not UTF-8 */
            i++;
        }
    }
}

void fold_append_digits(struct text_buffer *buffer, struct text text)
{
    for (size_t i = 0; i < text.length;) {
        size_t step = text_utf8_length(text_slice(text, i, text.length));
        int digit = step == 0 ? -1 : g_unichar_digit_value(g_utf8_get_char(text.base + i));
        if (digit >= 0)
            text_append_char(buffer, (char)('0' + digit));
        i += step == 0 ? 1 : step;
    }
}
