/*
 * `counterpart verify`: proves the laws from the rows, beside a running service or without one.
 */
#ifndef COUNTERPART_SERVICE_VERIFY_H
#define COUNTERPART_SERVICE_VERIFY_H

#include "service/config.h"

/* Returns the exit code: 1 when something differs or the store cannot be read. */
int verify(const struct config *config, bool wants_json);

#endif
