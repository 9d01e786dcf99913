/* Prints a run as one JSON object, for programs. */
#include "mocks/register/receipt.h"

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* A byte of a body takes at most six characters as JSON text. */
#define JSON_BYTE_MAX 6
/* Addresses, headers, verdicts and names around the bodies, per attempt. */
#define JSON_ATTEMPT_MAX (4 * 1024 + 4 * SAID_MAX * JSON_BYTE_MAX)

static void json_member_text(struct jwrite *writer, const char *name, const char *value)
{
    jwrite_key(writer, text_of(name));
    jwrite_text(writer, text_of(value));
}

static void json_write_request(struct jwrite *writer, const struct run *run)
{
    jwrite_key(writer, TEXT("request"));
    jwrite_object_begin(writer);
    json_member_text(writer, "method", run->request->method);
    json_member_text(writer, "url", run->request->url);
    jwrite_key(writer, TEXT("headers"));
    jwrite_object_begin(writer);
    if (run->request->content_type != NULL)
        json_member_text(writer, "Content-Type", run->request->content_type);
    if (run->request->signature[0] != '\0')
        json_member_text(writer, "X-Kounta-Signature", run->request->signature);
    jwrite_object_end(writer);
    jwrite_key(writer, TEXT("body"));
    jwrite_text(writer, run->request->body);
    jwrite_object_end(writer);
}

static void json_write_verdicts(struct jwrite *writer, enum till_action action,
                                const struct judgement *judgement)
{
    jwrite_key(writer, TEXT("verdicts"));
    jwrite_object_begin(writer);
    for (int rule = 0; rule < RULES; rule++) {
        if (rule_is_of((enum rule)rule, action))
            json_member_text(writer, rule_name((enum rule)rule),
                             verdict_name(judgement->verdicts[rule]));
    }
    jwrite_object_end(writer);
}

/* A member of a foreign object as it is, if it is a text or a number. */
static void json_copy_scalar(struct jwrite *writer, const struct jread *from, const char *name)
{
    struct text value;
    const struct jread *member = jread_member(from, name);
    if (jread_scalar(member, &value) != 0)
        return;
    jwrite_key(writer, text_of(name));
    if (jread_kind_of(member) == JREAD_NUMBER)
        jwrite_raw(writer, value);
    else
        jwrite_text(writer, value);
}

static void json_write_member(struct jwrite *writer, const struct jread *member)
{
    static const char *const NAMES[] = {"id", "first_name", "last_name", "email_address",
                                        "current_points"};
    jwrite_object_begin(writer);
    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        json_copy_scalar(writer, member, NAMES[i]);
    jwrite_object_end(writer);
}

static void json_write_reward(struct jwrite *writer, const struct jread *reward)
{
    static const char *const NAMES[] = {"id", "title", "points_required", "redeem_url"};
    jwrite_object_begin(writer);
    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        json_copy_scalar(writer, reward, NAMES[i]);
    jwrite_object_end(writer);
}

static void json_write_members(struct jwrite *writer, const struct judgement *judgement)
{
    struct text ignored_key;
    jwrite_key(writer, TEXT("members"));
    jwrite_array_begin(writer);
    for (size_t i = 0; i < judgement->found; i++)
        json_write_member(
            writer, jread_member_at(jread_member(judgement->body, "members"), i, &ignored_key));
    jwrite_array_end(writer);
}

static void json_write_rewards(struct jwrite *writer, const struct judgement *judgement)
{
    jwrite_key(writer, TEXT("rewards"));
    jwrite_array_begin(writer);
    for (size_t i = 0; i < judgement->found; i++)
        json_write_reward(writer, jread_element(jread_member(judgement->body, "rewards"), i));
    jwrite_array_end(writer);
}

static void json_write_answer(struct jwrite *writer, enum till_action action,
                              const struct attempt *attempt)
{
    const struct reply *reply = &attempt->reply;
    jwrite_key(writer, TEXT("status"));
    jwrite_int64(writer, reply->status);
    json_member_text(writer, "content_type", reply->content_type);
    json_member_text(writer, "content_length", reply->content_length);
    json_member_text(writer, "request_id", reply->request_id);
    jwrite_key(writer, TEXT("body"));
    jwrite_text(writer, (struct text){reply->body, reply->body_length});
    json_write_verdicts(writer, action, &attempt->judgement);
    if (action == TILL_CUSTOMER_SEARCH)
        json_write_members(writer, &attempt->judgement);
    if (action == TILL_REWARD_LOOKUP)
        json_write_rewards(writer, &attempt->judgement);
}

static void json_write_attempt(struct jwrite *writer, enum till_action action,
                               const struct attempt *attempt)
{
    const struct reply *reply = &attempt->reply;
    jwrite_object_begin(writer);
    json_member_text(writer, "ending", ending_name(attempt->judgement.ending));
    jwrite_key(writer, TEXT("time_us"));
    jwrite_int64(writer, reply->time_us);
    if (reply->failure != NULL)
        json_member_text(writer, "failure", reply->failure);
    else if (!reply->was_dropped)
        json_write_answer(writer, action, attempt);
    jwrite_object_end(writer);
}

static void json_write_ids(struct jwrite *writer, const struct options *options)
{
    json_member_text(writer, "action", till_action_path(options->action));
    if (options->has_order && !options->keeps_placeholder) {
        jwrite_key(writer, TEXT("order_id"));
        jwrite_int64(writer, options->order_id);
    }
    if (options->has_placeholder) {
        jwrite_key(writer, TEXT("placeholder"));
        jwrite_int64(writer, options->placeholder_id);
    }
}

/* The members of a run, into an object that is open. */
static void json_write_run(struct jwrite *writer, const struct run *run)
{
    json_write_ids(writer, run->options);
    json_write_request(writer, run);
    jwrite_key(writer, TEXT("replies"));
    jwrite_array_begin(writer);
    for (size_t i = 0; i < run->count; i++)
        json_write_attempt(writer, run->options->action, &run->attempts[i]);
    jwrite_array_end(writer);
    if (run->answered > 1) {
        jwrite_key(writer, TEXT("replies_are_identical"));
        jwrite_bool(writer, run->are_identical);
    }
}

/* An order was parsed, so its text is JSON. */
static void json_write_ticket(struct jwrite *writer, const char *name, const struct ticket *ticket)
{
    if (ticket == NULL)
        return;
    jwrite_key(writer, text_of(name));
    if (ticket->order != NULL)
        jwrite_raw(writer, (struct text){ticket->reply.body, ticket->reply.body_length});
    else
        jwrite_null(writer);
}

/* Members and rewards repeat part of the body. */
static size_t run_room(const struct run *run)
{
    size_t room = JSON_ATTEMPT_MAX + run->request->body.length * JSON_BYTE_MAX +
                  strlen(run->request->url) * JSON_BYTE_MAX;
    for (size_t i = 0; i < run->count; i++)
        room += JSON_ATTEMPT_MAX + run->attempts[i].reply.body_length * 2 * JSON_BYTE_MAX;
    return room;
}

static size_t ticket_room(const struct ticket *ticket)
{
    return ticket == NULL ? 0 : JSON_ATTEMPT_MAX + ticket->reply.body_length;
}

static void print_and_free(struct text_buffer *buffer)
{
    CHECK(!buffer->is_cut);
    puts(buffer->base);
    free(buffer->base);
}

static void buffer_create(struct text_buffer *buffer, struct jwrite *writer, size_t capacity)
{
    char *bytes = malloc(capacity);
    CHECK(bytes != NULL);
    text_buffer_init(buffer, bytes, capacity);
    jwrite_init(writer, buffer);
}

void receipt_print_json(const struct run *run, const struct ticket *before,
                        const struct ticket *after)
{
    struct text_buffer buffer;
    struct jwrite writer;
    buffer_create(&buffer, &writer, run_room(run) + ticket_room(before) + ticket_room(after));
    jwrite_object_begin(&writer);
    json_write_run(&writer, run);
    json_write_ticket(&writer, "order_before", before);
    json_write_ticket(&writer, "order_after", after);
    jwrite_object_end(&writer);
    print_and_free(&buffer);
}

void receipt_print_walk_json(const struct run *runs, size_t count, const struct ticket *before,
                             const struct ticket *after)
{
    struct text_buffer buffer;
    struct jwrite writer;
    size_t room = ticket_room(before) + ticket_room(after) + JSON_ATTEMPT_MAX;
    for (size_t i = 0; i < count; i++)
        room += run_room(&runs[i]);
    buffer_create(&buffer, &writer, room);
    jwrite_object_begin(&writer);
    json_member_text(&writer, "action", till_action_path(TILL_LOYALTY));
    jwrite_key(&writer, TEXT("steps"));
    jwrite_array_begin(&writer);
    for (size_t i = 0; i < count; i++) {
        jwrite_object_begin(&writer);
        json_write_run(&writer, &runs[i]);
        jwrite_object_end(&writer);
    }
    jwrite_array_end(&writer);
    json_write_ticket(&writer, "order_before", before);
    json_write_ticket(&writer, "order_after", after);
    jwrite_object_end(&writer);
    print_and_free(&buffer);
}
