/*
 * The report as a page that stands alone: what this application does to orders that it did not
 * create, within which bounds, who has approved it, and the evidence. Written for somebody who
 * reviews it and has seen nothing else of it.
 */
#include "service/foreign_report.h"

#include "service/foreign_words.h"
#include "service/words.h"

#include "base/banned.h"

#define DATE_LENGTH 10 /* "2026-05-29" */

struct page {
    FILE *file;
    const struct jread *report;
    struct answer_style style;
    struct html_table table;
};

static bool is_word(const struct jread *object, const char *name, const char *word)
{
    return text_equal(answer_text(object, name), text_of(word));
}

static void append_money(const struct page *page, struct text_buffer *buffer, struct text amount)
{
    answer_append_money(buffer, &page->style, amount, false);
}

static void append_time(const struct page *page, struct text_buffer *buffer,
                        const struct jread *object, const char *name)
{
    answer_append_time(buffer, &page->style, answer_time_us(object, name), true);
}

/* --- what it comes to --- */

static void write_verdict(const struct page *page)
{
    struct foreign_summary summary;
    foreign_summarize(&summary, &page->style, page->report);
    html_verdict(page->file, summary.tone, text_of(summary.heading),
                 text_buffer_text(&summary.sentence));
}

/* --- what it is --- */

static void write_introduction(const struct page *page)
{
    struct text client_id = answer_text(page->report, "client_id");
    html_section_begin(page->file, TEXT("What this application does"));
    html_paragraph(
        page->file,
        TEXT("Counterpart keeps a merchant's gift cards and loyalty points. The orders are the "
             "merchant's own: they are made at the registers, and Counterpart creates none. In "
             "two cases it adds a payment to such an order through Lightspeed's API (POST "
             "/orders/{id}/payments). This report is about these payments, and nothing else."));
    html_facts_begin(page->file);
    if (client_id.length != 0)
        html_fact(page->file, TEXT("Application"), client_id);
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
    {.title = "Offered", .is_short = true},
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
        html_cell(&page->table, answer_text(each, "title"), TEXT(""));
        html_cell(&page->table, answer_text(each, "points"), TEXT(""));
        append_money(page, words_begin(&words), answer_text(each, "amount"));
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
    struct text expires = answer_text(approval, "expires"),
                reference = answer_text(page->report, "reference");
    struct words words;
    html_facts_begin(page->file);
    html_fact(page->file, TEXT("State"),
              text_of(foreign_state_wording(answer_text(approval, "state"))->words));
    if (is_word(approval, "state", "approved")) {
        foreign_append_limit(words_begin(&words), &page->style,
                             answer_text(approval, "payment_max"));
        html_fact(page->file, TEXT("Largest payment"), words_text(&words));
        foreign_append_limit(words_begin(&words), &page->style, answer_text(approval, "day_max"));
        html_fact(page->file, TEXT("Largest sum of a day"), words_text(&words));
        html_fact(page->file, TEXT("Good until"),
                  expires.length == 0 ? TEXT("it is revoked") : expires);
    }
    if (reference.length != 0)
        html_fact(page->file, TEXT("Lightspeed's reference"), reference);
    html_facts_end(page->file);
}

static const struct html_column history_columns[] = {
    {.title = "When", .is_short = true},
    {.title = "Became", .is_short = true},
    {.title = "Reference"},
    {.title = "Terms and note", .is_wide = true},
};

static void write_change(struct page *page, const struct jread *change)
{
    struct words at, by, terms;
    struct text to = answer_text(change, "to"), note = answer_text(change, "note");
    struct text actor = answer_text(change, "actor");
    bool is_approval = text_equal(to, TEXT("approved"));
    append_time(page, words_begin(&at), change, "at");
    words_begin(&by);
    words_begin(&terms);
    if (actor.length != 0) {
        text_append(&by.buffer, TEXT("by "));
        text_append(&by.buffer, actor);
    }
    if (is_approval)
        foreign_append_terms(&terms.buffer, &page->style, jread_member(change, "approval"));
    html_row_begin(&page->table);
    html_cell(&page->table, words_text(&at), TEXT(""));
    html_cell_badge(&page->table, foreign_state_wording(to)->tone,
                    text_of(foreign_state_wording(to)->words), TEXT(""));
    html_cell(&page->table, answer_text(change, "reference"), words_text(&by));
    html_cell(&page->table, is_approval ? words_text(&terms) : note, is_approval ? note : TEXT(""));
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
    append_money(page, words_begin(&words), answer_text(totals, amount_name));
    html_figure(page->file, answer_int64(totals, count_name) == 0 ? HTML_PLAIN : tone,
                text_of(label), answer_text(totals, count_name), words_text(&words));
}

static void write_figures(const struct page *page)
{
    html_figures_begin(page->file);
    write_figure(page, HTML_PLAIN, "Attempted", "attempts", "attempted");
    write_figure(page, HTML_PLAIN, "Stopped", "refused_by_us", "refused_by_us_amount");
    write_figure(page, HTML_GOOD, "Paid", "paid", "paid_amount");
    write_figure(page, HTML_BAD, "Refused", "refused_by_api", "refused_by_api_amount");
    write_figure(page, HTML_PLAIN, "Not made", "not_made", "not_made_amount");
    write_figure(page, HTML_NOTICE, "Open", "open", "open_amount");
    html_figures_end(page->file);
}

static void write_legend(const struct page *page)
{
    html_facts_begin(page->file);
    html_fact(page->file, TEXT("Stopped"),
              TEXT("by this application, by the approval's terms; no call was made"));
    html_fact(page->file, TEXT("Paid"), TEXT("the payment is on the order"));
    html_fact(page->file, TEXT("Refused"), TEXT("allowed here, and refused by Lightspeed's API"));
    html_fact(
        page->file, TEXT("Not made"),
        TEXT("allowed here, but not on the order in the end: given back before it was sent, the "
             "order was closed or deleted, or the call was lost on the way"));
    html_fact(page->file, TEXT("Open"),
              TEXT("not sent yet, or sent without a clear answer; counts as paid for the day's "
                   "limit"));
    html_facts_end(page->file);
}

static const struct html_column day_columns[] = {
    {.title = "Day", .is_short = true},      {.title = "Attempted", .is_number = true},
    {.title = "Stopped", .is_number = true}, {.title = "Paid", .is_number = true},
    {.title = "Refused", .is_number = true}, {.title = "Not made", .is_number = true},
    {.title = "Open", .is_number = true},
};

/* A column without anything in it is left empty, so that what is there is seen. */
static void write_sum_cell(struct page *page, const struct jread *day, const char *count_name,
                           const char *amount_name)
{
    struct words amount, count;
    int64_t attempts = answer_int64(day, count_name);
    words_begin(&amount);
    words_begin(&count);
    if (attempts != 0) {
        append_money(page, &amount.buffer, answer_text(day, amount_name));
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
        html_cell(&page->table, answer_text(day, "date"), TEXT(""));
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
    {.title = "When", .is_short = true},      {.title = "Order", .is_short = true},
    {.title = "Paid with", .is_short = true}, {.title = "Amount", .is_number = true},
    {.title = "Outcome", .is_short = true},   {.title = "Lightspeed said", .is_wide = true},
};

static void write_order_cell(struct page *page, const struct jread *attempt)
{
    struct words order, site;
    words_begin(&order);
    words_begin(&site);
    if (answer_int64(attempt, "order_id") != 0)
        text_append(&order.buffer, answer_text(attempt, "order_id"));
    else
        text_append(&order.buffer, TEXT("none named"));
    if (answer_int64(attempt, "payment_number") != 0)
        text_append_format(&site.buffer, "payment %lld; ",
                           (long long)answer_int64(attempt, "payment_number"));
    if (answer_int64(attempt, "site_id") != 0)
        text_append_format(&site.buffer, "site %lld", (long long)answer_int64(attempt, "site_id"));
    html_cell(&page->table, words_text(&order), words_text(&site));
}

static void write_effect_cell(struct page *page, const struct jread *attempt)
{
    bool is_card = is_word(attempt, "effect", "gift_card");
    html_cell(&page->table, is_card ? TEXT("gift card") : TEXT("points"),
              answer_text(attempt, "reference"));
}

/* "403" and the API's words; or why there was nothing to answer. */
static void write_answer_cell(struct page *page, const struct jread *attempt)
{
    struct words status, words;
    int64_t api_status = answer_int64(attempt, "api_status");
    words_begin(&status);
    if (is_word(attempt, "outcome", "refused_by_us")) {
        struct text verdict = answer_text(attempt, "verdict");
        html_cell(&page->table, text_of(foreign_verdict_words(verdict)), TEXT(""));
        return;
    }
    if (api_status != 0)
        text_append_format(&status.buffer, "HTTP %lld", (long long)api_status);
    foreign_append_answer(words_begin(&words), attempt);
    struct text answer = words_text(&words);
    if (api_status == 0 && answer.length == 0)
        text_append(&status.buffer, TEXT("none yet"));
    html_cell(&page->table, api_status == 0 && answer.length != 0 ? answer : words_text(&status),
              api_status == 0 ? TEXT("") : answer);
}

static void write_attempt(struct page *page, const struct jread *attempt)
{
    struct words at, amount;
    const struct foreign_wording *outcome =
        foreign_outcome_wording(answer_text(attempt, "outcome"));
    append_time(page, words_begin(&at), attempt, "at");
    append_money(page, words_begin(&amount), answer_text(attempt, "amount"));
    html_row_begin(&page->table);
    /* The date, and below it the time. */
    html_cell(&page->table, text_slice(words_text(&at), 0, DATE_LENGTH),
              text_slice(words_text(&at), DATE_LENGTH + 1, words_text(&at).length));
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
    if (answer_int64(page->report, "left_out") > 0) {
        text_append_format(words_begin(&words),
                           "The newest %zu. %lld older ones are in the sums above; --from and "
                           "--until show them.",
                           jread_count(list), (long long)answer_int64(page->report, "left_out"));
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
    write_legend(page);
    html_section_end(page->file);
    write_days(page);
    write_attempts(page);
}

/* --- the page --- */

static void append_subtitle(const struct page *page, struct text_buffer *buffer)
{
    text_append(buffer, answer_text(page->report, "name"));
    if (answer_int64(page->report, "oseries_company") != 0)
        text_append_format(buffer, ", O-Series company %lld",
                           (long long)answer_int64(page->report, "oseries_company"));
    foreign_append_days(buffer, page->report);
}

static void write_footer(const struct page *page)
{
    struct words words;
    answer_append_made(words_begin(&words), &page->style, page->report, "foreign-orders report");
    text_append(&words.buffer, TEXT(" Amounts in "));
    text_append(&words.buffer, answer_text(page->report, "currency"));
    text_append(&words.buffer, TEXT(", times of "));
    text_append(&words.buffer,
                page->style.zone == NULL ? TEXT("UTC") : answer_text(page->report, "timezone"));
    text_append(&words.buffer, TEXT("."));
    html_end(page->file, words_text(&words));
}

void foreign_page_write(FILE *file, const struct jread *report)
{
    struct page page = {.file = file, .report = report};
    struct words subtitle;
    answer_style_init(&page.style, report);
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
    answer_style_finish(&page.style);
}
