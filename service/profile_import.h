/*
 * `counterpart profile import`: a file in, a profile file out, and what was found in between. It
 * asks no service and reads no configuration.
 */
#ifndef COUNTERPART_SERVICE_PROFILE_IMPORT_H
#define COUNTERPART_SERVICE_PROFILE_IMPORT_H

#include "service/command.h"

struct import_report;

/* Returns the exit code: 0 when the profile is made, 1 when not (open questions, a bad file). */
int profile_import_run(const struct invocation *invocation);

/* profile_import_page.c: the report as JSON or for people. name: the profile's; written: the file
 * it went to, NULL for none. */
void profile_import_print_json(FILE *file, const struct import_report *report, const char *name,
                               const char *written);
void profile_import_print(FILE *file, const struct import_report *report, const char *name,
                          const char *written);

#endif
