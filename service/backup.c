/* Copies store and master key into a folder, and makes a data folder of such a copy. */
#include "service/backup.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/seal.h"
#include "service/core_dump.h"
#include "service/data_folder.h"
#include "service/manifest.h"
#include "service/opening.h"
#include "service/reason.h"
#include "store/backup.h"
#include "store/verify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

/*
 * Where the ids of a restored store go on: what the original has given out since the back-up, and
 * what another restore of it gives out, must not come again. So ids keep ahead of a clock that
 * makes 10,000 a second, from the first of 2026 on: no merchant has as many day and night; they
 * have 12 digits until 2029.
 */
#define IDS_EPOCH_S INT64_C(1767225600)
#define IDS_PER_S 10000
/* The store has this name until it is one of its own: nobody serves a copy by mistake. */
#define UNFINISHED MANIFEST_STORE ".unfinished"

static int complain(int err, const char *path, const char *what)
{
    return reason_give(err, "%s: %s: %s", path, what, strerror(errno));
}

static int finish_failed(int err)
{
    (void)reason_give(err, "%s", error_name(err));
    fprintf(stderr, "counterpart: %s\n", reason_given());
    return EXIT_FAILURE;
}

/* --- folders and files */

/* A lock file may be left of an attempt that failed. */
static bool is_empty(DIR *folder)
{
    static const char *const nothing[] = {".", "..", "lock"};
    const struct dirent *entry;
    size_t known = 0, seen = 0;
    while ((entry = readdir(folder)) != NULL) {
        seen++;
        for (size_t i = 0; i < COUNT_OF(nothing); i++)
            known += strcmp(entry->d_name, nothing[i]) == 0;
    }
    return known == seen;
}

/* A new one, or one that is empty. */
static int make_folder(const char *path)
{
    if (mkdir(path, 0700) == 0)
        return 0;
    DIR *folder = errno == EEXIST ? opendir(path) : NULL;
    if (folder == NULL)
        return complain(ERR_IO, path, "the folder cannot be made");
    bool has_room = is_empty(folder);
    closedir(folder);
    if (has_room)
        return 0;
    return reason_give(
        ERR_ALREADY_EXISTS,
        "%s is not empty; name a folder that is new, so that nothing is written over", path);
}

static int write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written <= 0)
            return ERR_IO;
        bytes += written;
        length -= (size_t)written;
    }
    return 0;
}

static int pour(int from, int to)
{
    static char piece[64 * 1024];
    ssize_t got;
    int err = 0;
    while (err == 0 && (got = read(from, piece, sizeof(piece))) != 0)
        err = got < 0 ? ERR_IO : write_all(to, piece, (size_t)got);
    seal_wipe(piece, sizeof(piece));
    return err == 0 && fsync(to) != 0 ? ERR_IO : err;
}

static int copy_file(const char *from, const char *to)
{
    int source = open(from, O_RDONLY | O_CLOEXEC);
    if (source == -1)
        return complain(ERR_IO, from, "cannot be read");
    int target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int err = target == -1 ? complain(ERR_IO, to, "cannot be made") : pour(source, target);
    if (err != 0)
        err = complain(err, to, "cannot be written");
    if (target != -1)
        close(target);
    close(source);
    return err;
}

/* --- progress and proof, for both */

static void on_pages(void *context, int64_t done, int64_t total)
{
    if (*(const bool *)context && total > 0)
        fprintf(stderr, "\rcopied %lld of %lld pages ", (long long)done, (long long)total);
}

static void on_rows(void *context, int64_t done, int64_t total)
{
    if (*(const bool *)context && total > 0)
        fprintf(stderr, "\rverified %lld of %lld rows ", (long long)done, (long long)total);
}

static void on_finding(void *context, const char *name, const char *detail)
{
    (void)context;
    fprintf(stderr, "%s: %s\n", name, detail);
}

/* What the copy holds, when all laws hold in it. */
struct content {
    struct store_totals totals;
    int64_t last_operation_id;
};

static int read_content(struct store *store, bool *shows_progress, struct content *content)
{
    int64_t findings = 0;
    int err = store_verify(store, on_finding, on_rows, shows_progress, &findings);
    if (err == 0)
        err = store_read_totals(store, &content->totals);
    if (err == 0)
        err = store_read_last_operation(store, &content->last_operation_id);
    if (err == 0 && findings > 0)
        err = reason_give(ERR_STORE_CORRUPT, "the copy breaks %lld laws; they are told above",
                          (long long)findings);
    return err;
}

/* Of the store in a folder, with the key beside it. */
static int check_copy(const struct config *copy, struct content *content)
{
    struct seal *seal;
    struct store *store;
    bool shows_progress = isatty(STDERR_FILENO);
    int err = opening_seal(copy, false, &seal);
    if (err != 0)
        return err;
    err = opening_store(copy, seal, STORE_READER, &store);
    if (err == 0) {
        err = read_content(store, &shows_progress, content);
        store_close(store);
    }
    seal_destroy(seal);
    if (shows_progress)
        fputc('\n', stderr);
    return err;
}

static int make_copy_config(const char *folder, const char *store_name, struct config *copy)
{
    char path[PATH_MAX];
    *copy = (struct config){.threads = 1};
    int err = manifest_path(folder, store_name, path);
    bool is_cut =
        err == 0 &&
        (snprintf(copy->store_name, sizeof(copy->store_name), "%s", path) >=
             (int)sizeof(copy->store_name) ||
         snprintf(copy->store_location, sizeof(copy->store_location), "%s", path) >=
             (int)sizeof(copy->store_location) ||
         snprintf(copy->data, sizeof(copy->data), "%s", folder) >= (int)sizeof(copy->data) ||
         snprintf(copy->master_key, sizeof(copy->master_key), "%s/" MANIFEST_KEY, folder) >=
             (int)sizeof(copy->master_key));
    return is_cut ? reason_give(ERR_BAD_CONFIG, "%s is too long", folder) : err;
}

/* What is not whole is none, and holds cards all the same. */
static void remove_copy(const struct config *copy)
{
    (void)unlink(copy->store_location);
    (void)unlink(copy->master_key);
}

static void print_content(const char *folder, const struct content *content, bool wants_json)
{
    char bytes[PATH_MAX * 2];
    struct text_buffer buffer;
    struct jwrite writer;
    if (!wants_json && isatty(STDOUT_FILENO)) {
        printf("%s: all laws hold; %lld tenants, %lld cards, the last operation is %lld\n", folder,
               (long long)content->totals.tenants, (long long)content->totals.cards,
               (long long)content->last_operation_id);
        return;
    }
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    jwrite_init(&writer, &buffer);
    jwrite_object_begin(&writer);
    jwrite_key(&writer, TEXT("folder"));
    jwrite_text(&writer, text_of(folder));
    jwrite_key(&writer, TEXT("tenants"));
    jwrite_int64(&writer, content->totals.tenants);
    jwrite_key(&writer, TEXT("cards"));
    jwrite_int64(&writer, content->totals.cards);
    jwrite_key(&writer, TEXT("last_operation"));
    jwrite_int64(&writer, content->last_operation_id);
    jwrite_object_end(&writer);
    printf("%s\n", bytes);
}

/* --- backup */

static int copy_store(const struct config *config, const char *path)
{
    bool shows_progress = isatty(STDERR_FILENO);
    if (config->is_postgres)
        return reason_give(
            ERR_BAD_CONFIG,
            "the store is a PostgreSQL database: packaging/postgres/backup.sh copies "
            "its whole server with the master key, and docs/operations.md says "
            "what goes with it");
    if (access(config->store_location, F_OK) != 0)
        return reason_give(ERR_NOT_FOUND, "there is no store at %s; " OPENING_ADVICE,
                           config->store_location);
    int err = store_copy(config->store_location, path, on_pages, &shows_progress);
    if (shows_progress)
        fputc('\n', stderr);
    return err == 0 ? 0
                    : reason_give(err, "%s cannot be copied (%s); the log line above says why",
                                  config->store_location, error_name(err));
}

static int fill_backup(const struct config *config, const char *to, struct content *content)
{
    static struct config copy;
    int err = make_copy_config(to, MANIFEST_STORE, &copy);
    if (err == 0)
        err = copy_store(config, copy.store_location);
    if (err == 0)
        err = copy_file(config->master_key, copy.master_key);
    if (err == 0)
        err = check_copy(&copy, content);
    if (err == 0)
        return manifest_write(to, content->last_operation_id);
    remove_copy(&copy);
    return err;
}

int backup_run(const struct config *config, const char *to, bool wants_json)
{
    struct content content;
    if (!config->core_dumps_are_on)
        core_dump_forbid(); /* the master key is read here too */
    int err = make_folder(to);
    if (err == 0)
        err = fill_backup(config, to, &content);
    if (err != 0)
        return finish_failed(err);
    print_content(to, &content, wants_json);
    fprintf(stderr,
            "counterpart: %s/" MANIFEST_KEY " opens every card number and token in this back-up: "
            "whoever has both has everything. Keep them where only you can read them\n",
            to);
    return EXIT_SUCCESS;
}

/* --- restore */

static int64_t operation_now(void)
{
    return (clock_wall_us() / CLOCK_US_PER_S - IDS_EPOCH_S) * IDS_PER_S;
}

/* An older schema becomes today's. */
static int migrate(const struct config *copy)
{
    struct seal *seal;
    struct store *store;
    int err = opening_seal(copy, false, &seal);
    if (err != 0)
        return err;
    err = opening_store(copy, seal, STORE_WRITER, &store);
    if (err == 0)
        store_close(store);
    seal_destroy(seal);
    return err;
}

static int begin_anew(const struct config *copy)
{
    const struct store_config store = {.location = copy->store_location};
    int err = migrate(copy);
    if (err != 0)
        return err;
    err = store_begin_anew(&store, operation_now(), clock_wall_us());
    if (err == ERR_LOCKED)
        return reason_give(err,
                           "%s is in use: stop every process of the service, and then say this "
                           "again; nothing was changed",
                           copy->store_name);
    return err == 0 ? 0 : reason_give(err, "%s cannot be written", copy->store_name);
}

static int fill_data(const char *from, const char *to, struct content *content)
{
    static struct config copy;
    char store[PATH_MAX], key[PATH_MAX], finished[PATH_MAX];
    int err = make_copy_config(to, UNFINISHED, &copy);
    if (err == 0)
        err = manifest_path(from, MANIFEST_STORE, store);
    if (err == 0)
        err = manifest_path(from, MANIFEST_KEY, key);
    if (err == 0)
        err = manifest_path(to, MANIFEST_STORE, finished);
    if (err == 0)
        err = copy_file(store, copy.store_location);
    if (err == 0)
        err = copy_file(key, copy.master_key);
    if (err == 0)
        err = begin_anew(&copy);
    if (err == 0)
        err = check_copy(&copy, content);
    if (err == 0 && rename(copy.store_location, finished) != 0)
        err = complain(ERR_IO, finished, "cannot be named");
    if (err == 0)
        return manifest_sync(to);
    remove_copy(&copy);
    return err;
}

/* Nobody serves the folder before it is whole. */
static int restore(const char *from, const char *to, struct content *content)
{
    int lock_fd = -1;
    int err = manifest_check(from);
    if (err == 0)
        err = make_folder(to);
    if (err == 0)
        err = data_folder_lock(to, &lock_fd);
    if (err == 0)
        err = fill_data(from, to, content);
    data_folder_unlock(lock_fd);
    return err;
}

int restore_run(const char *from, const char *to, bool wants_json)
{
    struct content content;
    core_dump_forbid();
    int err = restore(from, to, &content);
    if (err != 0)
        return finish_failed(err);
    print_content(to, &content, wants_json);
    return EXIT_SUCCESS;
}

/* --- begin anew */

/* What the folder remembers of a cluster is of before. */
static int forget_timeline(const char *path)
{
    if (unlink(path) == 0 || errno == ENOENT)
        return 0;
    return complain(ERR_IO, path, "cannot be removed");
}

static int begin_anew_in_place(const struct config *config, struct content *content)
{
    static struct config restored;
    int lock_fd = -1;
    restored = *config;
    restored.timeline_path[0] = '\0';
    if (access(config->data, F_OK) != 0)
        return complain(ERR_NOT_FOUND, config->data, "there is no data folder");
    int err = data_folder_lock(config->data, &lock_fd);
    if (err == 0)
        err = begin_anew(&restored);
    if (err == 0)
        err = check_copy(&restored, content);
    if (err == 0)
        err = forget_timeline(config->timeline_path);
    data_folder_unlock(lock_fd);
    return err;
}

int begin_anew_run(const struct config *config, bool wants_json)
{
    struct content content;
    if (!config->core_dumps_are_on)
        core_dump_forbid();
    int err = begin_anew_in_place(config, &content);
    if (err != 0)
        return finish_failed(err);
    print_content(config->data, &content, wants_json);
    if (config->is_postgres)
        fputs("counterpart: before they start, remove the file timeline from the data folder of "
              "each other process\n",
              stderr);
    return EXIT_SUCCESS;
}
