/*
 * How members are found: the words that a member stands under in the index, and what a cashier
 * typed as words to look for. Pure: the store looks them up.
 *
 * A word begins with its class, then comes text that was made comparable (base/fold.h):
 *   N  a whole name, once from each of its words on, then round: "Ndavid kent", "Nkent david".
 *      So each word of it, and "first last" as well as "last first", is a prefix of one.
 *   E  an e-mail address in lower case, whole and from each word of its local part on:
 *      "Edavid.kent@example.com", "Ekent@example.com".
 *   I  code and membership card, letters and digits only: "Im1001"; and the phone without trunk
 *      zero or country code, so that "+61 400 000 000" and "0400 000 000" are the same one.
 * Of who is not active the same classes in small letters: whole name, address and phone. Nothing
 * that is typed begins so; an import still knows the person.
 */
#ifndef COUNTERPART_STORE_MEMBER_WORD_H
#define COUNTERPART_STORE_MEMBER_WORD_H

#include "store/member.h"

/* Class, an e-mail address of MEMBER_EMAIL_MAX, NUL. Longer folded names are cut: who types 250
 * characters has found the member before. */
#define WORD_MAX (MEMBER_EMAIL_MAX + 1)
#define WORD_CLASS_NAME 'N'
#define WORD_CLASS_EMAIL 'E'
#define WORD_CLASS_NUMBER 'I'

struct word {
    char bytes[WORD_MAX + 1];
    size_t length;
};

/* More words of one name or address are not found by: nobody has them. */
#define WORD_NAMES_MAX 6
#define WORD_EMAILS_MAX 4
#define MEMBER_WORDS_MAX (WORD_NAMES_MAX + WORD_EMAILS_MAX + 3)

struct member_words {
    struct word words[MEMBER_WORDS_MAX];
    int32_t count; /* none are equal */
};
/* Of a member that is not active those that tell who it is, retired. */
void member_words_fill(struct member_words *words, const struct member *member);

/* What tells people apart that have no code: the whole name, and the address or else the phone.
 * false: neither is known. Others have these words, too (a name turned round, the end of an
 * address, a code): members_are_same says who is meant. */
MUST_CHECK bool member_words_identify(const struct member *member, struct word *name,
                                      struct word *contact);
/* Is member in all but spelling like, who has these two? Not the same the other way round: when
 * like has no address, the phone decides. */
MUST_CHECK bool members_are_same(const struct member *like, const struct member *member);
/* What stands in its place in the index when the member is not active. */
void word_retire(struct word *word);

/* One thing to be found: any of these prefixes is it. */
#define LOOK_PREFIXES_MAX 5
struct look {
    struct word prefixes[LOOK_PREFIXES_MAX];
    int32_t count;
    int32_t characters; /* of the word: SEARCH_TYPO_MIN */
};

struct keyword {
    struct look whole; /* all that was typed, as one name, address or number */
    struct look words[SEARCH_WORDS_MAX];
    int32_t word_count; /* 0: nothing to look for */
};
/* Any bytes. What is longer than SEARCH_KEYWORD_MAX characters is cut. */
void keyword_read(struct keyword *keyword, struct text typed);

bool word_starts_with(const struct word *word, const struct word *prefix);
/* Has word a prefix that is prefix with at most one edit behind the class: a character too few, too
 * many, another one, or two neighbours swapped? */
bool word_nearly_starts_with(const struct word *word, const struct word *prefix);
/* Does one of the words start with one of the prefixes? Numbers are never guessed. */
bool member_words_match(const struct member_words *words, const struct look *look, bool may_differ);

#endif
