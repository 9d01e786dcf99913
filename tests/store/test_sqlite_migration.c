/* A store of an earlier version is brought up to date when it is opened, and holds what it held. */
#include "tests/store/proofs.h"
#include "tests/store/tamper.h"

#include "base/error.h"
#include "store/grant.h"
#include "store/member.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MASTER_BYTE 0x07 /* of the key that the files were sealed with */
#define SQL_MAX 32768

struct fixture {
    char location[LOCATION_MAX];
    struct seal *seal;
};

static void load_version(const char *location, const char *file_name)
{
    static char sql[SQL_MAX];
    char path[512];
    snprintf(path, sizeof(path), "%s/store/%s", TESTS_DIR, file_name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t length = fread(sql, 1, sizeof(sql) - 1, file);
    assert_int_equal(fclose(file), 0);
    assert_true(length < sizeof(sql) - 1);
    sql[length] = '\0';
    files_execute(location, sql);
}

static int set_up(void **state, const char *file_name)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    uint8_t master[SEAL_KEY_BYTES];
    memset(master, MASTER_BYTE, sizeof(master));
    files_create(fixture->location);
    load_version(fixture->location, file_name);
    assert_int_equal(seal_from_bytes(master, &fixture->seal), 0);
    *state = fixture;
    return 0;
}

static int set_up_1(void **state)
{
    return set_up(state, "version_1.sql");
}

static int set_up_2(void **state)
{
    return set_up(state, "version_2.sql");
}

static int set_up_3(void **state)
{
    return set_up(state, "version_3.sql");
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    seal_destroy(fixture->seal);
    files_remove(fixture->location);
    free(fixture);
    return 0;
}

static struct store *open_store(const struct fixture *fixture, enum store_mode mode)
{
    struct store_config config = {.location = fixture->location, .seal = fixture->seal};
    struct store *store;
    assert_int_equal(store_open(&config, mode, &store), 0);
    return store;
}

static void on_finding(void *context, const char *name, const char *detail)
{
    (void)context;
    fail_msg("%s: %s", name, detail);
}

static void it_becomes_todays_and_all_laws_hold(void **state)
{
    const struct fixture *fixture = *state;
    int64_t findings;
    store_close(open_store(fixture, STORE_WRITER));
    struct store *reader = open_store(fixture, STORE_READER);
    assert_int_equal(store_verify(reader, on_finding, NULL, NULL, &findings), 0);
    assert_int_equal(findings, 0);
    store_close(reader);
}

static void what_version_1_held_is_still_there(void **state)
{
    const struct fixture *fixture = *state;
    struct store *store = open_store(fixture, STORE_WRITER);
    struct tenant tenant;
    struct card card;
    uint8_t index[CARD_INDEX_BYTES];
    seal_card_index(fixture->seal, 1, TEXT("6036280000010010"), index);
    assert_int_equal(store_read_card(store, 1, index, &card), 0);
    assert_int_equal(card.balance_minor, 7950);
    assert_int_equal(store_read_tenant(store, 1, &tenant), 0);
    assert_string_equal(tenant.name, "Harbour Kiosk");
    assert_string_equal(tenant.signature_token, "tok");
    store_close(store);
}

static void a_tenant_of_version_1_gets_the_choices_of_a_new_one(void **state)
{
    const struct fixture *fixture = *state;
    static const struct tenant wanted = {TENANT_CHOICES};
    struct store *store = open_store(fixture, STORE_WRITER);
    struct tenant tenant;
    assert_int_equal(store_read_tenant(store, 1, &tenant), 0);
    assert_int_equal(tenant.refusal_status, wanted.refusal_status);
    assert_int_equal(tenant.body_format, BODY_ANY);
    assert_int_equal(tenant.deadline_us, wanted.deadline_us);
    assert_false(tenant.payment_is_ours);
    assert_string_equal(tenant.payment_refusals, wanted.payment_refusals);
    assert_string_equal(tenant.webhook_topics, wanted.webhook_topics);
    assert_int_equal(tenant.token_refresh_us, wanted.token_refresh_us);
    assert_false(tenant.discount_is_on_line);
    assert_int_equal(tenant.payment_method, 0);
    assert_true(tenant.order_look_is_on && tenant.notify_is_on);
    assert_true(tenant.search_is_on && tenant.rewards_is_on && tenant.redeem_is_on);
    assert_int_equal(tenant.loyalty_signature_mode, wanted.loyalty_signature_mode);
    assert_int_equal(tenant.earn_milli, wanted.earn_milli);
    assert_string_equal(tenant.points_label, wanted.points_label);
    assert_int_equal(tenant.points_expire_days, 0);
    assert_false(tenant.burn_is_on_complete || tenant.policy.top_up_is_held);
    assert_int_equal(tenant.reservation_max_us, wanted.reservation_max_us);
    assert_int_equal(tenant.redeem_token_us, wanted.redeem_token_us);
    store_close(store);
}

static void a_reader_waits_for_the_migration(void **state)
{
    const struct fixture *fixture = *state;
    struct store_config config = {.location = fixture->location, .seal = fixture->seal};
    struct store *store;
    assert_int_equal(store_open(&config, STORE_READER, &store), ERR_STORE_DOWN);
}

/* --- version 2 --- */

static void what_version_2_held_is_still_there(void **state)
{
    const struct fixture *fixture = *state;
    struct store *store = open_store(fixture, STORE_WRITER);
    struct tenant tenant;
    struct grant grant;
    struct card card;
    struct member member;
    struct reward reward;
    struct operation operation;
    uint8_t index[CARD_INDEX_BYTES];
    seal_card_index(fixture->seal, 1, TEXT("6036280000020019"), index);
    assert_int_equal(store_read_card(store, 1, index, &card), 0);
    assert_int_equal(card.balance_minor, 8600);
    assert_int_equal(store_read_tenant(store, 2, &tenant), 0);
    assert_string_equal(tenant.name, "Corner Books");
    assert_int_equal(store_read_grant(store, 1, APP_OSERIES, &grant), 0);
    assert_int_equal(grant.status, GRANT_CONNECTED);
    assert_true(strlen(grant.access_token) > 0);
    assert_int_equal(store_read_member(store, 1, 1, &member), 0);
    assert_int_equal(member.account.points, 400);
    assert_int_equal(store_read_reward(store, 1, 1, &reward), 0);
    assert_int_equal(store_read_operation(store, 5, &operation), 0);
    assert_int_equal(operation.action, ACTION_REFUND);
    assert_int_equal(operation.answers_operation_id, 0);
    store_close(store);
}

static void a_tenant_of_version_2_gets_the_choices_of_a_new_one(void **state)
{
    const struct fixture *fixture = *state;
    static const struct tenant wanted = {TENANT_CHOICES};
    struct store *store = open_store(fixture, STORE_WRITER);
    struct tenant tenant;
    assert_int_equal(store_read_tenant(store, 1, &tenant), 0);
    assert_int_equal(tenant.payment_method, wanted.payment_method);
    assert_true(wanted.order_look_is_on && tenant.order_look_is_on);
    assert_true(wanted.notify_is_on && tenant.notify_is_on);
    assert_true(tenant.payment_is_ours && tenant.policy.top_up_is_held); /* as it was set */
    store_close(store);
}

static void on_work(void *context, const struct work *work)
{
    struct work *found = context;
    assert_int_equal(found->id, 0); /* there is one */
    *found = *work;
}

static void open_work_of_version_2_can_be_done_and_opened_again(void **state)
{
    const struct fixture *fixture = *state;
    struct store *store = open_store(fixture, STORE_WRITER);
    struct work work = {0};
    assert_int_equal(store_each_open_work(store, 9, 9, on_work, &work), 0);
    assert_int_equal(work.kind, WORK_ORDER_CHANGED);
    assert_int_equal(work.subject_id, 2802000005);
    assert_int_equal(work.openings, 0);
    work.state = WORK_DONE;
    work.ended_at_us = work.due_at_us;
    assert_int_equal(store_update_work(store, &work), 0);
    work.state = WORK_OPEN;
    work.ended_at_us = 0;
    assert_int_equal(store_open_work(store, &work), 0);
    assert_int_equal(work.openings, 1);
    store_close(store);
}

/* The operations of tenant 1 that a register should show; tenant 2 is not connected. */
#define OPERATIONS_TO_PROVE 9

static void the_youngest_operations_of_version_2_get_their_proofs(void **state)
{
    const struct fixture *fixture = *state;
    struct rows rows = {.store = open_store(fixture, STORE_WRITER), .now_us = ROWS_NOW_US};
    assert_int_equal(proofs_make(&rows, ROWS_DATE), OPERATIONS_TO_PROVE);
    assert_int_equal(proofs_facts(&rows, 7).proof.booked_minor, 2000); /* a part was approved */
    assert_int_equal(proofs_facts(&rows, 11).proof.state, PROOF_LISTED);
    assert_int_equal(rows_verify(rows.store), 0);
    store_close(rows.store);
}

static void operations_that_were_old_at_the_migration_get_none(void **state)
{
    const struct fixture *fixture = *state;
    struct proof_facts facts;
    tamper(fixture->location,
           "UPDATE operation SET created_at_us = created_at_us - 172900000000 WHERE id <= 7");
    struct rows rows = {.store = open_store(fixture, STORE_WRITER), .now_us = ROWS_NOW_US};
    assert_int_equal(proofs_make(&rows, ROWS_DATE), OPERATIONS_TO_PROVE - 5);
    assert_int_equal(store_read_proof(rows.store, 7, &facts), ERR_NOT_FOUND);
    assert_int_equal(store_read_proof(rows.store, 8, &facts), 0);
    store_close(rows.store);
}

/* --- version 3 --- */

static void what_version_3_held_is_still_there(void **state)
{
    const struct fixture *fixture = *state;
    struct store *store = open_store(fixture, STORE_WRITER);
    struct card card;
    struct member member;
    struct tenant tenant;
    uint8_t index[CARD_INDEX_BYTES];
    seal_card_index(fixture->seal, 1, TEXT("6036280000030018"), index);
    assert_int_equal(store_read_card(store, 1, index, &card), 0);
    assert_int_equal(card.balance_minor, 1250);
    assert_int_equal(store_read_member(store, 2, 2, &member), 0);
    assert_int_equal(member.account.points, 30);
    assert_int_equal(store_read_tenant(store, 1, &tenant), 0);
    assert_int_equal(tenant.approval.state, FOREIGN_REQUESTED);
    store_close(store);
}

static void on_tenant(void *context, const struct tenant *tenant)
{
    int32_t *count = context;
    (*count)++;
    assert_int_equal(tenant->place, TENANT_HERE);
}

static void every_tenant_of_version_3_is_served_here(void **state)
{
    const struct fixture *fixture = *state;
    struct store *store = open_store(fixture, STORE_WRITER);
    int32_t count = 0;
    assert_int_equal(store_each_tenant(store, on_tenant, &count), 0);
    assert_int_equal(count, 2);
    store_close(store);
}

#define OF_VERSION(version, name) cmocka_unit_test_setup_teardown(name, set_up_##version, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OF_VERSION(1, it_becomes_todays_and_all_laws_hold),
        OF_VERSION(1, what_version_1_held_is_still_there),
        OF_VERSION(1, a_tenant_of_version_1_gets_the_choices_of_a_new_one),
        OF_VERSION(1, a_reader_waits_for_the_migration),
        OF_VERSION(2, it_becomes_todays_and_all_laws_hold),
        OF_VERSION(2, what_version_2_held_is_still_there),
        OF_VERSION(2, a_tenant_of_version_2_gets_the_choices_of_a_new_one),
        OF_VERSION(2, open_work_of_version_2_can_be_done_and_opened_again),
        OF_VERSION(2, the_youngest_operations_of_version_2_get_their_proofs),
        OF_VERSION(2, operations_that_were_old_at_the_migration_get_none),
        OF_VERSION(2, a_reader_waits_for_the_migration),
        OF_VERSION(3, it_becomes_todays_and_all_laws_hold),
        OF_VERSION(3, what_version_3_held_is_still_there),
        OF_VERSION(3, every_tenant_of_version_3_is_served_here),
        OF_VERSION(3, a_reader_waits_for_the_migration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
