/*
 * A whole file into memory, for command lines.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_COMMAND_FILE_H
#define COUNTERPART_MOCKS_REGISTER_COMMAND_FILE_H

#include "mocks/register/made.h"

/* false: it cannot be read, or is longer than a recording may be; standard error says why. */
MUST_CHECK bool command_file_read(const char *path, struct made *text);

#endif
