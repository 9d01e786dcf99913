/*
 * libh2o answers broken requests by itself, in text/plain. A register's screen may crash on that
 * (protocol o-series 2.1), so a filter turns those answers into our JSON refusal, with its length.
 */
#ifndef COUNTERPART_HANDLERS_JSON_ERRORS_H
#define COUNTERPART_HANDLERS_JSON_ERRORS_H

#include <h2o.h>

/* The context of every connection on this path must be a struct exchange_loop's. */
void json_errors_register(h2o_pathconf_t *path);

#endif
