/*
 * `counterpart move`: tenants leave the SQLite store of this data folder for a PostgreSQL one.
 */
#ifndef COUNTERPART_SERVICE_MOVE_H
#define COUNTERPART_SERVICE_MOVE_H

#include "service/config.h"

struct move_wish {
    const char *tenant; /* as it was typed; NULL: is_all */
    bool is_all;
    bool is_cancel;
    bool is_dry_run;
    bool wants_json;
    const char *to;
};

/* Beside a running service, which goes on with the other tenants. Returns the exit code. */
int move_run(const struct config *config, const struct move_wish *wish);

#endif
