/* Writes what a profile says otherwise than the built-in default: the file, laid out for people. */
#include "handlers/profile_import_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define INDENT 2
#define LINE_MAX 96 /* what is short stands on one line */

static bool names_differ(const struct profile_names *a, const struct profile_names *b)
{
    if (a->count != b->count)
        return true;
    for (int32_t i = 0; i < a->count; i++)
        if (!text_equal(profile_name(a, i), profile_name(b, i)))
            return true;
    return false;
}

static bool replies_differ(const struct profile_reply *a, const struct profile_reply *b)
{
    if (a->count != b->count)
        return true;
    for (int32_t i = 0; i < a->count; i++)
        if (a->pairs[i].value != b->pairs[i].value ||
            strcmp(a->pairs[i].name, b->pairs[i].name) != 0)
            return true;
    return false;
}

/* --- compact JSON --- */

/* An object that is written once it has a member. */
struct section {
    struct jwrite *writer;
    struct section *outer;
    const char *name;
    bool is_open;
};

static void section_open(struct section *section)
{
    if (section->is_open)
        return;
    if (section->outer != NULL) {
        section_open(section->outer);
        jwrite_key(section->writer, text_of(section->name));
    }
    jwrite_object_begin(section->writer);
    section->is_open = true;
}

static struct section section_in(struct section *outer, const char *name)
{
    return (struct section){.writer = outer->writer, .outer = outer, .name = name};
}

static void section_close(struct section *section)
{
    if (section->is_open)
        jwrite_object_end(section->writer);
}

static void write_names(struct section *section, const char *name, const struct profile_names *now,
                        const struct profile_names *before)
{
    if (!names_differ(now, before))
        return;
    section_open(section);
    jwrite_key(section->writer, text_of(name));
    jwrite_array_begin(section->writer);
    for (int32_t i = 0; i < now->count; i++)
        jwrite_text(section->writer, profile_name(now, i));
    jwrite_array_end(section->writer);
}

static void write_reply(struct section *section, const char *name, const struct profile_reply *now,
                        const struct profile_reply *before)
{
    if (!replies_differ(now, before))
        return;
    section_open(section);
    jwrite_key(section->writer, text_of(name));
    jwrite_array_begin(section->writer);
    for (int32_t i = 0; i < now->count; i++) {
        jwrite_object_begin(section->writer);
        jwrite_key(section->writer, TEXT("name"));
        jwrite_text(section->writer, text_of(now->pairs[i].name));
        jwrite_key(section->writer, TEXT("value"));
        jwrite_text(section->writer, text_of(profile_value_name(now->pairs[i].value)));
        jwrite_object_end(section->writer);
    }
    jwrite_array_end(section->writer);
}

static void write_word(struct section *section, const char *name, const char *now,
                       const char *before)
{
    if (strcmp(now, before) == 0)
        return;
    section_open(section);
    jwrite_key(section->writer, text_of(name));
    jwrite_text(section->writer, text_of(now));
}

/* --- the parts of a profile --- */

/* Do all four actions say the same, and does that differ from the default in all of them? */
static bool is_for_all(const struct profile *now, const struct profile *before, int field)
{
    for (int action = 0; action < PROFILE_ACTIONS; action++)
        if (names_differ(&now->request[action][field], &now->request[0][field]) ||
            !names_differ(&now->request[action][field], &before->request[action][field]))
            return false;
    return true;
}

static void write_requests(struct section *file, const struct profile *now,
                           const struct profile *before)
{
    struct section request = section_in(file, "request");
    struct section all = section_in(&request, "all");
    for (int field = 0; field < PROFILE_FIELDS; field++)
        if (is_for_all(now, before, field))
            write_names(&all, profile_field_name((enum profile_field)field),
                        &now->request[0][field], &before->request[0][field]);
    section_close(&all);
    for (int action = 0; action < PROFILE_ACTIONS; action++) {
        struct section one = section_in(&request, profile_action_name((enum profile_action)action));
        for (int field = 0; field < PROFILE_FIELDS; field++)
            if (!is_for_all(now, before, field))
                write_names(&one, profile_field_name((enum profile_field)field),
                            &now->request[action][field], &before->request[action][field]);
        section_close(&one);
    }
    section_close(&request);
}

static void write_replies(struct section *file, const struct profile *now,
                          const struct profile *before)
{
    struct section reply = section_in(file, "reply");
    for (int action = 0; action < PROFILE_ACTIONS; action++) {
        struct section one = section_in(&reply, profile_action_name((enum profile_action)action));
        write_reply(&one, "success", &now->success[action], &before->success[action]);
        write_reply(&one, "failure", &now->failure[action], &before->failure[action]);
        section_close(&one);
    }
    write_reply(&reply, "refusal", &now->refusal, &before->refusal);
    section_close(&reply);
}

static const char *points_kind(const struct profile_members *members)
{
    return members->points_are_strings ? "string" : "integer";
}

static void write_members(struct section *loyalty, const char *name,
                          const struct profile_members *now, const struct profile_members *before)
{
    struct section section = section_in(loyalty, name);
    write_word(&section, "wrapper", now->wrapper, before->wrapper);
    write_word(&section, "points", points_kind(now), points_kind(before));
    write_reply(&section, "member", &now->member, &before->member);
    write_reply(&section, "params", &now->params, &before->params);
    section_close(&section);
}

static void write_loyalty(struct section *file, const struct profile_loyalty *now,
                          const struct profile_loyalty *before)
{
    struct section loyalty = section_in(file, "loyalty");
    struct section request = section_in(&loyalty, "request");
    for (int field = 0; field < LOYALTY_FIELDS; field++)
        write_names(&request, profile_loyalty_field_name((enum loyalty_field)field),
                    &now->request[field], &before->request[field]);
    section_close(&request);
    write_members(&loyalty, "search", &now->search, &before->search);
    write_members(&loyalty, "lookup", &now->lookup, &before->lookup);
    struct section rewards = section_in(&loyalty, "rewards");
    write_word(&rewards, "wrapper", now->rewards_wrapper, before->rewards_wrapper);
    write_reply(&rewards, "reward", &now->reward, &before->reward);
    section_close(&rewards);
    struct section redeem = section_in(&loyalty, "redeem");
    write_reply(&redeem, "success", &now->redeemed, &before->redeemed);
    write_reply(&redeem, "failure", &now->not_redeemed, &before->not_redeemed);
    section_close(&redeem);
    write_reply(&loyalty, "error", &now->error, &before->error);
    section_close(&loyalty);
}

/* --- laid out --- */

struct layout {
    struct text rest; /* compact JSON of our own */
    struct text_buffer *out;
    int depth;
};

/* Up to the bracket that closes the one at the front. */
static size_t span_of(struct text rest)
{
    int depth = 0;
    bool is_in_text = false;
    for (size_t i = 0; i < rest.length; i++) {
        char c = rest.base[i];
        if (is_in_text && c == '\\')
            i++;
        else if (c == '"')
            is_in_text = !is_in_text;
        else if (!is_in_text && (c == '{' || c == '['))
            depth++;
        else if (!is_in_text && (c == '}' || c == ']') && --depth == 0)
            return i + 1;
    }
    return rest.length;
}

static void begin_line(struct layout *layout)
{
    text_append_char(layout->out, '\n');
    for (int i = 0; i < layout->depth * INDENT; i++)
        text_append_char(layout->out, ' ');
}

/* Lists of names and single fields: ", " and ": " between their parts. */
static void put_inline(struct layout *layout, struct text part)
{
    bool is_in_text = false;
    for (size_t i = 0; i < part.length; i++) {
        char c = part.base[i];
        text_append_char(layout->out, c);
        if (is_in_text && c == '\\' && i + 1 < part.length)
            text_append_char(layout->out, part.base[++i]);
        else if (c == '"')
            is_in_text = !is_in_text;
        else if (!is_in_text && (c == ',' || c == ':'))
            text_append_char(layout->out, ' ');
    }
}

static bool holds_container(struct text part)
{
    return memchr(part.base + 1, '{', part.length - 1) != NULL ||
           memchr(part.base + 1, '[', part.length - 1) != NULL;
}

static size_t string_length(struct text rest)
{
    size_t i = 1;
    while (i < rest.length && rest.base[i] != '"')
        i += rest.base[i] == '\\' ? 2 : 1;
    return i + 1;
}

static size_t lay_out_step(struct layout *layout)
{
    char c = layout->rest.base[0];
    struct text part = {layout->rest.base, 1};
    if (c == '"') {
        part.length = string_length(layout->rest);
        text_append(layout->out, text_slice(part, 0, layout->rest.length));
        return part.length;
    }
    if (c == '{' || c == '[')
        part.length = span_of(layout->rest);
    if (part.length > 1 && part.length <= LINE_MAX && !holds_container(part)) {
        put_inline(layout, part);
        return part.length;
    }
    layout->depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    if (c == '}' || c == ']')
        begin_line(layout);
    text_append_char(layout->out, c);
    if (c == '{' || c == '[' || c == ',')
        begin_line(layout);
    if (c == ':')
        text_append_char(layout->out, ' ');
    return 1;
}

static void lay_out(struct text compact, struct text_buffer *out)
{
    struct layout layout = {compact, out, 0};
    while (layout.rest.length > 0)
        layout.rest = text_slice(layout.rest, lay_out_step(&layout), layout.rest.length);
    text_append_char(out, '\n');
}

bool import_write(const struct profile *profile, const struct profile *builtin,
                  struct text_buffer *file)
{
    struct text_buffer compact;
    struct jwrite writer;
    char *bytes = malloc(PROFILE_FILE_MAX);
    if (bytes == NULL)
        return false;
    text_buffer_init(&compact, bytes, PROFILE_FILE_MAX);
    jwrite_init(&writer, &compact);
    struct section document = {.writer = &writer};
    write_requests(&document, profile, builtin);
    write_replies(&document, profile, builtin);
    write_loyalty(&document, &profile->loyalty, &builtin->loyalty);
    section_close(&document);
    if (document.is_open)
        lay_out(text_buffer_text(&compact), file);
    bool fits = !compact.is_cut && !file->is_cut;
    free(bytes);
    return fits;
}
