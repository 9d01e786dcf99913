/*
 * Finds members by what a cashier typed: by ranges of the index of words, and by looking at the
 * other words of those found.
 */
#include "store/sql_search.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* Rows taken of what begins as all that was typed: ten times as many as are told, so that among
 * them who came first comes first. Of a first name there are tens of thousands; nobody reads a
 * list. */
#define SEARCH_WHOLE_MAX (10 * SEARCH_RESULTS_MAX)
/* Members read to look at their other words, for one query: some 10 us each. */
#define SEARCH_READS_MAX 500
/*
 * Single look-ups for one query, some 5 us each when the pages are in memory: of an exact search to
 * pass over the words that begin with a short one; of a search for typing errors, where a name of
 * eight letters takes some 300.
 */
#define SEARCH_SEEKS_EXACT 500
#define SEARCH_SEEKS_NEAR 4000
/* Rows of one word that are counted to find the rarest: beyond this none is rare. */
#define SEARCH_COUNT_MAX 500
/* Unicode: no characters, and the last one. */
#define SURROGATES_BEGIN 0xD800
#define SURROGATES_END 0xE000
#define CHARACTER_MAX 0x10FFFF

enum search_statement {
    SEARCH_RANGE,
    SEARCH_COUNT,
    SEARCH_NEXT,
    SEARCH_STATEMENTS,
};
#define IN_RANGE "FROM member_word WHERE tenant_id = ? AND word >= ? AND word < ? "
static const char *const search_text[SEARCH_STATEMENTS] = {
    [SEARCH_RANGE] = "SELECT word, member_id " IN_RANGE "ORDER BY word, member_id LIMIT ?",
    [SEARCH_COUNT] = "SELECT count(*) FROM (SELECT 1 " IN_RANGE "LIMIT ?) AS found",
    [SEARCH_NEXT] = "SELECT word " IN_RANGE "ORDER BY word LIMIT 1",
};

/* --- look-ups --- */

bool search_replace(struct word *word, const struct word *prefix, size_t at, size_t end,
                    struct text by)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, word->bytes, sizeof(word->bytes));
    text_append(&buffer, (struct text){prefix->bytes, at});
    text_append(&buffer, by);
    text_append(&buffer, (struct text){prefix->bytes + end, prefix->length - end});
    word->length = buffer.length;
    return !buffer.is_cut;
}

static uint32_t character_at(const char *bytes, size_t size)
{
    static const uint8_t masks[] = {0x7F, 0x1F, 0x0F, 0x07};
    uint32_t character = (uint8_t)bytes[0] & masks[size - 1];
    for (size_t i = 1; i < size; i++)
        character = character << 6 | ((uint8_t)bytes[i] & 0x3F);
    return character;
}

static size_t put_character(char bytes[4], uint32_t character)
{
    static const uint8_t marks[] = {0, 0xC0, 0xE0, 0xF0};
    size_t size = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    for (size_t i = size; i-- > 1; character >>= 6)
        bytes[i] = (char)(0x80 | (character & 0x3F));
    bytes[0] = (char)(marks[size - 1] | character);
    return size;
}

/* In the order of bytes, which is that of code points. A byte raised alone would do for SQLite, but
 * PostgreSQL takes no text that is not UTF-8. */
bool search_raise(struct word *word)
{
    char raised[4];
    size_t at = word->length - 1;
    while (at > 0 && ((uint8_t)word->bytes[at] & 0xC0) == 0x80)
        at--;
    uint32_t next = character_at(word->bytes + at, word->length - at) + 1;
    if (next == SURROGATES_BEGIN)
        next = SURROGATES_END;
    struct text by = {raised, next > CHARACTER_MAX ? 0 : put_character(raised, next)};
    struct word before = *word;
    return by.length > 0 && search_replace(word, &before, at, before.length, by);
}

/* What begins with prefix is not below it, and below prefix with its last character raised; what
 * cannot be raised is nobody's name. */
static void bind_range(struct binder *binder, int64_t tenant_id, const struct word *prefix,
                       struct word *end)
{
    CHECK(prefix->length > 0);
    *end = *prefix;
    if (!search_raise(end))
        *end = *prefix;
    bind_int(binder, tenant_id);
    bind_text(binder, prefix->bytes);
    bind_text(binder, end->bytes);
}

static int prepare(struct search *search, enum search_statement which,
                   struct sql_statement **statement)
{
    return sql_prepare_of(search->sql, AREA_SEARCH, (int)which, search_text[which], statement);
}

static int read_word(struct columns *columns, struct word *word)
{
    column_text(columns, word->bytes, sizeof(word->bytes));
    word->length = strlen(word->bytes);
    return columns->is_bad || word->length == 0 ? ERR_STORE_CORRUPT : 0;
}

int search_each_row(struct search *search, const struct look *look, const struct word *prefix,
                    int32_t limit, search_row_fn each)
{
    struct word word, end;
    struct sql_statement *statement;
    bool has_row;
    int err = prepare(search, SEARCH_RANGE, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_range(&binder, search->tenant_id, prefix, &end);
    bind_int(&binder, limit < search->rows_left ? limit : search->rows_left);
    err = sql_step(search->sql, statement, &has_row);
    while (err == 0 && has_row) {
        struct columns columns = {.statement = statement};
        search->rows_left--;
        err = read_word(&columns, &word);
        if (err == 0)
            err = each(search, look, prefix, &word, column_int(&columns));
        if (err == 0)
            err = sql_step(search->sql, statement, &has_row);
    }
    sql_reset(statement);
    return err;
}

static int count_rows(struct search *search, const struct word *prefix, int32_t *count)
{
    struct word end;
    struct sql_statement *statement;
    int err = prepare(search, SEARCH_COUNT, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_range(&binder, search->tenant_id, prefix, &end);
    bind_int(&binder, SEARCH_COUNT_MAX);
    err = sql_step_to_row(search->sql, statement);
    CHECK(err != ERR_NOT_FOUND); /* a count always has a row */
    if (err != 0)
        return err;
    *count += column_int32(&(struct columns){.statement = statement});
    sql_reset(statement);
    return 0;
}

int search_find_next(struct search *search, const struct word *prefix, const struct word *from,
                     struct word *word, bool *is_there)
{
    struct word end;
    struct sql_statement *statement;
    *is_there = false;
    if (search->seeks_left == 0)
        return 0;
    search->seeks_left--;
    int err = prepare(search, SEARCH_NEXT, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_range(&binder, search->tenant_id, prefix, &end);
    if (from->length > prefix->length) {
        binder.position = 1;
        bind_text(&binder, from->bytes);
    }
    err = sql_step(search->sql, statement, is_there);
    if (*is_there)
        err = read_word(&(struct columns){.statement = statement}, word);
    sql_reset(statement);
    return err;
}

/* --- candidates --- */

static void add_candidate(struct search *search, int64_t member_id, bool is_exact)
{
    CHECK(search->count < SEARCH_SCAN_MAX); /* each row gives one at most */
    search->candidates[search->count++] = (struct candidate){member_id, is_exact};
}

static bool is_whole(const struct word *prefix, const struct word *word)
{
    char behind = word->bytes[prefix->length];
    return behind == '\0' || (behind == ' ' && word->bytes[0] == WORD_CLASS_NAME) ||
           (behind == '@' && word->bytes[0] == WORD_CLASS_EMAIL);
}

int search_on_found(struct search *search, const struct look *look, const struct word *prefix,
                    const struct word *word, int64_t member_id)
{
    (void)look;
    add_candidate(search, member_id, is_whole(prefix, word));
    return 0;
}

static int look_up(struct search *search, const struct look *look)
{
    int err = 0;
    for (int32_t i = 0; err == 0 && i < look->count; i++)
        err = search_each_row(search, look, &look->prefixes[i], SEARCH_WHOLE_MAX, search_on_found);
    return err;
}

/* --- several words --- */

static bool all_match(const struct search *search, const struct member_words *words,
                      const struct look *but, bool may_differ)
{
    const struct keyword *keyword = search->keyword;
    for (int32_t i = 0; i < keyword->word_count; i++)
        if (&keyword->words[i] != but && !member_words_match(words, &keyword->words[i], may_differ))
            return false;
    return true;
}

/* A whole name is one row: all of its words begin somewhere in it. */
static void split_name(struct member_words *words, const struct word *word)
{
    words->count = 0;
    for (size_t i = 1; i < word->length && words->count < MEMBER_WORDS_MAX; i++) {
        if (i > 1 && word->bytes[i - 1] != ' ')
            continue;
        struct word *part = &words->words[words->count++];
        part->bytes[0] = WORD_CLASS_NAME;
        part->length = word->length - i + 1;
        memcpy(part->bytes + 1, word->bytes + i, part->length);
    }
}

static int add_if_all_match(struct search *search, const struct look *look, const struct word *word,
                            int64_t member_id, bool may_differ)
{
    struct member_words words;
    struct member member;
    if (word->bytes[0] == WORD_CLASS_NAME) {
        split_name(&words, word);
        if (all_match(search, &words, look, may_differ)) {
            add_candidate(search, member_id, false);
            return 0;
        }
    }
    if (search->reads_left == 0)
        return 0;
    search->reads_left--;
    int err = sql_read_member(&search->sql->store, search->tenant_id, member_id, &member);
    if (err != 0)
        return err == ERR_NOT_FOUND ? ERR_STORE_CORRUPT : err;
    member_words_fill(&words, &member);
    if (all_match(search, &words, look, may_differ))
        add_candidate(search, member_id, false);
    return 0;
}

static int on_word(struct search *search, const struct look *look, const struct word *prefix,
                   const struct word *word, int64_t member_id)
{
    (void)prefix;
    return add_if_all_match(search, look, word, member_id, false);
}

int search_on_near_word(struct search *search, const struct look *look, const struct word *prefix,
                        const struct word *word, int64_t member_id)
{
    (void)prefix;
    return add_if_all_match(search, look, word, member_id, true);
}

/* The word that fewest members have; *rows 0: one of the words nobody has. */
static int find_rarest(struct search *search, const struct look **rarest, int32_t *rows)
{
    const struct keyword *keyword = search->keyword;
    *rows = INT32_MAX;
    for (int32_t i = 0; i < keyword->word_count; i++) {
        const struct look *look = &keyword->words[i];
        int32_t count = 0;
        for (int32_t j = 0; j < look->count; j++) {
            int err = count_rows(search, &look->prefixes[j], &count);
            if (err != 0)
                return err;
        }
        if (count < *rows) {
            *rows = count;
            *rarest = look;
        }
        if (count == 0)
            break;
    }
    return 0;
}

/* Whom names alone have found is meant; members are read only when nobody was: then one of the
 * words may be of an address or a number. */
static int look_up_words(struct search *search)
{
    const struct look *rarest = &search->keyword->words[0];
    int32_t rows;
    if (search->count > 0)
        search->reads_left = 0;
    int err = find_rarest(search, &rarest, &rows);
    for (int32_t i = 0; err == 0 && rows > 0 && i < rarest->count; i++)
        err = search_each_row(search, rarest, &rarest->prefixes[i], SEARCH_SCAN_MAX, on_word);
    return err;
}

/* --- results --- */

static int compare_ids(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;
    if (a->member_id != b->member_id)
        return a->member_id < b->member_id ? -1 : 1;
    return (int)b->is_exact - (int)a->is_exact;
}

static int compare_ranks(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;
    if (a->is_exact != b->is_exact)
        return a->is_exact ? -1 : 1;
    return compare_ids(left, right);
}

/* Each member once; exact words first, then by id. */
static void rank(struct search *search)
{
    int32_t kept = 0;
    qsort(search->candidates, (size_t)search->count, sizeof(search->candidates[0]), compare_ids);
    for (int32_t i = 0; i < search->count; i++)
        if (kept == 0 || search->candidates[kept - 1].member_id != search->candidates[i].member_id)
            search->candidates[kept++] = search->candidates[i];
    search->count = kept;
    qsort(search->candidates, (size_t)kept, sizeof(search->candidates[0]), compare_ranks);
}

static int give(struct search *search, int32_t limit, store_member_fn each, void *context)
{
    rank(search);
    for (int32_t i = 0; i < search->count && i < limit; i++) {
        struct member member;
        int err = sql_read_member(&search->sql->store, search->tenant_id,
                                  search->candidates[i].member_id, &member);
        if (err != 0)
            return err == ERR_NOT_FOUND ? ERR_STORE_CORRUPT : err;
        each(context, &member);
    }
    return 0;
}

static int search_run(struct search *search, int32_t limit)
{
    const struct keyword *keyword = search->keyword;
    int err = look_up(search, &keyword->whole);
    if (err == 0 && search->count < limit && keyword->word_count > 1)
        err = search_names(search, false);
    if (err == 0 && search->count < limit && keyword->word_count > 1)
        err = look_up_words(search);
    if (err != 0 || search->count > 0)
        return err;
    search->rows_left = SEARCH_SCAN_MAX; /* what was looked at in vain does not count */
    search->reads_left = SEARCH_READS_MAX;
    search->seeks_left = SEARCH_SEEKS_NEAR;
    return search_nearby(search);
}

int sql_search_members(struct store *store, int64_t tenant_id, struct text keyword, int32_t limit,
                       store_member_fn each, void *context)
{
    struct keyword read;
    struct search search = {.sql = sql_of(store),
                            .tenant_id = tenant_id,
                            .keyword = &read,
                            .rows_left = SEARCH_SCAN_MAX,
                            .reads_left = SEARCH_READS_MAX,
                            .seeks_left = SEARCH_SEEKS_EXACT};
    keyword_read(&read, keyword);
    if (read.word_count == 0)
        return 0;
    bool is_alone = !sql_is_in_transaction(search.sql);
    int err = is_alone ? sql_begin_read(store) : 0; /* words and members of one moment */
    if (err != 0)
        return err;
    err = search_run(&search, limit);
    if (err == 0)
        err = give(&search, limit, each, context);
    if (is_alone)
        sql_end_read(store);
    return err;
}

const char *sql_search_text(int index)
{
    return index >= 0 && index < SEARCH_STATEMENTS ? search_text[index] : NULL;
}
