/* tillsim: a register without a screen, or with one; the check of any partner's endpoint; the fake
 * cloud. Asks what a register asks, and says what a register would make of the replies. */
#include "mocks/register/receipt.h"
#include "mocks/register/walk.h"

#include "base/error.h"
#include "mocks/check/command.h"
#include "mocks/lightspeed/command.h"
#include "mocks/register/register_command.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

/* reward-lookup --reward N: the address alone, for scripts. */
static int print_redeem_url(const struct run *run)
{
    const struct judgement *judgement = &run_last(run)->judgement;
    struct text url;
    size_t index = (size_t)run->options->reward_index - 1;
    const struct jread *rewards = jread_member(judgement->body, "rewards");
    if (judgement->ending == ENDING_APPROVED && index < judgement->found &&
        jread_text(jread_member(jread_element(rewards, index), "redeem_url"), &url) == 0) {
        printf("%.*s\n", (int)url.length, url.base);
        return EXIT_APPROVED;
    }
    fprintf(stderr, "tillsim: no such reward (%s, %zu of them)\n", ending_name(judgement->ending),
            judgement->found);
    return run_exit_code(run) != EXIT_APPROVED ? run_exit_code(run) : EXIT_REFUSED;
}

static int print_run(const struct run *run, const struct ticket *before, const struct ticket *after)
{
    if (run->options->wants_json) {
        receipt_print_json(run, before, after);
    } else if (run->options->reward_index > 0) {
        return print_redeem_url(run);
    } else {
        receipt_print(run, false);
        receipt_print_ticket(before, after);
    }
    return run_exit_code(run);
}

static int perform(struct run *run, struct ticket tickets[2], int *code)
{
    const struct options *options = run->options;
    bool shows_ticket = ticket_is_asked(options);
    int err = shows_ticket ? ticket_read(&tickets[0], options) : 0;
    if (err == 0)
        err = run_perform(run, options);
    if (err == 0 && shows_ticket)
        err = ticket_read(&tickets[1], options);
    if (err == 0)
        *code =
            print_run(run, shows_ticket ? &tickets[0] : NULL, shows_ticket ? &tickets[1] : NULL);
    return err;
}

static int perform_and_clean(const struct options *options)
{
    struct run run = {.options = options};
    struct ticket tickets[2] = {{0}};
    int code = EXIT_NO_ANSWER;
    int err = perform(&run, tickets, &code);
    if (err == ERR_TOO_LARGE) {
        fputs("tillsim: address, keyword or card too long\n", stderr);
        code = EXIT_USAGE;
    } else if (err != 0) {
        fprintf(stderr, "tillsim: %s\n", error_name(err));
    }
    run_destroy(&run);
    ticket_finish(&tickets[0]);
    ticket_finish(&tickets[1]);
    return code;
}

#ifdef __SANITIZE_ADDRESS__
/* libh2o keeps freed memory for reuse and forgets its message queues. */
const char *__lsan_default_options(void);
const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:h2o_mem_alloc_recycle\nleak:h2o_multithread_create_queue\n";
}
#endif

int main(int argc, char **argv)
{
    struct options options;
    if (argc > 1 && strcmp(argv[1], "cloud") == 0)
        return cloud_command(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "register") == 0)
        return register_command(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "replay") == 0)
        return replay_command(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "check") == 0)
        return check_command(argc - 1, argv + 1);
    if (!options_parse(&options, argc, argv))
        return EXIT_USAGE;
    if (options.wants_help) {
        options_print_usage();
        return EXIT_APPROVED;
    }
    wire_start();
    int code =
        options.action == TILL_LOYALTY ? walk_perform(&options) : perform_and_clean(&options);
    wire_finish();
    return code;
}
