/* Judges what could not be read of a file: an action that nothing is known of, or all of them. */
#include "handlers/profile_import_parts.h"

#include <stdio.h>

#include "base/banned.h"

enum half { HALF_REQUEST, HALF_REPLY };

static bool half_was_read(const struct exchange *exchange, enum half half)
{
    return half == HALF_REQUEST
               ? exchange->field_count > 0 && !exchange->is_request_unread
               : jread_kind_of(exchange->reply) == JREAD_OBJECT && jread_count(exchange->reply) > 0;
}

static bool anything_was_read(const struct import *import)
{
    for (int32_t i = 0; i < import->exchange_count; i++)
        if (half_was_read(&import->exchanges[i], HALF_REQUEST) ||
            half_was_read(&import->exchanges[i], HALF_REPLY))
            return true;
    return false;
}

/* Nothing that differs from the default is no finding where nothing was looked at. */
static int complain_unread(struct import *import)
{
    const struct import_report *report = import->report;
    for (int32_t i = 0; i < report->note_count; i++)
        if (report->notes[i].is_warning)
            return import_complain(import, "nothing could be read: %s", report->notes[i].sentence);
    return import_complain(import, "the examples hold no field");
}

static void ask_about(struct import *import, enum import_action action, enum half half)
{
    char where[64];
    const char *name = import_action_name(action);
    bool is_request = half == HALF_REQUEST;
    snprintf(where, sizeof(where), "%s.%s", name, is_request ? "request" : "reply");
    struct import_question *question = import_ask(import, where);
    if (question == NULL)
        return;
    snprintf(question->sentence, sizeof(question->sentence),
             "No %s of %s could be read. Mend the file's, or leave %s as it is.",
             is_request ? "request" : "reply", name, name);
    snprintf(question->option, sizeof(question->option), "--skip %s", name);
}

/* An action of which all was unreadable would keep the default's names without anybody asking. */
static void ask_unread(struct import *import)
{
    for (int action = 0; action < IMPORT_ACTIONS; action++)
        for (int half = HALF_REQUEST; half <= HALF_REPLY; half++) {
            bool is_unread = false, is_read = false;
            int32_t index = -1;
            const struct exchange *exchange;
            while ((exchange = import_next(import, (enum import_action)action, &index)) != NULL) {
                is_read = is_read || half_was_read(exchange, (enum half)half);
                is_unread = is_unread || (half == HALF_REQUEST ? exchange->is_request_unread
                                                               : exchange->is_reply_unread);
            }
            if (is_unread && !is_read)
                ask_about(import, (enum import_action)action, (enum half)half);
        }
}

int import_judge_unread(struct import *import)
{
    if (import->report->question_count == 0 && !anything_was_read(import))
        return complain_unread(import);
    ask_unread(import);
    return 0;
}
