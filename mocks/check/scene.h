/*
 * What a case works with: it asks, everything asked and answered is kept for the report, and the
 * first thing that is wrong ends it. Money that a case has taken is given back when it is over.
 */
#ifndef COUNTERPART_MOCKS_CHECK_SCENE_H
#define COUNTERPART_MOCKS_CHECK_SCENE_H

#include "base/money.h"
#include "mocks/check/ask.h"
#include "mocks/check/line.h"
#include "mocks/register/verdict.h"

#define STEPS_MAX 96     /* of a case: the longest asks some sixty times, clean-up included */
#define AT_ONCE_MAX 8    /* connections at the same time */
#define SHOWN_MAX 4096   /* bytes kept of each side for the report; the rest is counted */
#define SENTENCE_MAX 512 /* of a verdict */
#define TAB_MAX 48       /* charges and loads of a case */
#define CENTS_EXPONENT 2 /* amounts of this suite are whole cents */

/* One request and what came back. */
struct step {
    char title[96];
    enum till_action action;
    char *sent; /* at most SHOWN_MAX bytes */
    size_t sent_kept;
    size_t sent_length;
    char *received; /* the same */
    size_t received_kept;
    struct reading reading; /* bytes and body are the step's own */
    struct reply reply;     /* its body is the reading's */
    struct judgement judgement;
    bool has_success, is_success;
    bool has_amount, has_balance;
    int64_t amount_minor, balance_minor; /* cents */
    bool is_clean_up;
    bool was_left; /* the connection was cut before the reply, on purpose */
};

/* Money moved by a case on one card, as the replies say. */
struct tab_entry {
    char card[256];
    int64_t order_id; /* 0: a top-up */
    int64_t amount_minor;
};

enum outcome {
    OUTCOME_PASSED,
    OUTCOME_FAILED,
    OUTCOME_BLOCKED, /* by what an earlier case failed for, before it could ask its own question */
    OUTCOME_SKIPPED,
};
const char *outcome_name(enum outcome outcome);

/* What kind of wrong an answer is: what a till does follows from that, not from the case alone. */
enum wrong {
    WRONG_SILENT,    /* no usable reply came */
    WRONG_NO_OBJECT, /* what came is no JSON object */
    WRONG_UNDECIDED, /* it says neither yes nor no */
    WRONG_APPROVED,  /* though it should be refused */
    WRONG_REFUSED,   /* though it should be approved */
    WRONG_AMOUNT,    /* approved, with another amount than is right */
    WRONG_REPEAT,    /* the same request was answered otherwise before */
    WRONG_LESS,      /* the card has less than the answers say */
    WRONG_MORE,      /* the card has more than they say */
    WRONG_OWN,       /* what only this case looks at */
};
#define ABOUT(wrong) (1U << (wrong))

/* Why a case failed while it prepared: the next one that meets it is blocked. */
struct obstacle {
    const char *case_id;
    char sentence[SENTENCE_MAX];
};
#define OBSTACLES_MAX 16 /* of one run: reasons, not cases; more fail as if each were the first */

/* What all cases of a run share. */
struct run_state {
    const struct settings *settings;
    struct ask_bytes *bytes; /* of the request under way */
    struct request *redeem;  /* for judge(): its placeholders */
    int64_t until_us;        /* of the whole run */
    int64_t next_order_id;   /* each scenario has a fresh sale */
    char made_up_card[24];   /* stands in for --unknown-card */
    size_t requests;
    size_t at_once_max;
    size_t unanswered_in_a_row;
    const char *case_id; /* of the case under way; NULL: none */
    size_t obstacle_count;
    struct obstacle obstacles[OBSTACLES_MAX];
};
#define UNANSWERED_MAX 5 /* requests in a row: then the target is given up */

struct scene {
    struct run_state *run;
    const struct settings *settings;
    enum outcome outcome;
    const char *blocked_by;         /* the case that has failed for the same; NULL: none */
    char sentence[SENTENCE_MAX];    /* why it did not pass; empty when it did */
    char consequence[SENTENCE_MAX]; /* what the till would do; empty: what the case says itself */
    enum wrong wrong;               /* of the answer it failed by */
    unsigned about;                 /* ABOUT(...): the wrongs that the case's own words are about */
    const char *own_words;          /* NULL: those of the table */
    struct step *steps[STEPS_MAX];
    size_t step_count;
    struct tab_entry tab[TAB_MAX];
    size_t tab_count;
    bool cleans_up;          /* what is asked now belongs to cleaning up */
    bool prepares;           /* what is asked now is not what the case is about */
    char left[SENTENCE_MAX]; /* what could not be given back; empty: nothing */
    int64_t time_us;
};

void scene_begin(struct scene *scene, struct run_state *run);
/* The case is over: only what the report shows is kept. */
void scene_close(struct scene *scene);
void scene_finish(struct scene *scene); /* frees the steps */

/* The same but for their numbers. */
bool sentences_are_alike(const char *a, const char *b);

/* The first verdict stays. Both give false, so that a case can say `return scene_fail(...)`. */
bool scene_fail(struct scene *scene, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool scene_skip(struct scene *scene, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What the till would do with the answer that is wrong, just before scene_fail. */
void scene_expect(struct scene *scene, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same for an answer that is wrong in this way, unless the case has its own words for that. */
void scene_expect_of(struct scene *scene, enum wrong wrong, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* From now on the case's own words are these, and about these wrongs. */
void scene_mean(struct scene *scene, unsigned about, const char *own_words);

int64_t scene_new_order(struct scene *scene);
/* Another number each time, since guesses of one may be counted; good until the next call. */
const char *scene_made_up_card(struct scene *scene);
const char *scene_unknown_card(struct scene *scene); /* --unknown-card, else one made up */

/* Ask once. Never NULL; when no reply came, step->reply.failure says why. */
struct step *scene_ask(struct scene *scene, const struct ask *ask);
/* The same request count times at once, each on its own connection; steps[0..count-1]. asks: one
 * for all (ask_count 1), or one each. */
void scene_ask_at_once(struct scene *scene, const struct ask *asks, size_t ask_count,
                       struct step **steps, size_t count);

/* For clients that are slow or broken: a step whose bytes the case sends itself. */
struct step *scene_begin_step(struct scene *scene, const struct ask *ask);
bool scene_open(struct scene *scene, struct line *line);
void scene_read(struct scene *scene, const struct ask *ask, struct step *step, struct line *line);
/* What step->reply says, as the register judges it (mocks/register/verdict.h). */
void step_judge(struct scene *scene, const struct ask *ask, struct step *step);

/* Gives back what the case has taken, and takes what it has loaded. */
void scene_clean_up(struct scene *scene);

#define CENTS_TEXT_MAX MONEY_TEXT_MAX
const char *cents_text(char out[], int64_t amount_minor); /* "0.10", CENTS_TEXT_MAX bytes */

#endif
