/* Walks search -> pick -> look-up -> redeem, and shows the sale before and after. */
#include "mocks/register/walk.h"

#include "base/error.h"
#include "mocks/register/receipt.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

enum step {
    STEP_SEARCH,
    STEP_LOOKUP,
    STEP_REDEEM,
    STEPS,
};

struct walk {
    const struct options *options;
    struct options step_options[STEPS];
    struct run runs[STEPS];
    size_t count; /* steps taken */
    char reference[SAID_MAX];
    char redeem_url[REQUEST_URL_MAX];
    struct ticket before, after;
    bool shows_ticket;
};

static bool walk_complain(const char *what, const char *value)
{
    fprintf(stderr, "tillsim: %s%s%s\n", what, value != NULL ? ": " : "",
            value != NULL ? value : "");
    return false;
}

/* Faults are about the redemption; what leads to it is asked once. */
static struct options *walk_options(struct walk *walk, enum step step, enum till_action action)
{
    struct options *options = &walk->step_options[step];
    *options = *walk->options;
    options->action = action;
    if (step == STEP_REDEEM)
        return options;
    options->repeats = 0;
    options->concurrent = 1;
    options->drops_reply = false;
    options->has_order = false;
    return options;
}

static int walk_step(struct walk *walk, enum step step)
{
    struct run *run = &walk->runs[step];
    walk->count = step + 1;
    int err = run_perform(run, &walk->step_options[step]);
    if (err == 0 && !walk->options->wants_json)
        receipt_print(run, true);
    return err;
}

static bool keep_text(char *memory, size_t size, const struct jread *value)
{
    struct text text;
    struct text_buffer buffer;
    text_buffer_init(&buffer, memory, size);
    if (jread_text(value, &text) != 0)
        return false;
    text_append(&buffer, text);
    return !buffer.is_cut;
}

static bool walk_pick(struct walk *walk)
{
    const struct judgement *judgement = &run_last(&walk->runs[STEP_SEARCH])->judgement;
    const struct jread *members = jread_member(judgement->body, "members");
    struct text key;
    if (judgement->ending != ENDING_APPROVED || judgement->found == 0)
        return false;
    const struct jread *member = jread_member_at(members, 0, &key);
    if (walk->options->pick != NULL)
        member = jread_member(members, walk->options->pick);
    return keep_text(walk->reference, sizeof(walk->reference), jread_member(member, "id")) ||
           walk_complain("nobody of that id was found", walk->options->pick);
}

static bool walk_choose(struct walk *walk)
{
    const struct judgement *judgement = &run_last(&walk->runs[STEP_LOOKUP])->judgement;
    const struct jread *rewards = jread_member(judgement->body, "rewards");
    if (judgement->ending != ENDING_APPROVED)
        return false;
    if ((uint64_t)walk->options->reward_index > judgement->found)
        return walk_complain("there are not so many rewards", NULL);
    const struct jread *reward = jread_element(rewards, (size_t)walk->options->reward_index - 1);
    return keep_text(walk->redeem_url, sizeof(walk->redeem_url),
                     jread_member(reward, "redeem_url")) ||
           walk_complain("the redeem_url is too long", NULL);
}

/* *goes_on false: the way has ended here, and the receipt or a complaint says why. */
static int walk_steps(struct walk *walk, bool *goes_on)
{
    walk_options(walk, STEP_SEARCH, TILL_CUSTOMER_SEARCH);
    int err = walk_step(walk, STEP_SEARCH);
    *goes_on = err == 0 && walk_pick(walk);
    if (!*goes_on)
        return err;
    struct options *lookup = walk_options(walk, STEP_LOOKUP, TILL_REWARD_LOOKUP);
    lookup->keyword = NULL;
    lookup->reference = walk->reference;
    err = walk_step(walk, STEP_LOOKUP);
    *goes_on = err == 0 && walk_choose(walk);
    if (!*goes_on)
        return err;
    walk_options(walk, STEP_REDEEM, TILL_REDEEM)->url = walk->redeem_url;
    return walk_step(walk, STEP_REDEEM);
}

static int walk_all(struct walk *walk, bool *goes_on)
{
    walk->shows_ticket = ticket_is_asked(walk->options);
    int err = walk->shows_ticket ? ticket_read(&walk->before, walk->options) : 0;
    if (err == 0)
        err = walk_steps(walk, goes_on);
    if (err == 0 && walk->shows_ticket)
        err = ticket_read(&walk->after, walk->options);
    if (err != 0)
        return err;
    const struct ticket *before = walk->shows_ticket ? &walk->before : NULL;
    const struct ticket *after = walk->shows_ticket ? &walk->after : NULL;
    if (walk->options->wants_json)
        receipt_print_walk_json(walk->runs, walk->count, before, after);
    else
        receipt_print_ticket(before, after);
    return 0;
}

/* A way that ended early has not redeemed anything, even where its last answer was good. */
static int walk_exit_code(const struct walk *walk, bool goes_on)
{
    int worst = goes_on ? EXIT_APPROVED : EXIT_REFUSED;
    for (size_t i = 0; i < walk->count; i++) {
        int code = run_exit_code(&walk->runs[i]);
        worst = code > worst ? code : worst;
    }
    return worst;
}

int walk_perform(const struct options *options)
{
    struct walk *walk = calloc(1, sizeof(*walk));
    bool goes_on = false;
    CHECK(walk != NULL);
    walk->options = options;
    int err = walk_all(walk, &goes_on);
    int code = err == 0 ? walk_exit_code(walk, goes_on) : EXIT_NO_ANSWER;
    if (err != 0)
        fprintf(stderr, "tillsim: %s\n", error_name(err));
    for (size_t i = 0; i < walk->count; i++)
        run_destroy(&walk->runs[i]);
    ticket_finish(&walk->before);
    ticket_finish(&walk->after);
    free(walk);
    return code;
}
