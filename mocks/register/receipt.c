/* Prints a run the way a till prints a receipt, or as JSON. */
#include "mocks/register/receipt.h"

#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define PAPER_WIDTH 64 /* columns; fits an 80-column terminal with its margin */
#define US_PER_MS 1000
/* A byte of a body takes at most six characters as JSON text. */
#define JSON_BYTE_MAX 6
/* Addresses, headers, verdicts and names around the bodies, per attempt. */
#define JSON_ATTEMPT_MAX (4 * 1024 + 4 * SAID_MAX * JSON_BYTE_MAX)

enum ink {
    INK_PLAIN,
    INK_FAINT,
    INK_BOLD,
    INK_GREEN,
    INK_RED,
    INK_YELLOW,
};

static const char *ink(enum ink which)
{
    static const char *const CODES[] = {"\033[0m",  "\033[2m",  "\033[1m",
                                        "\033[32m", "\033[31m", "\033[33m"};
    return isatty(STDOUT_FILENO) ? CODES[which] : "";
}

static void print_rule(const char *title, const char *note)
{
    size_t used = strlen(title) + strlen(note) + (note[0] != '\0' ? 2 : 0) + 4;
    printf("%s──%s %s%s%s", ink(INK_FAINT), ink(INK_PLAIN), ink(INK_BOLD), title, ink(INK_PLAIN));
    if (note[0] != '\0')
        printf("  %s", note);
    printf(" %s", ink(INK_FAINT));
    for (size_t column = used; column < PAPER_WIDTH; column++)
        fputs("─", stdout);
    printf("%s\n", ink(INK_PLAIN));
}

/* Bodies come from elsewhere: control characters must not reach the terminal. */
static void print_foreign(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.base[i];
        if (c < 0x20 || c == 0x7f)
            printf("\\x%02x", c);
        else
            putchar(c);
    }
}

static void print_header(const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    printf("  %s%s:%s ", ink(INK_FAINT), name, ink(INK_PLAIN));
    print_foreign(text_of(value));
    putchar('\n');
}

static void print_body(struct text body)
{
    fputs("\n  ", stdout);
    print_foreign(body);
    fputs("\n\n", stdout);
}

static void print_request(const struct run *run)
{
    char length[24];
    struct text_buffer buffer;
    text_buffer_init(&buffer, length, sizeof(length));
    text_append_int64(&buffer, (int64_t)run->request->body.length);
    print_rule(till_action_title(run->options->action), "request");
    printf("  POST %s\n", run->request->url);
    print_header("Content-Type", run->request->content_type);
    print_header("Content-Length", length);
    print_header("X-Kounta-Signature", run->request->signature);
    print_body(run->request->body);
}

static void print_line(const char *label, const char *prefix, const char *value)
{
    int width = PAPER_WIDTH - 6 - (int)strlen(label) - (int)strlen(prefix);
    if (value[0] == '\0')
        return;
    printf("    %s%s%s%s", ink(INK_FAINT), label, ink(INK_PLAIN), prefix);
    for (int column = (int)strlen(value); column < width; column++)
        putchar(' ');
    print_foreign(text_of(value));
    putchar('\n');
}

static const char *last_four(const char *card)
{
    size_t length = strcspn(card, "*"); /* a PIN follows the star */
    static char four[5];
    struct text_buffer buffer;
    text_buffer_init(&buffer, four, sizeof(four));
    text_append(&buffer,
                text_slice(text_of(card), length > 4 ? length - 4 : 0, length > 4 ? 4 : length));
    return four;
}

static const char *amount_label(enum till_action action)
{
    switch (action) {
    case TILL_CHECKOUT:
        return "Approved";
    case TILL_TOP_UP:
        return "Loaded";
    case TILL_REFUND:
        return "Given back";
    case TILL_CHECK_BALANCE:
    case TILL_ACTIONS:
        break;
    }
    return "";
}

static void print_ending(const struct judgement *judgement)
{
    static const struct {
        enum ink ink;
        const char *stamp;
    } STAMPS[] = {
        [ENDING_APPROVED] = {INK_GREEN, "✔ APPROVED"},
        [ENDING_REFUSED] = {INK_YELLOW, "✘ REFUSED"},
        [ENDING_DROPPED] = {INK_YELLOW, "✂ REPLY NOT READ"},
        [ENDING_MALFORMED] = {INK_RED, "✘ NOT A REPLY A REGISTER CAN USE"},
        [ENDING_NO_REPLY] = {INK_RED, "✘ NO REPLY"},
    };
    printf("    %s%s%s%s", ink(STAMPS[judgement->ending].ink), ink(INK_BOLD),
           STAMPS[judgement->ending].stamp, ink(INK_PLAIN));
    if (judgement->sentence[0] != '\0') {
        fputs("  ", stdout);
        print_foreign(text_of(judgement->sentence));
    }
    fputs("\n\n", stdout);
}

static void print_receipt(const struct run *run, const struct judgement *judgement)
{
    const struct options *options = run->options;
    char order[24] = "";
    struct text_buffer buffer;
    text_buffer_init(&buffer, order, sizeof(order));
    if (options->has_order)
        text_append_int64(&buffer, options->order_id);
    print_rule("Receipt", "");
    print_line("Card", " ending in", last_four(options->card));
    print_line("Order", "", order);
    print_line("Asked", "", options->amount != NULL ? options->amount : "");
    if (judgement->ending == ENDING_APPROVED && options->action != TILL_CHECK_BALANCE)
        print_line(amount_label(options->action), "", judgement->amount);
    print_line("Balance", "", judgement->balance);
    print_line("Reference", "", judgement->reference);
    putchar('\n');
    print_ending(judgement);
}

static void print_verdicts(const struct judgement *judgement)
{
    static const char *const SIGNS[] = {"·", "✓", "✗"};
    static const enum ink INKS[] = {INK_FAINT, INK_GREEN, INK_RED};
    print_rule("Verdicts", "");
    for (int rule = 0; rule < RULES; rule++) {
        enum verdict verdict = judgement->verdicts[rule];
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
    print_rule(title, note);
}

static void print_attempt(const struct run *run, size_t index)
{
    const struct attempt *attempt = &run->attempts[index];
    const struct reply *reply = &attempt->reply;
    print_reply_headline(run, index);
    if (reply->was_dropped || reply->failure != NULL) {
        print_ending(&attempt->judgement);
        return;
    }
    print_header("Content-Type", reply->content_type);
    print_header("Content-Length", reply->content_length);
    print_header("X-Request-Id", reply->request_id);
    print_body((struct text){reply->body, reply->body_length});
    print_receipt(run, &attempt->judgement);
    print_verdicts(&attempt->judgement);
}

/* Of many sends, one line each after the first. */
static void print_attempt_short(const struct run *run, size_t index)
{
    const struct attempt *attempt = &run->attempts[index];
    print_reply_headline(run, index);
    print_ending(&attempt->judgement);
}

static void print_comparison(const struct run *run)
{
    size_t endings[ENDING_NO_REPLY + 1] = {0};
    for (size_t i = 0; i < run->count; i++)
        endings[run->attempts[i].judgement.ending]++;
    print_rule("Together", "");
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

void receipt_print(const struct run *run)
{
    print_request(run);
    print_attempt(run, 0);
    for (size_t i = 1; i < run->count; i++) {
        /* After a cut-off send the first reply that is read deserves its whole receipt. */
        if (i == 1 && run->options->drops_reply)
            print_attempt(run, i);
        else
            print_attempt_short(run, i);
    }
    if (run->count > 1)
        print_comparison(run);
}

static void json_member_text(struct jwrite *writer, const char *name, const char *value)
{
    jwrite_key(writer, text_of(name));
    jwrite_text(writer, text_of(value));
}

static void json_write_request(struct jwrite *writer, const struct run *run)
{
    jwrite_key(writer, TEXT("request"));
    jwrite_object_begin(writer);
    json_member_text(writer, "method", "POST");
    json_member_text(writer, "url", run->request->url);
    jwrite_key(writer, TEXT("headers"));
    jwrite_object_begin(writer);
    json_member_text(writer, "Content-Type", run->request->content_type);
    if (run->request->signature[0] != '\0')
        json_member_text(writer, "X-Kounta-Signature", run->request->signature);
    jwrite_object_end(writer);
    jwrite_key(writer, TEXT("body"));
    jwrite_text(writer, run->request->body);
    jwrite_object_end(writer);
}

static void json_write_verdicts(struct jwrite *writer, const struct judgement *judgement)
{
    jwrite_key(writer, TEXT("verdicts"));
    jwrite_object_begin(writer);
    for (int rule = 0; rule < RULES; rule++)
        json_member_text(writer, rule_name((enum rule)rule),
                         verdict_name(judgement->verdicts[rule]));
    jwrite_object_end(writer);
}

static void json_write_answer(struct jwrite *writer, const struct attempt *attempt)
{
    const struct reply *reply = &attempt->reply;
    jwrite_key(writer, TEXT("status"));
    jwrite_int64(writer, reply->status);
    json_member_text(writer, "content_type", reply->content_type);
    json_member_text(writer, "content_length", reply->content_length);
    json_member_text(writer, "request_id", reply->request_id);
    jwrite_key(writer, TEXT("body"));
    jwrite_text(writer, (struct text){reply->body, reply->body_length});
    json_write_verdicts(writer, &attempt->judgement);
}

static void json_write_attempt(struct jwrite *writer, const struct attempt *attempt)
{
    const struct reply *reply = &attempt->reply;
    jwrite_object_begin(writer);
    json_member_text(writer, "ending", ending_name(attempt->judgement.ending));
    jwrite_key(writer, TEXT("time_us"));
    jwrite_int64(writer, reply->time_us);
    if (reply->failure != NULL)
        json_member_text(writer, "failure", reply->failure);
    else if (!reply->was_dropped)
        json_write_answer(writer, attempt);
    jwrite_object_end(writer);
}

static void json_write_run(struct jwrite *writer, const struct run *run)
{
    jwrite_object_begin(writer);
    json_member_text(writer, "action", till_action_path(run->options->action));
    if (run->options->has_order) {
        jwrite_key(writer, TEXT("order_id"));
        jwrite_int64(writer, run->options->order_id);
    }
    json_write_request(writer, run);
    jwrite_key(writer, TEXT("replies"));
    jwrite_array_begin(writer);
    for (size_t i = 0; i < run->count; i++)
        json_write_attempt(writer, &run->attempts[i]);
    jwrite_array_end(writer);
    if (run->answered > 1) {
        jwrite_key(writer, TEXT("replies_are_identical"));
        jwrite_bool(writer, run->are_identical);
    }
    jwrite_object_end(writer);
}

void receipt_print_json(const struct run *run)
{
    size_t capacity = JSON_ATTEMPT_MAX + run->request->body.length * JSON_BYTE_MAX;
    for (size_t i = 0; i < run->count; i++)
        capacity += JSON_ATTEMPT_MAX + run->attempts[i].reply.body_length * JSON_BYTE_MAX;
    char *bytes = malloc(capacity);
    CHECK(bytes != NULL);
    struct text_buffer buffer;
    struct jwrite writer;
    text_buffer_init(&buffer, bytes, capacity);
    jwrite_init(&writer, &buffer);
    json_write_run(&writer, run);
    CHECK(!buffer.is_cut);
    puts(bytes);
    free(bytes);
}
