/*
 * A cashier's way through loyalty: find the member, look at the rewards, redeem one; every answer
 * is used as the register would use it in the next question.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_WALK_H
#define COUNTERPART_MOCKS_REGISTER_WALK_H

#include "mocks/register/options.h"

/* Walks, prints, and gives the exit code. */
int walk_perform(const struct options *options);

#endif
