/*
 * A profile out of examples: finds in a Postman collection (v2.0, v2.1), or in example JSON, what a
 * register's dialect calls the fields of each request and reply, and writes the profile file that
 * says so (docs/profiles.md). Every guess is told with its example. What could be one thing or
 * another is no guess but a question, with the option that answers it. Pure: bytes in, report out.
 */
#ifndef COUNTERPART_HANDLERS_PROFILE_IMPORT_H
#define COUNTERPART_HANDLERS_PROFILE_IMPORT_H

#include "handlers/profile.h"

/* A collection of all surfaces with 90 saved examples has 220 KiB. */
#define IMPORT_FILE_MAX (4 * 1024 * 1024)
#define IMPORT_NAME_MAX 160   /* of an example: "Payments / Checkout > Approved" */
#define IMPORT_ANSWERS_MAX 24 /* of each kind; the command line takes 40 in all */
/* Seven actions of at most 16 fields each way would be 224; a member adds 14, twice. */
#define IMPORT_FINDINGS_MAX 256
#define IMPORT_QUESTIONS_MAX 24 /* more are asked after the first were answered */
#define IMPORT_NOTES_MAX 64
#define IMPORT_CANDIDATES_MAX 6

/* The first four are enum profile_action. */
enum import_action {
    IMPORT_CHECKOUT,
    IMPORT_CHECK_BALANCE,
    IMPORT_TOP_UP,
    IMPORT_REFUND,
    IMPORT_SEARCH,
    IMPORT_LOOKUP,
    IMPORT_REDEEM,
    IMPORT_ACTIONS,
    IMPORT_NONE = IMPORT_ACTIONS,
};

enum import_sureness {
    IMPORT_ANSWERED, /* a person has said so */
    IMPORT_SURE,     /* called so, and of the right kind */
    IMPORT_LIKELY,   /* called like it, or known by its value */
};

/* One thing that was found: "checkout.amount" is called "sum". */
struct import_finding {
    char where[64];
    char name[PROFILE_NAME_MAX + 1];
    enum import_sureness sureness;
    char why[96];
    char example[IMPORT_NAME_MAX + 1];
};

/* One thing that is to be said by a person. */
struct import_question {
    char where[64];
    char sentence[256];
    char option[192]; /* that answers it; empty: --skip, or another file */
    int32_t candidate_count;
    char candidates[IMPORT_CANDIDATES_MAX][PROFILE_NAME_MAX + 1];
};

struct import_note {
    bool is_warning; /* a person should act on it */
    char sentence[320];
};

/* What a person says beside the file; the texts are borrowed for the call. */
struct import_order {
    int32_t field_count;
    struct text fields[IMPORT_ANSWERS_MAX]; /* "checkout.amount=sum"; "=": there is none */
    int32_t action_count;
    struct text
        actions[IMPORT_ANSWERS_MAX]; /* "Pay by card=checkout"; "checkout": the whole file */
    int32_t skip_count;
    struct text skipped[IMPORT_ANSWERS_MAX]; /* actions that are left as they are */
};

struct import_report {
    char title[PROFILE_TITLE_MAX + 1]; /* made from the collection's name; empty: it has none */
    int32_t examples[IMPORT_ACTIONS];  /* how many were read for each action */
    int32_t finding_count, question_count, note_count;
    struct import_finding findings[IMPORT_FINDINGS_MAX];
    struct import_question questions[IMPORT_QUESTIONS_MAX];
    struct import_note notes[IMPORT_NOTES_MAX];
    bool is_default;                    /* nothing differs from the built-in default */
    char profile[PROFILE_FILE_MAX + 1]; /* the file, laid out for people; empty with questions */
};

/*
 * base       what the profile was before, for a file that is imported onto it; NULL: the default.
 * ownership  borrows all; fills *report.
 * errors     ERR_BAD_CONFIG: problem says what is wrong with the file or the order;
 * ERR_NO_MEMORY. Questions are no error: question_count > 0.
 */
MUST_CHECK int profile_import(struct text file, const struct import_order *order,
                              const struct profile *base, struct import_report *report,
                              struct text_buffer *problem);

const char *import_action_name(enum import_action action);       /* "check_balance", "lookup" */
const char *import_sureness_name(enum import_sureness sureness); /* "sure" */

#endif
