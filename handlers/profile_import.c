/* A profile out of examples: reads them, finds the names, writes the file and compiles it. */
#include "handlers/profile_import.h"

#include "base/error.h"
#include "handlers/profile_import_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define ARENA_BYTES (1024 * 1024) /* addresses and variables of a file of 4 MiB */

/* --- what a person said --- */

static int read_answer(struct import *import, struct text text)
{
    const char *equals = memchr(text.base, '=', text.length);
    if (equals == NULL || equals == text.base)
        return import_complain(import,
                               "--field wants PLACE=NAME, such as checkout.amount=sum, not "
                               "'%.*s'",
                               (int)(text.length < 80 ? text.length : 80), text.base);
    size_t length = (size_t)(equals - text.base);
    import->answers[import->answer_count++] = (struct answer){
        .where = text_slice(text, 0, length), .name = text_slice(text, length + 1, text.length)};
    return 0;
}

static int read_skip(struct import *import, struct text text)
{
    enum import_action action;
    if (!import_find_action(text, &action))
        return import_complain(import, "--skip: there is no action '%.*s'",
                               (int)(text.length < 80 ? text.length : 80), text.base);
    import->is_skipped[action] = true;
    return 0;
}

static int check_action(struct import *import, struct text text)
{
    enum import_action action;
    const char *equals = memchr(text.base, '=', text.length);
    struct text name =
        equals == NULL ? text : text_slice(text, (size_t)(equals - text.base) + 1, text.length);
    if (import_find_action(name, &action) ||
        (equals != NULL && text_equal_nocase(name, TEXT("none"))))
        return 0;
    return import_complain(import,
                           "--action: there is no action '%.*s'; there are checkout, "
                           "check_balance, top_up, refund, search, lookup, redeem",
                           (int)(name.length < 80 ? name.length : 80),
                           name.base == NULL ? "" : name.base);
}

static int read_order(struct import *import)
{
    const struct import_order *order = import->order;
    int err = 0;
    for (int32_t i = 0; err == 0 && i < order->field_count; i++)
        err = read_answer(import, order->fields[i]);
    for (int32_t i = 0; err == 0 && i < order->skip_count; i++)
        err = read_skip(import, order->skipped[i]);
    for (int32_t i = 0; err == 0 && i < order->action_count; i++)
        err = check_action(import, order->actions[i]);
    return err;
}

/* An answer that fits nowhere is a slip of the finger: better told than passed over. */
static int check_answers(struct import *import)
{
    for (int32_t i = 0; i < import->answer_count; i++) {
        const struct answer *answer = &import->answers[i];
        if (!answer->is_used)
            return import_complain(import, "--field %.*s=%.*s: no example has such a field there",
                                   (int)(answer->where.length < 64 ? answer->where.length : 64),
                                   answer->where.base,
                                   (int)(answer->name.length < 64 ? answer->name.length : 64),
                                   answer->name.base == NULL ? "" : answer->name.base);
    }
    return 0;
}

/* --- the result --- */

static int write_profile(struct import *import)
{
    struct import_report *report = import->report;
    struct text_buffer file;
    char sentence[256];
    struct text_buffer problem;
    if (report->question_count > 0)
        return 0;
    text_buffer_init(&file, report->profile, sizeof(report->profile));
    text_buffer_init(&problem, sentence, sizeof(sentence));
    if (!import_write(import->profile, import->builtin, &file))
        return import_complain(import, "the profile would be larger than 64 KiB");
    report->is_default = file.length == 0;
    if (report->is_default)
        return 0;
    struct profile *compiled = malloc(sizeof(*compiled));
    if (compiled == NULL)
        return ERR_NO_MEMORY;
    int err = profile_compile(text_buffer_text(&file), import->builtin, compiled, &problem);
    free(compiled);
    return err == ERR_BAD_CONFIG
               ? import_complain(import, "the names that were found make no profile: %s", sentence)
               : err;
}

static void count_examples(struct import *import)
{
    for (int32_t i = 0; i < import->exchange_count; i++)
        import->report->examples[import->exchanges[i].action]++;
}

static int run(struct import *import, struct text file)
{
    int err = read_order(import);
    if (err == 0)
        err = import_read(import, file);
    if (err != 0)
        return err;
    count_examples(import);
    err = import_payments(import);
    if (err == 0)
        err = import_loyalty(import);
    if (err == 0)
        err = check_answers(import);
    return err != 0 ? err : write_profile(import);
}

static void finish(struct import *import)
{
    for (int32_t i = 0; i < import->exchange_count; i++)
        for (int32_t d = 0; d < import->exchanges[i].owned_count; d++)
            jread_destroy(import->exchanges[i].owned[d]);
    table_destroy(import->found);
    free(import->exchanges);
    jread_destroy(import->file);
    free(import->profile);
    free(import->bytes);
    free(import);
}

int profile_import(struct text file, const struct import_order *order, const struct profile *base,
                   struct import_report *report, struct text_buffer *problem)
{
    struct profiles *builtin;
    struct import *import = calloc(1, sizeof(*import));
    if (import == NULL)
        return ERR_NO_MEMORY;
    int err = profiles_create(NULL, &builtin);
    if (err != 0) {
        free(import);
        return err;
    }
    memset(report, 0, sizeof(*report));
    import->order = order;
    import->report = report;
    import->problem = problem;
    import->builtin = profile_acquire(builtin, "default");
    import->profile = malloc(sizeof(*import->profile));
    import->bytes = malloc(ARENA_BYTES);
    err = ERR_NO_MEMORY;
    if (import->profile != NULL && import->bytes != NULL) {
        text_buffer_init(&import->arena, import->bytes, ARENA_BYTES);
        *import->profile = base == NULL ? *import->builtin : *base;
        err = run(import, file);
    }
    profile_release(import->builtin);
    profiles_destroy(builtin);
    finish(import);
    return err;
}
