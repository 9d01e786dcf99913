/*
 * `counterpart backup` and `counterpart restore`: a copy of store and master key, and a new data
 * folder out of one.
 */
#ifndef COUNTERPART_SERVICE_BACKUP_H
#define COUNTERPART_SERVICE_BACKUP_H

#include "service/config.h"

/* Beside a running service, or without. Both return the exit code. */
int backup_run(const struct config *config, const char *to, bool wants_json);
/* Needs no service, and no configuration. */
int restore_run(const char *from, const char *to, bool wants_json);

#endif
