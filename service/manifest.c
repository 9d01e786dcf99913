/* Writes and checks what says that a back-up is whole. */
#include "service/manifest.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/json.h"
#include "service/reason.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define MANIFEST_NAME "manifest.json"
#define MANIFEST_MAX 4096
#define MANIFEST_FORMAT 1

static const char *const files[] = {MANIFEST_STORE, MANIFEST_KEY};

static int complain(int err, const char *path, const char *what)
{
    return reason_give(err, "%s: %s: %s", path, what, strerror(errno));
}

int manifest_path(const char *folder, const char *name, char path[PATH_MAX])
{
    int length = snprintf(path, PATH_MAX, "%s/%s", folder, name);
    if (length > 0 && length < PATH_MAX)
        return 0;
    return reason_give(ERR_BAD_CONFIG, "%s is too long", folder);
}

int manifest_sync(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd == -1)
        return complain(ERR_IO, folder, "cannot be opened");
    int err = fsync(fd) == 0 ? 0 : complain(ERR_IO, folder, "cannot be written");
    close(fd);
    return err;
}

static int write_file(struct jwrite *writer, const char *folder, const char *name)
{
    char path[PATH_MAX], hex[DIGEST_CHARS + 1];
    int64_t bytes;
    int err = manifest_path(folder, name, path);
    if (err == 0 && (err = digest_file(path, hex, &bytes)) != 0)
        err = complain(err, path, "cannot be read");
    if (err != 0)
        return err;
    jwrite_object_begin(writer);
    jwrite_key(writer, TEXT("name"));
    jwrite_text(writer, text_of(name));
    jwrite_key(writer, TEXT("bytes"));
    jwrite_int64(writer, bytes);
    jwrite_key(writer, TEXT("sha256"));
    jwrite_text(writer, text_of(hex));
    jwrite_object_end(writer);
    return 0;
}

static int write_members(struct jwrite *writer, const char *folder, int64_t last_operation)
{
    jwrite_object_begin(writer);
    jwrite_key(writer, TEXT("format"));
    jwrite_int64(writer, MANIFEST_FORMAT);
    jwrite_key(writer, TEXT("version"));
    jwrite_text(writer, text_of(COUNTERPART_VERSION));
    jwrite_key(writer, TEXT("made_at_s"));
    jwrite_int64(writer, clock_wall_us() / CLOCK_US_PER_S);
    jwrite_key(writer, TEXT("last_operation"));
    jwrite_int64(writer, last_operation);
    jwrite_key(writer, TEXT("files"));
    jwrite_array_begin(writer);
    int err = 0;
    for (size_t i = 0; err == 0 && i < COUNT_OF(files); i++)
        err = write_file(writer, folder, files[i]);
    jwrite_array_end(writer);
    jwrite_object_end(writer);
    return err;
}

static int write_bytes(const char *path, struct text bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd == -1)
        return complain(ERR_IO, path, "cannot be made");
    bool is_written =
        write(fd, bytes.base, bytes.length) == (ssize_t)bytes.length && fsync(fd) == 0;
    int err = is_written ? 0 : complain(ERR_IO, path, "cannot be written");
    close(fd);
    return err;
}

int manifest_write(const char *folder, int64_t last_operation)
{
    char bytes[MANIFEST_MAX], path[PATH_MAX];
    struct text_buffer buffer;
    struct jwrite writer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    jwrite_init(&writer, &buffer);
    int err = write_members(&writer, folder, last_operation);
    text_append_char(&buffer, '\n');
    CHECK(!buffer.is_cut);
    if (err == 0)
        err = manifest_path(folder, MANIFEST_NAME, path);
    if (err == 0)
        err = write_bytes(path, text_buffer_text(&buffer));
    return err == 0 ? manifest_sync(folder) : err;
}

/* --- checking */

static int read_manifest(const char *folder, struct jread **manifest)
{
    char path[PATH_MAX], bytes[MANIFEST_MAX];
    int err = manifest_path(folder, MANIFEST_NAME, path);
    if (err != 0)
        return err;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return complain(ERR_NOT_FOUND, path, "this is no whole back-up, for it has no manifest");
    ssize_t length = read(fd, bytes, sizeof(bytes));
    close(fd);
    if (length > 0 && jread_parse((struct text){bytes, (size_t)length}, manifest) == 0)
        return 0;
    return reason_give(ERR_BAD_REPLY, "%s is no manifest of a back-up", path);
}

static const struct jread *find_file(const struct jread *manifest, const char *name)
{
    const struct jread *list = jread_member(manifest, "files");
    struct text each;
    for (size_t i = 0; i < jread_count(list); i++) {
        const struct jread *file = jread_element(list, i);
        if (jread_text(jread_member(file, "name"), &each) == 0 && text_equal(each, text_of(name)))
            return file;
    }
    return NULL;
}

static int check_file(const struct jread *manifest, const char *folder, const char *name)
{
    char path[PATH_MAX], hex[DIGEST_CHARS + 1];
    struct text wanted = {NULL, 0};
    int64_t bytes;
    int err = manifest_path(folder, name, path);
    if (err != 0)
        return err;
    if (jread_text(jread_member(find_file(manifest, name), "sha256"), &wanted) != 0)
        return reason_give(ERR_BAD_REPLY, "the manifest in %s does not know %s", folder, name);
    err = digest_file(path, hex, &bytes);
    if (err != 0)
        return complain(err, path, "cannot be read");
    if (text_equal(wanted, text_of(hex)))
        return 0;
    return reason_give(ERR_BAD_SEAL, "%s is not as it was when the back-up was made", path);
}

int manifest_check(const char *folder)
{
    struct jread *manifest = NULL;
    int64_t format = 0;
    int err = read_manifest(folder, &manifest);
    if (err == 0 &&
        (jread_int64(jread_member(manifest, "format"), &format) != 0 || format != MANIFEST_FORMAT))
        err = reason_give(ERR_BAD_REPLY, "the back-up in %s is of a later version", folder);
    for (size_t i = 0; err == 0 && i < COUNT_OF(files); i++)
        err = check_file(manifest, folder, files[i]);
    jread_destroy(manifest);
    return err;
}
