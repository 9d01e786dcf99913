/*
 * The report as a page that stands alone: what this application does to orders that it did not
 * create, within which bounds, who has approved it, and the evidence. Written for somebody who
 * reviews it and has seen nothing else of it.
 */
#include "service/foreign_report.h"

#include "base/clock.h"
#include "base/money.h"
#include "service/html.h"

#include "base/banned.h"

#define WORDS_MAX 512

/* A text that is put together, with its own memory. */
struct words {
    struct text_buffer buffer;
    char bytes[WORDS_MAX];
};

struct page {
    FILE *file;
    const struct jread *report;
    struct currency currency;
    struct clock_zone *zone; /* NULL: UTC */
    struct html_table table;
};

static struct text_buffer *words_begin(struct words *words)
{
    text_buffer_init(&words->buffer, words->bytes, sizeof(words->bytes));
    return &words->buffer;
}

static struct text words_text(const struct words *words)
{
    return text_buffer_text(&words->buffer);
}

/* --- the answer's members; what is not there is empty, or 0 --- */

static struct text member(const struct jread *object, const char *name)
{
    struct text text;
    return jread_scalar(jread_member(object, name), &text) == 0 ? text : TEXT("");
}

static int64_t number(const struct jread *object, const char *name)
{
    int64_t value;
    return jread_int64(jread_member(object, name), &value) == 0 ? value : 0;
}

static bool is_true(const struct jread *object, const char *name)
{
    bool flag;
    return jread_bool(jread_member(object, name), &flag) == 0 && flag;
}

static bool is_word(const struct jread *object, const char *name, const char *word)
{
    return text_equal(member(object, name), text_of(word));
}

/* "$1,234.50" */
static void append_money(const struct page *page, struct text_buffer *buffer, struct text amount)
{
    size_t whole = 0;
    text_append(buffer, text_of(currency_symbol(&page->currency)));
    while (whole < amount.length && amount.base[whole] != '.')
        whole++;
    for (size_t i = 0; i < amount.length; i++) {
        if (i > 0 && i < whole && (whole - i) % 3 == 0)
            text_append_char(buffer, ',');
        text_append_char(buffer, amount.base[i]);
    }
}

/* "29 May 2026 would need a calendar's words: 2026-05-29 21:14", on the merchant's clock. */
static void append_time(const struct page *page, struct text_buffer *buffer, struct text time)
{
    char bytes[64];
    struct text_buffer local;
    int64_t time_us;
    if (clock_parse_time(time, &time_us) != 0)
        return;
    if (page->zone != NULL)
        time_us += clock_zone_offset_s(page->zone, time_us) * CLOCK_US_PER_S;
    text_buffer_init(&local, bytes, sizeof(bytes));
    clock_append_time(&local, time_us);
    text_append(buffer, text_slice(text_buffer_text(&local), 0, 10));
    text_append_char(buffer, ' ');
    text_append(buffer, text_slice(text_buffer_text(&local), 11, 5));
}

static void append_limit(const struct page *page, struct text_buffer *buffer, struct text limit)
{
    if (limit.length == 0)
        text_append(buffer, TEXT("no limit"));
    else
        append_money(page, buffer, limit);
}

/* "at most $50.00 a payment and $500.00 a day, until 2027-03-31" */
static void append_terms(const struct page *page, struct text_buffer *buffer,
                         const struct jread *approval)
{
    struct text payment_max = member(approval, "payment_max"),
                day_max = member(approval, "day_max");
    struct text expires = member(approval, "expires");
    if (payment_max.length == 0 && day_max.length == 0)
        text_append(buffer, TEXT("no limit of amounts"));
    else
        text_append(buffer, TEXT("at most "));
    if (payment_max.length != 0) {
        append_money(page, buffer, payment_max);
        text_append(buffer, TEXT(" a payment"));
    }
    if (payment_max.length != 0 && day_max.length != 0)
        text_append(buffer, TEXT(" and "));
    if (day_max.length != 0) {
        append_money(page, buffer, day_max);
        text_append(buffer, TEXT(" a day"));
    }
    text_append(buffer, expires.length == 0 ? TEXT(", until revoked") : TEXT(", until "));
    text_append(buffer, expires);
}

/* --- words for people --- */

struct wording {
    const char *name, *words;
    enum html_tone tone;
};

static const struct wording states[] = {
    {"not_requested", "Not requested", HTML_NOTICE},
    {"requested", "Requested", HTML_NOTICE},
    {"under_review", "Under review", HTML_NOTICE},
    {"approved", "Approved", HTML_GOOD},
    {"refused", "Refused", HTML_BAD},
    {"revoked", "Revoked", HTML_BAD},
};
static const struct wording outcomes[] = {
    {"paid", "Paid", HTML_GOOD},
    {"refused_by_us", "Stopped by us", HTML_PLAIN},
    {"refused_by_api", "Refused by Lightspeed", HTML_BAD},
    {"not_made", "Not made", HTML_PLAIN},
    {"open", "Not known yet", HTML_NOTICE},
};
static const struct wording verdicts[] = {
    {"not_approved", "No call was made: there was no approval", HTML_PLAIN},
    {"expired", "No call was made: the approval had run out", HTML_PLAIN},
    {"over_payment_max", "No call was made: more than one payment may be", HTML_PLAIN},
    {"over_day_max", "No call was made: more than the day may have", HTML_PLAIN},
};

static const struct wording *find_wording(const struct wording *list, size_t count,
                                          struct text name)
{
    static const struct wording unknown = {"", "?", HTML_NOTICE};
    for (size_t i = 0; i < count; i++)
        if (text_equal(text_of(list[i].name), name))
            return &list[i];
    return &unknown;
}

static const struct wording *state_wording(struct text name)
{
    return find_wording(states, COUNT_OF(states), name);
}

/* --- what it comes to --- */

static void verdict_approved(const struct page *page, const struct jread *approval)
{
    struct words words;
    struct text reference = member(page->report, "reference");
    text_append(words_begin(&words), TEXT("These payments may be "));
    append_terms(page, &words.buffer, approval);
    text_append(&words.buffer, TEXT("."));
    if (reference.length != 0) {
        text_append(&words.buffer, TEXT(" Lightspeed's reference: "));
        text_append(&words.buffer, reference);
    }
    html_verdict(page->file, HTML_GOOD, TEXT("Approved by Lightspeed"), words_text(&words));
}

static void write_verdict(const struct page *page)
{
    const struct jread *approval = jread_member(page->report, "approval");
    if (!is_word(approval, "state", "approved")) {
        struct text state = member(approval, "state");
        bool is_no = state_wording(state)->tone == HTML_BAD;
        html_verdict(page->file, is_no ? HTML_BAD : HTML_NOTICE,
                     is_no ? text_of(state_wording(state)->words)
                     : text_equal(state, TEXT("not_requested")) ? TEXT("Not requested yet")
                                                                : TEXT("Not approved yet"),
                     TEXT("No payment is sent onto an order that this application did not create. "
                          "Each one that was wanted is listed below, and was stopped here."));
    } else if (is_true(page->report, "is_expired")) {
        html_verdict(page->file, HTML_NOTICE, TEXT("The approval has run out"),
                     TEXT("No payment is sent any more until it is approved anew."));
    } else if (jread_member(page->report, "refused_by_api") != NULL) {
        html_verdict(page->file, HTML_BAD,
                     TEXT("Recorded here as approved, and refused by Lightspeed's API"),
                     TEXT("The API has answered \"forbidden\" (403) since the approval was "
                          "recorded. The approval may not be switched on for this application."));
    } else {
        verdict_approved(page, approval);
    }
}

/* --- what it is --- */

static void write_introduction(const struct page *page)
{
    html_section_begin(page->file, TEXT("What this application does"));
    html_paragraph(
        page->file,
        TEXT("Counterpart keeps a merchant's gift cards and loyalty points. The orders are the "
             "merchant's own: they are made at the registers, and Counterpart creates none. In "
             "two cases it adds a payment to such an order through Lightspeed's API (POST "
             "/orders/{id}/payments). This report is about these payments, and nothing else."));
    html_facts_begin(page->file);
    html_fact(page->file, TEXT("Gift card"),
              is_word(page->report, "payment_booked_by", "counterpart")
                  ? TEXT("A customer pays with a gift card. The card is charged first, then the "
                         "same amount is added to the order. In use here.")
                  : TEXT("Not in use here: the register itself books what a gift card pays."));
    html_fact(page->file, TEXT("Points"),
              jread_count(jread_member(page->report, "rewards")) > 0
                  ? TEXT("A member redeems a reward that pays a fixed part of the order. The "
                         "points are held first and spent once the payment is on the order. In "
                         "use here.")
                  : TEXT("Not in use here: no reward pays. Discounts add no payment."));
    html_facts_end(page->file);
    html_section_end(page->file);
}

static void write_bounds(const struct page *page)
{
    html_section_begin(page->file, TEXT("What keeps it within bounds"));
    html_paragraph(
        page->file,
        TEXT("Before any call is made, each payment is judged by the approval below: is there "
             "one, has it run out, is the payment too large, would the day have too much. The "
             "judgement and the sum of the day are written together, so that registers that ask "
             "at the same moment cannot pass the limit between them. Whatever is refused is "
             "refused whole, nothing is sent, and the cashier reads why."));
    html_paragraph(
        page->file,
        TEXT("Each payment carries a reference of ours and is sent once. When no reply comes, the "
             "order is read and searched for that reference before anything is sent again. What "
             "the API refuses for good is not tried again by itself: points go back to the "
             "member, and the merchant is shown the charge. The API knows no way to take a "
             "payment off an order, so this application never does."));
    html_section_end(page->file);
}

static const struct html_column reward_columns[] = {
    {.title = "Reward", .is_wide = true},
    {.title = "Points", .is_number = true},
    {.title = "Pays", .is_number = true},
    {.title = "Offered"},
};

static void write_rewards(struct page *page)
{
    const struct jread *rewards = jread_member(page->report, "rewards");
    if (jread_count(rewards) == 0)
        return;
    html_section_begin(page->file, TEXT("Rewards that pay"));
    html_table_begin(&page->table, page->file, TEXT("Rewards that pay"), reward_columns,
                     COUNT_OF(reward_columns));
    for (size_t i = 0; i < jread_count(rewards); i++) {
        const struct jread *each = jread_element(rewards, i);
        struct words words;
        html_row_begin(&page->table);
        html_cell(&page->table, member(each, "title"), TEXT(""));
        html_cell(&page->table, member(each, "points"), TEXT(""));
        append_money(page, words_begin(&words), member(each, "amount"));
        html_cell(&page->table, words_text(&words), TEXT(""));
        html_cell(&page->table,
                  is_word(each, "status", "active") ? TEXT("yes") : TEXT("not any more"), TEXT(""));
        html_row_end(&page->table);
    }
    html_table_end(&page->table);
    html_section_end(page->file);
}

/* --- the approval --- */

static void write_terms(const struct page *page)
{
    const struct jread *approval = jread_member(page->report, "approval");
    struct text expires = member(approval, "expires"),
                reference = member(page->report, "reference");
    struct words words;
    html_facts_begin(page->file);
    html_fact(page->file, TEXT("State"), text_of(state_wording(member(approval, "state"))->words));
    if (is_word(approval, "state", "approved")) {
        append_limit(page, words_begin(&words), member(approval, "payment_max"));
        html_fact(page->file, TEXT("Largest payment"), words_text(&words));
        append_limit(page, words_begin(&words), member(approval, "day_max"));
        html_fact(page->file, TEXT("Largest sum of a day"), words_text(&words));
        html_fact(page->file, TEXT("Good until"),
                  expires.length == 0 ? TEXT("it is revoked") : expires);
    }
    if (reference.length != 0)
        html_fact(page->file, TEXT("Lightspeed's reference"), reference);
    html_facts_end(page->file);
}

static const struct html_column history_columns[] = {
    {.title = "When"},      {.title = "Became"}, {.title = "Terms"},
    {.title = "Reference"}, {.title = "By"},     {.title = "Note", .is_wide = true},
};

static void write_change(struct page *page, const struct jread *change)
{
    struct words at, terms;
    struct text to = member(change, "to");
    bool is_approval = text_equal(to, TEXT("approved"));
    append_time(page, words_begin(&at), member(change, "at"));
    words_begin(&terms);
    if (is_approval)
        append_terms(page, &terms.buffer, jread_member(change, "approval"));
    html_row_begin(&page->table);
    html_cell(&page->table, words_text(&at), TEXT(""));
    html_cell_badge(&page->table, state_wording(to)->tone, text_of(state_wording(to)->words),
                    TEXT(""));
    html_cell(&page->table, words_text(&terms), TEXT(""));
    html_cell(&page->table, member(change, "reference"), TEXT(""));
    html_cell(&page->table, member(change, "actor"), TEXT(""));
    html_cell(&page->table, member(change, "note"), TEXT(""));
    html_row_end(&page->table);
}

static void write_approval(struct page *page)
{
    const struct jread *history = jread_member(page->report, "history");
    html_section_begin(page->file, TEXT("The approval"));
    write_terms(page);
    if (jread_count(history) == 0) {
        html_paragraph(page->file, TEXT("Nobody has asked for an approval yet."));
    } else {
        html_paragraph(page->file, TEXT("Every step, as it was recorded. None of it can be changed "
                                        "or removed afterwards."));
        html_table_begin(&page->table, page->file, TEXT("Steps of the approval"), history_columns,
                         COUNT_OF(history_columns));
        for (size_t i = 0; i < jread_count(history); i++)
            write_change(page, jread_element(history, i));
        html_table_end(&page->table);
    }
    html_section_end(page->file);
}

/* --- the evidence --- */

static void write_figure(const struct page *page, enum html_tone tone, const char *label,
                         const char *count_name, const char *amount_name)
{
    const struct jread *totals = jread_member(page->report, "totals");
    struct words words;
    append_money(page, words_begin(&words), member(totals, amount_name));
    html_figure(page->file, number(totals, count_name) == 0 ? HTML_PLAIN : tone, text_of(label),
                member(totals, count_name), words_text(&words));
}

static void write_figures(const struct page *page)
{
    html_figures_begin(page->file);
    write_figure(page, HTML_PLAIN, "Attempted", "attempts", "attempted");
    write_figure(page, HTML_PLAIN, "Stopped by us, no call", "refused_by_us",
                 "refused_by_us_amount");
    write_figure(page, HTML_GOOD, "Paid", "paid", "paid_amount");
    write_figure(page, HTML_BAD, "Refused by Lightspeed", "refused_by_api",
                 "refused_by_api_amount");
    write_figure(page, HTML_PLAIN, "Allowed, not made", "not_made", "not_made_amount");
    write_figure(page, HTML_NOTICE, "Not known yet", "open", "open_amount");
    html_figures_end(page->file);
}

static const struct html_column day_columns[] = {
    {.title = "Day"},
    {.title = "Attempted", .is_number = true},
    {.title = "Stopped by us", .is_number = true},
    {.title = "Paid", .is_number = true},
    {.title = "Refused by Lightspeed", .is_number = true},
    {.title = "Not made", .is_number = true},
    {.title = "Not known yet", .is_number = true},
};

/* A column without anything in it is left empty, so that what is there is seen. */
static void write_sum_cell(struct page *page, const struct jread *day, const char *count_name,
                           const char *amount_name)
{
    struct words amount, count;
    int64_t attempts = number(day, count_name);
    words_begin(&amount);
    words_begin(&count);
    if (attempts != 0) {
        append_money(page, &amount.buffer, member(day, amount_name));
        text_append_format(&count.buffer, "%lld %s", (long long)attempts,
                           attempts == 1 ? "payment" : "payments");
    }
    html_cell(&page->table, words_text(&amount), words_text(&count));
}

static void write_days(struct page *page)
{
    const struct jread *days = jread_member(page->report, "days");
    html_section_begin(page->file, TEXT("Day by day"));
    html_table_begin(&page->table, page->file, TEXT("Attempts by day"), day_columns,
                     COUNT_OF(day_columns));
    for (size_t i = 0; i < jread_count(days); i++) {
        const struct jread *day = jread_element(days, i);
        html_row_begin(&page->table);
        html_cell(&page->table, member(day, "date"), TEXT(""));
        write_sum_cell(page, day, "attempts", "attempted");
        write_sum_cell(page, day, "refused_by_us", "refused_by_us_amount");
        write_sum_cell(page, day, "paid", "paid_amount");
        write_sum_cell(page, day, "refused_by_api", "refused_by_api_amount");
        write_sum_cell(page, day, "not_made", "not_made_amount");
        write_sum_cell(page, day, "open", "open_amount");
        html_row_end(&page->table);
    }
    html_table_end(&page->table);
    html_section_end(page->file);
}

static const struct html_column attempt_columns[] = {
    {.title = "When"},      {.title = "Order"},
    {.title = "Paid with"}, {.title = "Amount", .is_number = true},
    {.title = "Outcome"},   {.title = "Answer of Lightspeed's API", .is_wide = true},
};

static void write_order_cell(struct page *page, const struct jread *attempt)
{
    struct words order, site;
    words_begin(&order);
    words_begin(&site);
    if (number(attempt, "order_id") != 0)
        text_append(&order.buffer, member(attempt, "order_id"));
    else
        text_append(&order.buffer, TEXT("none named"));
    if (number(attempt, "site_id") != 0)
        text_append_format(&site.buffer, "site %lld", (long long)number(attempt, "site_id"));
    html_cell(&page->table, words_text(&order), words_text(&site));
}

static void write_effect_cell(struct page *page, const struct jread *attempt)
{
    struct words words;
    bool is_card = is_word(attempt, "effect", "gift_card");
    int64_t id = number(attempt, is_card ? "operation_id" : "reservation_id");
    words_begin(&words);
    if (id != 0)
        text_append_format(&words.buffer, "%s %lld", is_card ? "operation" : "redemption",
                           (long long)id);
    html_cell(&page->table, is_card ? TEXT("gift card") : TEXT("points"), words_text(&words));
}

/* "403" and the API's words; or why there was nothing to answer. */
static void write_answer_cell(struct page *page, const struct jread *attempt)
{
    struct words status;
    int64_t api_status = number(attempt, "api_status");
    struct text answer = member(attempt, "api_answer");
    words_begin(&status);
    if (is_word(attempt, "outcome", "refused_by_us")) {
        struct text verdict = member(attempt, "verdict");
        html_cell(&page->table, text_of(find_wording(verdicts, COUNT_OF(verdicts), verdict)->words),
                  TEXT(""));
        return;
    }
    if (api_status != 0)
        text_append_format(&status.buffer, "HTTP %lld", (long long)api_status);
    if (api_status == 0 && answer.length == 0)
        text_append(&status.buffer, TEXT("none yet"));
    html_cell(&page->table, api_status == 0 && answer.length != 0 ? answer : words_text(&status),
              api_status == 0 ? TEXT("") : answer);
}

static void write_attempt(struct page *page, const struct jread *attempt)
{
    struct words at, amount;
    const struct wording *outcome =
        find_wording(outcomes, COUNT_OF(outcomes), member(attempt, "outcome"));
    append_time(page, words_begin(&at), member(attempt, "at"));
    append_money(page, words_begin(&amount), member(attempt, "amount"));
    html_row_begin(&page->table);
    html_cell(&page->table, words_text(&at), TEXT(""));
    write_order_cell(page, attempt);
    write_effect_cell(page, attempt);
    html_cell(&page->table, words_text(&amount), TEXT(""));
    html_cell_badge(&page->table, outcome->tone, text_of(outcome->words), TEXT(""));
    write_answer_cell(page, attempt);
    html_row_end(&page->table);
}

static void write_attempts(struct page *page)
{
    const struct jread *list = jread_member(page->report, "list");
    struct words words;
    html_section_begin(page->file, TEXT("Each attempt"));
    if (number(page->report, "left_out") > 0) {
        text_append_format(words_begin(&words),
                           "The newest %zu. %lld older ones are in the sums above; --from and "
                           "--until show them.",
                           jread_count(list), (long long)number(page->report, "left_out"));
        html_paragraph(page->file, words_text(&words));
    }
    html_table_begin(&page->table, page->file, TEXT("Attempts, the newest first"), attempt_columns,
                     COUNT_OF(attempt_columns));
    for (size_t i = 0; i < jread_count(list); i++)
        write_attempt(page, jread_element(list, i));
    html_table_end(&page->table);
    html_section_end(page->file);
}

static void write_evidence(struct page *page)
{
    html_section_begin(page->file, TEXT("What was attempted"));
    if (jread_count(jread_member(page->report, "list")) == 0) {
        html_paragraph(page->file, TEXT("Nothing. No payment was wanted in this time, and none was "
                                        "sent."));
        html_section_end(page->file);
        return;
    }
    write_figures(page);
    html_section_end(page->file);
    write_days(page);
    write_attempts(page);
}

/* --- the page --- */

static void append_subtitle(const struct page *page, struct text_buffer *buffer)
{
    struct text from = member(page->report, "from"), until = member(page->report, "until");
    text_append(buffer, member(page->report, "name"));
    if (number(page->report, "oseries_company") != 0)
        text_append_format(buffer, ", O-Series company %lld",
                           (long long)number(page->report, "oseries_company"));
    if (from.length == 0 && until.length == 0) {
        text_append(buffer, TEXT(", all days"));
        return;
    }
    text_append(buffer, from.length == 0 ? TEXT("") : TEXT(", from "));
    text_append(buffer, from);
    text_append(buffer, until.length == 0  ? TEXT("")
                        : from.length == 0 ? TEXT(", until ")
                                           : TEXT(" until "));
    text_append(buffer, until);
}

static void write_footer(const struct page *page)
{
    struct words words;
    text_append(words_begin(&words), TEXT("Made on "));
    append_time(page, &words.buffer, member(page->report, "made_at"));
    text_append(&words.buffer, TEXT(" by counterpart foreign-orders report. Amounts in "));
    text_append(&words.buffer, member(page->report, "currency"));
    text_append(&words.buffer, TEXT(", times of "));
    text_append(&words.buffer, page->zone == NULL ? TEXT("UTC") : member(page->report, "timezone"));
    text_append(&words.buffer, TEXT("."));
    html_end(page->file, words_text(&words));
}

static void page_init(struct page *page, FILE *file, const struct jread *report)
{
    char zone[128];
    *page = (struct page){.file = file, .report = report};
    if (currency_find(member(report, "currency"), &page->currency) != 0)
        page->currency = (struct currency){.code = "", .exponent = 2};
    if (!text_copy_utf8(zone, sizeof(zone), member(report, "timezone")) ||
        clock_zone_create(zone, &page->zone) != 0)
        page->zone = NULL;
}

void foreign_page_write(FILE *file, const struct jread *report)
{
    struct page page;
    struct words subtitle;
    page_init(&page, file, report);
    append_subtitle(&page, words_begin(&subtitle));
    html_begin(file, TEXT("Payments onto orders of the merchant's registers"),
               words_text(&subtitle));
    write_verdict(&page);
    write_introduction(&page);
    write_bounds(&page);
    write_approval(&page);
    write_rewards(&page);
    write_evidence(&page);
    write_footer(&page);
    clock_zone_destroy(page.zone);
}
