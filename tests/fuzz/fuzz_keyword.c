/*
 * Invariants of what members are found by (the first byte splits the rest into a name and what is
 * typed):
 *   words are UTF-8, of a known class, and none is there twice;
 *   whoever is typed as he is called is found, and so is the front of him;
 *   one edit is near exactly when a slow look at all edits says so.
 */
#include "store/member_word.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LETTERS_MAX 24

static void fill(char *field, size_t size, struct text text)
{
    size_t length = text.length < size - 1 ? text.length : size - 1;
    if (length > 0)
        memcpy(field, text.base, length);
    field[length] = '\0';
}

static void check_words(const struct member_words *words)
{
    CHECK(words->count >= 0 && words->count <= MEMBER_WORDS_MAX);
    for (int32_t i = 0; i < words->count; i++) {
        const struct word *word = &words->words[i];
        CHECK(word->length > 1 && word->length <= WORD_MAX && strlen(word->bytes) == word->length);
        CHECK(strchr("NEI", word->bytes[0]) != NULL);
        CHECK(word->bytes[0] == WORD_CLASS_EMAIL ||
              text_is_utf8((struct text){word->bytes, word->length}));
        for (int32_t j = 0; j < i; j++)
            CHECK(strcmp(word->bytes, words->words[j].bytes) != 0);
    }
}

static void check_found(const struct member *member)
{
    struct member_words words;
    struct keyword keyword;
    member_words_fill(&words, member);
    check_words(&words);
    keyword_read(&keyword, text_of(member->first_name));
    for (int32_t i = 0; i < keyword.word_count; i++) {
        const struct look *look = &keyword.words[i];
        CHECK(look->count > 0 && look->count <= LOOK_PREFIXES_MAX && look->characters > 0);
        if (i < WORD_NAMES_MAX && words.words[0].length < WORD_MAX)
            CHECK(member_words_match(&words, look, false) &&
                  member_words_match(&words, look, true));
    }
    if (keyword.word_count > 0)
        CHECK(member_words_match(&words, &keyword.whole, false));
}

/* --- the slow look: letters a to d, so that edits meet --- */

static bool starts(const char *word, const char *prefix)
{
    return strncmp(word, prefix, strlen(prefix)) == 0;
}

static bool is_near_slowly(const char *word, const char *typed)
{
    size_t length = strlen(typed);
    char edited[LETTERS_MAX + 3];
    bool is_near = starts(word, typed);
    for (size_t i = 0; i <= length; i++) {
        memcpy(edited, typed, i);
        if (i < length)
            memcpy(edited + i, typed + i + 1, length - i); /* without it */
        is_near |= i < length && starts(word, edited);
        for (char c = 'a'; c <= 'd'; c++) {
            edited[i] = c;
            memcpy(edited + i + 1, typed + i, length - i + 1); /* one more */
            is_near |= starts(word, edited);
            if (i < length)
                memcpy(edited + i + 1, typed + i + 1, length - i); /* another */
            is_near |= i < length && starts(word, edited);
        }
        if (i + 1 < length) {
            memcpy(edited, typed, length + 1);
            edited[i] = typed[i + 1];
            edited[i + 1] = typed[i];
            is_near |= starts(word, edited);
        }
    }
    return is_near;
}

static void make_letters(char *out, struct text text)
{
    size_t length = text.length < LETTERS_MAX ? text.length : LETTERS_MAX;
    for (size_t i = 0; i < length; i++)
        out[i] = (char)('a' + (text.base[i] & 3));
    out[length] = '\0';
}

static void check_near(struct text name, struct text typed)
{
    char word_letters[LETTERS_MAX + 1], typed_letters[LETTERS_MAX + 1];
    struct word word = {.bytes = "N"}, prefix = {.bytes = "N"};
    make_letters(word_letters, name);
    make_letters(typed_letters, typed);
    fill(word.bytes + 1, sizeof(word.bytes) - 1, text_of(word_letters));
    fill(prefix.bytes + 1, sizeof(prefix.bytes) - 1, text_of(typed_letters));
    word.length = strlen(word.bytes);
    prefix.length = strlen(prefix.bytes);
    CHECK(word_nearly_starts_with(&word, &prefix) == is_near_slowly(word_letters, typed_letters));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct member member = {.code = "C", .account.is_active = true};
    struct keyword keyword;
    if (size == 0)
        return 0;
    struct text rest = {(const char *)data + 1, size - 1};
    struct text name = text_slice(rest, 0, data[0]);
    struct text typed = text_slice(rest, name.length, rest.length);
    fill(member.first_name, sizeof(member.first_name), name);
    fill(member.email, sizeof(member.email), name);
    fill(member.phone, sizeof(member.phone), name);
    check_found(&member);
    keyword_read(&keyword, typed);
    CHECK(keyword.word_count >= 0 && keyword.word_count <= SEARCH_WORDS_MAX);
    check_near(name, typed);
    return 0;
}
