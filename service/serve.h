/*
 * `counterpart serve`: starts everything, waits for signals, drains and stops.
 */
#ifndef COUNTERPART_SERVICE_SERVE_H
#define COUNTERPART_SERVICE_SERVE_H

#include <stdbool.h>

/* takes_over: from the process that serves the data folder, if there is one. Returns the exit code.
 */
int serve(char *const *environment, bool takes_over);

#endif
