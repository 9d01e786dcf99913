/*
 * `counterpart member import`: a CSV file of any size goes over the admin socket piece by piece, in
 * bounded memory; what is wrong is told by its line.
 */
#ifndef COUNTERPART_SERVICE_MEMBER_IMPORT_H
#define COUNTERPART_SERVICE_MEMBER_IMPORT_H

#include "service/command.h"

/* Prints progress on stderr and a summary on stdout; returns the exit code. */
int member_import_run(const struct invocation *invocation, const char *socket_path);

#endif
