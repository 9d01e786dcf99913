/*
 * Temporary SQLite files for the suites of this folder.
 */
#ifndef COUNTERPART_TESTS_STORE_FILES_H
#define COUNTERPART_TESTS_STORE_FILES_H

#include "tests/store/conformance.h"

#include <sqlite3.h>
#include <stdbool.h>

/* A path in a fresh folder under TMPDIR; the file is not there yet. */
void files_create(char location[LOCATION_MAX]);
/* Removes the file, its log and its folder. */
void files_remove(const char *location);
/* Database and log, byte by byte, as a crash at this moment would leave them. */
void files_copy(const char *from, const char *to);
/* Do these bytes stand anywhere in the file or its log? */
bool files_contain(const char *location, const void *bytes, size_t size);

/* Raw SQL, as an attacker or an administrator would; CHECKs ignored. */
void files_execute(const char *location, const char *sql);

#endif
