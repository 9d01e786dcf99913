/*
 * One request to /_till and its answer as plain data, free of sockets. Amounts come and go as
 * decimal text.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_TILL_CALL_H
#define COUNTERPART_MOCKS_REGISTER_TILL_CALL_H

#include "mocks/register/made.h"

#define TILL_ERROR_MAX 512
#define TILL_IDS_MAX 2

struct till_call {
    const char *method;
    const char *path; /* without a query */
    struct text body;
    const char *after, *before, *wait_ms, *products; /* query parameters; NULL: not given */
    /* Found on the way. */
    int64_t ids[TILL_IDS_MAX];
    int64_t known_products; /* the version whoever asks has; 0: none */
    struct jread *json;     /* the body; NULL: it was empty */
};

struct till_answer {
    int status;
    const char *content_type;
    struct made body;
    bool is_last; /* the connection ends with it */
};

/* {"error":word,"message":...}. Always false, so that it can be returned. */
bool till_refuse(struct till_answer *answer, int status, const char *word, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Members of a JSON object. All of these: false, and the answer is the refusal. names ends with
 * NULL: what else stands there is refused. */
MUST_CHECK bool till_names_are_known(const struct jread *json, const char *const *names,
                                     struct till_answer *answer);
/* *text is empty where the member is not there and not required. */
MUST_CHECK bool till_take_text(const struct jread *json, const char *name, bool is_required,
                               struct text *text, struct till_answer *answer);
MUST_CHECK bool till_take_bool(const struct jread *json, const char *name, bool *flag,
                               struct till_answer *answer);
/* *number stays where the member is not there. */
MUST_CHECK bool till_take_int(const struct jread *json, const char *name, int64_t min, int64_t max,
                              int64_t *number, struct till_answer *answer);
/* A line or payment of an order is below so many units (mocks/lightspeed/decimal.h). */
#define TILL_UNITS_MAX 1000000000LL
bool till_amount_fits(int64_t amount_minor, int exponent);
/* A positive amount that fits; *amount_minor stays where the member is not there. */
MUST_CHECK bool till_take_amount(const struct jread *json, const char *name, int exponent,
                                 int64_t *amount_minor, struct till_answer *answer);

#endif
