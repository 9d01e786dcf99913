/*
 * A secret from standard input: on the command line it would be in ps and the shell's history.
 */
#ifndef COUNTERPART_SERVICE_SECRET_LINE_H
#define COUNTERPART_SERVICE_SECRET_LINE_H

#include "base/text.h"

/*
 * Read the next line, without its end. On a terminal it is asked for by name, and not shown.
 *
 * errors     ERR_MISSING: no line, or an empty one; ERR_TOO_LARGE: it does not fit, or has a NUL in
 * it; ERR_IO.
 */
MUST_CHECK int secret_line_read(struct text name, char *line, size_t size);

#endif
