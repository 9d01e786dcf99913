/*
 * The data folder: owned by one process at a time.
 */
#ifndef COUNTERPART_SERVICE_DATA_FOLDER_H
#define COUNTERPART_SERVICE_DATA_FOLDER_H

#include "base/check.h"
#include "base/id.h"

#include <stdbool.h>

/*
 * Create the folder if it is not there (mode 0700) and lock it until data_folder_unlock or the end
 * of the process. What is wrong is given as a reason.
 *
 * errors     ERR_LOCKED: another process has it; ERR_IO.
 */
MUST_CHECK int data_folder_lock(const char *path, int *lock_fd);
/* A lock that came from another process is ours. errors: ERR_IO. */
MUST_CHECK int data_folder_own(const char *path, int lock_fd);
/* May other users of the machine enter it? Who reaches the socket in it may do everything. */
bool data_folder_is_open(const char *path, unsigned *mode);
/*
 * Write this process' name into the folder it has locked. former: the name of the process that had
 * the folder before, which has ended, or its lock would still be there; empty where it is not
 * known, as in a copy of a folder.
 *
 * errors     ERR_IO: the name is not there; former is empty.
 */
MUST_CHECK int data_folder_name(int lock_fd, const char name[ID_KEY_CHARS + 1],
                                char former[ID_KEY_CHARS + 1]);
void data_folder_unlock(int lock_fd); /* accepts -1 */

#endif
