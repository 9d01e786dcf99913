/* Writes what customer-search, reward-lookup and redeem tell, in the names of a dialect. */
#include "handlers/loyalty_reply.h"

#include "base/json.h"

#include "base/banned.h"

#define GUEST "Guest"
#define NO_EMAIL "@noemail.invalid" /* RFC 2606: nobody's */

/* --- one member --- */

static int64_t spendable(const struct member *member)
{
    return member->account.points - member->account.points_held;
}

static void write_points(struct jwrite *writer, const struct profile_members *names, int64_t points)
{
    char text[24];
    struct text_buffer buffer;
    text_buffer_init(&buffer, text, sizeof(text));
    text_append_int64(&buffer, points);
    if (names->points_are_strings)
        jwrite_text(writer, text_buffer_text(&buffer));
    else
        jwrite_int64(writer, points);
}

/* A register requires an address: who has none gets one that leads nowhere. */
static void write_email(struct jwrite *writer, const struct member *member)
{
    char text[MEMBER_CODE_MAX + sizeof(NO_EMAIL)];
    struct text_buffer buffer;
    text_buffer_init(&buffer, text, sizeof(text));
    if (member->email[0] != '\0') {
        jwrite_text(writer, text_of(member->email));
        return;
    }
    for (const char *c = member->code; *c != '\0'; c++) {
        bool is_plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                        (*c >= '0' && *c <= '9') || *c == '_';
        text_append_char(&buffer, is_plain ? *c : '-');
    }
    text_append(&buffer, TEXT(NO_EMAIL));
    jwrite_text(writer, text_buffer_text(&buffer));
}

/* NULL: no text of a member. */
static const char *text_of_member(const struct member *member, enum profile_value value)
{
    if (value == PROFILE_VALUE_MEMBER)
        return member->code;
    if (value == PROFILE_VALUE_LAST_NAME)
        return member->last_name;
    if (value == PROFILE_VALUE_PHONE)
        return member->phone;
    if (value == PROFILE_VALUE_CARD)
        return member->card_number;
    if (value == PROFILE_VALUE_TIER)
        return member->tier;
    if (value == PROFILE_VALUE_ICON_URL)
        return member->icon_url;
    if (value == PROFILE_VALUE_INTRO_TEXT)
        return member->intro_text;
    return NULL;
}

/* What is not known is left out, where a register does not ask for it: it may stumble over null. */
static bool is_told(const struct member *member, enum profile_value value)
{
    const char *text = text_of_member(member, value);
    bool is_always_told = value == PROFILE_VALUE_MEMBER || value == PROFILE_VALUE_LAST_NAME;
    return text == NULL || is_always_told || text[0] != '\0';
}

static void write_member(struct jwrite *writer, const struct loyalty_style *style,
                         const struct profile_members *names, const struct profile_reply *fields,
                         const struct member *member);

static bool has_params(const struct profile_members *names, const struct member *member)
{
    for (int32_t i = 0; i < names->params.count; i++)
        if (is_told(member, names->params.pairs[i].value))
            return true;
    return false;
}

static void write_value(struct jwrite *writer, const struct loyalty_style *style,
                        const struct profile_members *names, const struct member *member,
                        enum profile_value value)
{
    const char *text = text_of_member(member, value);
    if (text != NULL)
        jwrite_text(writer, text_of(text));
    else if (value == PROFILE_VALUE_FIRST_NAME)
        jwrite_text(writer,
                    member->first_name[0] == '\0' ? TEXT(GUEST) : text_of(member->first_name));
    else if (value == PROFILE_VALUE_EMAIL)
        write_email(writer, member);
    else if (value == PROFILE_VALUE_POINTS)
        write_points(writer, names, spendable(member));
    else if (value == PROFILE_VALUE_POINTS_LABEL)
        jwrite_text(writer, text_of(style->points_label));
    else if (value == PROFILE_VALUE_PARAMS)
        write_member(writer, style, names, &names->params, member);
    else
        CHECK(false); /* no list of a member can hold others (profile.h) */
}

static void write_member(struct jwrite *writer, const struct loyalty_style *style,
                         const struct profile_members *names, const struct profile_reply *fields,
                         const struct member *member)
{
    jwrite_object_begin(writer);
    for (int32_t i = 0; i < fields->count; i++) {
        enum profile_value value = fields->pairs[i].value;
        if (!is_told(member, value) ||
            (value == PROFILE_VALUE_PARAMS && !has_params(names, member)))
            continue;
        jwrite_key_ready(writer, profile_key(&fields->pairs[i]));
        write_value(writer, style, names, member, value);
    }
    jwrite_object_end(writer);
}

/* --- lists that end where the reply would be too long --- */

/* Room for what closes a reply after its list. */
#define CLOSING_MAX 8

static bool append_part(struct text_buffer *reply, const struct text_buffer *part, bool is_first)
{
    if (part->is_cut || reply->length + 1 + part->length + CLOSING_MAX >= reply->capacity)
        return false;
    if (!is_first)
        text_append_char(reply, ',');
    text_append(reply, text_buffer_text(part));
    return true;
}

static void append_key(struct text_buffer *reply, const char *name)
{
    struct jwrite writer;
    jwrite_init(&writer, reply);
    jwrite_key(&writer, text_of(name));
}

int32_t loyalty_reply_members(const struct loyalty_style *style, const struct member *members,
                              int32_t count, char *scratch, struct text_buffer *reply)
{
    const struct profile_members *names = &style->profile->search;
    int32_t told = 0;
    text_append_char(reply, '{');
    append_key(reply, names->wrapper);
    text_append_char(reply, '{');
    while (told < count) {
        struct text_buffer part;
        struct jwrite writer;
        text_buffer_init(&part, scratch, LOYALTY_PART_MAX);
        jwrite_init(&writer, &part);
        jwrite_key(&writer, text_of(members[told].code));
        write_member(&writer, style, names, &names->member, &members[told]);
        if (!append_part(reply, &part, told == 0))
            break;
        told++;
    }
    text_append(reply, TEXT("}}"));
    CHECK(!reply->is_cut);
    return told;
}

/* --- rewards --- */

static void write_reward_id(struct jwrite *writer, int64_t reward_id)
{
    char text[24];
    struct text_buffer buffer;
    text_buffer_init(&buffer, text, sizeof(text));
    text_append_char(&buffer, 'R');
    text_append_int64(&buffer, reward_id);
    jwrite_text(writer, text_buffer_text(&buffer));
}

static void write_reward(struct jwrite *writer, const struct profile_reply *fields,
                         const struct loyalty_offer *offer)
{
    jwrite_object_begin(writer);
    for (int32_t i = 0; i < fields->count; i++) {
        enum profile_value value = fields->pairs[i].value;
        jwrite_key_ready(writer, profile_key(&fields->pairs[i]));
        if (value == PROFILE_VALUE_REWARD)
            write_reward_id(writer, offer->reward->id);
        else if (value == PROFILE_VALUE_TITLE)
            jwrite_text(writer, text_of(offer->reward->title));
        else if (value == PROFILE_VALUE_TERMS)
            jwrite_text(writer, text_of(offer->reward->terms));
        else if (value == PROFILE_VALUE_POINTS_REQUIRED)
            jwrite_int64(writer, offer->reward->points);
        else if (value == PROFILE_VALUE_REDEEM_URL)
            jwrite_text(writer, offer->redeem_url);
        else
            CHECK(false); /* no list of a reward can hold others (profile.h) */
    }
    jwrite_object_end(writer);
}

int32_t loyalty_reply_rewards(const struct loyalty_style *style, const struct member *member,
                              const struct loyalty_offer *offers, int32_t count, char *scratch,
                              struct text_buffer *reply)
{
    const struct profile_members *names = &style->profile->lookup;
    struct jwrite writer;
    int32_t told = 0;
    jwrite_init(&writer, reply);
    jwrite_object_begin(&writer);
    jwrite_key(&writer, text_of(names->wrapper));
    write_member(&writer, style, names, &names->member, member);
    jwrite_key(&writer, text_of(style->profile->rewards_wrapper));
    text_append_char(reply, '[');
    while (told < count) {
        struct text_buffer part;
        struct jwrite part_writer;
        text_buffer_init(&part, scratch, LOYALTY_PART_MAX);
        jwrite_init(&part_writer, &part);
        write_reward(&part_writer, &style->profile->reward, &offers[told]);
        if (!append_part(reply, &part, told == 0))
            break;
        told++;
    }
    text_append(reply, TEXT("]}"));
    CHECK(!reply->is_cut);
    return told;
}

/* --- one line --- */

static void write_line(const struct profile_reply *fields, bool is_success, const char *code,
                       const char *sentence, struct text_buffer *reply)
{
    struct jwrite writer;
    jwrite_init(&writer, reply);
    jwrite_object_begin(&writer);
    for (int32_t i = 0; i < fields->count; i++) {
        jwrite_key_ready(&writer, profile_key(&fields->pairs[i]));
        if (fields->pairs[i].value == PROFILE_VALUE_SUCCESS)
            jwrite_bool(&writer, is_success);
        else
            jwrite_text(&writer,
                        text_of(fields->pairs[i].value == PROFILE_VALUE_CODE ? code : sentence));
    }
    jwrite_object_end(&writer);
    CHECK(!reply->is_cut);
}

void loyalty_reply_redeem(const struct loyalty_style *style, bool is_redeemed, const char *code,
                          const char *sentence, struct text_buffer *reply)
{
    write_line(is_redeemed ? &style->profile->redeemed : &style->profile->not_redeemed, is_redeemed,
               code, sentence, reply);
}

void loyalty_reply_error(const struct loyalty_style *style, const char *code, const char *sentence,
                         struct text_buffer *reply)
{
    write_line(&style->profile->error, false, code, sentence, reply);
}
