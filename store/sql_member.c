/* Members as rows, and the words they are found by. */
#include "store/sql.h"

#include "base/check.h"
#include "base/clock.h"
#include "store/member_word.h"

#include <string.h>

#include "base/banned.h"

/* A merchant may have given "M-7" to somebody before the seventh member came: then "M-7-2", and so
 * on. Nobody numbers by hand in just this way. */
#define CODE_ATTEMPTS_MAX 20

/* Members with one address or phone that are looked at for the same name: a family has a few, a
 * shop's own address for those without one perhaps hundreds. */
#define SAME_CONTACT_MAX 1000

enum member_statement {
    MEMBER_READ,
    MEMBER_READ_BY_CODE,
    MEMBER_READ_PAGE,
    MEMBER_FIND_SAME,
    MEMBER_READ_NEXT_ID,
    MEMBER_INSERT,
    MEMBER_UPDATE,
    MEMBER_INSERT_WORD,
    MEMBER_DELETE_WORD,
};
#define FIND_SAME                                                                                  \
    "SELECT member_id FROM (SELECT member_id FROM member_word WHERE tenant_id = ?1 AND "           \
    "word = ?2 ORDER BY member_id LIMIT ?4) AS reached WHERE EXISTS (SELECT 1 FROM "               \
    "member_word WHERE tenant_id = ?1 AND word = ?3 AND member_id = reached.member_id)"

static const char *const member_text[] = {
    [MEMBER_READ] = "SELECT " MEMBER_COLUMNS " FROM member WHERE id = ? AND tenant_id = ?",
    [MEMBER_READ_BY_CODE] =
        "SELECT " MEMBER_COLUMNS " FROM member WHERE tenant_id = ? AND code = ?",
    [MEMBER_READ_PAGE] = "SELECT " MEMBER_COLUMNS " FROM member WHERE tenant_id = ? AND id > ? "
                         "ORDER BY id LIMIT ?",
    [MEMBER_FIND_SAME] = FIND_SAME, /* in the order of the inner one, which goes first by id */
    /* Each generation of tokens has so many of its own: a restored store is two further, and gives
     * nobody a number that somebody else was told since the copy was made. */
    [MEMBER_READ_NEXT_ID] =
        "SELECT CASE WHEN last.id < least.id THEN least.id ELSE last.id + 1 END FROM "
        "(SELECT coalesce(max(id), 0) AS id FROM member) AS last, "
        "(SELECT (token_generation - 1) * 100000000 + 1 AS id FROM meta WHERE id = 1) AS least",
    [MEMBER_INSERT] = "INSERT INTO member (" MEMBER_COLUMNS ") "
                      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    /* Without tenant_id and code: an index entry is rewritten whenever one of its columns is
     * assigned, changed or not. */
    [MEMBER_UPDATE] = "UPDATE member SET first_name = ?, last_name = ?, email = ?, phone = ?, "
                      "card_number = ?, icon_url = ?, intro_text = ?, tier = ?, is_active = ? "
                      "WHERE id = ?",
    [MEMBER_INSERT_WORD] = "INSERT INTO member_word (tenant_id, word, member_id) VALUES (?, ?, ?)",
    [MEMBER_DELETE_WORD] =
        "DELETE FROM member_word WHERE tenant_id = ? AND word = ? AND member_id = ?",
};

/* PostgreSQL may join in any order; SQLite would sort what stands in order already. */
const char sql_find_same_postgres[] = FIND_SAME " ORDER BY member_id";

static int prepare(struct sql *sql, enum member_statement which, struct sql_statement **statement)
{
    const char *text = member_text[which];
    if (which == MEMBER_FIND_SAME)
        text = sql_either(sql, text, sql_find_same_postgres);
    return sql_prepare_of(sql, AREA_MEMBER, (int)which, text, statement);
}

/* --- rows --- */

int row_read_member(struct sql_statement *statement, struct member *member)
{
    struct columns columns = {.statement = statement};
    struct points_account *account = &member->account;
    member->id = column_int(&columns);
    member->tenant_id = column_int(&columns);
    column_text(&columns, member->code, sizeof(member->code));
    column_text(&columns, member->first_name, sizeof(member->first_name));
    column_text(&columns, member->last_name, sizeof(member->last_name));
    column_text(&columns, member->email, sizeof(member->email));
    column_text(&columns, member->phone, sizeof(member->phone));
    column_text(&columns, member->card_number, sizeof(member->card_number));
    column_text(&columns, member->icon_url, sizeof(member->icon_url));
    column_text(&columns, member->intro_text, sizeof(member->intro_text));
    column_text(&columns, member->tier, sizeof(member->tier));
    member->created_at_us = column_int(&columns);
    account->member_id = member->id;
    account->points = column_int(&columns);
    account->points_held = column_int(&columns);
    account->version = column_int(&columns);
    account->last_entry_id = column_int(&columns);
    account->active_at_us = column_int(&columns);
    account->is_active = column_bool(&columns);
    return columns.is_bad ? ERR_STORE_CORRUPT : 0;
}

static void bind_details(struct binder *binder, const struct member *member)
{
    bind_text(binder, member->first_name);
    bind_text(binder, member->last_name);
    bind_text(binder, member->email);
    bind_text(binder, member->phone);
    bind_text(binder, member->card_number);
    bind_text(binder, member->icon_url);
    bind_text(binder, member->intro_text);
    bind_text(binder, member->tier);
}

static int read_one(struct sql *sql, struct sql_statement *statement, struct member *member)
{
    int err = sql_step_to_row(sql, statement);
    if (err != 0)
        return err;
    err = row_read_member(statement, member);
    sql_reset(statement);
    return err;
}

int sql_read_member(struct store *store, int64_t tenant_id, int64_t member_id,
                    struct member *member)
{
    struct sql *sql = sql_of(store);
    struct sql_statement *statement;
    int err = prepare(sql, MEMBER_READ, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_int(&binder, member_id);
    bind_int(&binder, tenant_id);
    return read_one(sql, statement, member);
}

static int read_member_by_code(struct store *store, int64_t tenant_id, struct text code,
                               struct member *member)
{
    struct sql *sql = sql_of(store);
    char bytes[MEMBER_CODE_MAX + 1];
    struct sql_statement *statement;
    if (code.length == 0 || code.length > MEMBER_CODE_MAX)
        return ERR_NOT_FOUND;
    memcpy(bytes, code.base, code.length);
    bytes[code.length] = '\0';
    if (strlen(bytes) != code.length)
        return ERR_NOT_FOUND;
    int err = prepare(sql, MEMBER_READ_BY_CODE, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_int(&binder, tenant_id);
    bind_text(&binder, bytes);
    return read_one(sql, statement, member);
}

static int each_member(struct store *store, int64_t tenant_id, int64_t after_id, int32_t limit,
                       store_member_fn each, void *context)
{
    struct sql *sql = sql_of(store);
    struct sql_statement *statement;
    bool has_row;
    int err = prepare(sql, MEMBER_READ_PAGE, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_int(&binder, tenant_id);
    bind_int(&binder, after_id);
    bind_int(&binder, limit);
    err = sql_step(sql, statement, &has_row);
    while (err == 0 && has_row) {
        struct member member;
        err = row_read_member(statement, &member);
        if (err == 0) {
            each(context, &member);
            err = sql_step(sql, statement, &has_row);
        }
    }
    sql_reset(statement);
    return err;
}

/* The first by id of those who stand under both words and are the same indeed. Others stand there
 * too, if few: theirs is the name turned round, or the end of the address. */
static int find_same_by(struct store *store, const struct member *like, const struct word *name,
                        const struct word *contact, struct member *member)
{
    struct sql *sql = sql_of(store);
    struct sql_statement *statement;
    bool has_row;
    int err = prepare(sql, MEMBER_FIND_SAME, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_int(&binder, like->tenant_id);
    bind_text(&binder, contact->bytes);
    bind_text(&binder, name->bytes);
    bind_int(&binder, SAME_CONTACT_MAX);
    err = sql_step(sql, statement, &has_row);
    while (err == 0 && has_row) {
        int64_t id = column_int(&(struct columns){.statement = statement});
        err = sql_read_member(store, like->tenant_id, id, member);
        if (err != 0 || members_are_same(like, member))
            break;
        err = sql_step(sql, statement, &has_row);
    }
    sql_reset(statement);
    if (err == ERR_NOT_FOUND)
        return ERR_STORE_CORRUPT; /* a word of nobody */
    return err != 0 || has_row ? err : ERR_NOT_FOUND;
}

static int find_same(struct store *store, const struct member *like, struct member *member)
{
    struct word name, contact;
    struct member found;
    if (!member_words_identify(like, &name, &contact))
        return ERR_NOT_FOUND;
    int err = find_same_by(store, like, &name, &contact, &found);
    if (err == ERR_NOT_FOUND) {
        word_retire(&name);
        word_retire(&contact);
        err = find_same_by(store, like, &name, &contact, &found);
    }
    if (err == 0)
        *member = found;
    return err;
}

/* --- words --- */

static bool words_contain(const struct member_words *words, const struct word *word)
{
    for (int32_t i = 0; i < words->count; i++)
        if (strcmp(words->words[i].bytes, word->bytes) == 0)
            return true;
    return false;
}

/* Runs which for every word of words that is not in others. */
static int write_words(struct sql *sql, enum member_statement which, const struct member *member,
                       const struct member_words *words, const struct member_words *others)
{
    struct sql_statement *statement;
    int err = prepare(sql, which, &statement);
    for (int32_t i = 0; err == 0 && i < words->count; i++) {
        if (words_contain(others, &words->words[i]))
            continue;
        struct binder binder = {.statement = statement};
        bind_int(&binder, member->tenant_id);
        bind_text(&binder, words->words[i].bytes);
        bind_int(&binder, member->id);
        err = sql_finish(sql, statement);
    }
    return err;
}

/* before NULL: there was no such member. */
static int change_words(struct sql *sql, const struct member *before, const struct member *now)
{
    struct member_words old_words = {.count = 0}, new_words;
    member_words_fill(&new_words, now);
    if (before != NULL)
        member_words_fill(&old_words, before);
    int err = write_words(sql, MEMBER_DELETE_WORD, now, &old_words, &new_words);
    if (err == 0)
        err = write_words(sql, MEMBER_INSERT_WORD, now, &new_words, &old_words);
    return err;
}

/* --- adding --- */

static int next_id(struct sql *sql, int64_t *id)
{
    struct sql_statement *statement;
    int err = prepare(sql, MEMBER_READ_NEXT_ID, &statement);
    if (err == 0)
        err = sql_step_to_row(sql, statement);
    if (err != 0)
        return err;
    *id = column_int(&(struct columns){.statement = statement});
    sql_reset(statement);
    return 0;
}

static int insert_row(struct sql *sql, const struct member *member)
{
    struct sql_statement *statement;
    int err = prepare(sql, MEMBER_INSERT, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_int(&binder, member->id);
    bind_int(&binder, member->tenant_id);
    bind_text(&binder, member->code);
    bind_details(&binder, member);
    bind_int(&binder, member->created_at_us);
    bind_int(&binder, 0); /* points */
    bind_int(&binder, 0); /* held */
    bind_int(&binder, 0); /* version */
    bind_int(&binder, 0); /* last entry */
    bind_int(&binder, member->account.active_at_us);
    bind_int(&binder, member->account.is_active);
    return sql_finish_chosen(sql, statement, NULL); /* ERR_NOT_FOUND: the tenant */
}

static void make_code(struct member *member, int attempt)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, member->code, sizeof(member->code));
    text_append(&buffer, TEXT("M-"));
    text_append_int64(&buffer, member->id);
    if (attempt > 1)
        text_append_format(&buffer, "-%d", attempt);
}

static int insert_member(struct sql *sql, struct member *member)
{
    bool is_coded = member->code[0] != '\0';
    int err = next_id(sql, &member->id);
    if (err == 0 && is_coded)
        err = insert_row(sql, member);
    for (int i = 1; err == 0 && !is_coded; i++) {
        make_code(member, i);
        err = insert_row(sql, member);
        if (err != ERR_ALREADY_EXISTS || i == CODE_ATTEMPTS_MAX)
            break;
        err = 0;
    }
    return err != 0 ? err : change_words(sql, NULL, member);
}

static int add_member(struct store *store, struct member *member)
{
    struct sql *sql = sql_of(store);
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    struct member added = *member;
    added.account = (struct points_account){.active_at_us = member->created_at_us,
                                            .is_active = member->account.is_active};
    err = insert_member(sql, &added);
    if (err != 0) {
        sql_rollback_change(sql);
        return err;
    }
    added.account.member_id = added.id;
    err = sql_commit_change(sql);
    if (err == 0)
        *member = added;
    return err;
}

static int update_row(struct sql *sql, const struct member *member)
{
    struct sql_statement *statement;
    int err = prepare(sql, MEMBER_UPDATE, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_details(&binder, member);
    bind_int(&binder, member->account.is_active);
    bind_int(&binder, member->id);
    return sql_finish_update(sql, statement, "member", member->id);
}

static int update_member(struct store *store, const struct member *member)
{
    struct sql *sql = sql_of(store);
    struct member before, now = *member;
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    err = sql_read_member(store, member->tenant_id, member->id, &before);
    if (err == 0) {
        memcpy(now.code, before.code, sizeof(now.code)); /* never changes, and is a word */
        err = update_row(sql, &now);
    }
    if (err == 0)
        err = change_words(sql, &before, &now);
    return sql_end_change(sql, err);
}

const struct store_backend_members sql_members = {
    .add = add_member,
    .update = update_member,
    .read = sql_read_member,
    .read_by_code = read_member_by_code,
    .each = each_member,
    .find_same = find_same,
    .search = sql_search_members,
};

const char *sql_member_text(int index)
{
    return index >= 0 && (size_t)index < COUNT_OF(member_text) ? member_text[index] : NULL;
}
