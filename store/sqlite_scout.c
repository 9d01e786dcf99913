/*
 * The scout's thread, its connection, and the cards that it is told of.
 */
#include "store/sqlite_scout.h"

#include "base/check.h"
#include "base/log.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/banned.h"

/* Cards that wait to be looked up; of more than these the writer takes care itself. */
#define WAITING_MAX 256
/* Waking a thread costs as much as half a look-up, and fewer the writer has found as soon. */
#define WORTH 6
/* Where there is not enough processor time for all, others have it. */
#define SCOUT_NICE 5

struct wanted {
    int64_t tenant_id;
    uint8_t index[CARD_INDEX_BYTES];
};

struct scout {
    struct card_ids *ids;
    const char *location;
    sqlite3 *connection; /* the thread's; so are the statements */
    sqlite3_stmt *begin, *find, *end;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what is below */
    pthread_cond_t told;
    bool has_begun; /* the thread */
    bool is_idle;
    bool is_closed;
    int64_t count;
    int32_t waiting_count;
    struct wanted waiting[WAITING_MAX];
};

/* --- its thread --- */

/* The row is read as well: its page is what the writer will ask for. The number is not needed. */
static const char sql_find[] =
    "SELECT id, status FROM card WHERE tenant_id = ? AND number_index = ?";

static bool scout_open(struct scout *scout)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    sqlite3 **connection = &scout->connection;
    return sqlite3_open_v2(scout->location, connection, flags, NULL) == SQLITE_OK &&
           sqlite3_exec(*connection, "PRAGMA query_only = ON; PRAGMA mmap_size = 0", NULL, NULL,
                        NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(*connection, "BEGIN", -1, &scout->begin, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(*connection, "COMMIT", -1, &scout->end, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(*connection, sql_find, -1, &scout->find, NULL) == SQLITE_OK;
}

static void scout_close(struct scout *scout)
{
    sqlite3_finalize(scout->begin);
    sqlite3_finalize(scout->find);
    sqlite3_finalize(scout->end);
    CHECK(sqlite3_close(scout->connection) == SQLITE_OK);
}

static void run(sqlite3_stmt *statement)
{
    sqlite3_step(statement);
    sqlite3_reset(statement);
}

/* Unsold stock must take as long as an unknown number, so its id is never known. An error is the
 * writer's to find and to tell. */
static void look_up(struct scout *scout, const struct wanted *wanted)
{
    sqlite3_bind_int64(scout->find, 1, wanted->tenant_id);
    sqlite3_bind_blob(scout->find, 2, wanted->index, CARD_INDEX_BYTES, SQLITE_STATIC);
    if (sqlite3_step(scout->find) == SQLITE_ROW && sqlite3_column_int(scout->find, 1) != CARD_STOCK)
        card_ids_note(scout->ids, wanted->index, sqlite3_column_int64(scout->find, 0));
    sqlite3_reset(scout->find);
}

/* 0: closed, and nothing waits. */
static int32_t take(struct scout *scout, struct wanted wanted[WAITING_MAX])
{
    pthread_mutex_lock(&scout->mutex);
    scout->is_idle = true;
    while (scout->waiting_count == 0 && !scout->is_closed)
        pthread_cond_wait(&scout->told, &scout->mutex);
    scout->is_idle = false;
    int32_t count = scout->waiting_count;
    memcpy(wanted, scout->waiting, (size_t)count * sizeof(wanted[0]));
    scout->waiting_count = 0;
    scout->count += count;
    pthread_mutex_unlock(&scout->mutex);
    return count;
}

static void *scout_run(void *argument)
{
    struct scout *scout = argument;
    struct wanted wanted[WAITING_MAX];
    (void)setpriority(PRIO_PROCESS, 0, SCOUT_NICE); /* of this thread alone, on Linux */
    bool is_open = scout_open(scout);
    if (!is_open)
        log_event(LOG_WARNING, "scout_failed",
                  LOG_TEXT("message", sqlite3_errmsg(scout->connection)));
    for (int32_t count; (count = take(scout, wanted)) > 0;) {
        if (!is_open)
            continue;
        run(scout->begin); /* one view for all: the log is looked at once */
        for (int32_t i = 0; i < count; i++)
            look_up(scout, &wanted[i]);
        run(scout->end);
    }
    scout_close(scout);
    return NULL;
}

/* --- others --- */

struct scout *scout_create(const char *location, struct card_ids *ids)
{
    struct scout *scout = calloc(1, sizeof(*scout));
    if (scout == NULL)
        return NULL;
    scout->ids = ids;
    scout->location = location;
    CHECK(pthread_mutex_init(&scout->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&scout->told, NULL) == 0);
    return scout;
}

/* Under the mutex. Without a thread nothing is looked up, and all goes on. */
static void wake(struct scout *scout)
{
    if (!scout->has_begun)
        scout->has_begun = pthread_create(&scout->thread, NULL, scout_run, scout) == 0;
    else if (scout->is_idle)
        pthread_cond_signal(&scout->told);
}

void scout_tell(struct scout *scout, const struct command *command)
{
    if (card_ids_find(scout->ids, command->card_index) != 0)
        return;
    pthread_mutex_lock(&scout->mutex);
    if (scout->waiting_count < WAITING_MAX) {
        struct wanted *wanted = &scout->waiting[scout->waiting_count++];
        wanted->tenant_id = command->tenant_id;
        memcpy(wanted->index, command->card_index, sizeof(wanted->index));
    }
    if (scout->waiting_count >= WORTH)
        wake(scout);
    pthread_mutex_unlock(&scout->mutex);
}

void scout_forget(struct scout *scout)
{
    pthread_mutex_lock(&scout->mutex);
    scout->waiting_count = 0;
    pthread_mutex_unlock(&scout->mutex);
}

int64_t scout_count(struct scout *scout)
{
    pthread_mutex_lock(&scout->mutex);
    int64_t count = scout->count;
    pthread_mutex_unlock(&scout->mutex);
    return count;
}

void scout_destroy(struct scout *scout)
{
    if (scout == NULL)
        return;
    pthread_mutex_lock(&scout->mutex);
    scout->is_closed = true;
    pthread_cond_signal(&scout->told);
    pthread_mutex_unlock(&scout->mutex);
    if (scout->has_begun)
        pthread_join(scout->thread, NULL);
    pthread_cond_destroy(&scout->told);
    pthread_mutex_destroy(&scout->mutex);
    free(scout);
}
