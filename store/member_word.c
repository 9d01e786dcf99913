/* Makes the words that members are found by, of their rows and of what cashiers type. */
#include "store/member_word.h"

#include "base/fold.h"

#include <string.h>

#include "base/banned.h"

/* Digits that make a number complete enough to begin with its country code though no plus says so:
 * the shortest mobile numbers have 7, after a code of up to 3. */
#define PHONE_COUNTRY_DIGITS_MIN 10

/* --- words --- */

static void buffer_on(struct text_buffer *buffer, struct word *word, char class)
{
    text_buffer_init(buffer, word->bytes, sizeof(word->bytes));
    text_append_char(buffer, class);
}

static struct text text_in(const struct word *word)
{
    return (struct text){word->bytes + 1, word->length - 1};
}

static bool words_are_equal(const struct word *a, const struct word *b)
{
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

/* Empty ones and repetitions are left out. */
static void words_add(struct word *words, int32_t *count, int32_t max, const struct word *word)
{
    if (word->length <= 1 || *count == max)
        return;
    for (int32_t i = 0; i < *count; i++)
        if (words_are_equal(&words[i], word))
            return;
    words[(*count)++] = *word;
}

static void member_words_add(struct member_words *words, const struct word *word)
{
    words_add(words->words, &words->count, MEMBER_WORDS_MAX, word);
}

static void look_add(struct look *look, const struct word *word)
{
    words_add(look->prefixes, &look->count, LOOK_PREFIXES_MAX, word);
}

static void make_word(struct word *word, char class, struct text text)
{
    struct text_buffer buffer;
    buffer_on(&buffer, word, class);
    text_append(&buffer, text);
    word->length = buffer.length;
}

static void make_folded(struct word *word, struct text text)
{
    struct text_buffer buffer;
    buffer_on(&buffer, word, WORD_CLASS_NAME);
    fold_append(&buffer, text);
    word->length = buffer.length;
}

/* Letters and digits without what stands between them: "M-1001" and "m 1001" are "m1001". */
static void make_number(struct word *word, struct text text)
{
    struct word folded;
    struct text_buffer buffer;
    make_folded(&folded, text);
    buffer_on(&buffer, word, WORD_CLASS_NUMBER);
    for (size_t i = 1; i < folded.length; i++)
        if (folded.bytes[i] != ' ')
            text_append_char(&buffer, folded.bytes[i]);
    word->length = buffer.length;
}

static void make_email(struct word *word, struct text text)
{
    struct text_buffer buffer;
    buffer_on(&buffer, word, WORD_CLASS_EMAIL);
    for (size_t i = 0; i < text.length; i++) {
        char c = text.base[i];
        text_append_char(&buffer, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
    }
    word->length = buffer.length;
}

/* --- phones --- */

/* ITU-T E.164: zones 1 and 7 have codes of one digit; these pairs are whole codes; all others have
 * three digits. */
static size_t country_code_length(struct text digits)
{
    static const char pairs[] = "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 "
                                "55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98";
    if (digits.length > 0 && (digits.base[0] == '1' || digits.base[0] == '7'))
        return 1;
    if (digits.length < 2)
        return digits.length;
    for (size_t i = 0; i + 1 < sizeof(pairs); i += 3)
        if (memcmp(pairs + i, digits.base, 2) == 0)
            return 2;
    return 3;
}

static struct text without_zeros(struct text digits)
{
    while (digits.length > 0 && digits.base[0] == '0')
        digits = text_slice(digits, 1, digits.length);
    return digits;
}

static struct text without_country(struct text digits)
{
    return without_zeros(text_slice(digits, country_code_length(digits), digits.length));
}

static bool is_international(struct text typed, struct text digits)
{
    return text_starts_with(text_trim(typed), TEXT("+")) || text_starts_with(digits, TEXT("00"));
}

static struct text append_digits(struct text_buffer *buffer, char *bytes, size_t capacity,
                                 struct text text)
{
    text_buffer_init(buffer, bytes, capacity);
    fold_append_digits(buffer, text);
    return text_buffer_text(buffer);
}

/* "+61 (0)400 000 000", "0061400...", "0400-000-000", "400000000": all the same. */
static void make_phone(struct word *word, struct text typed)
{
    char bytes[WORD_MAX];
    struct text_buffer buffer;
    struct text digits = append_digits(&buffer, bytes, sizeof(bytes), typed);
    make_word(word, WORD_CLASS_NUMBER,
              is_international(typed, digits) ? without_country(without_zeros(digits))
                                              : without_zeros(digits));
}

static bool is_phone_like(struct text typed)
{
    for (size_t i = 0; i < typed.length; i++)
        if (strchr("0123456789 +-()./", typed.base[i]) == NULL || typed.base[i] == '\0')
            return false;
    return typed.length > 0;
}

/* A phone as somebody types it; also "61400000000", which does not say that it begins with a
 * country code. */
static void look_add_phone(struct look *look, struct text typed)
{
    char bytes[WORD_MAX];
    struct text_buffer buffer;
    struct word word;
    if (!is_phone_like(typed))
        return;
    make_phone(&word, typed);
    look_add(look, &word);
    struct text digits = append_digits(&buffer, bytes, sizeof(bytes), typed);
    if (digits.length < PHONE_COUNTRY_DIGITS_MIN || digits.base[0] == '0')
        return;
    make_word(&word, WORD_CLASS_NUMBER, without_country(digits));
    look_add(look, &word);
}

/* --- a member's --- */

static void make_name(struct word *name, const struct member *member)
{
    char bytes[2 * MEMBER_NAME_MAX + 2];
    struct text_buffer buffer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    text_append(&buffer, text_of(member->first_name));
    text_append_char(&buffer, ' ');
    text_append(&buffer, text_of(member->last_name));
    make_folded(name, text_buffer_text(&buffer));
}

static void add_names(struct member_words *words, const struct member *member)
{
    struct text_buffer buffer;
    struct word name, turned;
    make_name(&name, member);
    struct text all = text_in(&name);
    for (size_t from = 0, added = 0; from < all.length && added < WORD_NAMES_MAX; added++) {
        buffer_on(&buffer, &turned, WORD_CLASS_NAME);
        text_append(&buffer, text_slice(all, from, all.length));
        if (from > 0) {
            text_append_char(&buffer, ' ');
            text_append(&buffer, text_slice(all, 0, from - 1));
        }
        turned.length = buffer.length;
        member_words_add(words, &turned);
        while (from < all.length && all.base[from] != ' ')
            from++;
        from++;
    }
}

static void add_emails(struct member_words *words, const struct member *member)
{
    struct text email = text_of(member->email);
    struct word word;
    int32_t added = 0;
    make_email(&word, email);
    member_words_add(words, &word);
    for (size_t i = 0; i < email.length && email.base[i] != '@'; i++) {
        bool is_between = i > 0 && strchr("._-+", email.base[i - 1]) != NULL;
        if (!is_between || strchr("._-+", email.base[i]) != NULL)
            continue;
        if (++added == WORD_EMAILS_MAX)
            return;
        make_email(&word, text_slice(email, i, email.length));
        member_words_add(words, &word);
    }
}

void word_retire(struct word *word)
{
    word->bytes[0] = (char)(word->bytes[0] - 'A' + 'a');
}

static void fill_retired(struct member_words *words, const struct member *member)
{
    struct word word;
    make_name(&word, member);
    member_words_add(words, &word);
    make_email(&word, text_of(member->email));
    member_words_add(words, &word);
    make_phone(&word, text_of(member->phone));
    member_words_add(words, &word);
    for (int32_t i = 0; i < words->count; i++)
        word_retire(&words->words[i]);
}

void member_words_fill(struct member_words *words, const struct member *member)
{
    struct word word;
    words->count = 0;
    if (!member->account.is_active) {
        fill_retired(words, member);
        return;
    }
    add_names(words, member);
    add_emails(words, member);
    make_number(&word, text_of(member->code));
    member_words_add(words, &word);
    make_number(&word, text_of(member->card_number));
    member_words_add(words, &word);
    make_phone(&word, text_of(member->phone));
    member_words_add(words, &word);
}

bool member_words_identify(const struct member *member, struct word *name, struct word *contact)
{
    make_name(name, member);
    make_email(contact, text_of(member->email));
    if (contact->length <= 1)
        make_phone(contact, text_of(member->phone));
    return name->length > 1 && contact->length > 1;
}

bool members_are_same(const struct member *like, const struct member *member)
{
    struct word name, contact, its_name, its_contact;
    if (!member_words_identify(like, &name, &contact))
        return false;
    make_name(&its_name, member);
    if (contact.bytes[0] == WORD_CLASS_EMAIL)
        make_email(&its_contact, text_of(member->email));
    else
        make_phone(&its_contact, text_of(member->phone));
    return words_are_equal(&name, &its_name) && words_are_equal(&contact, &its_contact);
}

/* --- a keyword's --- */

/* The first SEARCH_KEYWORD_MAX characters; bytes that are no UTF-8 count one each. */
static struct text cut_keyword(struct text typed)
{
    size_t length = 0;
    for (int i = 0; i < SEARCH_KEYWORD_MAX && length < typed.length; i++)
        length += text_utf8_step(typed, length);
    return text_slice(typed, 0, length);
}

static int32_t count_characters(struct text text)
{
    int32_t count = 0; /* bytes that begin one */
    for (size_t i = 0; i < text.length; i++)
        count += ((unsigned char)text.base[i] & 0xC0) != 0x80;
    return count;
}

static void look_read_word(struct look *look, struct text folded)
{
    static const char classes[] = {WORD_CLASS_NAME, WORD_CLASS_EMAIL, WORD_CLASS_NUMBER};
    struct word word;
    *look = (struct look){.characters = count_characters(folded)};
    for (size_t i = 0; i < sizeof(classes); i++) {
        make_word(&word, classes[i], folded);
        look_add(look, &word);
    }
    look_add_phone(look, folded);
}

static void look_read_whole(struct look *look, struct text typed, const struct word *folded)
{
    struct word word;
    *look = (struct look){.characters = count_characters(text_in(folded))};
    look_add(look, folded);
    if (text_is_utf8(typed) && text_is_printable(typed) &&
        (typed.length == 0 || memchr(typed.base, ' ', typed.length) == NULL)) {
        make_email(&word, typed);
        look_add(look, &word);
    }
    make_number(&word, typed);
    look_add(look, &word);
    look_add_phone(look, typed);
}

void keyword_read(struct keyword *keyword, struct text typed)
{
    struct word folded;
    typed = text_trim(cut_keyword(typed));
    make_folded(&folded, typed);
    keyword->word_count = 0;
    struct text rest = text_in(&folded);
    while (rest.length > 0 && keyword->word_count < SEARCH_WORDS_MAX) {
        const char *space = memchr(rest.base, ' ', rest.length);
        size_t length = space == NULL ? rest.length : (size_t)(space - rest.base);
        look_read_word(&keyword->words[keyword->word_count++], text_slice(rest, 0, length));
        rest = text_slice(rest, length + 1, rest.length);
    }
    look_read_whole(&keyword->whole, typed, &folded);
}

/* --- comparing --- */

bool word_starts_with(const struct word *word, const struct word *prefix)
{
    return word->length >= prefix->length &&
           memcmp(word->bytes, prefix->bytes, prefix->length) == 0;
}

static bool rest_starts_with(struct text text, size_t from, struct text prefix, size_t prefix_from)
{
    return text_starts_with(text_slice(text, from, text.length),
                            text_slice(prefix, prefix_from, prefix.length));
}

/* Are the next two characters the same, the other way round, and the rest equal? */
static bool is_swapped(struct text text, struct text prefix, size_t at)
{
    size_t first = text_utf8_step(prefix, at), second = text_utf8_step(prefix, at + first);
    return at + first < prefix.length &&
           text_equal(text_slice(text, at, second), text_slice(prefix, at + first, second)) &&
           text_equal(text_slice(text, at + second, first), text_slice(prefix, at, first)) &&
           rest_starts_with(text, at + first + second, prefix, at + first + second);
}

bool word_nearly_starts_with(const struct word *word, const struct word *prefix)
{
    if (word->bytes[0] != prefix->bytes[0])
        return false;
    struct text text = text_in(word), typed = text_in(prefix);
    size_t at = 0; /* of the first difference */
    while (at < text.length && at < typed.length && text.base[at] == typed.base[at])
        at++;
    if (at == typed.length)
        return true;
    while (at > 0 && ((unsigned char)typed.base[at] & 0xC0) == 0x80)
        at--; /* to the beginning of its character */
    size_t typed_step = text_utf8_step(typed, at), step = text_utf8_step(text, at);
    return rest_starts_with(text, at, typed, at + typed_step) ||
           rest_starts_with(text, at + step, typed, at) ||
           rest_starts_with(text, at + step, typed, at + typed_step) || is_swapped(text, typed, at);
}

bool member_words_match(const struct member_words *words, const struct look *look, bool may_differ)
{
    may_differ = may_differ && look->characters >= SEARCH_TYPO_MIN;
    for (int32_t i = 0; i < words->count; i++)
        for (int32_t j = 0; j < look->count; j++) {
            const struct word *prefix = &look->prefixes[j];
            bool may_be_near = may_differ && prefix->bytes[0] != WORD_CLASS_NUMBER;
            if (word_starts_with(&words->words[i], prefix) ||
                (may_be_near && word_nearly_starts_with(&words->words[i], prefix)))
                return true;
        }
    return false;
}
