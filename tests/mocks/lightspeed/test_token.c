/* The table of tokens forgets in a known order, and never a live refresh token. */
#include "mocks/lightspeed/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static uint64_t seed = 42;

static struct token *issue(struct token_table *table, enum token_kind kind)
{
    return token_issue(table, id_source_seeded(&seed), kind, 1, 0);
}

static void a_token_is_found_by_its_text_and_kind(void **state)
{
    (void)state;
    struct token_table table;
    assert_int_equal(token_table_init(&table), 0);
    struct token *token = issue(&table, TOKEN_ACCESS);
    assert_int_equal(strlen(token->text), TOKEN_CHARS);
    assert_ptr_equal(token_find(&table, TOKEN_ACCESS, text_of(token->text)), token);
    assert_null(token_find(&table, TOKEN_REFRESH, text_of(token->text)));
    assert_null(token_find(&table, TOKEN_ACCESS, TEXT("")));
    token_table_finish(&table);
}

static void a_token_expires_at_its_instant_and_zero_is_never(void **state)
{
    (void)state;
    struct token token = {.expires_us = 1000};
    assert_false(token_is_expired(&token, 999));
    assert_true(token_is_expired(&token, 1000));
    token.expires_us = 0;
    assert_false(token_is_expired(&token, INT64_MAX));
}

static void the_oldest_goes_first_but_live_refresh_tokens_stay(void **state)
{
    (void)state;
    struct token_table table;
    assert_int_equal(token_table_init(&table), 0);
    char kept[TOKEN_CHARS + 1], spent[TOKEN_CHARS + 1], newest[TOKEN_CHARS + 1];
    memcpy(kept, issue(&table, TOKEN_REFRESH)->text, sizeof(kept));
    struct token *dead = issue(&table, TOKEN_REFRESH);
    dead->state = TOKEN_SPENT;
    memcpy(spent, dead->text, sizeof(spent));
    for (size_t i = 0; i < TOKENS_MAX - 1; i++)
        memcpy(newest, issue(&table, TOKEN_ACCESS)->text, sizeof(newest));
    assert_non_null(token_find(&table, TOKEN_REFRESH, text_of(kept)));
    assert_null(token_find(&table, TOKEN_REFRESH, text_of(spent)));
    assert_non_null(token_find(&table, TOKEN_ACCESS, text_of(newest)));
    token_table_finish(&table);
}

static void a_table_full_of_live_refresh_tokens_says_so(void **state)
{
    (void)state;
    struct token_table table;
    assert_int_equal(token_table_init(&table), 0);
    for (size_t i = 0; i < TOKENS_MAX; i++)
        assert_non_null(issue(&table, TOKEN_REFRESH));
    assert_null(issue(&table, TOKEN_ACCESS));
    assert_int_equal(token_end_all(&table, TOKEN_REFRESH, 2, 0), 0);
    assert_int_equal(token_end_all(&table, TOKEN_REFRESH, 1, 0), TOKENS_MAX);
    assert_non_null(issue(&table, TOKEN_ACCESS));
    token_table_finish(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_found_by_its_text_and_kind),
        cmocka_unit_test(a_token_expires_at_its_instant_and_zero_is_never),
        cmocka_unit_test(the_oldest_goes_first_but_live_refresh_tokens_stay),
        cmocka_unit_test(a_table_full_of_live_refresh_tokens_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
