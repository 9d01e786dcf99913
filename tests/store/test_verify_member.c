/*
 * Verify, members: whoever the store has written is found by exactly the words that are its own,
 * and each of a set of hand-made corruptions of a copy is named by the finding meant for it.
 */
#include "tests/store/tamper.h"

#include "store/member.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    struct rows rows;
    char location[LOCATION_MAX];
};

static void add(struct rows *rows, const char *first_name, const char *email, const char *phone,
                bool is_active)
{
    struct member member = {.tenant_id = rows->tenant.id,
                            .last_name = "Kent",
                            .created_at_us = rows->now_us,
                            .account.is_active = is_active};
    snprintf(member.first_name, sizeof(member.first_name), "%s", first_name);
    snprintf(member.email, sizeof(member.email), "%s", email);
    snprintf(member.phone, sizeof(member.phone), "%s", phone);
    assert_int_equal(store_add_member(rows->store, &member), 0);
}

static void change_second(struct rows *rows)
{
    struct member member;
    assert_int_equal(store_read_member(rows->store, rows->tenant.id, 2, &member), 0);
    member.account.is_active = false;
    snprintf(member.first_name, sizeof(member.first_name), "Bob");
    assert_int_equal(store_update_member(rows->store, &member), 0);
}

#define FILLED_MEMBERS 4
#define FILLED_WORDS 18

/* In the comments: member, words. */
static void fill(struct rows *rows)
{
    add(rows, "Ann", "ann.kent@example.com", "0400 000 001", true); /* 1: 2 + 2 + 2 */
    add(rows, "Ben", "ben@example.com", "0400 000 002", true);      /* 2: 1 + 1 + 1 */
    add(rows, "Zo\u00EB Mar\u00EDa", "zoe@example.com", "", true);  /* 3: 3 + 1 + 1 */
    change_second(rows);
    rows->tenant = rows_tenant(9999);
    assert_int_equal(store_add_tenant(rows->store, &rows->tenant), 0);
    add(rows, "Ann", "ann@example.com", "", true); /* 4: 2 + 1 + 1 */
}

static int setup_group(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    rows_init(&fixture->rows, 1);
    files_create(fixture->location);
    rows_open(&fixture->rows, fixture->location);
    fill(&fixture->rows);
    *state = fixture;
    return 0;
}

static int teardown_group(void **state)
{
    struct fixture *fixture = *state;
    rows_finish(&fixture->rows);
    files_remove(fixture->location);
    free(fixture);
    return 0;
}

/* --- corruptions --- */

static const struct corruption corruptions[] = {
    {"word_is_missing", "DELETE FROM member_word WHERE member_id = 1 AND word = 'Nann kent'"},
    {"word_is_missing", "DELETE FROM member_word WHERE member_id = 4"},
    {"word_is_missing", "DELETE FROM member_word"},
    {"word_is_missing", "DELETE FROM member_word WHERE word = 'nbob kent'"},
    {"word_is_missing", "UPDATE member SET phone = '0400 000 009' WHERE id = 1"},
    {"word_is_missing", "UPDATE member SET is_active = 1 WHERE id = 2"},
    {"word_is_missing", "UPDATE member_word SET tenant_id = 2 WHERE member_id = 3"},
    {"word_is_stray", "INSERT INTO member_word VALUES (1, 'Nzara', 1)"},
    {"word_is_stray", "INSERT INTO member_word VALUES (1, 'Nbob kent', 2)"},
    {"word_is_stray", "INSERT INTO member_word VALUES (2, 'Nann kent', 1)"},
    {"word_is_stray", "INSERT INTO member_word VALUES (1, '', 1)"},
    {"word_is_stray", "INSERT INTO member_word VALUES (1, 'N' || hex(zeroblob(500)), 1)"},
    {"word_is_stray", "UPDATE member SET is_active = 0 WHERE id = 1"},
    {"word_is_stray", "UPDATE member SET email = '' WHERE id = 3"},
    {"word_is_stray", "UPDATE member_word SET member_id = 4 WHERE word = 'Nkent ann'"
                      " AND member_id = 1"},
    {"word_without_member", "INSERT INTO member_word VALUES (1, 'Nann kent', 99)"},
    {"word_without_member", "INSERT INTO member_word VALUES (1, 'Nann kent', -1)"},
    {"word_without_member", "DELETE FROM member WHERE id = 2"},
    {"member_out_of_range", "UPDATE member SET code = hex(zeroblob(33)) WHERE id = 2"},
};

/* --- tests --- */

static void clean_store_has_no_findings(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings = {0};
    assert_int_equal(tamper_verify(&fixture->rows, fixture->location, &findings), 0);
    assert_string_equal(findings.names, "");
    assert_int_equal(findings.done, findings.total);
    assert_int_equal(findings.total, 2 * FILLED_MEMBERS + FILLED_WORDS);
}

static void each_corruption_is_named(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT_OF(corruptions); i++) {
        struct findings findings = {.wanted = corruptions[i].finding};
        tamper_verify_corrupted(&fixture->rows, fixture->location, corruptions[i].sql, &findings);
        if (!findings.is_found)
            fail_msg("%s is not named %s but:%s", corruptions[i].sql, corruptions[i].finding,
                     findings.names);
    }
}

static void one_member_is_one_finding(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings = {0};
    tamper_verify_corrupted(&fixture->rows, fixture->location,
                            "DELETE FROM member_word WHERE member_id = 1", &findings);
    assert_string_equal(findings.names, " word_is_missing");
    findings = (struct findings){0};
    tamper_verify_corrupted(&fixture->rows, fixture->location,
                            "UPDATE member SET code = hex(zeroblob(33)) WHERE id = 2", &findings);
    assert_string_equal(findings.names, " database_damaged member_out_of_range");
}

static void every_finding_has_its_corruption(void **state)
{
    (void)state;
    tamper_check_names(corruptions, COUNT_OF(corruptions), "sql_verify_member.c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_store_has_no_findings),
        cmocka_unit_test(each_corruption_is_named),
        cmocka_unit_test(one_member_is_one_finding),
        cmocka_unit_test(every_finding_has_its_corruption),
    };
    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
