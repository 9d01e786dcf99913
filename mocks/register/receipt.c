/* Prints a run the way a till prints a receipt. */
#include "mocks/register/receipt.h"

#include "mocks/register/paper.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define US_PER_MS 1000
#define LINES_BRIEF 5 /* of a body, where it is one step of several */

static void print_header(const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    printf("  %s%s:%s ", ink(INK_FAINT), name, ink(INK_PLAIN));
    paper_foreign(text_of(value));
    putchar('\n');
}

static void print_body(struct text body, size_t lines_max)
{
    putchar('\n');
    paper_wrap(body, "  ", "  ", lines_max);
    putchar('\n');
}

static void print_request(const struct run *run)
{
    const struct request *request = run->request;
    paper_rule(till_action_title(run->options->action), "request");
    bool is_get = strcmp(request->method, "GET") == 0;
    paper_wrap(text_of(request->url), is_get ? "  GET " : "  POST ", "      ", LINES_ALL);
    print_header("X-Kounta-Signature", request->signature);
    if (request->content_type == NULL) {
        putchar('\n');
        return;
    }
    print_header("Content-Type", request->content_type);
    printf("  %sContent-Length:%s %zu\n", ink(INK_FAINT), ink(INK_PLAIN), request->body.length);
    print_body(request->body, LINES_ALL);
}

static void print_card(const char *card)
{
    size_t length = strcspn(card, "*"); /* a PIN follows the star */
    paper_line(TEXT("Card ending in"), INK_PLAIN,
               text_slice(text_of(card), length > 4 ? length - 4 : 0, length > 4 ? 4 : length));
}

static const char *amount_label(enum till_action action)
{
    if (action == TILL_CHECKOUT)
        return "Approved";
    return action == TILL_TOP_UP ? "Loaded" : "Given back";
}

static void print_number(const char *label, bool is_there, int64_t number)
{
    char digits[24];
    struct text_buffer buffer;
    text_buffer_init(&buffer, digits, sizeof(digits));
    text_append_int64(&buffer, number);
    if (is_there)
        paper_line(text_of(label), INK_PLAIN, text_buffer_text(&buffer));
}

/* What a yes is called. */
static void print_approval(enum till_action action, size_t found)
{
    const char *noun = action == TILL_CUSTOMER_SEARCH ? "MEMBER" : "REWARD";
    if (till_action_is_payment(action))
        fputs("✔ APPROVED", stdout);
    else if (action == TILL_REDEEM)
        fputs("✔ REDEEMED", stdout);
    else
        printf("✔ %zu %s%s", found, noun, found == 1 ? "" : "S");
}

static void print_ending(enum till_action action, const struct judgement *judgement)
{
    static const struct {
        enum ink ink;
        const char *stamp;
    } STAMPS[] = {
        [ENDING_APPROVED] = {INK_GREEN, NULL}, /* print_approval */
        [ENDING_REFUSED] = {INK_YELLOW, "✘ REFUSED"},
        [ENDING_DROPPED] = {INK_YELLOW, "✂ REPLY NOT READ"},
        [ENDING_MALFORMED] = {INK_RED, "✘ NOT A REPLY A REGISTER CAN USE"},
        [ENDING_CRASHED] = {INK_RED, "✘ NOT JSON: THE REGISTER'S SCREEN WOULD CRASH"},
        [ENDING_NO_REPLY] = {INK_RED, "✘ NO REPLY"},
    };
    printf("    %s%s", ink(STAMPS[judgement->ending].ink), ink(INK_BOLD));
    if (judgement->ending == ENDING_APPROVED)
        print_approval(action, judgement->found);
    else
        fputs(STAMPS[judgement->ending].stamp, stdout);
    fputs(ink(INK_PLAIN), stdout);
    if (judgement->sentence[0] != '\0') {
        fputs("  ", stdout);
        paper_foreign(text_of(judgement->sentence));
    }
    fputs("\n\n", stdout);
}

static void print_payment(const struct options *options, const struct judgement *judgement)
{
    paper_rule("Receipt", "");
    print_card(options->card);
    print_number("Order", options->has_order, options->order_id);
    paper_line(TEXT("Asked"), INK_PLAIN, text_of(options->amount));
    if (judgement->ending == ENDING_APPROVED && options->action != TILL_CHECK_BALANCE)
        paper_line(text_of(amount_label(options->action)), INK_PLAIN, text_of(judgement->amount));
    paper_line(TEXT("Balance"), INK_PLAIN, text_of(judgement->balance));
    paper_line(TEXT("Reference"), INK_PLAIN, text_of(judgement->reference));
    putchar('\n');
}

static void print_redemption(const struct run *run)
{
    const struct options *options = run->options;
    int64_t placeholder_id = options->placeholder_id;
    bool has_placeholder = options->has_placeholder ||
                           placeholder_find(options, text_of(options->url), &placeholder_id);
    paper_rule("Redemption", "");
    print_number("Placeholder", has_placeholder, placeholder_id);
    print_number("Order", !options->keeps_placeholder, options->order_id);
    putchar('\n');
}

static void print_receipt(const struct run *run, const struct judgement *judgement)
{
    if (till_action_is_payment(run->options->action))
        print_payment(run->options, judgement);
    else if (run->options->action == TILL_REDEEM)
        print_redemption(run);
    else if (run->options->action == TILL_CUSTOMER_SEARCH)
        receipt_print_members(judgement);
    else
        receipt_print_rewards(judgement);
    print_ending(run->options->action, judgement);
}

static bool has_failed(const struct judgement *judgement)
{
    for (int rule = 0; rule < RULES; rule++) {
        if (judgement->verdicts[rule] == VERDICT_FAILED)
            return true;
    }
    return false;
}

static void print_verdicts(enum till_action action, const struct judgement *judgement)
{
    static const char *const SIGNS[] = {"·", "✓", "✗"};
    static const enum ink INKS[] = {INK_FAINT, INK_GREEN, INK_RED};
    paper_rule("Verdicts", "");
    for (int rule = 0; rule < RULES; rule++) {
        enum verdict verdict = judgement->verdicts[rule];
        if (rule_is_of((enum rule)rule, action))
            printf("    %s%s%s %s%s\n", ink(INKS[verdict]), SIGNS[verdict], ink(INK_PLAIN),
                   rule_name((enum rule)rule), verdict == VERDICT_NOT_ASKED ? " (not asked)" : "");
    }
    putchar('\n');
}

static void print_reply_headline(const struct run *run, size_t index)
{
    const struct reply *reply = &run->attempts[index].reply;
    char title[64], note[160];
    struct text_buffer buffer;
    text_buffer_init(&buffer, title, sizeof(title));
    text_append_format(&buffer, run->count == 1 ? "Reply" : "Reply %zu of %zu", index + 1,
                       run->count);
    text_buffer_init(&buffer, note, sizeof(note));
    if (reply->was_dropped)
        text_append_format(&buffer, "connection cut after the request was sent");
    else if (reply->failure != NULL)
        text_append_format(&buffer, "none: %s", reply->failure);
    else
        text_append_format(&buffer, "status %d in %" PRId64 ".%03" PRId64 " ms", reply->status,
                           reply->time_us / US_PER_MS, reply->time_us % US_PER_MS);
    paper_rule(title, note);
}

static void print_attempt(const struct run *run, size_t index, bool is_brief)
{
    const struct attempt *attempt = &run->attempts[index];
    const struct reply *reply = &attempt->reply;
    print_reply_headline(run, index);
    if (reply->was_dropped || reply->failure != NULL) {
        print_ending(run->options->action, &attempt->judgement);
        return;
    }
    print_header("Content-Type", reply->content_type);
    print_header("Content-Length", reply->content_length);
    print_header("X-Request-Id", reply->request_id);
    print_body((struct text){reply->body, reply->body_length}, is_brief ? LINES_BRIEF : LINES_ALL);
    print_receipt(run, &attempt->judgement);
    if (!is_brief || has_failed(&attempt->judgement))
        print_verdicts(run->options->action, &attempt->judgement);
}

/* Of many sends, one line each after the first. */
static void print_attempt_short(const struct run *run, size_t index)
{
    const struct attempt *attempt = &run->attempts[index];
    print_reply_headline(run, index);
    print_ending(run->options->action, &attempt->judgement);
}

static void print_comparison(const struct run *run)
{
    size_t endings[ENDINGS_COUNT] = {0};
    for (size_t i = 0; i < run->count; i++)
        endings[run->attempts[i].judgement.ending]++;
    paper_rule("Together", "");
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        if (endings[i] > 0)
            printf("    %zu %s\n", endings[i], ending_name((enum ending)i));
    }
    if (run->answered > 1)
        printf("    replies are byte-identical: %s%s%s\n",
               ink(run->are_identical ? INK_GREEN : INK_YELLOW), run->are_identical ? "yes" : "no",
               ink(INK_PLAIN));
    putchar('\n');
}

void receipt_print(const struct run *run, bool is_brief)
{
    print_request(run);
    print_attempt(run, 0, is_brief);
    for (size_t i = 1; i < run->count; i++) {
        /* After a cut-off send the first reply that is read deserves its whole receipt. */
        if (i == 1 && run->options->drops_reply)
            print_attempt(run, i, is_brief);
        else
            print_attempt_short(run, i);
    }
    if (run->count > 1)
        print_comparison(run);
}
