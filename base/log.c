/* Log lines: formatted by the caller, gathered in a bounded buffer, written by one thread. */
#include "base/log.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"

/* Our longest events have some ten fields of at most 100 characters. A field that would cross this
 * is left out, and the line says so. */
#define LINE_MAX_BYTES 4096
/* 256 KiB hold about 1,000 lines: a second of a busy service at one line per request. */
#define QUEUE_MAX_BYTES (256 * 1024)
/* A line waits so long for others: each time that the thread wakes costs as much as several lines.
 * A warning or an error does not, and takes along what came before it; it is still the thread that
 * writes it, so that a failed CHECK waits for the thread, and a signal that kills may be sooner. */
#define GATHER_US (INT64_C(10) * 1000)
/* So long a failed CHECK waits for what is queued: some times what the above takes. */
#define LAST_WORDS_US (INT64_C(100) * 1000)
/* Room that is kept for ',"is_cut":true}' and the newline. */
#define LINE_TAIL 32

/* Callers fill one buffer while the thread writes out the other; the lock is held for a memcpy. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t has_work;
    char buffers[2][QUEUE_MAX_BYTES];
    int filling;
    size_t filled;
    bool is_urgent;  /* what is filled is to be written at once */
    bool is_writing; /* what was filled before, outside the lock */
    bool is_running;
    bool is_stopping;
    uint64_t dropped_told;
    pthread_t thread;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .has_work = PTHREAD_COND_INITIALIZER};

static atomic_int level_min = LOG_INFO;
static atomic_uint_fast64_t dropped;

/* --- writing --------------------------------------------------------------------------------- */

static void write_out(struct text bytes)
{
    while (bytes.length > 0) {
        ssize_t written = write(STDERR_FILENO, bytes.base, bytes.length);
        if (written >= 0) {
            bytes = text_slice(bytes, (size_t)written, bytes.length);
        } else if (errno == EAGAIN) { /* a terminal that somebody else made non-blocking */
            struct pollfd wait = {.fd = STDERR_FILENO, .events = POLLOUT};
            (void)poll(&wait, 1, -1);
        } else if (errno != EINTR) {
            return; /* standard error is gone: there is nobody left to tell */
        }
    }
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_DEBUG:
        return "debug";
    case LOG_INFO:
        return "info";
    case LOG_WARNING:
        return "warning";
    case LOG_ERROR:
        return "error";
    }
    return "error";
}

static void format_field(struct jwrite *writer, const struct log_field *field)
{
    jwrite_key(writer, text_of(field->name));
    switch (field->kind) {
    case LOG_FIELD_INT:
        jwrite_int64(writer, field->number);
        return;
    case LOG_FIELD_BOOL:
        jwrite_bool(writer, field->number != 0);
        return;
    case LOG_FIELD_TEXT:
        jwrite_text(writer, field->text);
        return;
    }
}

static void format_head(struct jwrite *writer, enum log_level level, const char *event)
{
    char time[48];
    struct text_buffer time_buffer;
    text_buffer_init(&time_buffer, time, sizeof(time));
    clock_append_time(&time_buffer, clock_wall_us());
    jwrite_key(writer, TEXT("time"));
    jwrite_text(writer, text_buffer_text(&time_buffer));
    jwrite_key(writer, TEXT("level"));
    jwrite_text(writer, text_of(level_name(level)));
    jwrite_key(writer, TEXT("event"));
    jwrite_text(writer, text_of(event));
    CHECK(!writer->buffer->is_cut);
}

/* A field that does not fit goes as a whole, so that the line stays JSON. false: one did. */
static bool format_fields(struct jwrite *writer, const struct log_field *fields, size_t count)
{
    struct text_buffer *buffer = writer->buffer;
    bool is_whole = true;
    for (size_t i = 0; i < count; i++) {
        size_t length_before = buffer->length;
        format_field(writer, &fields[i]);
        if (buffer->is_cut) {
            buffer->length = length_before;
            buffer->is_cut = false;
            is_whole = false;
        }
    }
    return is_whole;
}

static void format_line(struct text_buffer *buffer, enum log_level level, const char *event,
                        const struct log_field *fields, size_t count)
{
    struct jwrite writer;
    jwrite_init(&writer, buffer);
    jwrite_object_begin(&writer);
    format_head(&writer, level, event);
    buffer->capacity -= LINE_TAIL;
    bool is_whole = format_fields(&writer, fields, count);
    buffer->capacity += LINE_TAIL;
    if (!is_whole) {
        jwrite_key(&writer, TEXT("is_cut"));
        jwrite_bool(&writer, true);
    }
    jwrite_object_end(&writer);
    text_append_char(buffer, '\n');
}

static void enqueue(struct text line, bool is_urgent)
{
    if (queue.filled + line.length > QUEUE_MAX_BYTES) {
        atomic_fetch_add(&dropped, 1);
        return;
    }
    memcpy(queue.buffers[queue.filling] + queue.filled, line.base, line.length);
    queue.filled += line.length;
    is_urgent |= queue.filled > QUEUE_MAX_BYTES / 2;
    /* Waking costs a system call: only the first line of a batch does it, and the first urgent one.
     */
    if (queue.filled == line.length || is_urgent > queue.is_urgent)
        pthread_cond_signal(&queue.has_work);
    queue.is_urgent |= is_urgent;
}

void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t count)
{
    CHECK(count <= LOG_FIELDS_MAX);
    char line[LINE_MAX_BYTES];
    struct text_buffer buffer;
    text_buffer_init(&buffer, line, sizeof(line));
    format_line(&buffer, level, event, fields, count);

    pthread_mutex_lock(&queue.lock);
    if (queue.is_running)
        enqueue(text_buffer_text(&buffer), level >= LOG_WARNING);
    else
        write_out(text_buffer_text(&buffer));
    pthread_mutex_unlock(&queue.lock);
}

/* --- the thread ------------------------------------------------------------------------------ */

static void tell_dropped(uint64_t count)
{
    char line[LINE_MAX_BYTES];
    struct text_buffer buffer;
    text_buffer_init(&buffer, line, sizeof(line));
    const struct log_field field = LOG_INT("lines", count);
    format_line(&buffer, LOG_WARNING, "log_dropped", &field, 1);
    write_out(text_buffer_text(&buffer));
}

/* Until there is something to write, and what comes with it has come. */
static void gather(void)
{
    while (queue.filled == 0 && !queue.is_stopping)
        pthread_cond_wait(&queue.has_work, &queue.lock);
    int64_t until_us = clock_monotonic_us() + GATHER_US;
    const struct timespec until = {.tv_sec = until_us / CLOCK_US_PER_S,
                                   .tv_nsec = until_us % CLOCK_US_PER_S * 1000};
    int woken = 0;
    while (!queue.is_urgent && !queue.is_stopping && woken == 0)
        woken = pthread_cond_clockwait(&queue.has_work, &queue.lock, CLOCK_MONOTONIC, &until);
}

static void *run(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&queue.lock);
    for (;;) {
        gather();
        if (queue.filled == 0)
            break; /* it is stopping */
        struct text batch = {queue.buffers[queue.filling], queue.filled};
        queue.filling = 1 - queue.filling;
        queue.filled = 0;
        queue.is_urgent = false;
        queue.is_writing = true;
        uint64_t dropped_now = atomic_load(&dropped);
        uint64_t dropped_new = dropped_now - queue.dropped_told;
        queue.dropped_told = dropped_now;
        pthread_mutex_unlock(&queue.lock);
        write_out(batch);
        if (dropped_new > 0)
            tell_dropped(dropped_new);
        pthread_mutex_lock(&queue.lock);
        queue.is_writing = false;
    }
    queue.is_running = false; /* under the lock: no line can fall between the queue and the end */
    pthread_mutex_unlock(&queue.lock);
    return NULL;
}

/* Signals belong to the main thread; a thread inherits the mask of its maker. */
static int create_thread(void)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&queue.thread, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure == 0 ? 0 : ERR_NO_MEMORY;
}

int log_start(enum log_level level)
{
    atomic_store(&level_min, (int)level);
    pthread_mutex_lock(&queue.lock);
    CHECK(!queue.is_running);
    queue.is_stopping = false;
    int err = create_thread();
    queue.is_running = err == 0;
    pthread_mutex_unlock(&queue.lock);
    return err;
}

void log_finish(void)
{
    pthread_mutex_lock(&queue.lock);
    bool was_running = queue.is_running;
    queue.is_stopping = true;
    pthread_cond_signal(&queue.has_work);
    pthread_mutex_unlock(&queue.lock);
    if (was_running)
        CHECK(pthread_join(queue.thread, NULL) == 0);
}

static bool is_written(void)
{
    if (pthread_mutex_trylock(&queue.lock) != 0)
        return false;
    bool is_own = queue.is_running && pthread_equal(queue.thread, pthread_self());
    bool is_idle = !queue.is_running || (queue.filled == 0 && !queue.is_writing);
    pthread_mutex_unlock(&queue.lock);
    return is_idle || is_own;
}

void log_await_written(void)
{
    int64_t until_us = clock_monotonic_us() + LAST_WORDS_US;
    while (!is_written() && clock_monotonic_us() < until_us)
        (void)poll(NULL, 0, 1);
}

bool log_is_on(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&level_min, memory_order_relaxed);
}

uint64_t log_dropped(void)
{
    return atomic_load(&dropped);
}
