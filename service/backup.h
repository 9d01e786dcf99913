/*
 * `counterpart backup` and `counterpart restore`: a copy of store and master key, and a new data
 * folder out of one. `counterpart begin-anew`: what is left to do with a store that others have
 * restored.
 */
#ifndef COUNTERPART_SERVICE_BACKUP_H
#define COUNTERPART_SERVICE_BACKUP_H

#include "service/config.h"

/* Beside a running service, or without. Both return the exit code. */
int backup_run(const struct config *config, const char *to, bool wants_json);
/* Needs no service, and no configuration. */
int restore_run(const char *from, const char *to, bool wants_json);
/*
 * The store of the configuration was restored: its ids go on where none was given out, tokens and
 * hot balances of before are worth nothing, every law is recomputed, and the data folder forgets
 * which timeline of PostgreSQL it has met. Nobody may serve it. Returns the exit code.
 */
int begin_anew_run(const struct config *config, bool wants_json);

#endif
