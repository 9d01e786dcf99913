/*
 * The move's rows: which tables there are, and one table's rows of both stores side by side, a
 * chunk at a time. Columns are those that the source has.
 */
#include "store/move_rows.h"

#include "base/check.h"

#include <string.h>

#include "base/banned.h"

#define TEXT_MAX 8192 /* the tenant's columns three times, and what goes between */
/* The sign keeps both planners from an index of tenants, whose rows they would sort for each chunk:
 * tables are walked along their keys. */
#define IS_THE_TENANTS "+tenant_id = ?"

/* Back to where every state can be reached from, by steps that the law knows. */
static const char *const proof_steps[] = {
    "UPDATE proof SET state = 2 WHERE state IN (3, 4)",
    "UPDATE proof SET state = 1 WHERE state = 2",
    NULL,
};

const struct move_table move_tables[] = {
    {.name = "tenant", .key = "id", .whose = "id = ?", .assigned = "*", .is_early = true},
    {.name = "card",
     .key = "id",
     .whose = IS_THE_TENANTS,
     .assigned = "*",
     .is_early = true,
     .is_by_id = true},
    {.name = "operation",
     .key = "id",
     .whose = IS_THE_TENANTS,
     .assigned = "given_back_minor",
     .is_early = true,
     .is_by_id = true},
    {.name = "transfer",
     .key = "id",
     .whose = "EXISTS (SELECT 1 FROM operation WHERE operation.id = transfer.operation_id"
              " AND +operation.tenant_id = ?)",
     .is_early = true,
     .is_by_id = true},
    {.name = "member",
     .key = "id",
     .whose = IS_THE_TENANTS,
     .assigned = "*",
     .is_early = true,
     .is_by_id = true},
    {.name = "member_word",
     .key = "tenant_id, word, member_id",
     .whose = IS_THE_TENANTS,
     .is_early = true,
     .is_replaced = true},
    {.name = "points_entry",
     .key = "id",
     .whose = IS_THE_TENANTS,
     .is_early = true,
     .is_by_id = true},
    {.name = "proof",
     .key = "operation_id",
     .whose = IS_THE_TENANTS,
     .assigned = "state, reason, is_suspect, shown_order_id, payment_number, missing_since_us, "
                 "changed_at_us, ledger_minor, shown_minor, was_order_id, was_payment_number, "
                 "was_confirmed_at_us",
     .steps = proof_steps,
     .is_early = true,
     .is_by_id = true},
    {.name = "register_payment",
     .key = "tenant_id, order_id, number",
     .whose = IS_THE_TENANTS,
     .is_early = true,
     .is_replaced = true},
    {.name = "app", .key = "surface", .whose = "? > 0", .assigned = "*", .is_shared = true},
    {.name = "used_token", .key = "id", .whose = "? > 0", .assigned = "*", .is_shared = true},
    {.name = "site", .key = "id", .whose = IS_THE_TENANTS},
    {.name = "oauth_grant", .key = "tenant_id, surface", .whose = IS_THE_TENANTS},
    {.name = "register_day",
     .key = "tenant_id, site_id, register_id, local_date",
     .whose = IS_THE_TENANTS},
    {.name = "reward", .key = "id", .whose = IS_THE_TENANTS},
    {.name = "reservation", .key = "id", .whose = IS_THE_TENANTS},
    {.name = "work", .key = "id", .whose = IS_THE_TENANTS},
    {.name = "proof_offset",
     .key = "by_operation_id, operation_id",
     .whose = "EXISTS (SELECT 1 FROM operation WHERE operation.id = proof_offset.by_operation_id"
              " AND +operation.tenant_id = ?)"},
    {.name = "order_seen", .key = "tenant_id, order_id", .whose = IS_THE_TENANTS},
    {.name = "sweep", .key = "tenant_id", .whose = IS_THE_TENANTS},
    {.name = "foreign_approval", .key = "tenant_id", .whose = IS_THE_TENANTS},
    {.name = "foreign_change", .key = "id", .whose = IS_THE_TENANTS},
    {.name = "foreign_attempt", .key = "id", .whose = IS_THE_TENANTS},
    {.name = "foreign_day", .key = "tenant_id, local_date", .whose = IS_THE_TENANTS},
    {.name = NULL},
};

int move_prepare(struct sql *sql, const char *text, struct binder *binder)
{
    *binder = (struct binder){0};
    return sql->driver->prepare(sql, text, &binder->statement);
}

/* --- texts --- */

static void append(struct text_buffer *buffer, const char *c_string)
{
    text_append(buffer, text_of(c_string));
}

static void append_columns(struct text_buffer *buffer, const struct move_pass *pass)
{
    for (int i = 0; i < pass->column_count; i++) {
        append(buffer, i == 0 ? "" : ", ");
        append(buffer, pass->columns[i].name);
    }
}

static void append_bound(struct text_buffer *buffer, const struct move_pass *pass, const char *sign)
{
    text_append_format(buffer, " AND (%s) %s (", pass->table->key, sign);
    for (int i = 0; i < pass->key_count; i++)
        append(buffer, i == 0 ? "?" : ", ?");
    append(buffer, ")");
}

/* first, with the condition for the rows of a chunk; its parameters are those of bind_chunk. */
static int prepare_chunk(struct sql *sql, const struct move_pass *pass, const char *first,
                         const char *last, bool is_within, struct sql_statement **statement)
{
    char text[TEXT_MAX];
    struct text_buffer buffer;
    struct binder binder;
    text_buffer_init(&buffer, text, sizeof(text));
    append(&buffer, first);
    append(&buffer, pass->table->whose);
    append_bound(&buffer, pass, ">");
    if (is_within)
        append_bound(&buffer, pass, "<=");
    append(&buffer, last);
    CHECK(!buffer.is_cut);
    int err = move_prepare(sql, text, &binder);
    *statement = binder.statement;
    return err;
}

static void bind_key(struct binder *binder, const struct move_pass *pass,
                     const struct move_key *key)
{
    for (int i = 0; i < pass->key_count; i++) {
        if (pass->columns[pass->keys[i]].kind == 'i')
            bind_int(binder, key->parts[i].number);
        else
            bind_text(binder, key->parts[i].text);
    }
}

static struct sql_statement *bind_chunk(const struct move_pass *pass, struct sql_statement *within,
                                        struct sql_statement *rest)
{
    struct binder binder = {.statement = pass->is_last ? rest : within};
    bind_int(&binder, pass->tenant_id);
    bind_key(&binder, pass, &pass->from);
    if (!pass->is_last)
        bind_key(&binder, pass, &pass->to);
    return binder.statement;
}

/* --- columns --- */

static int find_column(const struct move_pass *pass, struct text name)
{
    int i = 0;
    while (i < pass->column_count && !text_equal(text_of(pass->columns[i].name), name))
        i++;
    CHECK(i < pass->column_count);
    return i;
}

static void find_keys(struct move_pass *pass)
{
    const char *rest = pass->table->key;
    while (*rest != '\0') {
        size_t length = strcspn(rest, ",");
        CHECK(pass->key_count < MOVE_KEYS_MAX);
        pass->keys[pass->key_count++] = find_column(pass, (struct text){rest, length});
        rest += length + strspn(rest + length, ", ");
    }
}

/* Where a tenant is served, and by which move, is each store's own. */
static bool is_own(const char *column)
{
    return strcmp(column, "place") == 0 || strcmp(column, "move_id") == 0;
}

static void take_column(struct move_pass *pass, struct columns *row)
{
    struct move_column *column = &pass->columns[pass->column_count];
    char type[16];
    CHECK(pass->column_count < MOVE_COLUMNS_MAX);
    column_text(row, column->name, sizeof(column->name));
    column_text(row, type, sizeof(type));
    CHECK(!row->is_bad);
    column->kind = strcmp(type, "INTEGER") == 0 ? 'i' : strcmp(type, "BLOB") == 0 ? 'b' : 't';
    if (!is_own(column->name))
        pass->column_count++;
}

static int read_columns(struct sql *source, struct move_pass *pass)
{
    struct binder binder;
    bool has_row = false;
    int err =
        move_prepare(source, "SELECT name, type FROM pragma_table_info(?) ORDER BY cid", &binder);
    if (err != 0)
        return err;
    bind_text(&binder, pass->table->name);
    while ((err = sql_step(source, binder.statement, &has_row)) == 0 && has_row)
        take_column(pass, &(struct columns){.statement = binder.statement});
    source->driver->finalize(binder.statement);
    if (err == 0)
        find_keys(pass);
    return err;
}

/* --- a pass --- */

static int prepare_reads(struct sql *source, struct sql *target, struct move_pass *pass)
{
    char first[TEXT_MAX / 2], order[256], limited[320];
    struct text_buffer buffer;
    text_buffer_init(&buffer, first, sizeof(first));
    append(&buffer, "SELECT ");
    append_columns(&buffer, pass);
    text_append_format(&buffer, " FROM %s WHERE ", pass->table->name);
    CHECK(!buffer.is_cut);
    text_buffer_init(&buffer, order, sizeof(order));
    text_append_format(&buffer, " ORDER BY %s", pass->table->key);
    text_buffer_init(&buffer, limited, sizeof(limited));
    text_append_format(&buffer, "%s LIMIT %d", order, MOVE_CHUNK_ROWS);
    int err = prepare_chunk(source, pass, first, limited, false, &pass->source.rest);
    if (err == 0)
        err = prepare_chunk(target, pass, first, order, true, &pass->target.within);
    if (err == 0)
        err = prepare_chunk(target, pass, first, order, false, &pass->target.rest);
    return err;
}

static int prepare_removal(struct sql *target, struct move_pass *pass)
{
    char first[128];
    struct text_buffer buffer;
    if (!pass->table->is_replaced)
        return 0;
    text_buffer_init(&buffer, first, sizeof(first));
    text_append_format(&buffer, "DELETE FROM %s WHERE ", pass->table->name);
    int err = prepare_chunk(target, pass, first, "", true, &pass->remove_within);
    return err != 0 ? err : prepare_chunk(target, pass, first, "", false, &pass->remove_rest);
}

int move_pass_open(struct sql *source, struct sql *target, const struct move_table *table,
                   int64_t tenant_id, struct move_pass *pass)
{
    *pass = (struct move_pass){
        .table = table, .tenant_id = tenant_id, .source.sql = source, .target.sql = target};
    int err = digest_create(&pass->digest);
    if (err == 0)
        err = read_columns(source, pass);
    if (err == 0)
        err = prepare_reads(source, target, pass);
    if (err == 0)
        err = prepare_removal(target, pass);
    if (err == 0)
        err = move_writer_open(target, pass, &pass->writer);
    move_pass_begin(pass, INT64_MIN);
    return err;
}

static void finalize(struct sql *sql, struct sql_statement *statement)
{
    if (statement != NULL)
        sql->driver->finalize(statement);
}

void move_pass_close(struct move_pass *pass)
{
    finalize(pass->source.sql, pass->source.rest);
    finalize(pass->target.sql, pass->target.within);
    finalize(pass->target.sql, pass->target.rest);
    finalize(pass->target.sql, pass->remove_within);
    finalize(pass->target.sql, pass->remove_rest);
    move_writer_close(pass->writer);
    digest_destroy(pass->digest);
}

void move_pass_begin(struct move_pass *pass, int64_t after_id)
{
    pass->from = (struct move_key){0};
    for (int i = 0; i < pass->key_count; i++) {
        bool is_tenant = strcmp(pass->columns[pass->keys[i]].name, "tenant_id") == 0;
        pass->from.parts[i].number = is_tenant && pass->key_count > 1 ? pass->tenant_id
                                     : i == 0                         ? after_id
                                                                      : INT64_MIN;
    }
    pass->to = pass->from;
    pass->is_last = false;
}

/* --- rows --- */

/* Values that go to the digest together: it costs more to call than to digest an integer. */
struct packed {
    struct digest *digest;
    size_t size;
    uint8_t bytes[2048];
};

static void pack(struct packed *packed, const void *bytes, size_t size)
{
    if (packed->size + size > sizeof(packed->bytes)) {
        digest_add(packed->digest, packed->bytes, packed->size);
        packed->size = 0;
    }
    if (size > sizeof(packed->bytes)) {
        digest_add(packed->digest, bytes, size);
    } else if (size > 0) {
        memcpy(packed->bytes + packed->size, bytes, size);
        packed->size += size;
    }
}

/* Each value with its kind and length, so that no two rows look alike. */
static void pack_value(struct packed *packed, char kind, const struct sql_statement *row,
                       int column)
{
    uint8_t head[9] = {(uint8_t)kind};
    size_t size = 0;
    const void *bytes = NULL;
    uint64_t number;
    if (kind == 'i') {
        number = (uint64_t)sql_column_int(row, column);
    } else {
        bytes = sql_column_bytes(row, column, &size);
        number = size;
    }
    for (int i = 0; i < 8; i++)
        head[1 + i] = (uint8_t)(number >> (56 - 8 * i));
    pack(packed, head, sizeof(head));
    pack(packed, bytes, size);
}

static void keep_row(struct move_pass *pass, const struct sql_statement *row)
{
    for (int i = 0; i < pass->column_count; i++)
        move_writer_add(pass->writer, i, pass->columns[i].kind, row);
}

static void note_key(struct move_pass *pass, struct sql_statement *row)
{
    for (int i = 0; i < pass->key_count; i++) {
        struct columns columns = {.statement = row, .position = pass->keys[i]};
        if (pass->columns[pass->keys[i]].kind == 'i')
            pass->to.parts[i].number = column_int(&columns);
        else
            column_text(&columns, pass->to.parts[i].text, sizeof(pass->to.parts[i].text));
        CHECK(!columns.is_bad);
    }
}

/* All rows of a bound statement. */
static int read_rows(struct move_pass *pass, struct move_side *side,
                     struct sql_statement *statement, bool is_kept)
{
    struct packed packed = {.digest = pass->digest};
    bool has_row = false;
    int err;
    side->row_count = 0;
    digest_begin(pass->digest);
    while ((err = sql_step(side->sql, statement, &has_row)) == 0 && has_row) {
        side->row_count++;
        for (int i = 0; i < pass->column_count; i++)
            pack_value(&packed, pass->columns[i].kind, statement, i);
        if (is_kept)
            keep_row(pass, statement);
        if (side == &pass->source)
            note_key(pass, statement);
    }
    digest_add(pass->digest, packed.bytes, packed.size);
    digest_end(pass->digest, side->digest);
    return err;
}

int move_pass_read(struct move_pass *pass, bool is_kept)
{
    struct binder binder = {.statement = pass->source.rest};
    bind_int(&binder, pass->tenant_id);
    bind_key(&binder, pass, &pass->from);
    pass->is_kept = is_kept;
    move_writer_clear(pass->writer);
    int err = read_rows(pass, &pass->source, pass->source.rest, is_kept);
    pass->is_last = pass->source.row_count < MOVE_CHUNK_ROWS;
    return err;
}

int move_pass_compare(struct move_pass *pass, bool *is_equal)
{
    struct sql_statement *statement = bind_chunk(pass, pass->target.within, pass->target.rest);
    int err = read_rows(pass, &pass->target, statement, false);
    *is_equal = err == 0 && pass->source.row_count == pass->target.row_count &&
                memcmp(pass->source.digest, pass->target.digest, sizeof(pass->source.digest)) == 0;
    return err;
}

static int take_step(struct move_pass *pass, const char *step)
{
    char first[256];
    struct text_buffer buffer;
    struct sql *sql = pass->target.sql;
    struct sql_statement *statement;
    text_buffer_init(&buffer, first, sizeof(first));
    text_append_format(&buffer, "%s AND ", step);
    CHECK(!buffer.is_cut);
    int err = prepare_chunk(sql, pass, first, "", !pass->is_last, &statement);
    if (err != 0)
        return err;
    err = sql_finish(sql, bind_chunk(pass, statement, statement));
    finalize(sql, statement);
    return err;
}

int move_pass_write(struct move_pass *pass)
{
    int err = pass->is_kept ? 0 : move_pass_read(pass, true);
    if (err == 0 && pass->table->is_replaced)
        err =
            sql_finish(pass->target.sql, bind_chunk(pass, pass->remove_within, pass->remove_rest));
    for (int i = 0; err == 0 && pass->table->steps != NULL && pass->table->steps[i] != NULL; i++)
        err = take_step(pass, pass->table->steps[i]);
    if (err == 0 && pass->source.row_count > 0)
        err = move_writer_write(pass->writer);
    return err;
}

void move_pass_go_on(struct move_pass *pass)
{
    pass->from = pass->to;
}
