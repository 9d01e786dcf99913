/* Tells a card's history, page by page from the oldest on, and the story of one operation. */
#include "service/explain.h"

#include "base/error.h"
#include "base/seal.h"
#include "service/answer.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/banned.h"

#define PATH "/admin/explain"
#define PAGE_LIMIT "100"
#define BODY_MAX 1024

struct explain {
    const struct invocation *invocation;
    struct admin_session *session;
    struct answer_style style;
    struct answer_table table;
    /* Where the older pages end: 8 bytes for each hundred operations. */
    int64_t *ends;
    size_t end_count, end_capacity;
    bool is_json;
    bool has_entries; /* told some */
};

/* --- asking */

static void write_member(struct jwrite *writer, const char *name, const char *value)
{
    if (value == NULL)
        return;
    jwrite_key(writer, text_of(name));
    jwrite_text(writer, text_of(value));
}

/* before 0: as the invocation says. */
static int ask(struct explain *explain, int64_t before, struct jread **document)
{
    const struct invocation *invocation = explain->invocation;
    const char *limit = command_value(invocation, "limit");
    bool is_card = command_value(invocation, "card") != NULL;
    char bytes[BODY_MAX];
    struct text_buffer body;
    struct jwrite writer;
    long status;
    text_buffer_init(&body, bytes, sizeof(bytes));
    jwrite_init(&writer, &body);
    jwrite_object_begin(&writer);
    write_member(&writer, "tenant", command_value(invocation, "tenant"));
    write_member(&writer, "card", command_value(invocation, "card"));
    write_member(&writer, "operation", command_value(invocation, "operation"));
    write_member(&writer, "limit", limit == NULL && is_card ? PAGE_LIMIT : limit);
    if (before == 0) {
        write_member(&writer, "before", command_value(invocation, "before"));
    } else {
        jwrite_key(&writer, TEXT("before"));
        jwrite_int64(&writer, before);
    }
    jwrite_object_end(&writer);
    int err = admin_session_ask(explain->session, PATH, text_buffer_text(&body), document, &status);
    seal_wipe(bytes, sizeof(bytes));
    if (err != 0 || status == 200)
        return err;
    admin_print_refusal(*document);
    jread_destroy(*document);
    *document = NULL;
    return ERR_REFUSED;
}

static int keep_end(struct explain *explain, int64_t end)
{
    if (explain->end_count == explain->end_capacity) {
        size_t capacity = explain->end_capacity == 0 ? 64 : 2 * explain->end_capacity;
        int64_t *grown = realloc(explain->ends, capacity * sizeof(*grown));
        if (grown == NULL)
            return ERR_NO_MEMORY;
        explain->ends = grown;
        explain->end_capacity = capacity;
    }
    explain->ends[explain->end_count++] = end;
    return 0;
}

/* Pages lead from the newest to the oldest; they are told the other way round. */
static int find_oldest(struct explain *explain, const struct jread *newest)
{
    int64_t previous = answer_int64(newest, "previous");
    int err = 0;
    if (command_value(explain->invocation, "limit") != NULL)
        return 0;
    while (err == 0 && previous != 0) {
        struct jread *page;
        err = keep_end(explain, previous);
        if (err == 0)
            err = ask(explain, previous, &page);
        if (err != 0)
            return err;
        previous = answer_int64(page, "previous");
        jread_destroy(page);
    }
    return err;
}

/* --- text */

enum entry_column {
    ENTRY_TIME,
    ENTRY_OPERATION,
    ENTRY_REFERENCE,
    ENTRY_MOVED,
    ENTRY_BALANCE,
    ENTRY_COLUMNS,
};
static const struct answer_column entry_columns[ENTRY_COLUMNS] = {
    [ENTRY_TIME] = {"time", false},           [ENTRY_OPERATION] = {"operation", true},
    [ENTRY_REFERENCE] = {"reference", false}, [ENTRY_MOVED] = {"moved", true},
    [ENTRY_BALANCE] = {"balance", true},
};
#define SENTENCE_INDENT 4

static void entry_cell(const void *context, const struct jread *entry, int column,
                       struct text_buffer *cell)
{
    const struct answer_style *style = context;
    switch ((enum entry_column)column) {
    case ENTRY_TIME:
        answer_append_time(cell, style, answer_time_us(entry, "at"), true);
        return;
    case ENTRY_OPERATION:
        text_append(cell, answer_text(entry, "operation_id"));
        return;
    case ENTRY_REFERENCE:
        text_append(cell, answer_text(entry, "reference"));
        return;
    case ENTRY_MOVED:
        answer_append_money(cell, style, answer_text(entry, "moved"), true);
        return;
    case ENTRY_BALANCE:
        answer_append_money(cell, style, answer_text(entry, "balance_after"), false);
        return;
    case ENTRY_COLUMNS:
        return;
    }
}

static void print_sentence(struct text sentence)
{
    if (sentence.length > 0)
        answer_print_wrapped(stdout, sentence, SENTENCE_INDENT);
}

/* Of what a refund or reversal gives back, which operation each part was of. */
static void print_parts(const struct explain *explain, const struct jread *entry)
{
    const struct jread *transfers = jread_member(entry, "transfers");
    int64_t own_id = answer_int64(entry, "operation_id");
    for (size_t i = 0; i < jread_count(transfers); i++) {
        const struct jread *transfer = jread_element(transfers, i);
        int64_t answers_id = answer_int64(transfer, "answers_operation_id");
        char bytes[128];
        struct text_buffer words;
        if (answers_id == 0 || answers_id == own_id)
            continue;
        text_buffer_init(&words, bytes, sizeof(bytes));
        answer_append_money(&words, &explain->style, answer_text(transfer, "amount"), false);
        text_append_format(&words, " of it answers operation %lld", (long long)answers_id);
        print_sentence(text_buffer_text(&words));
    }
}

static void print_entry(struct explain *explain, const struct jread *entry)
{
    answer_table_print(&explain->table, stdout, entry);
    print_sentence(answer_text(entry, "sentence"));
    print_parts(explain, entry);
    print_sentence(answer_text(jread_member(entry, "proof"), "sentence"));
}

static void print_money(const struct explain *explain, const char *before, struct text amount,
                        const char *after)
{
    char bytes[64];
    struct text_buffer money;
    text_buffer_init(&money, bytes, sizeof(bytes));
    answer_append_money(&money, &explain->style, amount, false);
    printf("%s%s%s", before, bytes, after);
}

static void print_card(const struct explain *explain, const struct jread *document)
{
    const struct jread *card = jread_member(document, "card");
    char name[512];
    struct text_buffer buffer;
    struct text zone = answer_text(document, "timezone");
    text_buffer_init(&buffer, name, sizeof(name));
    text_append_printable(&buffer, answer_text(document, "name"), TEXT("?"));
    struct text last4 = answer_text(card, "last4"), status = answer_text(card, "status");
    printf("Card ...%.*s of %s: ", (int)last4.length, last4.base, name);
    print_money(explain, "", answer_text(card, "balance"), ", ");
    printf("%.*s; times in %.*s\n", (int)status.length, status.base, (int)zone.length, zone.base);
}

/* --- a card */

static void tell_head(struct explain *explain, const struct jread *newest,
                      const struct jread *oldest)
{
    if (!explain->is_json) {
        print_card(explain, newest);
        if (answer_int64(oldest, "previous") != 0)
            print_money(explain, "Brought forward from earlier operations: ",
                        answer_text(oldest, "brought_forward"), "\n");
        putchar('\n');
        return;
    }
    putchar('{');
    for (size_t i = 0; i < jread_count(newest); i++) {
        struct text name;
        const struct jread *value = jread_member_at(newest, i, &name);
        if (text_equal(name, TEXT("entries")))
            continue;
        bool is_of_oldest =
            text_equal(name, TEXT("brought_forward")) || text_equal(name, TEXT("previous"));
        printf("\"%.*s\":", (int)name.length, name.base);
        answer_write(stdout, is_of_oldest ? jread_member_named(oldest, name) : value);
        putchar(',');
    }
    printf("\"entries\":[");
}

static void tell_entries(struct explain *explain, const struct jread *page)
{
    const struct jread *entries = jread_member(page, "entries");
    for (size_t i = 0; !explain->is_json && i < jread_count(entries); i++)
        answer_table_measure(&explain->table, jread_element(entries, i));
    for (size_t i = 0; i < jread_count(entries); i++) {
        if (explain->is_json && explain->has_entries)
            putchar(',');
        if (explain->is_json)
            answer_write(stdout, jread_element(entries, i));
        else
            print_entry(explain, jread_element(entries, i));
        explain->has_entries = true;
    }
}

static void tell_end(const struct explain *explain)
{
    if (explain->is_json)
        puts("]}");
    else if (!explain->has_entries)
        puts("Nothing has happened with this card yet");
}

static int tell_older(struct explain *explain, const struct jread *newest)
{
    for (size_t i = explain->end_count; i > 0; i--) {
        struct jread *page;
        int err = ask(explain, explain->ends[i - 1], &page);
        if (err != 0)
            return err;
        if (i == explain->end_count)
            tell_head(explain, newest, page);
        tell_entries(explain, page);
        jread_destroy(page);
    }
    return 0;
}

static int explain_card(struct explain *explain)
{
    struct jread *newest;
    int err = ask(explain, 0, &newest);
    if (err != 0)
        return err;
    answer_style_init(&explain->style, newest);
    err = find_oldest(explain, newest);
    if (err == 0 && explain->end_count == 0)
        tell_head(explain, newest, newest);
    if (err == 0)
        err = tell_older(explain, newest);
    if (err == 0) {
        tell_entries(explain, newest);
        tell_end(explain);
    }
    free(explain->ends);
    jread_destroy(newest);
    return err;
}

/* --- an operation */

static void print_history(const struct explain *explain, const struct jread *history)
{
    puts("\nWhat is known of it, in order:");
    for (size_t i = 0; i < jread_count(history); i++) {
        const struct jread *event = jread_element(history, i);
        char bytes[64];
        struct text_buffer at;
        text_buffer_init(&at, bytes, sizeof(bytes));
        answer_append_time(&at, &explain->style, answer_time_us(event, "at"), true);
        printf("%s", bytes);
        if (answer_int64(event, "operation_id") != 0)
            printf("  operation %lld", (long long)answer_int64(event, "operation_id"));
        putchar('\n');
        print_sentence(answer_text(event, "sentence"));
    }
}

static void append_due(const struct explain *explain, const struct jread *work,
                       struct text_buffer *words)
{
    int64_t due_us = answer_time_us(work, "due_at");
    text_append(words, due_us != 0 ? TEXT(", next at ") : TEXT(", ended at "));
    answer_append_time(words, &explain->style,
                       due_us != 0 ? due_us : answer_time_us(work, "ended_at"), false);
    if (answer_text(work, "reason").length > 0)
        text_append(words, TEXT(": "));
    text_append(words, answer_text(work, "reason"));
}

static void print_work(const struct explain *explain, const struct jread *list)
{
    if (jread_count(list) > 0)
        puts("\nWork that belongs to it:");
    for (size_t i = 0; i < jread_count(list); i++) {
        const struct jread *work = jread_element(list, i);
        char bytes[ANSWER_CELL_MAX];
        struct text_buffer words;
        text_buffer_init(&words, bytes, sizeof(bytes));
        text_append(&words, answer_text(work, "kind"));
        text_append(&words, TEXT(" (work "));
        text_append(&words, answer_text(work, "work_id"));
        text_append(&words, TEXT("), "));
        text_append(&words, answer_text(work, "state"));
        append_due(explain, work, &words);
        print_sentence(text_buffer_text(&words));
    }
}

static void print_operation(struct explain *explain, const struct jread *document)
{
    const struct jread *operation = jread_member(document, "operation");
    const struct jread *answered = jread_member(document, "answers_operation");
    print_card(explain, document);
    putchar('\n');
    answer_table_measure(&explain->table, operation);
    if (answered != NULL)
        answer_table_measure(&explain->table, answered);
    print_entry(explain, operation);
    if (answered != NULL) {
        puts("\nIt answers:");
        print_entry(explain, answered);
    }
    print_history(explain, jread_member(document, "history"));
    print_sentence(answer_text(document, "history_note"));
    putchar('\n');
    answer_print_wrapped(stdout, answer_text(document, "replay"), 0);
    print_work(explain, jread_member(document, "work"));
}

static int explain_operation(struct explain *explain)
{
    struct jread *document;
    int err = ask(explain, 0, &document);
    if (err != 0)
        return err;
    answer_style_init(&explain->style, document);
    if (explain->is_json) {
        answer_write(stdout, document);
        putchar('\n');
    } else {
        print_operation(explain, document);
    }
    jread_destroy(document);
    return 0;
}

int explain_run(const struct invocation *invocation, const char *socket_path)
{
    struct explain explain = {
        .invocation = invocation,
        .is_json = invocation->wants_json || !isatty(STDOUT_FILENO),
        .table = {entry_columns, ENTRY_COLUMNS, .cell = entry_cell, .context = &explain.style},
    };
    if (admin_session_open(socket_path, &explain.session) != 0)
        return EXIT_FAILURE;
    int err = command_value(invocation, "operation") != NULL ? explain_operation(&explain)
                                                             : explain_card(&explain);
    answer_style_finish(&explain.style);
    admin_session_close(explain.session);
    return err == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
