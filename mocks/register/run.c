/* Signs a request once, sends it as often as asked, and judges the replies. */
#include "mocks/register/run.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

static void run_send(struct run *run)
{
    const struct options *options = run->options;
    size_t first = 0;
    if (options->drops_reply)
        wire_send_and_cut(run->request, options->timeout_s, WIRE_CUT_AFTER_REQUEST,
                          &run->attempts[first++].reply);
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
        judge(&attempt->reply, run->request, run->options, &attempt->judgement);
        if (attempt->reply.was_dropped || attempt->reply.failure != NULL)
            continue;
        run->answered++;
        if (first == NULL)
            first = &attempt->reply;
        else if (!replies_are_equal(first, &attempt->reply))
            run->are_identical = false;
    }
}

static int run_create(struct run *run, const struct options *options)
{
    *run = (struct run){.options = options};
    run->request = calloc(1, sizeof(*run->request));
    size_t count =
        options->concurrent > 1 ? (size_t)options->concurrent : (size_t)options->repeats + 1;
    run->attempts = calloc(count, sizeof(*run->attempts));
    if (run->request == NULL || run->attempts == NULL)
        return ERR_NO_MEMORY;
    run->count = count;
    int err = 0;
    for (size_t i = 0; err == 0 && i < run->count; i++)
        err = reply_init(&run->attempts[i].reply);
    return err;
}

int run_perform(struct run *run, const struct options *options)
{
    int err = run_create(run, options);
    if (err == 0)
        err = request_build(run->request, options);
    if (err != 0)
        return err;
    if (options->concurrent > 1)
        err = run_send_at_once(run);
    else
        run_send(run);
    if (err == 0)
        run_judge(run);
    return err;
}

void run_destroy(struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        judgement_finish(&run->attempts[i].judgement);
        reply_finish(&run->attempts[i].reply);
    }
    free(run->attempts);
    free(run->request);
    *run = (struct run){0};
}

const struct attempt *run_last(const struct run *run)
{
    for (size_t i = run->count; i > 0; i--) {
        const struct reply *reply = &run->attempts[i - 1].reply;
        if (!reply->was_dropped && reply->failure == NULL)
            return &run->attempts[i - 1];
    }
    return &run->attempts[0];
}

int run_exit_code(const struct run *run)
{
    int worst = EXIT_APPROVED;
    for (size_t i = 0; i < run->count; i++) {
        int code = ending_exit_code(run->attempts[i].judgement.ending);
        worst = code > worst ? code : worst;
    }
    return worst;
}
