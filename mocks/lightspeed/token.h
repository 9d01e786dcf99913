/*
 * Authorization codes, access tokens and refresh tokens: 40 hex digits each, in one bounded table
 * with an index. A dead token is kept for a while, so that using it again is seen for what it is.
 */
#ifndef COUNTERPART_MOCKS_LIGHTSPEED_TOKEN_H
#define COUNTERPART_MOCKS_LIGHTSPEED_TOKEN_H

#include "base/id.h"

#define TOKEN_BYTES 20
#define TOKEN_CHARS 40
/* One second of life and 600 refreshes by several tests at once stay far below; a live refresh
 * token is never pushed out. */
#define TOKENS_MAX 65536
#define TOKEN_BUCKETS 65536

enum token_kind {
    TOKEN_CODE,
    TOKEN_ACCESS,
    TOKEN_REFRESH,
};

enum token_state {
    TOKEN_UNUSED, /* the slot is empty */
    TOKEN_LIVE,
    TOKEN_SPENT,   /* a code that was exchanged, a refresh token that was replaced */
    TOKEN_REVOKED, /* by the user, over the control address */
};

struct token {
    enum token_kind kind;
    enum token_state state;
    char text[TOKEN_CHARS + 1];
    int64_t grant_id;
    int64_t expires_us; /* wall time; 0: never */
    char *redirect_uri; /* a code's own, the table's; NULL: none */
    int32_t next;       /* in its bucket, as index + 1; 0: last */
};

struct token_table {
    struct token *tokens;
    int32_t *buckets;
    size_t at; /* where the next one goes */
};

/* One application's access to one company. */
struct grant {
    int64_t id;
    int64_t application_id;
    int64_t company_id;
    char access_token[TOKEN_CHARS + 1]; /* the latest ones */
    char refresh_token[TOKEN_CHARS + 1];
    int64_t codes_issued;
    int64_t access_tokens_issued;
    int64_t refresh_tokens_issued;
    int64_t refreshes;
    int64_t refreshes_refused;
    int64_t refreshes_with_spent_token;
    int64_t refreshes_running;
    int64_t refreshes_running_max;
    int64_t window_start_us;
    int64_t window_used;
};

/* errors  ERR_NO_MEMORY. */
MUST_CHECK int token_table_init(struct token_table *table);
void token_table_finish(struct token_table *table); /* accepts a zeroed one */
/* NULL: every slot holds a live refresh token. expires_us 0: never. */
struct token *token_issue(struct token_table *table, struct id_source random, enum token_kind kind,
                          int64_t grant_id, int64_t expires_us);
/* Whatever its state; NULL: never seen, or forgotten. */
struct token *token_find(const struct token_table *table, enum token_kind kind, struct text text);
bool token_is_expired(const struct token *token, int64_t wall_us);
/* Revokes (expires_us 0), or lets run out then, what is live of one kind and grant. Gives how many.
 */
size_t token_end_all(struct token_table *table, enum token_kind kind, int64_t grant_id,
                     int64_t expires_us);

#endif
