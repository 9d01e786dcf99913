/* Makes and locks the data folder. */
#include "service/data_folder.h"

#include "base/error.h"
#include "base/text.h"
#include "service/reason.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

static int complain(const char *path, const char *what)
{
    return reason_give(ERR_IO, "%s: %s: %s", path, what, strerror(errno));
}

static int make_folder(const char *path)
{
    if (mkdir(path, 0700) == 0)
        return 0;
    struct stat status;
    if (errno != EEXIST || stat(path, &status) != 0)
        return complain(path, "the data folder cannot be made");
    if (S_ISDIR(status.st_mode))
        return 0;
    errno = ENOTDIR;
    return complain(path, "this is no folder");
}

/* Two lines in the lock file: the process, and its name with the number of the file itself, which
 * is another one in a copy. Of one length each, so that they can be written one by one. */
#define PROCESS_FORMAT "%-20ld\n"
#define PROCESS_BYTES 21
#define NAME_FORMAT "%s %-20llu\n"
#define NAME_BYTES (ID_KEY_CHARS + 22)

/* Who has it? What the owner wrote into the lock file. */
static int give_owner(const char *path, int fd)
{
    char owner[32] = "";
    ssize_t length = pread(fd, owner, sizeof(owner) - 1, 0);
    if (length > 0)
        owner[strcspn(owner, " \n")] = '\0';
    return reason_give(ERR_LOCKED,
                       "%s is in use by another counterpart (process %s); one data folder serves "
                       "one process",
                       path, owner[0] == '\0' ? "unknown" : owner);
}

static int write_owner(int fd)
{
    char line[32];
    int length = snprintf(line, sizeof(line), PROCESS_FORMAT, (long)getpid());
    return pwrite(fd, line, (size_t)length, 0) != length;
}

int data_folder_name(int lock_fd, const char name[ID_KEY_CHARS + 1], char former[ID_KEY_CHARS + 1])
{
    struct stat status;
    char line[NAME_BYTES + 1], found[NAME_BYTES + 1] = "";
    former[0] = '\0';
    if (fstat(lock_fd, &status) != 0)
        return ERR_IO;
    unsigned long long file = status.st_ino;
    if (pread(lock_fd, found, NAME_BYTES, PROCESS_BYTES) == NAME_BYTES) {
        (void)snprintf(line, sizeof(line), NAME_FORMAT, "", file);
        if (strcmp(found + ID_KEY_CHARS, line) == 0) {
            memcpy(former, found, ID_KEY_CHARS);
            former[ID_KEY_CHARS] = '\0';
        }
    }
    (void)snprintf(line, sizeof(line), NAME_FORMAT, name, file);
    bool is_written = pwrite(lock_fd, line, NAME_BYTES, PROCESS_BYTES) == NAME_BYTES;
    if (!is_written)
        former[0] = '\0';
    return is_written ? 0 : ERR_IO;
}

int data_folder_lock(const char *path, int *lock_fd)
{
    char file[PATH_MAX];
    int err = make_folder(path);
    if (err != 0)
        return err;
    if ((size_t)snprintf(file, sizeof(file), "%s/lock", path) >= sizeof(file)) {
        errno = ENAMETOOLONG;
        return complain(path, "the data folder cannot be locked");
    }
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd == -1)
        return complain(file, "cannot be opened");
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        err = errno == EWOULDBLOCK ? give_owner(path, fd) : complain(file, "cannot be locked");
        goto err_after_open;
    }
    if (write_owner(fd) != 0) {
        err = complain(file, "cannot be written");
        goto err_after_open;
    }
    *lock_fd = fd;
    return 0;
err_after_open:
    close(fd);
    return err;
}

int data_folder_own(const char *path, int lock_fd)
{
    return write_owner(lock_fd) == 0 ? 0 : complain(path, "the lock cannot be written");
}

bool data_folder_is_open(const char *path, unsigned *mode)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return false;
    *mode = status.st_mode & 07777;
    return (*mode & 07) != 0;
}

void data_folder_unlock(int lock_fd)
{
    if (lock_fd != -1)
        close(lock_fd);
}
