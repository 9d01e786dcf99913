/* tillsim: a register without a screen. Signs a request once, sends it as often as asked, and says
 * what a register would make of the replies. */
#include "mocks/register/receipt.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

static void run_send(struct run *run)
{
    const struct options *options = run->options;
    size_t first = 0;
    if (options->drops_reply)
        wire_send_and_drop(run->request, options->timeout_s, &run->attempts[first++].reply);
    for (size_t i = first; i < run->count; i++)
        wire_send(run->request, options->timeout_s, &run->attempts[i].reply);
}

static int run_send_at_once(struct run *run)
{
    struct reply *replies = calloc(run->count, sizeof(*replies));
    if (replies == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < run->count; i++)
        replies[i] = run->attempts[i].reply;
    wire_send_at_once(run->request, run->options->timeout_s, replies, run->count);
    for (size_t i = 0; i < run->count; i++)
        run->attempts[i].reply = replies[i];
    free(replies);
    return 0;
}

static bool replies_are_equal(const struct reply *a, const struct reply *b)
{
    return a->status == b->status && a->body_length == b->body_length &&
           memcmp(a->body, b->body, a->body_length) == 0;
}

static void run_judge(struct run *run)
{
    const struct reply *first = NULL;
    run->are_identical = true;
    for (size_t i = 0; i < run->count; i++) {
        struct attempt *attempt = &run->attempts[i];
        judge(&attempt->reply, run->options, &attempt->judgement);
        if (attempt->reply.was_dropped || attempt->reply.failure != NULL)
            continue;
        run->answered++;
        if (first == NULL)
            first = &attempt->reply;
        else if (!replies_are_equal(first, &attempt->reply))
            run->are_identical = false;
    }
}

/* The worst ending of all sends. */
static int run_exit_code(const struct run *run)
{
    int worst = EXIT_APPROVED;
    for (size_t i = 0; i < run->count; i++) {
        int code = ending_exit_code(run->attempts[i].judgement.ending);
        worst = code > worst ? code : worst;
    }
    return worst;
}

static int run_create(struct run *run)
{
    const struct options *options = run->options;
    run->count =
        options->concurrent > 1 ? (size_t)options->concurrent : (size_t)options->repeats + 1;
    run->attempts = calloc(run->count, sizeof(*run->attempts));
    int err = run->attempts == NULL ? ERR_NO_MEMORY : 0;
    for (size_t i = 0; err == 0 && i < run->count; i++)
        err = reply_init(&run->attempts[i].reply);
    return err;
}

static void run_destroy(struct run *run)
{
    for (size_t i = 0; run->attempts != NULL && i < run->count; i++)
        reply_finish(&run->attempts[i].reply);
    free(run->attempts);
}

static int run_all(struct run *run)
{
    int err = run_create(run);
    if (err == 0 && run->options->concurrent > 1)
        err = run_send_at_once(run);
    else if (err == 0)
        run_send(run);
    if (err != 0)
        return err;
    run_judge(run);
    if (run->options->wants_json)
        receipt_print_json(run);
    else
        receipt_print(run);
    return 0;
}

int main(int argc, char **argv)
{
    static struct request request; /* too large for the stack */
    struct options options;
    if (!options_parse(&options, argc, argv))
        return EXIT_USAGE;
    if (options.wants_help) {
        options_print_usage();
        return EXIT_APPROVED;
    }
    if (request_build(&request, &options) != 0) {
        fputs("tillsim: address or card too long\n", stderr);
        return EXIT_USAGE;
    }
    struct run run = {.options = &options, .request = &request};
    wire_start();
    int err = run_all(&run);
    int code = err == 0 ? run_exit_code(&run) : EXIT_NO_ANSWER;
    if (err != 0)
        fprintf(stderr, "tillsim: %s\n", error_name(err));
    run_destroy(&run);
    wire_finish();
    return code;
}
