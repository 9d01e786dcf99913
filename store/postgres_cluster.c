/*
 * Remembers which cluster a location leads to and its highest timeline, for all connections of the
 * process and beyond its end: a primary that was replaced and comes back has an older one.
 */
#include "store/postgres.h"

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

/* Two numbers of up to 20 digits with a space and a line's end. */
#define LINE_MAX_BYTES 48

struct cluster {
    struct cluster *next;
    char *location;
    char *path; /* NULL: no file */
    int32_t users;
    int64_t identifier; /* of the cluster; 0: none was met yet */
    int64_t timeline;
};

/* A process has one, tests have a few. */
static struct cluster *clusters;
static pthread_mutex_t clusters_lock = PTHREAD_MUTEX_INITIALIZER;

/* --- the file --- */

static int file_fail(const char *path, const char *what)
{
    log_event(LOG_ERROR, "timeline_file_failed", LOG_TEXT("path", path), LOG_TEXT("what", what),
              LOG_INT("errno", errno));
    return ERR_STORE_DOWN;
}

static int parse_line(struct cluster *cluster, struct text line)
{
    const char *space = line.length == 0 ? NULL : memchr(line.base, ' ', line.length);
    if (space == NULL || line.base[line.length - 1] != '\n')
        return ERR_NOT_A_NUMBER;
    size_t at = (size_t)(space - line.base);
    int err = text_parse_int64(text_slice(line, 0, at), &cluster->identifier);
    if (err == 0)
        err = text_parse_int64(text_slice(line, at + 1, line.length - at - 2), &cluster->timeline);
    return err != 0 || cluster->timeline <= 0 ? ERR_NOT_A_NUMBER : 0;
}

/* No file: nothing was met yet. One that says something else must not count as that. */
static int file_read(struct cluster *cluster)
{
    char line[LINE_MAX_BYTES];
    int file = open(cluster->path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return errno == ENOENT ? 0 : file_fail(cluster->path, "open");
    ssize_t size = read(file, line, sizeof(line));
    close(file);
    if (size < 0)
        return file_fail(cluster->path, "read");
    if (parse_line(cluster, (struct text){line, (size_t)size}) != 0)
        return file_fail(cluster->path, "it is damaged");
    return 0;
}

static int write_and_close(int file, struct text line)
{
    bool is_written = write(file, line.base, line.length) == (ssize_t)line.length;
    bool is_safe = is_written && fsync(file) == 0;
    return close(file) == 0 && is_safe ? 0 : ERR_IO;
}

/* Beside it first, so that it is the old one or the new one at every moment. */
static int file_write(const struct cluster *cluster)
{
    char beside[PATH_MAX], line[LINE_MAX_BYTES];
    struct text_buffer path, text;
    text_buffer_init(&path, beside, sizeof(beside));
    text_append_format(&path, "%s.new", cluster->path);
    text_buffer_init(&text, line, sizeof(line));
    text_append_format(&text, "%lld %lld\n", (long long)cluster->identifier,
                       (long long)cluster->timeline);
    CHECK(!path.is_cut && !text.is_cut);
    int file = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || write_and_close(file, text_of(line)) != 0 || rename(beside, cluster->path) != 0)
        return file_fail(cluster->path, "write");
    return 0;
}

/* --- the list --- */

static void cluster_free(struct cluster *cluster)
{
    free(cluster->location);
    free(cluster->path);
    free(cluster);
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static int cluster_create(const char *location, const char *path, struct cluster **made)
{
    struct cluster *cluster = calloc(1, sizeof(*cluster));
    *made = NULL;
    if (cluster == NULL)
        return ERR_NO_MEMORY;
    cluster->location = strdup(location);
    cluster->path = path == NULL ? NULL : strdup(path);
    bool is_short = cluster->location == NULL || (path != NULL && cluster->path == NULL);
    int err = is_short ? ERR_NO_MEMORY : 0;
    if (err == 0 && path != NULL)
        err = strlen(path) + sizeof(".new") <= PATH_MAX ? file_read(cluster) : ERR_TOO_LARGE;
    if (err != 0) {
        cluster_free(cluster);
        return err;
    }
    *made = cluster;
    return 0;
}

static int acquire_locked(const char *location, const char *path, struct cluster **cluster)
{
    for (*cluster = clusters; *cluster != NULL; *cluster = (*cluster)->next)
        if (is_same((*cluster)->location, location) && is_same((*cluster)->path, path))
            break;
    if (*cluster == NULL) {
        int err = cluster_create(location, path, cluster);
        if (err != 0)
            return err;
        (*cluster)->next = clusters;
        clusters = *cluster;
    }
    (*cluster)->users++;
    return 0;
}

int cluster_acquire(const char *location, const char *path, struct cluster **cluster)
{
    pthread_mutex_lock(&clusters_lock);
    int err = acquire_locked(location, path, cluster);
    pthread_mutex_unlock(&clusters_lock);
    return err;
}

void cluster_release(struct cluster *cluster)
{
    if (cluster == NULL)
        return;
    pthread_mutex_lock(&clusters_lock);
    CHECK(cluster->users > 0);
    if (--cluster->users == 0) {
        struct cluster **place = &clusters;
        while (*place != cluster)
            place = &(*place)->next;
        *place = cluster->next;
        cluster_free(cluster);
    }
    pthread_mutex_unlock(&clusters_lock);
}

int64_t cluster_timeline(struct cluster *cluster)
{
    pthread_mutex_lock(&clusters_lock);
    int64_t timeline = cluster->timeline;
    pthread_mutex_unlock(&clusters_lock);
    return timeline;
}

static int meet_locked(struct cluster *cluster, int64_t identifier, int64_t timeline)
{
    if (cluster->timeline != 0 && cluster->identifier != identifier) {
        log_event(LOG_ERROR, "postgres_is_another_cluster", LOG_INT("identifier", identifier),
                  LOG_INT("known", cluster->identifier),
                  LOG_TEXT("file", cluster->path == NULL ? "" : cluster->path));
        return ERR_STORE_DOWN;
    }
    if (timeline < cluster->timeline) {
        log_event(LOG_ERROR, "postgres_is_an_old_primary", LOG_INT("timeline", timeline),
                  LOG_INT("known", cluster->timeline));
        return ERR_STORE_DOWN;
    }
    if (timeline == cluster->timeline)
        return 0;
    cluster->identifier = identifier;
    cluster->timeline = timeline;
    log_event(LOG_INFO, "postgres_timeline", LOG_INT("timeline", timeline));
    /* A folder that is full must not keep the shop closed: this process knows it anyway. */
    int err = cluster->path == NULL ? 0 : file_write(cluster);
    (void)err; /* logged */
    return 0;
}

int cluster_meet(struct cluster *cluster, int64_t identifier, int64_t timeline)
{
    pthread_mutex_lock(&clusters_lock);
    int err = meet_locked(cluster, identifier, timeline);
    pthread_mutex_unlock(&clusters_lock);
    return err;
}
