/* The table of codes and tokens. */
#include "mocks/lightspeed/token.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

int token_table_init(struct token_table *table)
{
    *table = (struct token_table){.tokens = calloc(TOKENS_MAX, sizeof(struct token)),
                                  .buckets = calloc(TOKEN_BUCKETS, sizeof(int32_t))};
    if (table->tokens != NULL && table->buckets != NULL)
        return 0;
    token_table_finish(table);
    return ERR_NO_MEMORY;
}

void token_table_finish(struct token_table *table)
{
    for (size_t i = 0; table->tokens != NULL && i < TOKENS_MAX; i++)
        free(table->tokens[i].redirect_uri);
    free(table->tokens);
    free(table->buckets);
    *table = (struct token_table){0};
}

static int32_t *bucket_of(const struct token_table *table, struct text text)
{
    return &table->buckets[text_hash(text) % TOKEN_BUCKETS];
}

static void token_unlink(struct token_table *table, struct token *token)
{
    int32_t *link = bucket_of(table, text_of(token->text));
    int32_t wanted = (int32_t)(token - table->tokens) + 1;
    while (*link != 0 && *link != wanted)
        link = &table->tokens[*link - 1].next;
    CHECK(*link == wanted);
    *link = token->next;
}

static struct token *token_take_slot(struct token_table *table)
{
    for (size_t i = 0; i < TOKENS_MAX; i++) {
        struct token *token = &table->tokens[table->at];
        table->at = (table->at + 1) % TOKENS_MAX;
        if (token->state == TOKEN_UNUSED)
            return token;
        if (token->state == TOKEN_LIVE && token->kind == TOKEN_REFRESH)
            continue;
        token_unlink(table, token);
        free(token->redirect_uri);
        return token;
    }
    return NULL;
}

struct token *token_issue(struct token_table *table, struct id_source random, enum token_kind kind,
                          int64_t grant_id, int64_t expires_us)
{
    struct token *token = token_take_slot(table);
    if (token == NULL)
        return NULL;
    uint8_t bytes[TOKEN_BYTES];
    random.fill(random.context, bytes, sizeof(bytes));
    *token = (struct token){
        .kind = kind, .state = TOKEN_LIVE, .grant_id = grant_id, .expires_us = expires_us};
    text_hex_encode(token->text, bytes, sizeof(bytes));
    int32_t *bucket = bucket_of(table, text_of(token->text));
    token->next = *bucket;
    *bucket = (int32_t)(token - table->tokens) + 1;
    return token;
}

struct token *token_find(const struct token_table *table, enum token_kind kind, struct text text)
{
    for (int32_t at = *bucket_of(table, text); at != 0; at = table->tokens[at - 1].next) {
        struct token *token = &table->tokens[at - 1];
        if (token->kind == kind && text_equal(text_of(token->text), text))
            return token;
    }
    return NULL;
}

bool token_is_expired(const struct token *token, int64_t wall_us)
{
    return token->expires_us != 0 && token->expires_us <= wall_us;
}

size_t token_end_all(struct token_table *table, enum token_kind kind, int64_t grant_id,
                     int64_t expires_us)
{
    size_t count = 0;
    for (size_t i = 0; i < TOKENS_MAX; i++) {
        struct token *token = &table->tokens[i];
        if (token->state != TOKEN_LIVE || token->kind != kind || token->grant_id != grant_id)
            continue;
        if (expires_us == 0)
            token->state = TOKEN_REVOKED;
        else
            token->expires_us = expires_us;
        count++;
    }
    return count;
}
