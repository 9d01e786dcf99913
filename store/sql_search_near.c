/*
 * Finds names word by word, and who is meant when nobody is found by what was typed: walks the
 * index of words as if it were a tree of characters, one edit beside the way that was typed. So no
 * alphabet has to be known, and only what occurs is tried.
 */
#include "store/sql_search.h"

#include <string.h>

#include "base/banned.h"

/* Rows of one corrected word that are taken: a short one ("jon" for "jonh") has thousands, and must
 * not keep out the others. */
#define VARIANT_ROWS_MAX 64
/* Corrections of one word of several that the other words are tried behind. */
#define TOKENS_MAX 16

/* A walk beside one word as it was typed. Positions are in bytes and begin a character. */
struct walk {
    struct search *search;
    const struct look *look;
    const struct word *typed;
    size_t from;        /* the first position that may differ */
    search_row_fn each; /* gets the rows of each correction; NULL: tokens are wanted */
    int32_t token_count;
    struct word tokens[TOKENS_MAX]; /* what stands in the index up to the end of the word */
};

static size_t step_at(const struct word *word, size_t at)
{
    return text_utf8_step((struct text){word->bytes, word->length}, at);
}

static size_t token_end(const struct word *word, size_t at)
{
    while (at < word->length && word->bytes[at] != ' ')
        at++;
    return at;
}

static void add_token(struct walk *walk, const struct word *found)
{
    struct word token = *found;
    token.length = token_end(found, walk->from);
    token.bytes[token.length] = '\0';
    if (token.length == found->length || walk->token_count == TOKENS_MAX)
        return; /* the name ends here, but more was typed */
    for (int32_t i = 0; i < walk->token_count; i++)
        if (strcmp(walk->tokens[i].bytes, token.bytes) == 0)
            return;
    walk->tokens[walk->token_count++] = token;
}

/* --- one word --- */

static int try_variant(struct walk *walk, size_t at, size_t end, struct text by)
{
    struct word variant, found;
    bool is_there;
    if (!search_replace(&variant, walk->typed, at, end, by) || variant.length <= walk->from)
        return 0;
    int err = search_find_next(walk->search, &variant, &variant, &found, &is_there);
    if (err != 0 || !is_there)
        return err;
    if (walk->each != NULL)
        return search_each_row(walk->search, walk->look, &variant, VARIANT_ROWS_MAX, walk->each);
    add_token(walk, &found);
    return 0;
}

static int try_without(struct walk *walk, size_t at)
{
    return try_variant(walk, at, at + step_at(walk->typed, at), TEXT(""));
}

static int try_swapped(struct walk *walk, size_t at)
{
    const struct word *typed = walk->typed;
    char bytes[8]; /* two characters of at most four bytes */
    size_t first = step_at(typed, at);
    if (at + first == typed->length)
        return 0;
    size_t second = step_at(typed, at + first);
    memcpy(bytes, typed->bytes + at + first, second);
    memcpy(bytes + second, typed->bytes + at, first);
    return try_variant(walk, at, at + first + second, (struct text){bytes, first + second});
}

/* Before and instead of the character that was typed. */
static int try_other(struct walk *walk, size_t at, struct text other)
{
    int err = try_variant(walk, at, at, other);
    return err != 0 ? err : try_variant(walk, at, at + step_at(walk->typed, at), other);
}

/* Every character that does follow the first at bytes of some word. */
static int try_others(struct walk *walk, size_t at)
{
    struct word before, from, found;
    bool is_there;
    if (!search_replace(&before, walk->typed, at, walk->typed->length, TEXT("")))
        return 0;
    int err = search_find_next(walk->search, &before, &before, &found, &is_there);
    while (err == 0 && is_there) {
        /* A word may end here: what comes behind it is any that goes on. */
        bool is_end = found.length == at;
        struct text other = {found.bytes + at, is_end ? 0 : step_at(&found, at)};
        if (!is_end)
            err = try_other(walk, at, other);
        if (err != 0 || !search_replace(&from, &before, at, at, is_end ? TEXT("\x01") : other))
            break;
        if (!is_end && !search_raise(&from)) /* past all that go on with this character */
            break;
        err = search_find_next(walk->search, &before, &from, &found, &is_there);
    }
    return err;
}

/* Words that are long enough to be mistyped; in the others every character counts. */
static bool may_differ_at(const struct word *typed, size_t at)
{
    size_t from = at, to = token_end(typed, at);
    int32_t characters = 0;
    while (from > 1 && typed->bytes[from - 1] != ' ')
        from--;
    for (size_t i = from; i < to; i += step_at(typed, i))
        characters++;
    return characters >= SEARCH_TYPO_MIN;
}

/* How much of it some word begins with: an edit behind that cannot help. */
static int find_depth(struct walk *walk, size_t *depth)
{
    struct word prefix, found;
    bool is_there = true;
    int err = 0;
    *depth = walk->from;
    while (*depth < walk->typed->length) {
        size_t next = *depth + step_at(walk->typed, *depth);
        if (!search_replace(&prefix, walk->typed, next, walk->typed->length, TEXT("")))
            break;
        err = search_find_next(walk->search, &prefix, &prefix, &found, &is_there);
        if (err != 0 || !is_there)
            break;
        *depth = next;
    }
    return err;
}

static int try_position(struct walk *walk, size_t at)
{
    unsigned char first = (unsigned char)walk->typed->bytes[at];
    if ((first & 0xC0) == 0x80 || first == ' ' || !may_differ_at(walk->typed, at))
        return 0;
    int err = try_swapped(walk, at);
    if (err == 0)
        err = try_without(walk, at);
    return err != 0 ? err : try_others(walk, at);
}

/* From the deepest place upwards: there the fewest other characters follow, and the first letter of
 * a name is the least likely to be wrong. */
static int walk_word(struct walk *walk)
{
    size_t at;
    int err = find_depth(walk, &at);
    if (at == walk->typed->length)
        at--;
    for (size_t left = at - walk->from + 1; err == 0 && left > 0; left--, at--)
        err = try_position(walk, at);
    return err;
}

static int walk_look(struct search *search, const struct look *look, search_row_fn each)
{
    int err = 0;
    for (int32_t i = 0; err == 0 && i < look->count; i++) {
        struct walk walk = {
            .search = search, .look = look, .typed = &look->prefixes[i], .from = 1, .each = each};
        if (walk.typed->bytes[0] != WORD_CLASS_NUMBER)
            err = walk_word(&walk);
    }
    return err;
}

/* --- names of several words --- */

static bool is_enough(const struct search *search)
{
    return search->count >= SEARCH_RESULTS_MAX;
}

static int expand(struct search *search, const struct word *typed, size_t from, int32_t index,
                  bool may_differ);

/* The next word behind a whole word of the index. */
static int expand_behind(struct search *search, const struct word *token, int32_t index,
                         bool may_differ)
{
    const struct word *word = &search->keyword->words[index].prefixes[0];
    struct word front, typed;
    CHECK(word->bytes[0] == WORD_CLASS_NAME);
    if (!search_replace(&front, token, token->length, token->length, TEXT(" ")) ||
        !search_replace(&typed, &front, front.length, front.length,
                        (struct text){word->bytes + 1, word->length - 1}))
        return 0;
    return expand(search, &typed, token->length + 1, index, may_differ);
}

/* Every word of the index that begins as typed. */
static int expand_exact(struct search *search, const struct word *typed, size_t from, int32_t index,
                        bool may_differ)
{
    struct word found, next;
    bool is_there;
    int err = search_find_next(search, typed, typed, &found, &is_there);
    while (err == 0 && is_there && !is_enough(search)) {
        size_t end = token_end(&found, from);
        bool has_more = end < found.length;
        found.length = end;
        found.bytes[end] = '\0';
        if (has_more)
            err = expand_behind(search, &found, index + 1, may_differ);
        /* '!' comes next after the space: past all names that go on with this word. */
        if (err != 0 || !search_replace(&next, &found, end, end, TEXT("!")))
            break;
        err = search_find_next(search, typed, &next, &found, &is_there);
    }
    return err;
}

static int expand_near(struct search *search, const struct word *typed, size_t from, int32_t index)
{
    bool is_last = index + 1 == search->keyword->word_count;
    struct walk walk = {.search = search,
                        .look = &search->keyword->words[index],
                        .typed = typed,
                        .from = from,
                        .each = is_last ? search_on_found : NULL};
    int err = walk_word(&walk);
    for (int32_t i = 0; err == 0 && i < walk.token_count && !is_enough(search); i++)
        err = expand_behind(search, &walk.tokens[i], index + 1, true);
    return err;
}

/* typed is what stands before, found in the index word by word, and the word at index from from. */
static int expand(struct search *search, const struct word *typed, size_t from, int32_t index,
                  bool may_differ)
{
    const struct look *look = &search->keyword->words[index];
    int err = index + 1 == search->keyword->word_count
                  ? search_each_row(search, look, typed, VARIANT_ROWS_MAX, search_on_found)
                  : expand_exact(search, typed, from, index, may_differ);
    if (err == 0 && may_differ && look->characters >= SEARCH_TYPO_MIN && !is_enough(search))
        err = expand_near(search, typed, from, index);
    return err;
}

int search_names(struct search *search, bool may_differ)
{
    return expand(search, &search->keyword->words[0].prefixes[0], 1, 0, may_differ);
}

/* One edit in all that was typed; then one in each word of a name; then one in each word, wherever
 * it stands, among those who have the longest. */
int search_nearby(struct search *search)
{
    const struct keyword *keyword = search->keyword;
    const struct look *longest = &keyword->words[0];
    int err = walk_look(search, &keyword->whole, search_on_found);
    if (err != 0 || search->count > 0 || keyword->word_count == 1)
        return err;
    err = search_names(search, true);
    if (err != 0 || search->count > 0)
        return err;
    for (int32_t i = 1; i < keyword->word_count; i++)
        if (keyword->words[i].characters > longest->characters)
            longest = &keyword->words[i];
    err = search_each_row(search, longest, &longest->prefixes[0], SEARCH_SCAN_MAX,
                          search_on_near_word);
    return err != 0 ? err : walk_look(search, longest, search_on_near_word);
}
