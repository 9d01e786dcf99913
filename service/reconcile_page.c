/* Writes the report of `counterpart reconcile` as a page that stands alone. */
#include "service/reconcile_report.h"

#include "base/error.h"
#include "service/html.h"
#include "service/words.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define PAGE_ITEMS 200

struct page {
    FILE *file;
    struct reconcile *reconcile;
    struct html_table overview;
    struct html_table items;
    enum group group;
    const struct answer_style *style;
    int64_t open_items, unconnected, blind, tenants; /* as the first look found them */
    int64_t to_look_at; /* of the open items, what waits for somebody */
};

/* --- items */

static const char *const group_titles[GROUP_COUNT] = {
    [GROUP_LISTED] = "Somebody has to look at these",
    [GROUP_UNCLAIMED] = "Payments that no card has made",
    [GROUP_OPEN] = "Not proved yet",
};
static const char *const group_sentences[GROUP_COUNT] = {
    [GROUP_LISTED] = "The register and the ledger disagree, or cannot be compared, and only a "
                     "person can tell what happened. They stay here until the register says "
                     "otherwise.",
    [GROUP_UNCLAIMED] = "The register shows these payments as ours, and no operation on a card "
                        "belongs to them.",
    [GROUP_OPEN] = "Their orders are looked at again without anybody's help. Most of them are "
                   "confirmed as soon as the sale is closed.",
};

static const struct html_column operation_columns[] = {
    {.title = "Order"},
    {.title = "When", .is_short = true},
    {.title = "Card", .is_short = true},
    {.title = "Amount", .is_number = true},
    {.title = "Difference", .is_number = true},
    {.title = "Reason", .is_wide = true},
};
static const struct html_column payment_columns[] = {
    {.title = "Order"},
    {.title = "Day", .is_short = true},
    {.title = "Payment"},
    {.title = "Amount", .is_number = true},
    {.title = "Difference", .is_number = true},
    {.title = "Reason", .is_wide = true},
};

static void append_place(struct text_buffer *buffer, const struct jread *item)
{
    struct text site = answer_text(item, "site");
    int64_t site_id = answer_int64(item, "site_id");
    int64_t register_id = answer_int64(item, "register_id");
    text_append(buffer, site);
    if (site.length == 0 && site_id != 0)
        text_append_format(buffer, "site %lld", (long long)site_id);
    if (register_id != 0)
        text_append_format(buffer, "%sregister %lld", buffer->length > 0 ? ", " : "",
                           (long long)register_id);
}

static void write_order_cell(struct page *page, const struct jread *item)
{
    struct words order, place;
    int64_t order_id = answer_int64(item, "order_id");
    text_append_int64(words_begin(&order), order_id);
    append_place(words_begin(&place), item);
    html_cell(&page->items, order_id == 0 ? TEXT("none") : words_text(&order), words_text(&place));
}

/* Of a payment the day alone is known. */
static void write_when_cell(struct page *page, const struct jread *item)
{
    struct words at;
    int64_t at_us = answer_time_us(item, "at");
    answer_append_time(words_begin(&at), page->style, at_us, false);
    html_cell(&page->items, at_us == 0 ? answer_text(item, "date") : words_text(&at), TEXT(""));
}

static void write_card_cell(struct page *page, const struct jread *item)
{
    struct words words;
    text_append(words_begin(&words), TEXT("\xe2\x80\xa6"));
    text_append(&words.buffer, answer_text(item, "card_last4"));
    struct text action = answer_text(item, "action");
    if (text_equal(action, TEXT("top_up")) || text_equal(action, TEXT("hold_load")))
        action = TEXT("top-up");
    html_cell(&page->items, words_text(&words), action);
}

static void write_payment_cell(struct page *page, const struct jread *item)
{
    struct words words;
    text_append_format(words_begin(&words), "no. %lld",
                       (long long)answer_int64(item, "payment_number"));
    html_cell(&page->items, words_text(&words), answer_text(item, "ref"));
}

static void write_money_cell(struct page *page, const struct jread *item, const char *name,
                             bool is_signed)
{
    struct words words;
    answer_append_money(words_begin(&words), page->style, answer_text(item, name), is_signed);
    html_cell(&page->items, words_text(&words), TEXT(""));
}

static void write_item(struct page *page, const struct jread *item)
{
    struct words notes;
    html_row_begin(&page->items);
    write_order_cell(page, item);
    write_when_cell(page, item);
    if (page->group == GROUP_UNCLAIMED)
        write_payment_cell(page, item);
    else
        write_card_cell(page, item);
    write_money_cell(page, item, "amount", false);
    write_money_cell(page, item, "difference", true);
    reconcile_append_notes(words_begin(&notes), page->style, item);
    html_cell(&page->items, answer_text(item, "sentence"), words_text(&notes));
    html_row_end(&page->items);
}

static void on_page(void *context, const struct jread *items)
{
    struct page *page = context;
    for (size_t i = 0; i < jread_count(items); i++)
        if (reconcile_group_of(jread_element(items, i)) == page->group)
            write_item(page, jread_element(items, i));
}

static int write_group(struct page *page, const struct tenant_answer *answer, enum group group)
{
    struct words words;
    bool is_payment = group == GROUP_UNCLAIMED;
    if (answer->counts[group] == 0)
        return 0;
    text_append_format(words_begin(&words), "%s (%lld)", group_titles[group],
                       (long long)answer->counts[group]);
    html_section_begin(page->file, words_text(&words));
    html_paragraph(page->file, text_of(group_sentences[group]));
    page->group = group;
    page->style = &answer->style;
    html_table_begin(&page->items, page->file, text_of(group_titles[group]),
                     is_payment ? payment_columns : operation_columns, COUNT_OF(operation_columns));
    int err = reconcile_each_page(page->reconcile, answer, on_page, page);
    html_table_end(&page->items);
    html_section_end(page->file);
    return err;
}

/* --- a tenant */

static void write_sums(struct page *page, const struct tenant_answer *answer)
{
    static const struct {
        const char *name, *label, *note;
    } sums[] = {
        {"register_total", "Register total", "our payments on the orders"},
        {"ledger_total", "Ledger total", "what the cards paid"},
        {"difference", "Difference", "register less ledger"},
    };
    html_figures_begin(page->file);
    for (size_t i = 0; i < COUNT_OF(sums); i++) {
        struct words words;
        if (reconcile_is_unread(answer) && i != 1)
            continue; /* a register total of zero would say that it shows nothing */
        struct text amount = answer_text(answer->document, sums[i].name);
        int64_t minor;
        bool is_difference = i == COUNT_OF(sums) - 1;
        bool is_off =
            is_difference &&
            (money_parse(amount, answer->style.currency.exponent, &minor) != 0 || minor != 0);
        answer_append_money(words_begin(&words), &answer->style, amount, is_difference);
        html_figure(page->file, is_off ? HTML_BAD : HTML_PLAIN, text_of(sums[i].label),
                    words_text(&words), text_of(sums[i].note));
    }
    html_figures_end(page->file);
}

static void write_counts(struct page *page, const struct tenant_answer *answer)
{
    static const struct {
        const char *name, *label;
        enum html_tone tone; /* when it is not 0 */
    } counts[] = {
        {"operations", "Operations", HTML_PLAIN},
        {"confirmed", "Confirmed", HTML_GOOD},
        {"reversed", "Reversed", HTML_PLAIN},
        {"open", "Not proved yet", HTML_NOTICE},
        {NULL, "Not looked at", HTML_NOTICE},
        {"listed", "To be looked at", HTML_BAD},
        {"unclaimed_payments", "Unclaimed payments", HTML_BAD},
    };
    html_figures_begin(page->file);
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        struct words words;
        int64_t count = counts[i].name == NULL ? answer->not_looked
                                               : answer_int64(answer->document, counts[i].name);
        if (counts[i].name == NULL && count == 0)
            continue;
        text_append_int64(words_begin(&words), count);
        html_figure(page->file, count == 0 ? HTML_PLAIN : counts[i].tone, text_of(counts[i].label),
                    words_text(&words), TEXT(""));
    }
    html_figures_end(page->file);
}

static void write_facts(struct page *page, const struct tenant_answer *answer)
{
    struct words read_at, swept_at;
    int64_t swept_us = answer_time_us(answer->document, "swept_at");
    answer_append_time(words_begin(&read_at), &answer->style,
                       answer_time_us(answer->document, "read_at"), false);
    answer_append_time(words_begin(&swept_at), &answer->style, swept_us, false);
    html_facts_begin(page->file);
    html_fact(page->file, TEXT("Amounts in"), answer_text(answer->document, "currency"));
    html_fact(page->file, TEXT("Times in"), answer_text(answer->document, "timezone"));
    html_fact(page->file, TEXT("As it was at"), words_text(&read_at));
    html_fact(page->file, TEXT("All orders last listed"),
              swept_us == 0 ? TEXT("not yet") : words_text(&swept_at));
    html_facts_end(page->file);
}

static void write_verdict_of_items(struct page *page, int64_t open_items, int64_t to_look_at)
{
    struct words heading, sentence;
    answer_append_count(words_begin(&heading), open_items, "item is open", "items are open");
    if (to_look_at > 0)
        answer_append_count(words_begin(&sentence), to_look_at,
                            "of them needs a person to look at it.",
                            "of them need a person to look at them.");
    else
        text_append(words_begin(&sentence), TEXT("They are looked at again without anybody's help; "
                                                 "nobody has to do anything yet."));
    html_verdict(page->file, to_look_at > 0 ? HTML_BAD : HTML_NOTICE, words_text(&heading),
                 words_text(&sentence));
}

static void write_connection(struct page *page, const struct tenant_answer *answer)
{
    struct words words;
    reconcile_append_connection(words_begin(&words), answer->document);
    if (!reconcile_is_connected(answer))
        html_verdict(page->file, reconcile_is_blind(answer) ? HTML_BAD : HTML_NOTICE,
                     reconcile_is_unread(answer) ? TEXT("Nothing can be proved")
                                                 : TEXT("Nothing new can be proved"),
                     words_text(&words));
}

static void write_verdict(struct page *page, const struct tenant_answer *answer)
{
    int64_t operations = answer_int64(answer->document, "operations");
    if (answer->open_items > 0)
        write_verdict_of_items(page, answer->open_items,
                               answer->counts[GROUP_LISTED] + answer->counts[GROUP_UNCLAIMED]);
    else if (reconcile_is_connected(answer) && operations == 0)
        html_verdict(page->file, HTML_GOOD, TEXT("There is nothing to account for"),
                     TEXT("No card has paid anything in this time."));
    else if (reconcile_is_connected(answer))
        html_verdict(page->file, HTML_GOOD, TEXT("Everything is accounted for"),
                     TEXT("Each operation was confirmed by its order, or undone. No payment is "
                          "without its operation."));
    write_connection(page, answer);
    if (answer->not_looked > 0) {
        struct words words;
        reconcile_append_not_looked(words_begin(&words), answer);
        html_paragraph(page->file, words_text(&words));
    }
}

static int write_tenant(struct page *page, const struct tenant_answer *answer)
{
    bool is_consistent = true;
    int err = 0;
    write_verdict(page, answer);
    if (!reconcile_is_unknown(answer)) {
        write_sums(page, answer);
        write_counts(page, answer);
    }
    for (int i = 0; err == 0 && i < GROUP_COUNT; i++)
        err = write_group(page, answer, (enum group)i);
    if (err == 0)
        err = reconcile_check_sum(page->reconcile, answer, &is_consistent);
    if (!is_consistent)
        html_verdict(page->file, HTML_NOTICE, TEXT("The items do not add up to the difference"),
                     TEXT("Something changed while they were read. Make the report again."));
    write_facts(page, answer);
    return err;
}

/* --- several tenants: an overview, then those of whom there is something to say */

static const struct html_column overview_columns[] = {
    {.title = "Merchant"},
    {.title = "State", .is_short = true},
    {.title = "Register total", .is_number = true},
    {.title = "Ledger total", .is_number = true},
    {.title = "Difference", .is_number = true},
    {.title = "Operations", .is_number = true},
};

static void write_state_cell(struct page *page, const struct tenant_answer *answer)
{
    struct words words;
    bool waits = answer->counts[GROUP_LISTED] + answer->counts[GROUP_UNCLAIMED] > 0;
    text_append_format(words_begin(&words), "%lld open", (long long)answer->open_items);
    if (answer->open_items > 0)
        html_cell_badge(&page->overview, waits ? HTML_BAD : HTML_NOTICE, words_text(&words),
                        reconcile_is_connected(answer) ? TEXT("") : TEXT("not connected"));
    else if (reconcile_is_connected(answer))
        html_cell_badge(&page->overview, HTML_GOOD, TEXT("accounted for"), TEXT(""));
    else
        html_cell_badge(&page->overview, reconcile_is_blind(answer) ? HTML_BAD : HTML_NOTICE,
                        TEXT("not connected"), TEXT(""));
}

static int on_overview(void *context, struct reconcile *reconcile,
                       const struct tenant_answer *answer)
{
    static const char *const sums[] = {"register_total", "ledger_total", "difference"};
    struct page *page = context;
    struct words words;
    (void)reconcile;
    html_row_begin(&page->overview);
    text_append_format(words_begin(&words), "tenant %lld", (long long)answer->tenant_id);
    html_cell(&page->overview, answer_text(answer->document, "name"), words_text(&words));
    write_state_cell(page, answer);
    for (size_t i = 0; i < COUNT_OF(sums); i++) {
        words_begin(&words);
        if (i == 1 || !reconcile_is_unread(answer))
            answer_append_money(&words.buffer, &answer->style,
                                answer_text(answer->document, sums[i]), i == COUNT_OF(sums) - 1);
        html_cell(&page->overview, words_text(&words),
                  i == 0 ? answer_text(answer->document, "currency") : TEXT(""));
    }
    html_cell(&page->overview, answer_text(answer->document, "operations"), TEXT(""));
    html_row_end(&page->overview);
    return 0;
}

static int on_detail(void *context, struct reconcile *reconcile, const struct tenant_answer *answer)
{
    struct page *page = context;
    (void)reconcile;
    if (answer->open_items == 0 && reconcile_is_connected(answer))
        return 0;
    html_section_begin(page->file, answer_text(answer->document, "name"));
    int err = write_tenant(page, answer);
    html_section_end(page->file);
    return err;
}

static int on_only(void *context, struct reconcile *reconcile, const struct tenant_answer *answer)
{
    (void)reconcile;
    return write_tenant(context, answer);
}

static void write_overall_verdict(struct page *page)
{
    struct words words;
    text_append_format(words_begin(&words),
                       "%lld of %lld merchants cannot be proved: they are not "
                       "connected with Lightspeed.",
                       (long long)page->unconnected, (long long)page->tenants);
    if (page->blind > 0)
        html_verdict(page->file, HTML_BAD, TEXT("Not everything can be proved"),
                     words_text(&words));
    if (page->open_items > 0)
        write_verdict_of_items(page, page->open_items, page->to_look_at);
    else if (page->blind > 0)
        return;
    else if (page->tenants == 0)
        html_verdict(page->file, HTML_NOTICE, TEXT("There are no merchants yet"), TEXT(""));
    else if (page->unconnected < page->tenants)
        html_verdict(page->file, HTML_GOOD, TEXT("Everything that can be proved is accounted for"),
                     page->unconnected > 0 ? words_text(&words) : TEXT(""));
    else
        html_verdict(page->file, HTML_NOTICE, TEXT("Nothing can be proved"), words_text(&words));
}

static int write_all(struct page *page)
{
    write_overall_verdict(page);
    if (page->tenants == 0)
        return 0;
    html_table_begin(&page->overview, page->file, TEXT("All merchants"), overview_columns,
                     COUNT_OF(overview_columns));
    int err = reconcile_each_tenant(page->reconcile, 1, on_overview, page);
    html_table_end(&page->overview);
    if (err == 0)
        err = reconcile_each_tenant(page->reconcile, PAGE_ITEMS, on_detail, page);
    return err;
}

/* --- the file */

static int on_count(void *context, struct reconcile *reconcile, const struct tenant_answer *answer)
{
    struct page *page = context;
    (void)reconcile;
    page->to_look_at += answer->counts[GROUP_LISTED] + answer->counts[GROUP_UNCLAIMED];
    page->tenants++;
    return 0;
}

struct heading {
    struct words subtitle;
};

/* Whom and which days it is about, from the first answer. */
static int on_heading(void *context, struct reconcile *reconcile,
                      const struct tenant_answer *answer)
{
    struct heading *heading = context;
    struct text_buffer *buffer = &heading->subtitle.buffer;
    if (reconcile->tenants > 1)
        return 0;
    if (reconcile->is_all)
        text_append(buffer, TEXT("All merchants"));
    else
        text_append(buffer, answer_text(answer->document, "name"));
    text_append(buffer, TEXT(", "));
    reconcile_append_days(buffer, answer->document);
    return 0;
}

static void write_failed_page(FILE *file)
{
    html_begin(file, TEXT("Reconciliation"), TEXT("not made"));
    html_verdict(file, HTML_BAD, TEXT("This report could not be made"),
                 TEXT("The service did not answer all that was asked. What the report said before "
                      "is out of date; the command's own message says what to do."));
    html_end(file, TEXT("counterpart reconcile"));
}

static int write_page(struct reconcile *reconcile, FILE *file)
{
    struct page page = {.file = file, .reconcile = reconcile};
    struct heading heading;
    words_begin(&heading.subtitle);
    int err = reconcile_each_tenant(reconcile, 1, on_heading, &heading);
    if (err == 0)
        err = reconcile_each_tenant(reconcile, 1, on_count, &page);
    if (err != 0)
        return err;
    page.open_items = reconcile->open_items;
    page.unconnected = reconcile->unconnected;
    page.blind = reconcile->blind;
    html_begin(file, TEXT("Reconciliation"), words_text(&heading.subtitle));
    err = reconcile->is_all ? write_all(&page)
                            : reconcile_each_tenant(reconcile, PAGE_ITEMS, on_only, &page);
    html_end(file, TEXT("What the registers show of our payments, beside what the ledger holds. "
                        "Made by counterpart reconcile."));
    return err;
}

static int complain(const char *path)
{
    fprintf(stderr, "counterpart: %s cannot be written: %s\n", path, strerror(errno));
    return ERR_IO;
}

static int close_page(FILE *file, const char *path)
{
    bool is_bad = ferror(file) != 0;
    if (fclose(file) != 0 || is_bad)
        return complain(path);
    return 0;
}

/* Beside the page until it is whole; a page that failed replaces the old one too, which would be
 * taken for today's. */
static int write_beside(struct reconcile *reconcile, const char *path, const char *beside)
{
    FILE *file = fopen(beside, "w");
    if (file == NULL)
        return complain(beside);
    int failed = write_page(reconcile, file);
    if (failed != 0) {
        rewind(file);
        if (ftruncate(fileno(file), 0) != 0)
            (void)complain(beside);
        write_failed_page(file);
    }
    int err = close_page(file, beside);
    if (err == 0 && rename(beside, path) != 0)
        err = complain(path);
    if (err != 0)
        (void)unlink(beside);
    return err != 0 ? err : failed;
}

static void print_summary(const struct reconcile *reconcile, const char *path)
{
    if (reconcile->invocation->wants_json || !isatty(STDOUT_FILENO)) {
        printf("{\"html\":");
        answer_write_text(stdout, text_of(path));
        printf(",\"open_items\":%lld,\"unproved_tenants\":%lld}\n",
               (long long)reconcile->open_items, (long long)reconcile->blind);
        return;
    }
    printf("%s: %lld open", path, (long long)reconcile->open_items);
    if (reconcile->blind > 0)
        printf(", and %lld that cannot be proved: not connected", (long long)reconcile->blind);
    putchar('\n');
}

int reconcile_write_page(struct reconcile *reconcile, const char *path)
{
    char beside[PATH_MAX];
    if (strcmp(path, "-") == 0)
        return write_page(reconcile, stdout);
    if ((size_t)snprintf(beside, sizeof(beside), "%s.part", path) >= sizeof(beside)) {
        errno = ENAMETOOLONG;
        return complain(path);
    }
    int err = write_beside(reconcile, path, beside);
    if (err == 0)
        print_summary(reconcile, path);
    return err;
}
