/*
 * The manifest of a back-up: which files it has, how long they are and their SHA-256. It is written
 * last, so a folder that has one is whole.
 */
#ifndef COUNTERPART_SERVICE_MANIFEST_H
#define COUNTERPART_SERVICE_MANIFEST_H

#include "base/text.h"

#include <limits.h>

#define MANIFEST_STORE "counterpart.sqlite"
#define MANIFEST_KEY "master.key"

/* FOLDER/NAME. errors: ERR_BAD_CONFIG: too long; the reason is given. */
MUST_CHECK int manifest_path(const char *folder, const char *name, char path[PATH_MAX]);
/* What is wrong is given as a reason. errors: ERR_IO, ERR_NOT_FOUND. */
MUST_CHECK int manifest_write(const char *folder, int64_t last_operation);
/* Is everything there, and as it was made? What is wrong is given as a reason, with the file. */
MUST_CHECK int manifest_check(const char *folder);
/* The names of files and folders are on the disk. errors: ERR_IO. */
MUST_CHECK int manifest_sync(const char *folder);

#endif
