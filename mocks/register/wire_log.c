/* A ring of exchanges with a bell. */
#include "mocks/register/wire_log.h"

#include "base/clock.h"
#include "mocks/lightspeed/call.h"

#include <errno.h>
#include <time.h>

#include "base/banned.h"

void wire_log_init(struct wire_log *log)
{
    pthread_condattr_t monotonic;
    *log = (struct wire_log){0};
    CHECK(pthread_mutex_init(&log->lock, NULL) == 0);
    CHECK(pthread_condattr_init(&monotonic) == 0);
    CHECK(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&log->news, &monotonic) == 0);
    CHECK(pthread_condattr_destroy(&monotonic) == 0);
}

void wire_log_finish(struct wire_log *log)
{
    for (size_t i = 0; i < WIRE_LOG_MAX; i++)
        made_destroy(&log->entries[i]);
    pthread_cond_destroy(&log->news);
    pthread_mutex_destroy(&log->lock);
}

static void lock(struct wire_log *log)
{
    CHECK(pthread_mutex_lock(&log->lock) == 0);
}

static void unlock(struct wire_log *log)
{
    CHECK(pthread_mutex_unlock(&log->lock) == 0);
}

void wire_log_close(struct wire_log *log)
{
    lock(log);
    log->is_closing = true;
    CHECK(pthread_cond_broadcast(&log->news) == 0);
    unlock(log);
}

static void write_exchange(struct jwrite *writer, const void *context)
{
    exchange_write(context, writer);
}

static struct made *entry_of(struct wire_log *log, int64_t number)
{
    return &log->entries[(number - 1) % WIRE_LOG_MAX];
}

int64_t wire_log_add(struct wire_log *log, struct exchange *exchange)
{
    lock(log);
    exchange->number = ++log->last;
    struct made *entry = entry_of(log, exchange->number);
    made_destroy(entry);
    made_create(entry, write_exchange, exchange);
    CHECK(pthread_cond_broadcast(&log->news) == 0);
    unlock(log);
    return exchange->number;
}

void wire_log_clear(struct wire_log *log)
{
    lock(log);
    for (size_t i = 0; i < WIRE_LOG_MAX; i++)
        made_destroy(&log->entries[i]);
    log->forgotten = log->last;
    unlock(log);
}

int64_t wire_log_last(struct wire_log *log)
{
    lock(log);
    int64_t last = log->last;
    unlock(log);
    return last;
}

static void wait_for_news(struct wire_log *log, int64_t after, int64_t wait_ms)
{
    int64_t until_us = clock_monotonic_us() + wait_ms * 1000;
    struct timespec until = {.tv_sec = until_us / CLOCK_US_PER_S,
                             .tv_nsec = until_us % CLOCK_US_PER_S * 1000};
    int err = 0;
    while (log->last <= after && !log->is_closing && err == 0)
        err = pthread_cond_timedwait(&log->news, &log->lock, &until);
    CHECK(err == 0 || err == ETIMEDOUT);
}

static int64_t first_kept(const struct wire_log *log)
{
    int64_t oldest = log->last > WIRE_LOG_MAX ? log->last - WIRE_LOG_MAX + 1 : 1;
    return log->forgotten >= oldest ? log->forgotten + 1 : oldest;
}

struct page {
    struct wire_log *log;
    int64_t first, end; /* numbers; from end on they are left out */
};

static void write_page(struct jwrite *writer, const void *context)
{
    const struct page *page = context;
    struct wire_log *log = page->log;
    jwrite_object_begin(writer);
    jwrite_begin(writer, "exchanges", true);
    for (int64_t i = page->first; i < page->end; i++)
        jwrite_raw(writer, made_text(entry_of(log, i)));
    jwrite_array_end(writer);
    jwrite_named_int(writer, "last", page->end > page->first ? page->end - 1 : log->last);
    jwrite_named_bool(writer, "has_older", page->first > first_kept(log));
    jwrite_object_end(writer);
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void wire_log_read(struct wire_log *log, int64_t after, int64_t wait_ms, struct made *json)
{
    lock(log);
    if (wait_ms > 0)
        wait_for_news(log, after, wait_ms);
    struct page page = {.log = log, .first = first_kept(log)};
    if (after >= page.first)
        page.first = smaller(after, log->last) + 1;
    page.end = smaller(page.first + WIRE_LOG_PAGE_MAX, log->last + 1);
    made_create(json, write_page, &page);
    unlock(log);
}

void wire_log_read_back(struct wire_log *log, int64_t before, struct made *json)
{
    lock(log);
    struct page page = {.log = log, .end = log->last + 1};
    if (before > 0)
        page.end = smaller(before, page.end);
    page.first = larger(page.end - WIRE_LOG_BACK_MAX, first_kept(log));
    made_create(json, write_page, &page);
    unlock(log);
}

bool wire_log_find(struct wire_log *log, int64_t number, struct made *json)
{
    lock(log);
    bool is_kept = number >= first_kept(log) && number <= log->last;
    if (is_kept)
        made_copy(json, made_text(entry_of(log, number)));
    unlock(log);
    return is_kept;
}
