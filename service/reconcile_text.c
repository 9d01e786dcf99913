/* Writes the report of `counterpart reconcile` as text and as JSON. */
#include "service/reconcile_report.h"

#include "base/banned.h"

#define PAGE_ITEMS 200
#define SENTENCE_MAX 512

/* --- JSON: as the service told it, with the items of all pages in one list */

struct json_items {
    bool is_first;
};

static void on_json_page(void *context, const struct jread *items)
{
    struct json_items *json = context;
    for (size_t i = 0; i < jread_count(items); i++) {
        if (!json->is_first)
            putchar(',');
        answer_write(stdout, jread_element(items, i));
        json->is_first = false;
    }
}

static void print_head_members(const struct jread *document)
{
    for (size_t i = 0; i < jread_count(document); i++) {
        struct text name;
        const struct jread *value = jread_member_at(document, i, &name);
        if (text_equal(name, TEXT("items")) || text_equal(name, TEXT("next")))
            continue;
        printf("\"%.*s\":", (int)name.length, name.base);
        answer_write(stdout, value);
        putchar(',');
    }
}

static int print_json_tenant(void *context, struct reconcile *reconcile,
                             const struct tenant_answer *answer)
{
    struct json_items json = {.is_first = true};
    bool is_consistent = false;
    (void)context;
    if (reconcile->tenants > 1)
        putchar(',');
    putchar('{');
    print_head_members(answer->document);
    printf("\"items\":[");
    int err = reconcile_each_page(reconcile, answer, on_json_page, &json);
    if (err == 0)
        err = reconcile_check_sum(reconcile, answer, &is_consistent);
    printf("],\"items_add_up\":%s}", is_consistent ? "true" : "false");
    return err;
}

int reconcile_print_json(struct reconcile *reconcile)
{
    printf("{\"tenants\":[");
    int err = reconcile_each_tenant(reconcile, PAGE_ITEMS, print_json_tenant, NULL);
    if (err == 0)
        printf("],\"open_items\":%lld,\"unproved_tenants\":%lld,\"is_complete\":true}\n",
               (long long)reconcile->open_items, (long long)reconcile->blind);
    else /* nobody is to read 0 there */
        puts("],\"open_items\":null,\"unproved_tenants\":null,\"is_complete\":false}");
    return err;
}

/* --- text: the items */

enum item_column {
    ITEM_ORDER,
    ITEM_TIME,
    ITEM_SITE,
    ITEM_REGISTER,
    ITEM_CARD,
    ITEM_WHAT,
    ITEM_AMOUNT,
    ITEM_DIFFERENCE,
    ITEM_COLUMNS,
};
static const struct answer_column item_columns[ITEM_COLUMNS] = {
    [ITEM_ORDER] = {"order", true},   [ITEM_TIME] = {"time", false},
    [ITEM_SITE] = {"site", false},    [ITEM_REGISTER] = {"register", true},
    [ITEM_CARD] = {"card", false},    [ITEM_WHAT] = {"what", false},
    [ITEM_AMOUNT] = {"amount", true}, [ITEM_DIFFERENCE] = {"difference", true},
};
#define SITE_WIDTH 24
#define WHAT_WIDTH 28

static void append_number(struct text_buffer *cell, int64_t number)
{
    if (number == 0)
        text_append_char(cell, '-');
    else
        text_append_int64(cell, number);
}

static void append_site(struct text_buffer *cell, const struct jread *item)
{
    struct text site = answer_text(item, "site");
    if (site.length > 0)
        answer_append_cell(cell, site, SITE_WIDTH);
    else
        append_number(cell, answer_int64(item, "site_id"));
}

static void append_what(struct text_buffer *cell, const struct jread *item)
{
    if (reconcile_group_of(item) != GROUP_UNCLAIMED) {
        answer_append_cell(cell, answer_text(item, "action"), WHAT_WIDTH);
        return;
    }
    text_append_format(cell, "payment %lld", (long long)answer_int64(item, "payment_number"));
    if (answer_text(item, "ref").length > 0)
        text_append_char(cell, ' ');
    answer_append_cell(cell, answer_text(item, "ref"), WHAT_WIDTH - 10);
}

/* On lines of its own: the columns alone fill a terminal. */
static void print_reason(const struct answer_style *style, const struct jread *item, int indent)
{
    char bytes[2 * SENTENCE_MAX], more[SENTENCE_MAX];
    struct text_buffer words, notes;
    text_buffer_init(&words, bytes, sizeof(bytes));
    text_append(&words, answer_text(item, "sentence"));
    text_buffer_init(&notes, more, sizeof(more));
    reconcile_append_notes(&notes, style, item);
    if (notes.length > 0)
        text_append(&words, TEXT(". "));
    text_append(&words, text_buffer_text(&notes));
    answer_print_wrapped(stdout, text_buffer_text(&words), indent);
}

static void append_time_or_date(const struct answer_style *style, const struct jread *item,
                                struct text_buffer *cell)
{
    int64_t at_us = answer_time_us(item, "at");
    if (at_us != 0)
        answer_append_time(cell, style, at_us, false);
    else
        text_append(cell, answer_text(item, "date"));
}

static void item_cell(const void *context, const struct jread *item, int column,
                      struct text_buffer *cell)
{
    const struct answer_style *style = context;
    switch ((enum item_column)column) {
    case ITEM_ORDER:
        append_number(cell, answer_int64(item, "order_id"));
        return;
    case ITEM_TIME:
        append_time_or_date(style, item, cell);
        return;
    case ITEM_SITE:
        append_site(cell, item);
        return;
    case ITEM_REGISTER:
        append_number(cell, answer_int64(item, "register_id"));
        return;
    case ITEM_CARD:
        text_append(cell, answer_text(item, "card_last4").length > 0 ? TEXT("...") : TEXT("-"));
        text_append(cell, answer_text(item, "card_last4"));
        return;
    case ITEM_WHAT:
        append_what(cell, item);
        return;
    case ITEM_AMOUNT:
        answer_append_money(cell, style, answer_text(item, "amount"), false);
        return;
    case ITEM_DIFFERENCE:
        answer_append_money(cell, style, answer_text(item, "difference"), true);
        return;
    case ITEM_COLUMNS:
        return;
    }
}

struct text_group {
    enum group group;
    struct answer_table table;
};

static void on_text_page(void *context, const struct jread *items)
{
    struct text_group *group = context;
    for (size_t i = 0; i < jread_count(items); i++)
        if (reconcile_group_of(jread_element(items, i)) == group->group)
            answer_table_measure(&group->table, jread_element(items, i));
    for (size_t i = 0; i < jread_count(items); i++) {
        const struct jread *item = jread_element(items, i);
        if (reconcile_group_of(item) != group->group)
            continue;
        answer_table_print(&group->table, stdout, item);
        print_reason(group->table.context, item, group->table.indent + 4);
    }
}

static int print_groups(struct reconcile *reconcile, const struct tenant_answer *answer)
{
    static const char *const titles[GROUP_COUNT] = {
        [GROUP_LISTED] = "Somebody has to look at:",
        [GROUP_UNCLAIMED] = "Payments at the registers that no card has made:",
        [GROUP_OPEN] = "Not proved yet, looked at again without anybody's help:",
    };
    int err = 0;
    for (int i = 0; err == 0 && i < GROUP_COUNT; i++) {
        struct text_group group = {
            .group = (enum group)i,
            .table = {item_columns, ITEM_COLUMNS, .indent = 4, item_cell, &answer->style},
        };
        if (answer->counts[i] == 0)
            continue;
        printf("\n  %s\n", titles[i]);
        err = reconcile_each_page(reconcile, answer, on_text_page, &group);
    }
    return err;
}

/* --- text: the tenant */

static void print_sum(const struct tenant_answer *answer, const char *label, const char *name,
                      bool is_signed)
{
    char bytes[64];
    struct text_buffer money;
    text_buffer_init(&money, bytes, sizeof(bytes));
    answer_append_money(&money, &answer->style, answer_text(answer->document, name), is_signed);
    int padding = 18 - answer_width(text_buffer_text(&money));
    printf("  %-15s%*s%s\n", label, padding > 0 ? padding : 0, "", bytes);
}

static void print_name(const struct jread *document)
{
    char name[SENTENCE_MAX], days[64];
    struct text_buffer buffer;
    text_buffer_init(&buffer, name, sizeof(name));
    text_append_printable(&buffer, answer_text(document, "name"), TEXT("?"));
    text_buffer_init(&buffer, days, sizeof(days));
    reconcile_append_days(&buffer, document);
    struct text currency = answer_text(document, "currency");
    struct text zone = answer_text(document, "timezone");
    printf("%s (tenant %lld), %s, amounts in %.*s, times in %.*s\n", name,
           (long long)answer_int64(document, "tenant"), days, (int)currency.length, currency.base,
           (int)zone.length, zone.base);
}

static void print_connection(const struct tenant_answer *answer)
{
    char bytes[SENTENCE_MAX];
    struct text_buffer buffer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    reconcile_append_not_looked(&buffer, answer);
    if (buffer.length > 0)
        answer_print_wrapped(stdout, text_buffer_text(&buffer), 2);
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    reconcile_append_connection(&buffer, answer->document);
    if (buffer.length > 0)
        answer_print_wrapped(stdout, text_buffer_text(&buffer), 2);
}

static void print_counts(const struct tenant_answer *answer)
{
    const struct jread *document = answer->document;
    char bytes[SENTENCE_MAX];
    struct text_buffer buffer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    answer_append_count(&buffer, answer_int64(document, "operations"), "operation", "operations");
    text_append_format(&buffer, ": %lld confirmed, %lld reversed, %lld listed, %lld not proved yet",
                       (long long)answer_int64(document, "confirmed"),
                       (long long)answer_int64(document, "reversed"),
                       (long long)answer_int64(document, "listed"),
                       (long long)answer_int64(document, "open"));
    if (answer_int64(document, "changed") > 0)
        text_append_format(&buffer, ", %lld of them changed since",
                           (long long)answer_int64(document, "changed"));
    if (answer->not_looked > 0)
        text_append_format(&buffer, ", %lld not looked at", (long long)answer->not_looked);
    text_append(&buffer, TEXT("; "));
    answer_append_count(&buffer, answer_int64(document, "unclaimed_payments"),
                        "payment that nobody claims", "payments that nobody claims");
    printf("  %s\n", bytes);
}

static void print_totals(const struct tenant_answer *answer)
{
    if (reconcile_is_unread(
            answer)) { /* a register total of zero would say that it shows nothing */
        print_sum(answer, "ledger total", "ledger_total", false);
        return;
    }
    print_sum(answer, "register total", "register_total", false);
    print_sum(answer, "ledger total", "ledger_total", false);
    print_sum(answer, "difference", "difference", true);
    print_counts(answer);
}

/* What it comes to. Nothing is claimed of a tenant of whom nothing can be known. */
static void print_verdict(const struct tenant_answer *answer)
{
    if (answer->open_items == 0 && reconcile_is_connected(answer))
        puts("  Everything is accounted for");
    print_connection(answer);
}

static int print_text_tenant(void *context, struct reconcile *reconcile,
                             const struct tenant_answer *answer)
{
    bool is_consistent = true;
    (void)context;
    if (reconcile->tenants > 1)
        putchar('\n');
    print_name(answer->document);
    if (!reconcile_is_unknown(answer))
        print_totals(answer);
    print_verdict(answer);
    int err = print_groups(reconcile, answer);
    if (err == 0)
        err = reconcile_check_sum(reconcile, answer, &is_consistent);
    if (!is_consistent)
        puts("\n  These items do not add up to the difference: something changed while they were "
             "read. Run it again");
    return err;
}

int reconcile_print_text(struct reconcile *reconcile)
{
    int err = reconcile_each_tenant(reconcile, PAGE_ITEMS, print_text_tenant, NULL);
    if (err == 0 && reconcile->tenants == 0)
        puts("There are no tenants yet");
    return err;
}
