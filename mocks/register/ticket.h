/*
 * The ticket of a sale: the order as the cloud holds it, read before and after a redemption, so
 * that the change is seen.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_TICKET_H
#define COUNTERPART_MOCKS_REGISTER_TICKET_H

#include "base/json.h"
#include "mocks/register/wire.h"

struct ticket {
    int64_t order_id;
    struct reply reply;
    struct jread *order; /* NULL: could not be read; problem says why */
    char problem[160];   /* empty: none */
};

/* Whether the options say where the sale can be read. */
bool ticket_is_asked(const struct options *options);
/* ownership  ticket_finish, whatever is returned.
 * errors     ERR_NO_MEMORY, ERR_TOO_LARGE (address). */
MUST_CHECK int ticket_read(struct ticket *ticket, const struct options *options);
void ticket_finish(struct ticket *ticket); /* accepts a zeroed one */

#endif
