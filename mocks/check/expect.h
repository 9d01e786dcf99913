/*
 * The ordinary requests of a cashier, and what is expected of the answers. What gives a bool gives
 * false when the case has failed by it: then the case ends.
 */
#ifndef COUNTERPART_MOCKS_CHECK_EXPECT_H
#define COUNTERPART_MOCKS_CHECK_EXPECT_H

#include "mocks/check/scene.h"

/* What tills do with wrong answers, said in several places. */
extern const char TILL_CRASHES[];
extern const char TILL_WAITS[];

/* A whole reply came, and its body is one JSON object. */
bool expect_object(struct scene *scene, const struct step *step);
/* success is true, and the amount is exactly this. */
bool expect_approved(struct scene *scene, const struct step *step, int64_t amount_minor);
/* success is true; the amount may be anything from 0 to at most this. */
bool expect_at_most(struct scene *scene, const struct step *step, int64_t amount_minor);
/* success is false, and no amount above 0 is claimed. */
bool expect_refused(struct scene *scene, const struct step *step);
/* It should have been approved. */
bool fail_refused(struct scene *scene, const struct step *step);
/* An object that does not claim success. */
bool expect_not_done(struct scene *scene, const struct step *step);

bool read_balance(struct scene *scene, const char *card, int64_t *balance_minor);
/* The card has this now; what: "after the charge of 0.10". */
bool expect_balance(struct scene *scene, const char *card, int64_t balance_minor, const char *what);

struct step *pay(struct scene *scene, enum till_action action, const char *card, int64_t order_id,
                 int64_t amount_minor);
/* The same bytes again: what the reply says is not counted twice. */
struct step *pay_again(struct scene *scene, enum till_action action, const char *card,
                       int64_t order_id, int64_t amount_minor);
/* A charge on a sale of its own that must be approved in full. */
bool pay_charge(struct scene *scene, const char *card, int64_t amount_minor);
/* The empty card gets this much, so that a case can run out of money. Skips where it is not
 * empty. */
bool load_empty_card(struct scene *scene, int64_t amount_minor);
/* The answer to the same request is the same answer, where it matters to a till. */
bool expect_same(struct scene *scene, const struct step *first, const struct step *second);

#endif
