/*
 * What the files of profile_import share; nobody else's. A file becomes exchanges, a saved example
 * each; the fields of one kind of message become a table of columns; each matched with a meaning.
 */
#ifndef COUNTERPART_HANDLERS_PROFILE_IMPORT_PARTS_H
#define COUNTERPART_HANDLERS_PROFILE_IMPORT_PARTS_H

#include "base/json.h"
#include "handlers/profile_import.h"

#define IMPORT_EXAMPLES_MAX 64 /* of one action; a bit each in struct column */
#define IMPORT_FIELDS_MAX 32   /* of one request; more are left out */
#define IMPORT_COLUMNS_MAX 48
#define UNUSED_NAMED_MAX 6          /* requests that are told by name */
#define IMPORT_BODY_MAX (64 * 1024) /* as the service takes it */

/* --- what the file says (profile_import_read.c) --- */

/* One field of a request. name, text and hint live in the import's own memory. */
struct import_field {
    struct text name;
    struct text parent;        /* "data" of data.amount; empty: it stands in the outermost object */
    struct text text;          /* the value; empty for containers */
    struct text hint;          /* the Postman variable that stood there: "amount" of {{amount}} */
    enum jread_kind kind;      /* null where only the variable's name is known */
    const struct jread *value; /* NULL: not from JSON */
};

struct exchange {
    enum import_action action;
    char name[IMPORT_NAME_MAX + 1];
    int32_t status; /* of the reply; 0: none was saved */
    int32_t field_count;
    struct import_field fields[IMPORT_FIELDS_MAX];
    const struct jread *reply;               /* NULL: none was saved, or no JSON */
    bool is_request_unread, is_reply_unread; /* it has a body that cannot be read */
    bool has_more_fields;                    /* than are kept */
    bool is_asked_alike;    /* its request is the item's own, of which was told already */
    struct jread *owned[2]; /* what fields and reply point into, when it is not the file itself */
    int32_t owned_count;
};

struct answer {
    struct text where, name; /* name empty: there is none */
    bool is_used;
};

struct import {
    const struct import_order *order;
    struct import_report *report;
    struct text_buffer *problem;
    struct profile *profile;       /* what is being made */
    const struct profile *builtin; /* what it is compared with */
    char *bytes;                   /* texts that stand nowhere in the file as they are */
    struct text_buffer arena;      /* over bytes; texts in it end with it */
    struct jread *file;
    const struct jread *variables; /* of the collection */
    bool is_skipped[IMPORT_ACTIONS];
    bool is_collection;
    int32_t answer_count;
    struct answer answers[IMPORT_ANSWERS_MAX];
    int32_t unused_count; /* requests that no action was found for */
    struct text unused[UNUSED_NAMED_MAX];
    int32_t exchange_count, exchange_max;
    struct exchange *exchanges;
    bool has_names[PROFILE_ACTIONS][PROFILE_FIELDS]; /* found or answered, not inherited */
    bool has_success[PROFILE_ACTIONS], has_failure[PROFILE_ACTIONS];
    struct text flag;    /* what says in payments whether it worked */
    struct table *found; /* the members of a search; owned */
    bool amounts_are_texts, amounts_are_numbers;
};

MUST_CHECK int import_complain(struct import *import, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A value with its variable resolved. */
struct import_field import_field_of(struct import *import, struct text parent, struct text name,
                                    const struct jread *value);
MUST_CHECK int import_read(struct import *import, struct text file);
bool import_find_action(struct text name, enum import_action *action); /* "check-balance" too */
/* The next example of an action after *index, -1 to begin; NULL: no more. */
const struct exchange *import_next(const struct import *import, enum import_action action,
                                   int32_t *index);

/* --- what could not be read of it (profile_import_unread.c) --- */

/* Asks about actions of which nothing was read; where nothing was at all it complains. */
MUST_CHECK int import_judge_unread(struct import *import);

/* --- words (profile_import_words.c) --- */

/* How well a field's name says a meaning, 0..100. words: "amount=100 sum=95". */
int words_score(struct text name, const char *words);
/* How well a text (a path, a title) names each action; added to scores. */
void words_score_actions(struct text text, int weight, int scores[IMPORT_ACTIONS]);

/* --- columns and meanings (profile_import_table.c) --- */

enum shape {
    SHAPE_BOOL = 1,
    SHAPE_WHOLE = 2,   /* 25, also as text */
    SHAPE_DECIMAL = 4, /* 25.50, also as text */
    SHAPE_TEXT = 8,
    SHAPE_URL = 16,
    SHAPE_EMAIL = 32,
    SHAPE_OBJECT = 64,
    SHAPE_LIST = 128,
};
#define SHAPE_MONEY (SHAPE_WHOLE | SHAPE_DECIMAL)
#define SHAPE_WORD (SHAPE_WHOLE | SHAPE_TEXT) /* a card number, a name, a reference */

struct column {
    struct text name, parent, hint;
    unsigned shapes; /* of all its values */
    bool has_texts, has_numbers;
    uint64_t examples; /* bit i: example i has it */
    int32_t first;     /* the example it was seen in first */
    struct text values[IMPORT_EXAMPLES_MAX];
    int meaning; /* index; -1: none */
    int score;   /* of that meaning */
    bool is_answered;
    const char *why;
};

struct meaning {
    int id;          /* enum profile_field, profile_value or loyalty_field; -1: not for us */
    unsigned shapes; /* that its values may have */
    const char *words;
};
#define MEANING_OTHER (-1)

/* One kind of message: the requests of an action, its approvals, the members a search found. */
struct table {
    struct import *import;
    const char *place;        /* "checkout", "checkout.reply", "search.member" */
    bool is_request;          /* names of one meaning may take turns */
    bool is_balance;          /* of check-balance: any amount in it is the balance */
    const struct table *like; /* what a field means there it means here too; NULL */
    const char *like_why;
    struct text flag; /* the field that says whether it worked; empty: by its name */
    const struct meaning *meanings;
    int32_t meaning_count;
    const char *(*name_of)(int id); /* as in the file */
    int32_t example_count;
    const char *example_names[IMPORT_EXAMPLES_MAX];
    struct text asked[IMPORT_EXAMPLES_MAX]; /* what was asked, where it is known */
    int32_t count;
    struct column columns[IMPORT_COLUMNS_MAX];
};

/* heap: some 70 KiB. */
MUST_CHECK struct table *table_create(struct import *import, const char *place);
void table_destroy(struct table *table); /* accepts NULL */
/* Begins an example; false: the table is full. */
bool table_begin_example(struct table *table, const char *name, struct text asked);
void table_add(struct table *table, const struct import_field *field);
void table_add_object(struct table *table, const struct jread *object);
/* Matches columns with meanings; asks where two claim one. has_bonus: more evidence, or NULL. */
void table_match(struct table *table, int (*bonus)(const struct table *, const struct column *,
                                                   const struct meaning *, const char **why));
/* The next column of a meaning after *index, -1 to begin; NULL: no more. */
const struct column *table_next(const struct table *table, int id, int32_t *index);
const struct column *table_find(const struct table *table, int id);
/* Was it answered that there is none? */
bool table_is_answered_none(const struct table *table, int id);
/* Puts what was matched into the report. */
void table_tell(const struct table *table);
/* Asks which column it is: those without a meaning that could be it are named. */
void table_ask(const struct table *table, int id, const char *sentence);
/* Notes the fields that got no meaning. */
void table_tell_rest(const struct table *table, const char *what);

void import_note(struct import *import, bool is_warning, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct import_question *import_ask(struct import *import, const char *where);
void import_tell(struct import *import, const char *where, const struct column *column,
                 const char *example);
bool import_money(struct text text, int64_t *units); /* exact, in thousandths */
unsigned import_shape(const struct import_field *field);

/* --- the surfaces --- */

MUST_CHECK int import_payments(struct import *import); /* profile_import_payment.c */
MUST_CHECK int import_loyalty(struct import *import);  /* profile_import_loyalty.c */
void import_copy_name(char out[PROFILE_NAME_MAX + 1], struct text name);
void import_names_add(struct profile_names *names, struct text name);
/* The columns that have a meaning a list may have, in order; 0: none. */
int32_t import_fill_reply(const struct table *table, unsigned list, struct profile_reply *reply);
/* Takes what was found over, unless the reply says all of it already, under the same names. */
void import_apply_reply(const struct table *table, unsigned list, struct profile_reply *reply);
/* Meanings of what a payment or a redemption is answered, and what their values say of them. */
void table_read_as_reply(struct table *table);
int import_bonus_of_like(const struct table *table, const struct column *column,
                         const struct meaning *meaning, const char **why);
int import_bonus_of_reply(const struct table *table, const struct column *column,
                          const struct meaning *meaning, const char **why);
const char *import_name_of_value(int id);
unsigned import_value_lists(enum profile_value value); /* PROFILE_IN_* */

/* --- the file that is written (profile_import_write.c) --- */

/* What differs between the two; laid out for people. false: it does not fit. */
bool import_write(const struct profile *profile, const struct profile *builtin,
                  struct text_buffer *file);

#endif
