/* Matches the fields that examples show with what they can mean, by their names and values. */
#include "base/error.h"
#include "base/money.h"
#include "handlers/profile_import_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define SCORE_MIN 50  /* below, a name says nothing */
#define SCORE_SURE 90 /* the name is one of those that mean only this */
#define SCORE_ANSWER 1000
#define SCORE_NEAR 12    /* two names this close are a question */
#define LOSS_HINT 8      /* the variable's name says it, not the field's */
#define WORTH_EXPONENT 3 /* MONEY_EXPONENT_MAX */

/* --- the report --- */

void import_note(struct import *import, bool is_warning, const char *format, ...)
{
    struct import_report *report = import->report;
    va_list arguments;
    if (report->note_count == IMPORT_NOTES_MAX)
        return;
    struct import_note *note = &report->notes[report->note_count++];
    note->is_warning = is_warning;
    va_start(arguments, format);
    vsnprintf(note->sentence, sizeof(note->sentence), format, arguments);
    va_end(arguments);
}

int import_complain(struct import *import, const char *format, ...)
{
    char sentence[320];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    text_append(import->problem, text_of(sentence));
    return ERR_BAD_CONFIG;
}

/* NULL: enough is asked already. */
struct import_question *import_ask(struct import *import, const char *where)
{
    struct import_report *report = import->report;
    for (int32_t i = 0; i < report->question_count; i++)
        if (strcmp(report->questions[i].where, where) == 0)
            return NULL;
    if (report->question_count == IMPORT_QUESTIONS_MAX)
        return NULL;
    struct import_question *question = &report->questions[report->question_count++];
    snprintf(question->where, sizeof(question->where), "%s", where);
    return question;
}

void import_copy_name(char out[PROFILE_NAME_MAX + 1], struct text name)
{
    (void)text_copy_utf8(out, PROFILE_NAME_MAX + 1, name);
}

void import_tell(struct import *import, const char *where, const struct column *column,
                 const char *example)
{
    struct import_report *report = import->report;
    if (report->finding_count == IMPORT_FINDINGS_MAX)
        return;
    struct import_finding *finding = &report->findings[report->finding_count++];
    snprintf(finding->where, sizeof(finding->where), "%s", where);
    import_copy_name(finding->name, column->name);
    snprintf(finding->example, sizeof(finding->example), "%s", example);
    finding->sureness = column->is_answered           ? IMPORT_ANSWERED
                        : column->score >= SCORE_SURE ? IMPORT_SURE
                                                      : IMPORT_LIKELY;
    snprintf(finding->why, sizeof(finding->why), "%s",
             column->is_answered ? "you said so" : column->why);
}

const char *import_sureness_name(enum import_sureness sureness)
{
    static const char *const names[] = {
        [IMPORT_ANSWERED] = "answered", [IMPORT_SURE] = "sure", [IMPORT_LIKELY] = "likely"};
    CHECK(sureness < COUNT_OF(names));
    return names[sureness];
}

/* --- columns --- */

bool import_money(struct text text, int64_t *units)
{
    return money_parse(text, WORTH_EXPONENT, units) == 0;
}

static unsigned text_shape(struct text text)
{
    int64_t units;
    bool has_point = text.length > 0 && memchr(text.base, '.', text.length) != NULL;
    struct text digits =
        text.length > 0 && text.base[0] == '-' ? text_slice(text, 1, text.length) : text;
    if (text.length == 0)
        return 0;
    if (text_is_digits(digits))
        return SHAPE_WHOLE;
    if (has_point && import_money(text, &units))
        return SHAPE_DECIMAL;
    if (memchr(text.base, '@', text.length) != NULL && memchr(text.base, ' ', text.length) == NULL)
        return SHAPE_EMAIL;
    for (size_t i = 0; i + 1 < text.length; i++)
        if (text.base[i] == ':' && text.base[i + 1] == '/')
            return SHAPE_URL;
    bool is_relative = text_starts_with(text, TEXT("{{")) || text.base[0] == '/';
    if (is_relative && memchr(text.base, '/', text.length) != NULL)
        return SHAPE_URL;
    return SHAPE_TEXT;
}

unsigned import_shape(const struct import_field *field)
{
    switch (field->kind) {
    case JREAD_NULL:
        return 0;
    case JREAD_BOOL:
        return SHAPE_BOOL;
    case JREAD_NUMBER:
    case JREAD_STRING:
        return text_shape(field->text);
    case JREAD_ARRAY:
        return SHAPE_LIST;
    case JREAD_OBJECT:
        return SHAPE_OBJECT;
    }
    return 0;
}

struct table *table_create(struct import *import, const char *place)
{
    struct table *table = calloc(1, sizeof(*table));
    if (table == NULL)
        return NULL;
    table->import = import;
    table->place = place;
    return table;
}

void table_destroy(struct table *table)
{
    free(table);
}

bool table_begin_example(struct table *table, const char *name, struct text asked)
{
    if (table->example_count == IMPORT_EXAMPLES_MAX)
        return false;
    table->example_names[table->example_count] = name;
    table->asked[table->example_count++] = asked;
    return true;
}

static struct column *column_of(struct table *table, const struct import_field *field)
{
    for (int32_t i = 0; i < table->count; i++)
        if (text_equal(table->columns[i].name, field->name) &&
            text_equal(table->columns[i].parent, field->parent))
            return &table->columns[i];
    if (table->count == IMPORT_COLUMNS_MAX)
        return NULL;
    struct column *column = &table->columns[table->count++];
    *column = (struct column){.name = field->name,
                              .parent = field->parent,
                              .first = table->example_count - 1,
                              .meaning = -1};
    return column;
}

void table_add(struct table *table, const struct import_field *field)
{
    int32_t example = table->example_count - 1;
    struct column *column = column_of(table, field);
    if (column == NULL || example < 0)
        return;
    column->shapes |= import_shape(field);
    column->has_texts |= field->kind == JREAD_STRING;
    column->has_numbers |= field->kind == JREAD_NUMBER;
    column->examples |= UINT64_C(1) << example;
    column->values[example] = field->text;
    if (column->hint.length == 0)
        column->hint = field->hint;
}

void table_add_object(struct table *table, const struct jread *object)
{
    for (size_t i = 0; i < jread_count(object); i++) {
        struct text name;
        const struct jread *value = jread_member_at(object, i, &name);
        struct import_field field = import_field_of(table->import, TEXT(""), name, value);
        table_add(table, &field);
    }
}

/* --- answers --- */

/* "checkout.amount" of place and name; "all" stands for any payment, and "_id" may be left out. */
static bool where_is(struct text where, const char *place, const char *name)
{
    char full[96], shorter[96];
    size_t length = strlen(name);
    if (text_starts_with(where, TEXT("all.")))
        place = strchr(place, '.') == NULL ? "all" : "all.reply";
    bool has_id = length > 3 && strcmp(name + length - 3, "_id") == 0;
    snprintf(full, sizeof(full), "%s.%s", place, name);
    snprintf(shorter, sizeof(shorter), "%s.%.*s", place, (int)(has_id ? length - 3 : length), name);
    return text_equal(where, text_of(full)) || text_equal(where, text_of(shorter));
}

static struct column *column_named(struct table *table, struct text name)
{
    for (int32_t i = 0; i < table->count; i++)
        if (text_equal(table->columns[i].name, name) && table->columns[i].parent.length == 0)
            return &table->columns[i];
    return NULL;
}

static void take_answers(struct table *table, bool *is_closed)
{
    struct import *import = table->import;
    for (int32_t i = 0; i < import->answer_count; i++) {
        struct answer *answer = &import->answers[i];
        for (int32_t m = 0; m < table->meaning_count; m++) {
            int id = table->meanings[m].id;
            if (id == MEANING_OTHER || !where_is(answer->where, table->place, table->name_of(id)))
                continue;
            struct column *column = column_named(table, answer->name);
            is_closed[m] |= column != NULL || answer->name.length == 0;
            answer->is_used |= column != NULL || answer->name.length == 0;
            if (column == NULL)
                continue;
            column->meaning = m;
            column->score = SCORE_ANSWER;
            column->is_answered = true;
        }
    }
}

bool table_is_answered_none(const struct table *table, int id)
{
    const struct import *import = table->import;
    for (int32_t i = 0; i < import->answer_count; i++)
        if (import->answers[i].name.length == 0 &&
            where_is(import->answers[i].where, table->place, table->name_of(id)))
            return true;
    return false;
}

static bool ends_with(struct text text, struct text end)
{
    return text.length >= end.length &&
           text_equal(text_slice(text, text.length - end.length, end.length), end);
}

/* Was this meaning answered with this column's name for another reply? */
static bool is_said_elsewhere(const struct table *table, const struct column *column, int id)
{
    const struct import *import = table->import;
    char end[64];
    snprintf(end, sizeof(end), ".reply.%s", table->name_of(id));
    for (int32_t i = 0; i < import->answer_count; i++)
        if (text_equal(import->answers[i].name, column->name) &&
            ends_with(import->answers[i].where, text_of(end)))
            return true;
    return false;
}

/* What one reply calls its balance is hardly something else in the next: where nothing better was
 * found, the answer counts there as well. */
static void take_answers_of_others(struct table *table)
{
    if (!ends_with(text_of(table->place), TEXT(".reply")))
        return;
    for (int32_t c = 0; c < table->count; c++)
        for (int32_t m = 0; m < table->meaning_count && table->columns[c].meaning < 0; m++) {
            struct column *column = &table->columns[c];
            int id = table->meanings[m].id;
            if (id == MEANING_OTHER || column->parent.length > 0 ||
                (column->shapes & ~table->meanings[m].shapes) != 0 ||
                table_find(table, id) != NULL || table_is_answered_none(table, id) ||
                !is_said_elsewhere(table, column, id))
                continue;
            column->meaning = m;
            column->score = SCORE_SURE;
            column->why = "as you said of another reply";
        }
}

/* --- matching --- */

struct match {
    int32_t column, meaning;
    int score;
    const char *why;
};

typedef int (*bonus_fn)(const struct table *, const struct column *, const struct meaning *,
                        const char **why);

static int score_column(const struct table *table, const struct column *column,
                        const struct meaning *meaning, bonus_fn bonus, const char **why)
{
    if (column->parent.length > 0 || (column->shapes & ~meaning->shapes) != 0)
        return 0;
    int score = words_score(column->name, meaning->words);
    int hint = column->hint.length == 0 ? 0 : words_score(column->hint, meaning->words) - LOSS_HINT;
    *why = score >= SCORE_SURE ? "its name" : "its name is like it";
    if (hint > score) {
        score = hint;
        *why = "the name of its variable";
    }
    return bonus == NULL ? score : score + bonus(table, column, meaning, why);
}

static bool values_are_equal(const struct column *a, const struct column *b)
{
    for (int i = 0; i < IMPORT_EXAMPLES_MAX; i++) {
        bool is_both = ((a->examples & b->examples) >> i & 1) != 0;
        if (is_both && !text_equal(a->values[i], b->values[i]))
            return false;
    }
    return true;
}

/* May two columns be one meaning? In requests names take turns; in a reply one value may stand
 * under two names. */
static bool columns_get_along(const struct table *table, const struct column *a,
                              const struct column *b)
{
    bool meet = (a->examples & b->examples) != 0;
    return table->is_request ? !meet : meet && values_are_equal(a, b);
}

static void ask_which(struct table *table, const struct column *a, const struct column *b)
{
    char where[64];
    int id = table->meanings[a->meaning].id;
    if (id == MEANING_OTHER)
        return;
    snprintf(where, sizeof(where), "%s.%s", table->place, table->name_of(id));
    struct import_question *question = import_ask(table->import, where);
    if (question == NULL)
        return;
    import_copy_name(question->candidates[0], a->name);
    import_copy_name(question->candidates[1], b->name);
    question->candidate_count = 2;
    snprintf(question->sentence, sizeof(question->sentence),
             "'%s' and '%s' could both be %s. Which one is it?", question->candidates[0],
             question->candidates[1], where);
    snprintf(question->option, sizeof(question->option), "--field %s=%s", where,
             question->candidates[0]);
}

/* false: the column has to be something else. */
static bool may_join(struct table *table, const struct column *column, const struct match *match)
{
    for (int32_t i = 0; i < table->count; i++) {
        const struct column *other = &table->columns[i];
        if (other->meaning != match->meaning || other == column)
            continue;
        if (table->meanings[match->meaning].id == MEANING_OTHER ||
            columns_get_along(table, other, column))
            continue;
        bool never_meet = (other->examples & column->examples) == 0;
        if (!other->is_answered && (never_meet || other->score - match->score <= SCORE_NEAR))
            ask_which(table, other, column);
        return false;
    }
    return true;
}

static struct match best_match(const struct table *table, const bool *is_closed,
                               bool tried[IMPORT_COLUMNS_MAX][32], bonus_fn bonus)
{
    struct match best = {-1, -1, SCORE_MIN - 1, NULL};
    for (int32_t c = 0; c < table->count; c++)
        for (int32_t m = 0; m < table->meaning_count && table->columns[c].meaning < 0; m++) {
            const char *why = "";
            if (is_closed[m] || tried[c][m])
                continue;
            int score = score_column(table, &table->columns[c], &table->meanings[m], bonus, &why);
            if (score > best.score)
                best = (struct match){c, m, score, why};
        }
    return best;
}

void table_match(struct table *table, bonus_fn bonus)
{
    bool is_closed[32] = {false}, tried[IMPORT_COLUMNS_MAX][32] = {{false}};
    CHECK(table->meaning_count <= 32);
    take_answers(table, is_closed);
    for (;;) {
        struct match match = best_match(table, is_closed, tried, bonus);
        if (match.column < 0)
            break;
        struct column *column = &table->columns[match.column];
        tried[match.column][match.meaning] = true;
        if (!may_join(table, column, &match))
            continue;
        column->meaning = match.meaning;
        column->score = match.score;
        column->why = match.why;
    }
    take_answers_of_others(table);
}

/* --- what came of it --- */

const struct column *table_next(const struct table *table, int id, int32_t *index)
{
    while (++*index < table->count) {
        int meaning = table->columns[*index].meaning;
        if (meaning >= 0 && table->meanings[meaning].id == id)
            return &table->columns[*index];
    }
    return NULL;
}

const struct column *table_find(const struct table *table, int id)
{
    int32_t index = -1;
    return table_next(table, id, &index);
}

void table_tell(const struct table *table)
{
    for (int32_t i = 0; i < table->count; i++) {
        const struct column *column = &table->columns[i];
        char where[64];
        if (column->meaning < 0 || table->meanings[column->meaning].id == MEANING_OTHER)
            continue;
        snprintf(where, sizeof(where), "%s.%s", table->place,
                 table->name_of(table->meanings[column->meaning].id));
        import_tell(table->import, where, column, table->example_names[column->first]);
    }
}

static const struct meaning *meaning_of(const struct table *table, int id)
{
    for (int32_t i = 0; i < table->meaning_count; i++)
        if (table->meanings[i].id == id)
            return &table->meanings[i];
    return NULL;
}

static bool is_candidate(const struct column *column, const struct meaning *meaning)
{
    return column->meaning < 0 && column->parent.length == 0 &&
           (meaning == NULL || (column->shapes & ~meaning->shapes) == 0);
}

void table_ask(const struct table *table, int id, const char *sentence)
{
    char where[64];
    const struct meaning *meaning = meaning_of(table, id);
    snprintf(where, sizeof(where), "%s.%s", table->place, table->name_of(id));
    struct import_question *question = import_ask(table->import, where);
    if (question == NULL)
        return;
    for (int32_t i = 0; i < table->count; i++)
        if (is_candidate(&table->columns[i], meaning) &&
            question->candidate_count < IMPORT_CANDIDATES_MAX)
            import_copy_name(question->candidates[question->candidate_count++],
                             table->columns[i].name);
    snprintf(question->sentence, sizeof(question->sentence), "%s", sentence);
    snprintf(question->option, sizeof(question->option), "--field %s=%s", where,
             question->candidate_count > 0 ? question->candidates[0] : "");
}

void table_tell_rest(const struct table *table, const char *what)
{
    char bytes[200];
    struct text_buffer names;
    text_buffer_init(&names, bytes, sizeof(bytes));
    for (int32_t i = 0; i < table->count; i++) {
        const struct column *column = &table->columns[i];
        if (column->meaning >= 0)
            continue;
        if (names.length > 0)
            text_append(&names, TEXT(", "));
        text_append_printable(&names, column->parent, TEXT("?"));
        if (column->parent.length > 0)
            text_append_char(&names, '.');
        text_append_printable(&names, column->name, TEXT("?"));
    }
    if (names.length > 0)
        import_note(table->import, false, "%s: %s: %s", table->place, what, bytes);
}
