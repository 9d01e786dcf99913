/* Reads a CSV file of members and hands it to the service, some hundred rows a request. */
#include "service/member_import.h"

#include "base/clock.h"
#include "base/csv.h"
#include "base/error.h"
#include "base/json.h"
#include "handlers/member_field.h"
#include "service/admin_client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"

#define CHUNK_BYTES (64 * 1024)
/* Below the service's limit of 64 KiB a body; the closing brackets fit behind it. */
#define BODY_BYTES (60 * 1024)
#define BATCH_ROWS 500 /* handlers/admin_member_import.c takes no more */
/* All fields of a member at their longest, with room for the spaces around them. A row of so many
 * bytes fits into a body even when JSON needs six bytes for each. */
#define ROW_BYTES_MAX 4096
#define PROGRESS_TERMINAL_US (INT64_C(200) * 1000)
#define PROGRESS_LOG_US (INT64_C(5) * 1000000)
/* A service that is busy or restarts is asked again: after 0.2, 0.4 ... 3.2 s. Rows that it has
 * taken meanwhile are known by then. */
#define ATTEMPTS_MAX 6
#define RETRY_PAUSE_MS 200

/* What is told of a line: the service's and our own, in the order of the file. */
struct told_line {
    int64_t line;
    bool is_remark; /* the row is fine */
    char sentence[256];
};

struct import {
    const struct invocation *invocation;
    struct admin_session *session;
    struct csv csv;
    int64_t size;  /* of the file; 0: not known */
    int64_t taken; /* bytes so far */
    int64_t began_us, told_us;
    int32_t column_count; /* 0: no header yet */
    int32_t batch_rows;
    struct text_buffer body;
    struct jwrite writer;
    size_t head_length; /* of the body, before the rows */
    struct jwrite head_writer;
    int64_t rows, added, updated, existing, skipped;
    /* Of this batch: BATCH_ROWS that were sent, and as many that never were. */
    struct told_line told[2 * BATCH_ROWS];
    int32_t told_count, refused_count;
    bool is_stopped;
    char code[64]; /* why, when it is stopped */
    char sentence[512];
    char body_bytes[BODY_BYTES + 16];
    char chunk[CHUNK_BYTES];
};

static bool is_switched_on(const struct import *import, const char *flag)
{
    return command_value(import->invocation, flag) != NULL;
}

static void stop(struct import *import, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The first reason counts. */
static void stop(struct import *import, const char *code, const char *format, ...)
{
    va_list arguments;
    if (import->is_stopped)
        return;
    import->is_stopped = true;
    snprintf(import->code, sizeof(import->code), "%s", code);
    va_start(arguments, format);
    vsnprintf(import->sentence, sizeof(import->sentence), format, arguments);
    va_end(arguments);
}

/* --- progress --- */

static int64_t rate_of(const struct import *import, int64_t now_us)
{
    int64_t passed_us = now_us - import->began_us;
    return passed_us <= 0 ? 0 : import->rows * 1000000 / passed_us;
}

static void tell_progress(struct import *import, bool is_last)
{
    bool is_terminal = isatty(STDERR_FILENO) != 0;
    int64_t now_us = clock_monotonic_us();
    int64_t period_us = is_terminal ? PROGRESS_TERMINAL_US : PROGRESS_LOG_US;
    if (now_us - import->told_us < period_us && !(is_last && is_terminal))
        return;
    import->told_us = now_us;
    fprintf(stderr, "%s%lld rows, %lld rows/s", is_terminal ? "\r" : "", (long long)import->rows,
            (long long)rate_of(import, now_us));
    if (import->size > 0)
        fprintf(stderr, ", %lld %%", (long long)(import->taken * 100 / import->size));
    fputs(is_terminal && !is_last ? "   " : "\n", stderr);
}

/* On a line of its own, also after progress without a line end. */
static void tell_bad(int64_t line, struct text sentence)
{
    fprintf(stderr, "%sline %lld: %.*s\n", isatty(STDERR_FILENO) ? "\r" : "", (long long)line,
            (int)sentence.length, sentence.base);
}

/* --- requests --- */

/* By line, whoever found it. */
static void note_line(struct import *import, int64_t line, bool is_remark, struct text sentence)
{
    int32_t at = import->told_count++;
    CHECK(at < (int32_t)COUNT_OF(import->told));
    for (; at > 0 && import->told[at - 1].line > line; at--)
        import->told[at] = import->told[at - 1];
    struct told_line *told = &import->told[at];
    *told = (struct told_line){.line = line, .is_remark = is_remark};
    snprintf(told->sentence, sizeof(told->sentence), "%.*s", (int)sentence.length, sentence.base);
}

/* rows: those that were taken, and this one. */
static void stop_at(struct import *import, const struct told_line *told)
{
    if (import->is_stopped)
        return;
    import->rows = import->added + import->updated + import->existing + 1;
    stop(import, "bad_row", "line %lld: %s", (long long)told->line, told->sentence);
}

static void tell_lines(struct import *import)
{
    for (int32_t i = 0; i < import->told_count; i++) {
        const struct told_line *told = &import->told[i];
        bool is_bad = !told->is_remark;
        if (is_bad && !is_switched_on(import, "skip-bad")) {
            stop_at(import, told);
            break;
        }
        import->skipped += is_bad;
        tell_bad(told->line, text_of(told->sentence));
    }
    import->told_count = import->refused_count = 0;
}

static int64_t count_in(const struct jread *reply, const char *name)
{
    int64_t count = 0;
    return jread_int64(jread_member(reply, name), &count) == 0 ? count : 0;
}

static void take_result(struct import *import, const struct jread *reply)
{
    const struct jread *bad = jread_member(reply, "bad");
    import->added += count_in(reply, "added");
    import->updated += count_in(reply, "updated");
    import->existing += count_in(reply, "existing");
    for (size_t i = 0; i < jread_count(bad); i++) {
        const struct jread *each = jread_element(bad, i);
        struct text sentence = TEXT("");
        bool is_remark = false;
        int err = jread_bool(jread_member(each, "is_remark"), &is_remark);
        if (err == 0 || err == ERR_MISSING)
            err = jread_text(jread_member(each, "error"), &sentence);
        if (err == 0)
            note_line(import, count_in(each, "line"), is_remark, sentence);
    }
}

static void take_refusal(struct import *import, const struct jread *reply, long status)
{
    struct text code = TEXT("refused"), sentence = TEXT("");
    int err = jread_text(jread_member(reply, "code"), &code);
    if (err == 0)
        err = jread_text(jread_member(reply, "error"), &sentence);
    char word[sizeof(import->code)];
    snprintf(word, sizeof(word), "%.*s", (int)code.length, code.base);
    if (err == 0)
        stop(import, word, "%.*s", (int)sentence.length, sentence.base);
    else
        stop(import, word, "the service answered %ld", status);
}

static int post(struct import *import, struct admin_reply *reply)
{
    struct text body = text_buffer_text(&import->body);
    for (int attempt = 1;; attempt++) {
        *reply = (struct admin_reply){.bytes = NULL};
        int err =
            admin_session_post(import->session, import->invocation->subcommand->path, body, reply);
        if (err != 0 || reply->status != 503 || attempt == ATTEMPTS_MAX)
            return err;
        free(reply->bytes);
        int64_t pause_ms = (int64_t)RETRY_PAUSE_MS << (attempt - 1);
        struct timespec pause = {pause_ms / 1000, pause_ms % 1000 * 1000000};
        nanosleep(&pause, NULL);
    }
}

static void reset_body(struct import *import)
{
    import->body.length = import->head_length;
    import->body.is_cut = false;
    import->writer = import->head_writer;
    import->batch_rows = 0;
}

static void send_rows(struct import *import)
{
    struct admin_reply reply;
    struct jread *document = NULL;
    jwrite_array_end(&import->writer);
    jwrite_object_end(&import->writer);
    CHECK(!import->body.is_cut);
    int err = post(import, &reply);
    if (err == 0 && reply.bytes != NULL)
        err = jread_parse((struct text){reply.bytes, reply.length}, &document);
    if (err != 0)
        stop(import, error_name(ERR_IO), "the service did not answer");
    else if (reply.status == 200)
        take_result(import, document);
    else
        take_refusal(import, document, reply.status);
    jread_destroy(document);
    free(reply.bytes);
    reset_body(import);
}

/* Sends what has gathered, and tells what came of it. */
static void flush(struct import *import)
{
    if (import->is_stopped)
        return;
    if (import->batch_rows > 0)
        send_rows(import);
    tell_lines(import);
    tell_progress(import, false);
}

/* --- the header --- */

static bool name_is_known(struct text name)
{
    return member_field_find(name) != NULL || text_equal(name, TEXT("points"));
}

static void name_columns(struct text_buffer *list)
{
    for (size_t i = 0; i < member_field_count(); i++)
        text_append_format(list, "%s, ", member_field_at(i)->name);
    text_append(list, TEXT("points"));
}

/* How a header usually goes wrong, in words that help. */
static void refuse_column(struct import *import, struct text name)
{
    char known[256];
    struct text_buffer list;
    text_buffer_init(&list, known, sizeof(known));
    name_columns(&list);
    if (!text_is_printable(name) || !text_is_utf8(name))
        name = TEXT("(not text)");
    if (import->csv.count == 1 && memchr(name.base, ';', name.length) != NULL)
        stop(import, "bad_header", "the columns must be separated by commas, not by semicolons");
    else
        stop(import, "bad_header", "there is no column '%.*s'; there are %s",
             (int)(name.length < 64 ? name.length : 64), name.base, known);
}

static bool is_repeated(const struct csv *csv, int32_t index)
{
    for (int32_t i = 0; i < index; i++)
        if (text_equal(text_trim(csv_field(csv, i)), text_trim(csv_field(csv, index))))
            return true;
    return false;
}

static void begin_body(struct import *import)
{
    text_buffer_init(&import->body, import->body_bytes, sizeof(import->body_bytes));
    jwrite_init(&import->writer, &import->body);
    jwrite_object_begin(&import->writer);
    jwrite_key(&import->writer, TEXT("tenant"));
    jwrite_text(&import->writer, text_of(command_value(import->invocation, "tenant")));
    jwrite_key(&import->writer, TEXT("skip_bad"));
    jwrite_bool(&import->writer, is_switched_on(import, "skip-bad"));
    jwrite_key(&import->writer, TEXT("update"));
    jwrite_bool(&import->writer, is_switched_on(import, "update"));
    jwrite_key(&import->writer, TEXT("columns"));
    jwrite_array_begin(&import->writer);
}

static void take_header(struct import *import)
{
    bool has_name = false;
    begin_body(import);
    for (int32_t i = 0; i < import->csv.count && !import->is_stopped; i++) {
        struct text name = text_trim(csv_field(&import->csv, i));
        if (!name_is_known(name))
            refuse_column(import, name);
        else if (is_repeated(&import->csv, i))
            stop(import, "bad_header", "the column '%.*s' is there twice", (int)name.length,
                 name.base);
        has_name = has_name || text_equal(name, TEXT("first_name"));
        jwrite_text(&import->writer, name);
    }
    if (!has_name)
        stop(import, "bad_header", "the column first_name is missing");
    import->column_count = import->csv.count;
    jwrite_array_end(&import->writer);
    jwrite_key(&import->writer, TEXT("rows"));
    jwrite_array_begin(&import->writer);
    import->head_length = import->body.length;
    import->head_writer = import->writer;
    reset_body(import);
}

/* --- rows --- */

static bool is_blank(const struct csv *csv)
{
    for (int32_t i = 0; i < csv->count; i++)
        if (text_trim(csv_field(csv, i)).length > 0)
            return false;
    return true;
}

static void write_row(struct import *import)
{
    const struct csv *csv = &import->csv;
    jwrite_array_begin(&import->writer);
    jwrite_int64(&import->writer, csv->record_line);
    for (int32_t i = 0; i < csv->count; i++)
        jwrite_text(&import->writer, csv_field(csv, i));
    jwrite_array_end(&import->writer);
}

static void add_row(struct import *import)
{
    struct text_buffer body = import->body;
    struct jwrite writer = import->writer;
    write_row(import);
    if (import->body.length > BODY_BYTES || import->body.is_cut) {
        import->body = body;
        import->writer = writer;
        flush(import);
        write_row(import);
    }
    if (++import->batch_rows == BATCH_ROWS)
        flush(import);
}

/* What was read before it is sent first where it ends the import: its lines come before. */
static void refuse_row(struct import *import, const char *sentence)
{
    note_line(import, import->csv.record_line, false, text_of(sentence));
    if (!is_switched_on(import, "skip-bad") || ++import->refused_count == BATCH_ROWS)
        flush(import);
}

static void take_row(struct import *import)
{
    const struct csv *csv = &import->csv;
    char sentence[128];
    if (is_blank(csv))
        return;
    import->rows++;
    if (csv->count != import->column_count) {
        snprintf(sentence, sizeof(sentence), "%d fields, but the header has %d", (int)csv->count,
                 (int)import->column_count);
        refuse_row(import, sentence);
    } else if (csv->length > ROW_BYTES_MAX) {
        refuse_row(import, "longer than any member can be");
    } else if (!text_is_utf8((struct text){csv->bytes, csv->length})) {
        refuse_row(import, "not text in UTF-8");
    } else {
        add_row(import);
    }
}

static void take_event(struct import *import, enum csv_event event)
{
    bool is_header = import->column_count == 0;
    if (event == CSV_FAULT && is_header) {
        stop(import, "bad_header", "line %lld: %s", (long long)import->csv.record_line,
             import->csv.fault);
    } else if (event == CSV_FAULT) {
        import->rows++;
        refuse_row(import, import->csv.fault);
    } else if (is_header) {
        take_header(import);
    } else {
        take_row(import);
    }
}

/* --- the file --- */

static void take_chunk(struct import *import, size_t length)
{
    struct text bytes = {import->chunk, length};
    enum csv_event event;
    while (!import->is_stopped && (event = csv_read(&import->csv, &bytes)) != CSV_MORE)
        take_event(import, event);
}

static void take_file(struct import *import, int file)
{
    ssize_t got;
    while (!import->is_stopped && (got = read(file, import->chunk, sizeof(import->chunk))) != 0) {
        if (got < 0) {
            stop(import, error_name(ERR_IO), "the file cannot be read: %s", strerror(errno));
            return;
        }
        import->taken += got;
        take_chunk(import, (size_t)got);
    }
    enum csv_event event = import->is_stopped ? CSV_MORE : csv_end(&import->csv);
    if (event != CSV_MORE)
        take_event(import, event);
    if (import->column_count == 0)
        stop(import, "bad_header", "the file has no header line");
    flush(import);
}

/* --- the summary --- */

static void print_json(const struct import *import, int64_t duration_us)
{
    char bytes[2048];
    struct text_buffer buffer;
    struct jwrite writer;
    const struct {
        const char *name;
        int64_t value;
    } counts[] = {{"rows", import->rows},       {"added", import->added},
                  {"updated", import->updated}, {"existing", import->existing},
                  {"skipped", import->skipped}, {"duration_ms", duration_us / 1000}};
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    jwrite_init(&writer, &buffer);
    jwrite_object_begin(&writer);
    jwrite_key(&writer, TEXT("success"));
    jwrite_bool(&writer, !import->is_stopped);
    if (import->is_stopped) {
        jwrite_key(&writer, TEXT("error"));
        jwrite_text(&writer, text_of(import->sentence));
        jwrite_key(&writer, TEXT("code"));
        jwrite_text(&writer, text_of(import->code));
    }
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        jwrite_key(&writer, text_of(counts[i].name));
        jwrite_int64(&writer, counts[i].value);
    }
    jwrite_object_end(&writer);
    printf("%s\n", bytes);
}

static void print_for_people(const struct import *import, int64_t duration_us)
{
    if (import->is_stopped)
        fprintf(stderr, "counterpart: %s (%s)\n", import->sentence, import->code);
    printf("%lld added, %lld changed, %lld already there, %lld skipped, in %lld.%lld s\n",
           (long long)import->added, (long long)import->updated, (long long)import->existing,
           (long long)import->skipped, (long long)(duration_us / 1000000),
           (long long)(duration_us % 1000000 / 100000));
    if (import->is_stopped && import->added + import->updated > 0)
        puts("What was imported stays; the import can be run again as a whole.");
}

static void print_summary(struct import *import)
{
    int64_t duration_us = clock_monotonic_us() - import->began_us;
    tell_progress(import, true);
    if (import->invocation->wants_json || !isatty(STDOUT_FILENO))
        print_json(import, duration_us);
    else
        print_for_people(import, duration_us);
}

static int open_file(struct import *import, int *file)
{
    const char *name = import->invocation->operand;
    struct stat info;
    bool is_input = strcmp(name, "-") == 0;
    *file = is_input ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    if (*file < 0 || fstat(*file, &info) != 0 || S_ISDIR(info.st_mode)) {
        fprintf(stderr, "counterpart: %s cannot be read: %s\n", name,
                *file >= 0 && errno == 0 ? "it is a folder" : strerror(errno));
        return ERR_IO;
    }
    import->size = S_ISREG(info.st_mode) ? (int64_t)info.st_size : 0;
    return 0;
}

int member_import_run(const struct invocation *invocation, const char *socket_path)
{
    static struct import import; /* some 400 KiB */
    int file;
    import.invocation = invocation;
    errno = 0;
    if (open_file(&import, &file) != 0 || admin_session_open(socket_path, &import.session) != 0)
        return EXIT_FAILURE;
    csv_init(&import.csv);
    import.began_us = import.told_us = clock_monotonic_us();
    take_file(&import, file);
    print_summary(&import);
    admin_session_close(import.session);
    if (file != STDIN_FILENO)
        close(file);
    return import.is_stopped ? EXIT_FAILURE : EXIT_SUCCESS;
}
