/* The log: JSON lines, levels, a bounded queue that never makes a caller wait, nothing lost at the
 * end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"

#include "base/banned.h"

static void hook(const char *expression, const char *file, int line)
{
    mock_assert(0, expression, file, line);
}

/* --- catching standard error ----------------------------------------------------------------- */

static int stderr_saved = -1;

static void stderr_redirect(int file)
{
    stderr_saved = dup(STDERR_FILENO);
    assert_true(stderr_saved >= 0);
    assert_true(dup2(file, STDERR_FILENO) >= 0);
}

static void stderr_restore(void)
{
    dup2(stderr_saved, STDERR_FILENO);
    close(stderr_saved);
}

static int capture_begin(void)
{
    char path[] = "/tmp/counterpart_log_XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    unlink(path);
    stderr_redirect(file);
    return file;
}

/* What was written since capture_begin; the caller frees it. */
static struct text capture_end(int file)
{
    stderr_restore();
    off_t size = lseek(file, 0, SEEK_END);
    char *bytes = malloc((size_t)size + 1);
    assert_non_null(bytes);
    assert_int_equal(pread(file, bytes, (size_t)size, 0), size);
    close(file);
    return (struct text){bytes, (size_t)size};
}

static bool next_line(struct text *rest, struct text *line)
{
    *line = TEXT("");
    if (rest->length == 0)
        return false;
    const char *end = memchr(rest->base, '\n', rest->length);
    assert_non_null(end); /* no half lines */
    *line = (struct text){rest->base, (size_t)(end - rest->base)};
    *rest = text_slice(*rest, line->length + 1, rest->length);
    return true;
}

static struct jread *parsed(struct text line)
{
    struct jread *document = NULL;
    if (jread_parse(line, &document) != 0)
        fail_msg("not JSON: %.*s", (int)line.length, line.base);
    return document;
}

static bool member_is(const struct jread *line, const char *name, const char *wanted)
{
    struct text text;
    return jread_scalar(jread_member(line, name), &text) == 0 && text_equal(text, text_of(wanted));
}

/* --- lines ----------------------------------------------------------------------------------- */

static void line_is_one_json_object_with_its_fields_in_order(void **state)
{
    (void)state;
    int file = capture_begin();
    log_event(LOG_WARNING, "operation", LOG_INT("operation_id", INT64_C(9007199254740993)),
              LOG_TEXT("result", "no \"funds\"\n"), LOG_BOOL("is_replay", true),
              LOG_TEXT("nothing", NULL), LOG_TEXT_N("part", ((struct text){"abcdef", 3})),
              LOG_TEXT("mended", "a\xff"));
    struct text said = capture_end(file);
    struct text rest = said;
    struct text line;
    assert_true(next_line(&rest, &line));
    assert_int_equal(rest.length, 0);
    struct jread *object = parsed(line);
    const char *const names[] = {"time",      "level",   "event", "operation_id", "result",
                                 "is_replay", "nothing", "part",  "mended"};
    assert_int_equal(jread_count(object), COUNT_OF(names));
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct text name;
        (void)jread_member_at(object, i, &name);
        assert_true(text_equal(name, text_of(names[i])));
    }
    assert_true(member_is(object, "level", "warning"));
    assert_true(member_is(object, "event", "operation"));
    assert_true(member_is(object, "operation_id", "9007199254740993"));
    assert_true(member_is(object, "result", "no \"funds\"\n"));
    assert_true(member_is(object, "nothing", ""));
    assert_true(member_is(object, "part", "abc"));
    assert_true(member_is(object, "mended", "a\xEF\xBF\xBD"));
    bool flag = false;
    assert_int_equal(jread_bool(jread_member(object, "is_replay"), &flag), 0);
    assert_true(flag);
    jread_destroy(object);
    free((void *)(uintptr_t)said.base);
}

static void time_is_now_in_utc(void **state)
{
    (void)state;
    char before[48];
    char after[48];
    struct text_buffer buffer;
    text_buffer_init(&buffer, before, sizeof(before));
    clock_append_time(&buffer, clock_wall_us());
    int file = capture_begin();
    log_event(LOG_ERROR, "tick", LOG_INT("n", 1));
    struct text said = capture_end(file);
    text_buffer_init(&buffer, after, sizeof(after));
    clock_append_time(&buffer, clock_wall_us());
    struct text rest = said;
    struct text line;
    struct text time;
    assert_true(next_line(&rest, &line));
    struct jread *object = parsed(line);
    assert_int_equal(jread_text(jread_member(object, "time"), &time), 0);
    assert_int_equal(time.length, strlen(before));
    assert_true(memcmp(before, time.base, time.length) <= 0);
    assert_true(memcmp(time.base, after, time.length) <= 0);
    jread_destroy(object);
    free((void *)(uintptr_t)said.base);
}

static void levels_below_the_chosen_one_are_silent(void **state)
{
    (void)state;
    const enum log_level levels[] = {LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR};
    const char *const names[] = {"debug", "info", "warning", "error"};
    for (size_t chosen = 0; chosen < COUNT_OF(levels); chosen++) {
        int file = capture_begin();
        assert_int_equal(log_start(levels[chosen]), 0);
        for (size_t i = 0; i < COUNT_OF(levels); i++) {
            assert_int_equal(log_is_on(levels[i]), i >= chosen);
            log_event(levels[i], "event", LOG_INT("n", i));
        }
        log_finish();
        struct text said = capture_end(file);
        struct text rest = said;
        struct text line;
        for (size_t i = chosen; i < COUNT_OF(levels); i++) {
            assert_true(next_line(&rest, &line));
            struct jread *object = parsed(line);
            assert_true(member_is(object, "level", names[i]));
            jread_destroy(object);
        }
        assert_int_equal(rest.length, 0);
        free((void *)(uintptr_t)said.base);
    }
    int file = capture_begin();
    assert_int_equal(log_start(LOG_INFO), 0); /* what a process starts with */
    log_finish();
    free((void *)(uintptr_t)capture_end(file).base);
}

static void line_that_is_too_long_stays_json_and_says_so(void **state)
{
    (void)state;
    static char big[10000];
    memset(big, '\x01', sizeof(big) - 1); /* six characters each when escaped */
    int file = capture_begin();
    log_event(LOG_ERROR, "large", LOG_INT("first", 1), LOG_TEXT("big", big), LOG_INT("last", 3));
    struct text said = capture_end(file);
    struct text rest = said;
    struct text line;
    assert_true(next_line(&rest, &line));
    assert_in_range(line.length, 1, 4096);
    struct jread *object = parsed(line);
    assert_true(member_is(object, "first", "1"));
    assert_null(jread_member(object, "big"));
    assert_true(member_is(object, "last", "3"));
    bool is_cut = false;
    assert_int_equal(jread_bool(jread_member(object, "is_cut"), &is_cut), 0);
    assert_true(is_cut);
    jread_destroy(object);
    free((void *)(uintptr_t)said.base);
}

/* Every length around the limit: none may break the line. */
static void lines_of_every_length_stay_json(void **state)
{
    (void)state;
    static char text[4200];
    memset(text, 'x', sizeof(text));
    int file = capture_begin();
    for (size_t length = 3900; length < sizeof(text); length++)
        log_event(LOG_ERROR, "edge", LOG_TEXT_N("text", ((struct text){text, length})));
    struct text said = capture_end(file);
    struct text rest = said;
    struct text line;
    size_t whole = 0;
    size_t cut = 0;
    while (next_line(&rest, &line)) {
        struct jread *object = parsed(line);
        cut += jread_member(object, "is_cut") != NULL;
        whole += jread_member(object, "text") != NULL;
        jread_destroy(object);
    }
    assert_int_equal(whole + cut, sizeof(text) - 3900);
    assert_true(whole > 0);
    assert_true(cut > 0);
    free((void *)(uintptr_t)said.base);
}

static void write_fields(size_t count)
{
    struct log_field fields[LOG_FIELDS_MAX + 1];
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        fields[i] = LOG_INT("n", i);
    log_write(LOG_ERROR, "many", fields, count);
}

static void more_fields_than_allowed_are_our_bug(void **state)
{
    (void)state;
    int file = capture_begin();
    write_fields(LOG_FIELDS_MAX);
    write_fields(0);
    free((void *)(uintptr_t)capture_end(file).base);
    expect_assert_failure(write_fields(LOG_FIELDS_MAX + 1));
}

/* --- the thread ------------------------------------------------------------------------------ */

static void finish_writes_what_is_queued(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        int file = capture_begin();
        assert_int_equal(log_start(LOG_INFO), 0);
        for (int i = 0; i < 100; i++)
            log_event(LOG_INFO, "queued", LOG_INT("n", i));
        log_finish();
        log_event(LOG_INFO, "direct", LOG_INT("n", 100));
        struct text said = capture_end(file);
        struct text rest = said;
        struct text line;
        for (int64_t i = 0; i <= 100; i++) {
            int64_t n = -1;
            assert_true(next_line(&rest, &line));
            struct jread *object = parsed(line);
            assert_int_equal(jread_int64(jread_member(object, "n"), &n), 0);
            assert_true(n == i);
            jread_destroy(object);
        }
        assert_int_equal(rest.length, 0);
        free((void *)(uintptr_t)said.base);
    }
    log_finish(); /* twice, and without a start, is harmless */
}

static _Noreturn void log_and_fail_a_check(void)
{
    signal(SIGABRT, SIG_DFL); /* the sanitizer and cmocka have handlers of their own */
    check_hook = NULL;
    if (log_start(LOG_INFO) != 0)
        _exit(1);
    for (int i = 0; i < 10; i++)
        log_event(i < 9 ? LOG_INFO : LOG_ERROR, "last_words", LOG_INT("n", i));
    bool moon_is_cheese = false;
    CHECK(moon_is_cheese);
    _exit(0);
}

static void what_was_logged_before_a_check_failed_is_written(void **state)
{
    (void)state;
    int status;
    int file = capture_begin();
    pid_t child = fork();
    if (child == 0)
        log_and_fail_a_check();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    struct text said = capture_end(file);
    struct text rest = said;
    struct text line;
    for (int64_t i = 0; i < 10; i++) {
        int64_t n = -1;
        assert_true(next_line(&rest, &line));
        struct jread *object = parsed(line);
        assert_int_equal(jread_int64(jread_member(object, "n"), &n), 0);
        assert_true(n == i);
        jread_destroy(object);
    }
    assert_true(next_line(&rest, &line));
    assert_true(text_starts_with(line, TEXT("CHECK failed: moon_is_cheese (")));
    free((void *)(uintptr_t)said.base);
}

#define WRITERS 4
#define LINES_EACH 2000

static void *write_many(void *context)
{
    int64_t writer = (int64_t)(intptr_t)context;
    for (int64_t i = 0; i < LINES_EACH; i++)
        log_event(LOG_INFO, "busy", LOG_INT("writer", writer), LOG_INT("n", i));
    return NULL;
}

static void lines_of_many_threads_never_mix_and_keep_their_order(void **state)
{
    (void)state;
    uint64_t dropped_before = log_dropped();
    int file = capture_begin();
    assert_int_equal(log_start(LOG_INFO), 0);
    pthread_t threads[WRITERS];
    for (intptr_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, (void *)i), 0);
    for (size_t i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    log_finish();
    struct text said = capture_end(file);
    struct text rest = said;
    struct text line;
    int64_t last[WRITERS] = {-1, -1, -1, -1};
    uint64_t seen = 0;
    uint64_t told = 0;
    while (next_line(&rest, &line)) {
        struct jread *object = parsed(line);
        int64_t writer;
        int64_t n;
        if (member_is(object, "event", "log_dropped")) {
            assert_int_equal(jread_int64(jread_member(object, "lines"), &n), 0);
            told += (uint64_t)n;
        } else {
            assert_int_equal(jread_int64(jread_member(object, "writer"), &writer), 0);
            assert_int_equal(jread_int64(jread_member(object, "n"), &n), 0);
            assert_in_range(writer, 0, WRITERS - 1);
            assert_true(n > last[writer]);
            last[writer] = n;
            seen++;
        }
        jread_destroy(object);
    }
    assert_true(seen + (log_dropped() - dropped_before) == WRITERS * LINES_EACH);
    assert_true(told == log_dropped() - dropped_before);
    free((void *)(uintptr_t)said.base);
}

static void *read_all(void *context)
{
    const int *end = context;
    struct text_buffer *all = malloc(sizeof(*all));
    char *memory = malloc(4 << 20);
    if (all == NULL || memory == NULL)
        abort();
    text_buffer_init(all, memory, 4 << 20);
    char part[4096];
    ssize_t got;
    while ((got = read(*end, part, sizeof(part))) > 0)
        text_append(all, (struct text){part, (size_t)got});
    return all;
}

/* Standard error is a pipe that nobody reads: callers must go on, and learn what was lost. */
static void full_queue_drops_and_counts_instead_of_waiting(void **state)
{
    (void)state;
    enum { LINES = 20000 };
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    uint64_t dropped_before = log_dropped();
    stderr_redirect(ends[1]);
    assert_int_equal(log_start(LOG_INFO), 0);
    int64_t start_us = clock_monotonic_us();
    for (int i = 0; i < LINES; i++)
        log_event(LOG_INFO, "flood", LOG_INT("n", i));
    int64_t passed_us = clock_monotonic_us() - start_us;
    uint64_t dropped = log_dropped() - dropped_before;
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_all, &ends[0]), 0);
    log_finish();
    stderr_restore();
    close(ends[1]);
    struct text_buffer *all;
    assert_int_equal(pthread_join(reader, (void **)&all), 0);
    close(ends[0]);

    assert_in_range(passed_us, 0, 10 * CLOCK_US_PER_S);
    assert_in_range(dropped, 1, LINES - 1);
    struct text rest = text_buffer_text(all);
    struct text line;
    uint64_t seen = 0;
    uint64_t told = 0;
    while (next_line(&rest, &line)) {
        struct jread *object = parsed(line);
        int64_t lines = 0;
        if (member_is(object, "event", "log_dropped")) {
            assert_true(member_is(object, "level", "warning"));
            assert_int_equal(jread_int64(jread_member(object, "lines"), &lines), 0);
            told += (uint64_t)lines;
        } else {
            seen++;
        }
        jread_destroy(object);
    }
    assert_true(seen + dropped == LINES);
    assert_true(told == dropped);
    free(all->base);
    free(all);
}

/* A reader on the other side of a non-blocking pipe is slow, and still gets every line. */
static void nonblocking_standard_error_is_waited_for(void **state)
{
    (void)state;
    enum { LINES = 1500 };
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    stderr_redirect(ends[1]);
    assert_int_equal(log_start(LOG_INFO), 0);
    for (int i = 0; i < LINES; i++)
        log_event(LOG_INFO, "slow", LOG_INT("n", i));
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_all, &ends[0]), 0);
    log_finish();
    stderr_restore();
    close(ends[1]);
    struct text_buffer *all;
    assert_int_equal(pthread_join(reader, (void **)&all), 0);
    close(ends[0]);
    struct text rest = text_buffer_text(all);
    struct text line;
    int lines = 0;
    while (next_line(&rest, &line)) {
        jread_destroy(parsed(line));
        lines++;
    }
    assert_int_equal(lines, LINES);
    free(all->base);
    free(all);
}

static void closed_standard_error_stops_nobody(void **state)
{
    (void)state;
    int saved = dup(STDERR_FILENO);
    assert_true(saved >= 0);
    close(STDERR_FILENO);
    log_event(LOG_INFO, "direct", LOG_INT("n", 1));
    assert_int_equal(log_start(LOG_INFO), 0);
    log_event(LOG_INFO, "queued", LOG_INT("n", 2));
    log_finish();
    dup2(saved, STDERR_FILENO);
    close(saved);
    int file = capture_begin();
    log_event(LOG_INFO, "again", LOG_INT("n", 3));
    struct text said = capture_end(file);
    struct text rest = said;
    struct text line;
    assert_true(next_line(&rest, &line));
    struct jread *object = parsed(line);
    assert_true(member_is(object, "event", "again"));
    jread_destroy(object);
    free((void *)(uintptr_t)said.base);
}

/* Were the log's thread to take process signals, SIGUSR1's default action would end this test. */
static void signals_do_not_reach_the_thread(void **state)
{
    (void)state;
    int file = capture_begin();
    assert_int_equal(log_start(LOG_INFO), 0);
    sigset_t set;
    sigset_t before;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, &before);
    kill(getpid(), SIGUSR1);
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    assert_int_equal(sigtimedwait(&set, NULL, &(struct timespec){.tv_sec = 5}), SIGUSR1);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    log_finish();
    free((void *)(uintptr_t)capture_end(file).base);
}

int main(void)
{
    check_hook = hook;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_is_one_json_object_with_its_fields_in_order),
        cmocka_unit_test(time_is_now_in_utc),
        cmocka_unit_test(levels_below_the_chosen_one_are_silent),
        cmocka_unit_test(line_that_is_too_long_stays_json_and_says_so),
        cmocka_unit_test(lines_of_every_length_stay_json),
        cmocka_unit_test(more_fields_than_allowed_are_our_bug),
        cmocka_unit_test(finish_writes_what_is_queued),
        cmocka_unit_test(what_was_logged_before_a_check_failed_is_written),
        cmocka_unit_test(lines_of_many_threads_never_mix_and_keep_their_order),
        cmocka_unit_test(full_queue_drops_and_counts_instead_of_waiting),
        cmocka_unit_test(nonblocking_standard_error_is_waited_for),
        cmocka_unit_test(closed_standard_error_stops_nobody),
        cmocka_unit_test(signals_do_not_reach_the_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
