/*
 * Temporary SQLite files: made, copied, searched and tampered with.
 */
#include "tests/store/files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};

static void path_with(char path[LOCATION_MAX], const char *location, const char *suffix)
{
    assert_true(snprintf(path, LOCATION_MAX, "%s%s", location, suffix) < LOCATION_MAX);
}

void files_create(char location[LOCATION_MAX])
{
    const char *folder = getenv("TMPDIR");
    char made[LOCATION_MAX / 2];
    snprintf(made, sizeof(made), "%s/counterpart-test-XXXXXX", folder == NULL ? "/tmp" : folder);
    assert_non_null(mkdtemp(made));
    path_with(location, made, "/store.db");
}

void files_remove(const char *location)
{
    char path[LOCATION_MAX];
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        path_with(path, location, suffixes[i]);
        assert_true(unlink(path) == 0 || errno == ENOENT);
    }
    path_with(path, location, "");
    *strrchr(path, '/') = '\0';
    assert_int_equal(rmdir(path), 0);
}

static void copy_file(const char *from, const char *to)
{
    char bytes[65536];
    size_t size;
    FILE *in = fopen(from, "rb");
    if (in == NULL) {
        assert_int_equal(errno, ENOENT);
        return;
    }
    FILE *out = fopen(to, "wb");
    assert_non_null(out);
    while ((size = fread(bytes, 1, sizeof(bytes), in)) > 0)
        assert_int_equal(fwrite(bytes, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
    fclose(in);
}

void files_copy(const char *from, const char *to)
{
    char from_path[LOCATION_MAX], to_path[LOCATION_MAX];
    for (size_t i = 0; i < 2; i++) { /* the log's index is rebuilt from the log */
        path_with(from_path, from, suffixes[i]);
        path_with(to_path, to, suffixes[i]);
        copy_file(from_path, to_path);
    }
}

static bool file_contains(const char *path, const void *bytes, size_t size)
{
    FILE *in = fopen(path, "rb");
    if (in == NULL)
        return false;
    assert_int_equal(fseek(in, 0, SEEK_END), 0);
    size_t length = (size_t)ftell(in);
    rewind(in);
    char *content = malloc(length + 1);
    assert_non_null(content);
    assert_int_equal(fread(content, 1, length, in), length);
    fclose(in);
    bool found = memmem(content, length, bytes, size) != NULL;
    free(content);
    return found;
}

bool files_contain(const char *location, const void *bytes, size_t size)
{
    char path[LOCATION_MAX];
    path_with(path, location, "-wal");
    return file_contains(location, bytes, size) || file_contains(path, bytes, size);
}

void files_execute(const char *location, const char *sql)
{
    sqlite3 *connection;
    char *message = NULL;
    assert_int_equal(
        sqlite3_open_v2(location, &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL),
        SQLITE_OK);
    sqlite3_exec(connection, "PRAGMA ignore_check_constraints = ON; PRAGMA wal_autocheckpoint = 0",
                 NULL, NULL, NULL);
    if (sqlite3_exec(connection, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    assert_int_equal(sqlite3_close(connection), SQLITE_OK);
}
