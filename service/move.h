/*
 * `counterpart move`: a tenant leaves the SQLite store of this data folder for a PostgreSQL one.
 */
#ifndef COUNTERPART_SERVICE_MOVE_H
#define COUNTERPART_SERVICE_MOVE_H

#include "service/config.h"

/* Beside a running service up to the last changes, for which it must be stopped. Returns the exit
 * code. */
int move_run(const struct config *config, const char *tenant, const char *to, bool wants_json);

#endif
