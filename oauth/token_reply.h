/*
 * What Lightspeed's servers say, read: the token endpoint's replies and /companies/me. Tolerant
 * where clients have seen differences, strict where a mistake would cost a grant. Pure; nothing of
 * a reply's free text is passed on, for it may repeat what it was sent.
 *
 * source     RFC 6749 sections 5.1, 5.2, 6; protocol o-series 6.2, 6.4.
 */
#ifndef COUNTERPART_OAUTH_TOKEN_REPLY_H
#define COUNTERPART_OAUTH_TOKEN_REPLY_H

#include "base/text.h"
#include "store/grant.h"

/* Where expires_in is missing, null, or no life that a token could have: what everybody has seen.
 * The pair is good all the same, and the one before it is spent. */
#define TOKEN_LIFE_DEFAULT_S 3600
/* Ten years: beyond it a life is a mistake, or milliseconds. */
#define TOKEN_LIFE_MAX_S INT64_C(315360000)
#define TOKEN_CODE_MAX 40
#define COMPANY_NAME_MAX 120

enum token_verdict {
    TOKEN_GRANTED,
    TOKEN_INVALID_GRANT,  /* this refresh token or code will never be good (again) */
    TOKEN_INVALID_CLIENT, /* client id or secret are wrong */
    TOKEN_REFUSED,        /* another error of RFC 6749 */
    TOKEN_FAILED,         /* no reply of a token endpoint at all: try again */
};

struct token_reply {
    enum token_verdict verdict;
    int status;
    char code[TOKEN_CODE_MAX + 1]; /* "invalid_grant"; empty when there is none */
    char access_token[GRANT_TOKEN_MAX + 1];
    char refresh_token[GRANT_TOKEN_MAX + 1]; /* empty: none given, the old one stays */
    int64_t life_s;
    bool life_is_odd, type_is_odd; /* expires_in or token_type is there, and not as expected */
};

/* reply holds secrets: the caller wipes it. */
void token_reply_read(int status, struct text body, struct token_reply *reply);
/* One sentence for people, without anything secret: what was wrong, and what to do. */
void token_reply_explain(const struct token_reply *reply, struct text_buffer *sentence);

struct company_reply {
    int64_t id;
    char name[COMPANY_NAME_MAX + 1]; /* cut and made printable; may be empty */
};
/* errors  ERR_REFUSED: 4xx; ERR_BAD_REPLY: anything else but a company. */
MUST_CHECK int company_reply_read(int status, struct text body, struct company_reply *reply);

#endif
