/*
 * Verify, members: everybody stands in the index under exactly the words that are made of the row,
 * or a search would miss somebody, or tell who is not meant.
 */
#include "store/sql_verify.h"

#include "base/check.h"
#include "store/member_word.h"

#include <inttypes.h>
#include <string.h>

#include "base/banned.h"

static const char sql_count_rows[] =
    "SELECT (SELECT count(*) FROM member) + (SELECT count(*) FROM member_word)";
static const char sql_read_members[] = "SELECT " MEMBER_COLUMNS " FROM member ORDER BY id";
static const char sql_read_words[] =
    "SELECT member_id, tenant_id, word FROM member_word ORDER BY member_id";

/* A row of the index. */
struct word_row {
    int64_t member_id;
    int64_t tenant_id;
    struct word word; /* empty: longer than any can be */
};

struct word_pass {
    struct verify *verify;
    struct stream members;
    struct stream words;
    struct word_row row;
    struct member member;
};

static void load_word(struct word_pass *pass)
{
    struct columns columns = {.statement = pass->words.statement};
    struct word_row *row = &pass->row;
    if (!pass->words.has_row)
        return;
    row->member_id = column_int(&columns);
    row->tenant_id = column_int(&columns);
    column_text(&columns, row->word.bytes, sizeof(row->word.bytes));
    row->word.length = strlen(row->word.bytes);
}

static int next_word(struct word_pass *pass)
{
    int err = stream_next(&pass->words);
    if (err == 0)
        load_word(pass);
    return err;
}

/* Words that sort before member_id belong to nobody who exists. */
static int skip_lost_words(struct word_pass *pass, int64_t member_id)
{
    int err = 0;
    while (err == 0 && pass->words.has_row && pass->row.member_id < member_id) {
        verify_report(pass->verify, "word_without_member",
                      "a word of tenant %" PRId64 " is of member %" PRId64 ", who does not exist",
                      pass->row.tenant_id, pass->row.member_id);
        err = next_word(pass);
    }
    return err;
}

/* -1: it is none of them. */
static int32_t find_word(const struct member_words *words, const struct word *word)
{
    for (int32_t i = 0; i < words->count; i++)
        if (strcmp(words->words[i].bytes, word->bytes) == 0)
            return i;
    return -1;
}

static int compare_words(struct word_pass *pass, const struct member_words *wanted,
                         int32_t *missing, int64_t *stray)
{
    bool is_there[MEMBER_WORDS_MAX] = {false};
    int err = 0;
    *missing = wanted->count;
    *stray = 0;
    while (err == 0 && pass->words.has_row && pass->row.member_id == pass->member.id) {
        int32_t index =
            pass->row.tenant_id == pass->member.tenant_id ? find_word(wanted, &pass->row.word) : -1;
        if (index < 0 || is_there[index]) {
            ++*stray;
        } else {
            is_there[index] = true;
            --*missing;
        }
        err = next_word(pass);
    }
    return err;
}

/* The words are a person's name and address: findings count them. */
static int check_words_of_member(struct word_pass *pass)
{
    struct member_words wanted = {.count = 0};
    int32_t missing;
    int64_t stray;
    bool is_good = row_read_member(pass->members.statement, &pass->member) == 0;
    int64_t member_id = pass->member.id;
    if (is_good)
        member_words_fill(&wanted, &pass->member);
    else
        verify_report(pass->verify, "member_out_of_range",
                      "member %" PRId64 " has a text longer than any can be, or no status",
                      member_id);
    int err = skip_lost_words(pass, member_id);
    if (err == 0)
        err = compare_words(pass, &wanted, &missing, &stray);
    if (err != 0 || !is_good)
        return err;
    if (missing > 0)
        verify_report(pass->verify, "word_is_missing",
                      "member %" PRId64 " is not found by %" PRId32 " of its %" PRId32 " words",
                      member_id, missing, wanted.count);
    if (stray > 0)
        verify_report(pass->verify, "word_is_stray",
                      "member %" PRId64 " stands under %" PRId64 " words that are not its own",
                      member_id, stray);
    return 0;
}

int verify_words_count_rows(struct verify *verify)
{
    struct stream stream;
    int err = stream_open(&stream, verify, sql_count_rows);
    if (err == 0)
        verify->rows_total += column_int(&(struct columns){.statement = stream.statement});
    stream_close(&stream);
    return err;
}

int verify_words(struct verify *verify)
{
    struct word_pass pass = {.verify = verify};
    int err = stream_open(&pass.members, verify, sql_read_members);
    if (err == 0)
        err = stream_open(&pass.words, verify, sql_read_words);
    if (err == 0)
        load_word(&pass);
    while (err == 0 && pass.members.has_row) {
        err = check_words_of_member(&pass);
        if (err == 0)
            err = stream_next(&pass.members);
    }
    if (err == 0)
        err = skip_lost_words(&pass, INT64_MAX);
    stream_close(&pass.members);
    stream_close(&pass.words);
    return err;
}
