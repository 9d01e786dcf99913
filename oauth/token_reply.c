/* Reads the replies of the token endpoint and of /companies/me. */
#include "oauth/token_reply.h"

#include "base/error.h"
#include "base/json.h"

#include <string.h>

#include "base/banned.h"

/* Visible ASCII: it goes into a header line (RFC 6749 appendix A.12). */
static bool copy_token(const struct jread *member, char out[GRANT_TOKEN_MAX + 1])
{
    struct text token;
    if (jread_text(member, &token) != 0 || token.length == 0 || token.length > GRANT_TOKEN_MAX)
        return false;
    for (size_t i = 0; i < token.length; i++)
        if (token.base[i] <= ' ' || token.base[i] > '~')
            return false;
    memcpy(out, token.base, token.length);
    out[token.length] = '\0';
    return true;
}

/* A number or a string of digits. */
static void read_life(const struct jread *member, struct token_reply *reply)
{
    int64_t life_s;
    reply->life_s = TOKEN_LIFE_DEFAULT_S;
    if (jread_kind_of(member) == JREAD_NULL)
        return;
    reply->life_is_odd =
        jread_int64(member, &life_s) != 0 || life_s <= 0 || life_s > TOKEN_LIFE_MAX_S;
    if (!reply->life_is_odd)
        reply->life_s = life_s;
}

static bool type_is_bearer(const struct jread *member)
{
    struct text type;
    if (jread_kind_of(member) == JREAD_NULL)
        return true;
    return jread_text(member, &type) == 0 && text_equal_nocase(type, TEXT("Bearer"));
}

/* Only what could not be sent is refused. "refresh_token": "" is as good as none; one that cannot
 * be kept is no reply that we could use. */
static bool read_tokens(const struct jread *body, struct token_reply *reply)
{
    const struct jread *refresh = jread_member(body, "refresh_token");
    struct text text;
    bool has_refresh = jread_kind_of(refresh) != JREAD_NULL &&
                       !(jread_text(refresh, &text) == 0 && text.length == 0);
    read_life(jread_member(body, "expires_in"), reply);
    reply->type_is_odd = !type_is_bearer(jread_member(body, "token_type"));
    return copy_token(jread_member(body, "access_token"), reply->access_token) &&
           (!has_refresh || copy_token(refresh, reply->refresh_token));
}

/* A word as in RFC 6749 section 5.2; anything else might be anything. */
static void read_code(const struct jread *body, char code[TOKEN_CODE_MAX + 1])
{
    struct text text;
    if (jread_text(jread_member(body, "error"), &text) != 0 || text.length > TOKEN_CODE_MAX)
        return;
    for (size_t i = 0; i < text.length; i++)
        if (text.base[i] != '_' && (text.base[i] < 'a' || text.base[i] > 'z'))
            return;
    memcpy(code, text.base, text.length);
    code[text.length] = '\0';
}

/* A code counts beside a status that says no: a proxy's 500 must not end a grant. */
static enum token_verdict judge_code(const char *code, int status)
{
    if (code[0] == '\0' || status < 400 || status > 499 || status == 429)
        return TOKEN_FAILED;
    if (strcmp(code, "invalid_grant") == 0)
        return TOKEN_INVALID_GRANT;
    if (strcmp(code, "invalid_client") == 0 || strcmp(code, "unauthorized_client") == 0)
        return TOKEN_INVALID_CLIENT;
    return TOKEN_REFUSED;
}

void token_reply_read(int status, struct text body, struct token_reply *reply)
{
    struct jread *json;
    *reply = (struct token_reply){.verdict = TOKEN_FAILED, .status = status};
    if (jread_parse(body, &json) != 0)
        return;
    read_code(json, reply->code);
    if (jread_member(json, "error") != NULL)
        reply->verdict = judge_code(reply->code, status);
    else if (status == 200 && read_tokens(json, reply))
        reply->verdict = TOKEN_GRANTED;
    jread_destroy(json);
    if (reply->verdict == TOKEN_GRANTED)
        return;
    seal_wipe(reply->access_token, sizeof(reply->access_token));
    seal_wipe(reply->refresh_token, sizeof(reply->refresh_token));
}

void token_reply_explain(const struct token_reply *reply, struct text_buffer *sentence)
{
    switch (reply->verdict) {
    case TOKEN_GRANTED:
        text_append(sentence, TEXT("Lightspeed has given a token"));
        return;
    case TOKEN_INVALID_GRANT:
        text_append(sentence, TEXT("Lightspeed no longer accepts it (invalid_grant)"));
        return;
    case TOKEN_INVALID_CLIENT:
        text_append_format(sentence,
                           "Lightspeed does not accept our client id and secret (%s): compare them "
                           "with the add-on's details and repeat counterpart app set",
                           reply->code);
        return;
    case TOKEN_REFUSED:
        text_append_format(sentence, "Lightspeed refused with %s (HTTP %d)", reply->code,
                           reply->status);
        return;
    case TOKEN_FAILED:
        text_append_format(sentence,
                           "the token endpoint answered HTTP %d without what a token reply has",
                           reply->status);
        return;
    }
}

static void copy_name(const struct jread *member, char name[COMPANY_NAME_MAX + 1])
{
    struct text text;
    struct text_buffer buffer;
    text_buffer_init(&buffer, name, COMPANY_NAME_MAX + 1);
    if (jread_text(member, &text) == 0)
        text_append_printable(&buffer, text, TEXT(""));
}

int company_reply_read(int status, struct text body, struct company_reply *reply)
{
    struct jread *json;
    *reply = (struct company_reply){.id = 0};
    if (status >= 400 && status <= 499)
        return ERR_REFUSED;
    if (status != 200 || jread_parse(body, &json) != 0)
        return ERR_BAD_REPLY;
    int err = jread_int64(jread_member(json, "id"), &reply->id);
    if (err != 0 || reply->id <= 0)
        err = ERR_BAD_REPLY;
    copy_name(jread_member(json, "name"), reply->name);
    jread_destroy(json);
    return err;
}
