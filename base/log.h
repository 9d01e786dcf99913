/*
 * Structured logs: one JSON object a line on standard error, written by a thread of its own so that
 * no loop or committer ever waits for a terminal. The queue is bounded; what does not fit is
 * counted and the count is logged. Secrets never come here: card ids and last four, never numbers,
 * PINs, tokens or bodies.
 */
#ifndef COUNTERPART_BASE_LOG_H
#define COUNTERPART_BASE_LOG_H

#include "base/text.h"

enum log_level {
    LOG_DEBUG,
    LOG_INFO,
    LOG_WARNING,
    LOG_ERROR,
};

/* Before log_start (and after log_finish) lines are written directly. */
MUST_CHECK int log_start(enum log_level level);
void log_finish(void); /* writes out what is queued */
bool log_is_on(enum log_level level);

/*
 * One event. fields are pairs made with the macros below, comma-separated:
 *     log_event(LOG_INFO, "operation", LOG_INT("operation_id", id), LOG_TEXT("result", name));
 */
struct log_field {
    const char *name;
    enum { LOG_FIELD_INT, LOG_FIELD_TEXT, LOG_FIELD_BOOL } kind;
    int64_t number;
    struct text text; /* copied; invalid UTF-8 is replaced */
};
#define LOG_INT(name_, value_)                                                                     \
    ((struct log_field){.name = (name_), .kind = LOG_FIELD_INT, .number = (int64_t)(value_)})
#define LOG_BOOL(name_, value_)                                                                    \
    ((struct log_field){.name = (name_), .kind = LOG_FIELD_BOOL, .number = (value_)})
#define LOG_TEXT(name_, value_)                                                                    \
    ((struct log_field){.name = (name_), .kind = LOG_FIELD_TEXT, .text = text_of(value_)})
#define LOG_TEXT_N(name_, text_)                                                                   \
    ((struct log_field){.name = (name_), .kind = LOG_FIELD_TEXT, .text = (text_)})
#define LOG_FIELDS_MAX 16
void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t count);
#define log_event(level, event, ...)                                                               \
    do {                                                                                           \
        if (log_is_on(level)) {                                                                    \
            const struct log_field log_fields_[] = {__VA_ARGS__};                                  \
            log_write(level, event, log_fields_, COUNT_OF(log_fields_));                           \
        }                                                                                          \
    } while (0)
uint64_t log_dropped(void);
/* For a process that is about to end itself: the thread is given a moment to write what is queued.
 * Takes no lock for longer than a look, and ends also when the thread or its lock is what broke. */
void log_await_written(void);

#endif
