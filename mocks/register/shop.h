/*
 * The till's line to its cloud: JSON over the control address, one request at a time on one
 * connection that stays open. Short and on this machine as a rule; what the till asks its partner
 * goes over wire.h.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_SHOP_H
#define COUNTERPART_MOCKS_REGISTER_SHOP_H

#include "mocks/register/made.h"

#define SHOP_URL_MAX 512
#define SHOP_PROBLEM_MAX 256
/* A thousand orders of the longest kind. */
#define SHOP_BODY_MAX ((size_t)64 * 1024 * 1024)

struct shop;

struct shop_answer {
    int status;
    struct made body;
    struct jread *json;             /* what body comes to; NULL: nothing */
    char problem[SHOP_PROBLEM_MAX]; /* why there is an error, as a sentence */
};

/* errors  ERR_NO_MEMORY, ERR_TOO_LARGE (url). */
MUST_CHECK int shop_create(const char *url, struct shop **shop);
void shop_destroy(struct shop *shop); /* accepts NULL */
const char *shop_url(const struct shop *shop);

/*
 * path is below /_cloud and may have a query; body is NULL for a GET or DELETE. From any thread.
 *
 * ownership  shop_answer_finish, whatever is returned.
 * errors     ERR_UNREACHABLE: no answer; ERR_BAD_REPLY: one that is no JSON; ERR_REFUSED: a 4xx,
 *            whose words are in problem.
 */
MUST_CHECK int shop_ask(struct shop *shop, const char *method, const char *path, const char *body,
                        struct shop_answer *answer);
void shop_answer_finish(struct shop_answer *answer); /* accepts a zeroed one */

#endif
