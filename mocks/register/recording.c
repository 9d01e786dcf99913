/* Appends lines of JSON to memory that grows up to a limit. */
#include "mocks/register/recording.h"

#include "base/clock.h"
#include "mocks/lightspeed/call.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

struct opening {
    int64_t started_us, seed;
};

void recording_init(struct recording *recording)
{
    *recording = (struct recording){0};
    CHECK(pthread_mutex_init(&recording->lock, NULL) == 0);
}

void recording_finish(struct recording *recording)
{
    made_destroy(&recording->lines);
    pthread_mutex_destroy(&recording->lock);
}

static void lock(struct recording *recording)
{
    CHECK(pthread_mutex_lock(&recording->lock) == 0);
}

static void unlock(struct recording *recording)
{
    CHECK(pthread_mutex_unlock(&recording->lock) == 0);
}

static void write_opening(struct jwrite *writer, const void *context)
{
    const struct opening *opening = context;
    char memory[40];
    struct text_buffer buffer;
    text_buffer_init(&buffer, memory, sizeof(memory));
    clock_append_time(&buffer, opening->started_us);
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "tillsim_recording", RECORDING_VERSION);
    jwrite_named_text_n(writer, "started", text_buffer_text(&buffer));
    jwrite_named_int(writer, "seed", opening->seed);
    jwrite_object_end(writer);
}

static void write_line(struct jwrite *writer, const void *context)
{
    exchange_write_record(context, writer);
}

/* false: no room; the line is left out. */
static bool append(struct recording *recording, struct text line)
{
    struct made *lines = &recording->lines;
    size_t wanted = lines->length + line.length + 2;
    if (wanted > RECORDING_BYTES_MAX)
        return false;
    if (wanted > recording->room) {
        recording->room = wanted * 2;
        char *more = realloc(lines->base, recording->room);
        CHECK(more != NULL);
        lines->base = more;
    }
    memcpy(lines->base + lines->length, line.base, line.length);
    memcpy(lines->base + lines->length + line.length, "\n", 2);
    lines->length += line.length + 1;
    return true;
}

static bool append_made(struct recording *recording, made_fn write, const void *context)
{
    struct made line = {0};
    made_create(&line, write, context);
    bool fits = append(recording, made_text(&line));
    made_destroy(&line);
    return fits;
}

void recording_begin(struct recording *recording, int64_t started_us, int64_t seed)
{
    struct opening opening = {started_us, seed};
    lock(recording);
    made_destroy(&recording->lines);
    recording->room = 0;
    recording->is_on = true;
    recording->is_full = false;
    recording->count = 0;
    recording->began_us = clock_monotonic_us();
    CHECK(append_made(recording, write_opening, &opening));
    unlock(recording);
}

void recording_end(struct recording *recording)
{
    lock(recording);
    recording->is_on = false;
    unlock(recording);
}

void recording_add(struct recording *recording, struct exchange *exchange, int64_t began_at_us)
{
    lock(recording);
    if (recording->is_on && began_at_us >= recording->began_us) {
        exchange->offset_us = began_at_us - recording->began_us;
        recording->is_full = recording->is_full || !append_made(recording, write_line, exchange);
        recording->count += recording->is_full ? 0 : 1;
    }
    unlock(recording);
}

void recording_copy(struct recording *recording, struct made *lines)
{
    lock(recording);
    made_copy(lines, made_text(&recording->lines));
    unlock(recording);
}

void recording_write(struct recording *recording, struct jwrite *writer)
{
    lock(recording);
    jwrite_named_bool(writer, "is_on", recording->is_on);
    jwrite_named_int(writer, "count", recording->count);
    jwrite_named_bool(writer, "is_full", recording->is_full);
    unlock(recording);
}
