/*
 * `counterpart serve`: starts everything, waits for signals, drains and stops.
 */
#ifndef COUNTERPART_SERVICE_SERVE_H
#define COUNTERPART_SERVICE_SERVE_H

/* Returns the exit code. */
int serve(char *const *environment);

#endif
