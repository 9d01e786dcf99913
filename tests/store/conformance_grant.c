/*
 * The conformance suite's tests of applications, grants and the tokens that are good for one use.
 */
#include "tests/store/conformance.h"

#include "base/error.h"
#include "store/grant.h"

#include <stdio.h>
#include <string.h>

#define OWNER_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OWNER_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define COMPANY 5678 /* of the suite's tenant */

static struct grant grant_of(const struct rows *rows)
{
    return (struct grant){
        .tenant_id = rows->tenant.id,
        .surface = APP_OSERIES,
        .kind = GRANT_OAUTH,
        .status = GRANT_CONNECTED,
        .company_id = COMPANY,
        .access_token = "access-1",
        .refresh_token = "refresh-1",
        .connected_at_us = 1,
        .refreshed_at_us = 2,
        .expires_at_us = 3,
        .failures = 4,
        .failed_at_us = 5,
        .reason = "no reply \xc3\xa9",
    };
}

static void assert_same(const struct grant *a, const struct grant *b)
{
    assert_int_equal(a->tenant_id, b->tenant_id);
    assert_int_equal(a->surface, b->surface);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->company_id, b->company_id);
    assert_string_equal(a->access_token, b->access_token);
    assert_string_equal(a->refresh_token, b->refresh_token);
    assert_int_equal(a->connected_at_us, b->connected_at_us);
    assert_int_equal(a->refreshed_at_us, b->refreshed_at_us);
    assert_int_equal(a->expires_at_us, b->expires_at_us);
    assert_int_equal(a->failures, b->failures);
    assert_int_equal(a->failed_at_us, b->failed_at_us);
    assert_string_equal(a->reason, b->reason);
    assert_int_equal(a->version, b->version);
    assert_string_equal(a->lease_owner, b->lease_owner);
    assert_int_equal(a->leased_until_us, b->leased_until_us);
}

static struct grant read_grant(const struct rows *rows)
{
    struct grant grant;
    assert_int_equal(store_read_grant(rows->store, rows->tenant.id, APP_OSERIES, &grant), 0);
    return grant;
}

static int64_t company_of(const struct rows *rows, int64_t tenant_id)
{
    struct tenant tenant;
    assert_int_equal(store_read_tenant(rows->store, tenant_id, &tenant), 0);
    return tenant.oseries_company;
}

/* --- the application */

static void no_application_is_told_as_such(void **state)
{
    struct app app = {.client_id = "left over", .client_secret = "left over"};
    assert_int_equal(store_read_app(conformance_rows(state)->store, APP_OSERIES, &app),
                     ERR_NOT_FOUND);
    assert_string_equal(app.client_id, "");
    assert_string_equal(app.client_secret, "");
}

static void an_application_is_kept_and_replaced_whole(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct app app = {.surface = APP_OSERIES,
                      .client_id = "client",
                      .client_secret = "secret",
                      .signature_token = "token",
                      .signature_token_previous = "token before"};
    struct app read;
    assert_int_equal(store_put_app(rows->store, &app), 0);
    assert_int_equal(store_read_app(rows->store, APP_OSERIES, &read), 0);
    assert_string_equal(read.client_id, app.client_id);
    assert_string_equal(read.client_secret, app.client_secret);
    assert_string_equal(read.signature_token, app.signature_token);
    assert_string_equal(read.signature_token_previous, app.signature_token_previous);

    memset(app.client_id, 'c', APP_CLIENT_MAX);
    memset(app.client_secret, 's', APP_CLIENT_MAX);
    memset(app.signature_token, 't', TENANT_TOKEN_MAX);
    app.signature_token_previous[0] = '\0';
    assert_int_equal(store_put_app(rows->store, &app), 0);
    assert_int_equal(store_read_app(rows->store, APP_OSERIES, &read), 0);
    assert_string_equal(read.client_id, app.client_id);
    assert_string_equal(read.client_secret, app.client_secret);
    assert_string_equal(read.signature_token, app.signature_token);
    assert_string_equal(read.signature_token_previous, "");
}

/* --- grants */

static void a_grant_is_read_back_field_by_field(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct grant grant = grant_of(rows), read;
    assert_int_equal(store_read_grant(rows->store, rows->tenant.id, APP_OSERIES, &read),
                     ERR_NOT_FOUND);
    assert_int_equal(store_put_grant(rows->store, &grant), 0);
    assert_int_equal(grant.version, 1);
    read = read_grant(rows);
    assert_same(&read, &grant);

    memset(grant.access_token, 'a', GRANT_TOKEN_MAX);
    memset(grant.refresh_token, 'r', GRANT_TOKEN_MAX);
    memset(grant.reason, 'x', GRANT_REASON_MAX);
    grant.kind = GRANT_BASIC;
    grant.status = GRANT_REVOKED;
    grant.company_id = INT64_MAX;
    grant.connected_at_us = grant.refreshed_at_us = grant.expires_at_us = INT64_MAX;
    grant.failures = INT32_MAX;
    grant.failed_at_us = 0;
    assert_int_equal(store_put_grant(rows->store, &grant), 0);
    assert_int_equal(grant.version, 2);
    read = read_grant(rows);
    assert_same(&read, &grant);

    grant.access_token[0] = grant.refresh_token[0] = grant.reason[0] = '\0'; /* wiped */
    assert_int_equal(store_put_grant(rows->store, &grant), 0);
    read = read_grant(rows);
    assert_same(&read, &grant);
}

static void a_grant_is_written_only_over_what_was_read(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct grant mine = grant_of(rows), theirs;
    assert_int_equal(store_put_grant(rows->store, &mine), 0);
    theirs = mine;
    snprintf(theirs.refresh_token, sizeof(theirs.refresh_token), "refresh-2");
    assert_int_equal(store_put_grant(rows->store, &theirs), 0);

    snprintf(mine.refresh_token, sizeof(mine.refresh_token), "refresh-3");
    assert_int_equal(store_put_grant(rows->store, &mine), ERR_STALE);
    assert_int_equal(mine.version, 1);
    struct grant read = read_grant(rows);
    assert_same(&read, &theirs);

    struct grant another = grant_of(rows);
    assert_int_equal(store_put_grant(rows->store, &another), ERR_STALE); /* there is one */
    assert_int_equal(another.version, 0);
    read = read_grant(rows);
    assert_same(&read, &theirs);
}

struct seen {
    struct grant grants[4];
    int count;
};

static void on_grant(void *context, const struct grant *grant)
{
    struct seen *seen = context;
    assert_in_range(seen->count, 0, 3);
    seen->grants[seen->count++] = *grant;
}

static void all_grants_are_told_in_order_of_their_tenants(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct tenant other = rows_tenant(9999);
    struct seen seen = {.count = 0};
    assert_int_equal(store_each_grant(rows->store, on_grant, &seen), 0);
    assert_int_equal(seen.count, 0);

    assert_int_equal(store_add_tenant(rows->store, &other), 0);
    struct grant second = grant_of(rows), first = grant_of(rows);
    second.tenant_id = other.id;
    assert_int_equal(store_put_grant(rows->store, &second), 0);
    assert_int_equal(store_put_grant(rows->store, &first), 0);
    assert_int_equal(store_each_grant(rows->store, on_grant, &seen), 0);
    assert_int_equal(seen.count, 2);
    assert_same(&seen.grants[0], &first);
    assert_same(&seen.grants[1], &second);
}

static void a_bound_grant_makes_its_company_the_tenants(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct tenant fresh = rows_tenant(0);
    assert_int_equal(store_add_tenant(rows->store, &fresh), 0);
    struct grant grant = grant_of(rows);
    grant.tenant_id = fresh.id;
    grant.company_id = 1234;
    assert_int_equal(store_bind_grant(rows->store, &grant), 0);
    assert_int_equal(grant.version, 1);
    assert_int_equal(company_of(rows, fresh.id), 1234);
    assert_int_equal(company_of(rows, rows->tenant.id), COMPANY);
    assert_int_equal(store_bind_grant(rows->store, &grant), 0); /* again: the same company */
    assert_int_equal(grant.version, 2);
}

static void a_grant_for_a_company_that_is_not_the_tenants_is_not_stored(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct tenant fresh = rows_tenant(0);
    struct grant read;
    assert_int_equal(store_add_tenant(rows->store, &fresh), 0);

    struct grant of_another = grant_of(rows);
    of_another.tenant_id = fresh.id;
    assert_int_equal(store_bind_grant(rows->store, &of_another), ERR_ALREADY_EXISTS);
    assert_int_equal(of_another.version, 0);
    assert_int_equal(company_of(rows, fresh.id), 0);
    assert_int_equal(store_read_grant(rows->store, fresh.id, APP_OSERIES, &read), ERR_NOT_FOUND);

    struct grant of_nobody = grant_of(rows);
    of_nobody.company_id = 4321;
    assert_int_equal(store_bind_grant(rows->store, &of_nobody), ERR_ALREADY_EXISTS);
    assert_int_equal(company_of(rows, rows->tenant.id), COMPANY);
    assert_int_equal(store_read_grant(rows->store, rows->tenant.id, APP_OSERIES, &read),
                     ERR_NOT_FOUND);

    struct grant lost = grant_of(rows);
    lost.tenant_id = 77;
    assert_int_equal(store_bind_grant(rows->store, &lost), ERR_NOT_FOUND);
}

/* The company is not changed where the grant cannot be written. */
static void a_stale_grant_binds_nothing(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct tenant fresh = rows_tenant(0);
    assert_int_equal(store_add_tenant(rows->store, &fresh), 0);
    struct grant grant = grant_of(rows);
    grant.tenant_id = fresh.id;
    grant.company_id = 1234;
    grant.version = 3;
    assert_int_equal(store_bind_grant(rows->store, &grant), ERR_STALE);
    assert_int_equal(company_of(rows, fresh.id), 0);
}

/* --- leases */

static struct grant_lease lease_of(const struct rows *rows, const char *owner, int64_t now_us)
{
    struct grant_lease lease = {.tenant_id = rows->tenant.id,
                                .surface = APP_OSERIES,
                                .now_us = now_us,
                                .until_us = now_us + 100};
    snprintf(lease.owner, sizeof(lease.owner), "%s", owner);
    return lease;
}

static void a_lease_keeps_others_away_until_it_ends(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct grant grant = grant_of(rows), leased;
    struct grant_lease a = lease_of(rows, OWNER_A, 1000), b = lease_of(rows, OWNER_B, 1099);
    assert_int_equal(store_lease_grant(rows->store, &a, &leased), ERR_NOT_FOUND);
    assert_int_equal(store_put_grant(rows->store, &grant), 0);

    assert_int_equal(store_lease_grant(rows->store, &a, &leased), 0);
    assert_int_equal(leased.version, 2);
    assert_string_equal(leased.lease_owner, OWNER_A);
    assert_int_equal(leased.leased_until_us, 1100);
    assert_string_equal(leased.refresh_token, "refresh-1");
    assert_int_equal(store_lease_grant(rows->store, &b, &leased), ERR_LEASED);
    assert_string_equal(leased.refresh_token, ""); /* nothing is told */
    assert_int_equal(read_grant(rows).version, 2);

    b = lease_of(rows, OWNER_B, 1100);
    assert_int_equal(store_lease_grant(rows->store, &b, &leased), 0);
    assert_int_equal(leased.version, 3);
    assert_string_equal(leased.lease_owner, OWNER_B);
}

static void an_owner_may_take_its_own_lease_again(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct grant grant = grant_of(rows), leased;
    struct grant_lease lease = lease_of(rows, OWNER_A, 1000);
    assert_int_equal(store_put_grant(rows->store, &grant), 0);
    assert_int_equal(store_lease_grant(rows->store, &lease, &leased), 0);
    lease = lease_of(rows, OWNER_A, 1050);
    assert_int_equal(store_lease_grant(rows->store, &lease, &leased), 0);
    assert_int_equal(leased.version, 3);
    assert_int_equal(leased.leased_until_us, 1150);
}

/* A process that was away too long must not write over what the next holder has obtained. */
static void who_lost_a_lease_cannot_write_any_more(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct grant grant = grant_of(rows), mine, theirs;
    struct grant_lease a = lease_of(rows, OWNER_A, 1000), b = lease_of(rows, OWNER_B, 2000);
    assert_int_equal(store_put_grant(rows->store, &grant), 0);
    assert_int_equal(store_lease_grant(rows->store, &a, &mine), 0);
    assert_int_equal(store_lease_grant(rows->store, &b, &theirs), 0);
    assert_int_equal(store_put_grant(rows->store, &mine), ERR_STALE);
    assert_string_equal(read_grant(rows).lease_owner, OWNER_B);
    assert_int_equal(store_put_grant(rows->store, &theirs), 0);
}

static void writing_a_grant_leaves_no_lease_on_it(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct grant grant = grant_of(rows), leased;
    struct grant_lease a = lease_of(rows, OWNER_A, 1000), b = lease_of(rows, OWNER_B, 1001);
    assert_int_equal(store_put_grant(rows->store, &grant), 0);
    assert_int_equal(store_lease_grant(rows->store, &a, &leased), 0);
    assert_int_equal(store_put_grant(rows->store, &leased), 0);
    assert_string_equal(leased.lease_owner, "");
    assert_int_equal(leased.leased_until_us, 0);
    struct grant read = read_grant(rows);
    assert_same(&read, &leased);
    assert_int_equal(store_lease_grant(rows->store, &b, &leased), 0);
}

/* --- tokens of ours */

static void a_token_is_used_once(void **state)
{
    struct rows *rows = conformance_rows(state);
    assert_int_equal(store_use_token(rows->store, OWNER_A, 1000, 500), 0);
    assert_int_equal(store_use_token(rows->store, OWNER_A, 1000, 501), ERR_ALREADY_EXISTS);
    assert_int_equal(store_use_token(rows->store, OWNER_B, 1000, 501), 0);
    assert_int_equal(store_use_token(rows->store, OWNER_A, 1000, 1000), ERR_ALREADY_EXISTS);
}

static void a_used_token_is_forgotten_when_it_has_expired(void **state)
{
    struct rows *rows = conformance_rows(state);
    assert_int_equal(store_use_token(rows->store, OWNER_A, 1000, 500), 0);
    assert_int_equal(store_use_token(rows->store, OWNER_B, 2000, 1001), 0);
    /* Nobody asks again about an expired one; that the row is gone shows so. */
    assert_int_equal(store_use_token(rows->store, OWNER_A, 3000, 1002), 0);
}

static void the_generation_of_token_keys_starts_at_one_and_is_raised(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t generation = 0;
    assert_int_equal(store_token_generation(rows->store, &generation), 0);
    assert_int_equal(generation, 1);
    assert_int_equal(store_raise_token_generation(rows->store, &generation), 0);
    assert_int_equal(generation, 2);
    assert_int_equal(store_raise_token_generation(rows->store, &generation), 0);
    generation = 0;
    assert_int_equal(store_token_generation(rows->store, &generation), 0);
    assert_int_equal(generation, 3);
    assert_int_equal(store_generation(rows->store, &generation), 0); /* another thing */
    assert_int_equal(generation, 1);
}

static void the_hot_generation_starts_anywhere_and_only_rises(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t before, raised, after, references;
    assert_int_equal(store_hot_generation(rows->store, &before), 0);
    assert_true(before > 0);
    assert_int_equal(store_raise_hot_generation(rows->store, &raised), 0);
    assert_true(raised > before);
    assert_int_equal(store_hot_generation(rows->store, &after), 0);
    assert_int_equal(after, raised);
    assert_int_equal(store_generation(rows->store, &references), 0); /* another thing */
    assert_int_equal(references, 1);
}

/* --- durable, and seen by readers */

static void grants_are_there_after_reopening_and_for_readers(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct grant grant = grant_of(rows), read;
    struct app app = {.surface = APP_OSERIES, .client_id = "client", .client_secret = "secret"};
    struct app app_read;
    int64_t generation;
    if (!conformance_backend()->is_shared)
        return;
    assert_int_equal(store_put_app(rows->store, &app), 0);
    assert_int_equal(store_put_grant(rows->store, &grant), 0);
    assert_int_equal(store_use_token(rows->store, OWNER_A, 1000, 500), 0);
    assert_int_equal(store_raise_token_generation(rows->store, &generation), 0);
    conformance_reopen(state);
    struct store *reader = conformance_open_reader(state);
    assert_int_equal(store_read_grant(reader, rows->tenant.id, APP_OSERIES, &read), 0);
    assert_same(&read, &grant);
    assert_int_equal(store_read_app(reader, APP_OSERIES, &app_read), 0);
    assert_string_equal(app_read.client_secret, "secret");
    assert_int_equal(store_token_generation(reader, &generation), 0);
    assert_int_equal(generation, 2);
    store_close(reader);
    assert_int_equal(store_use_token(rows->store, OWNER_A, 1000, 500), ERR_ALREADY_EXISTS);
}

static const struct CMUnitTest conformance_grants[] = {
    CONFORMANCE_TEST(no_application_is_told_as_such),
    CONFORMANCE_TEST(an_application_is_kept_and_replaced_whole),
    CONFORMANCE_TEST(a_grant_is_read_back_field_by_field),
    CONFORMANCE_TEST(a_grant_is_written_only_over_what_was_read),
    CONFORMANCE_TEST(all_grants_are_told_in_order_of_their_tenants),
    CONFORMANCE_TEST(a_bound_grant_makes_its_company_the_tenants),
    CONFORMANCE_TEST(a_grant_for_a_company_that_is_not_the_tenants_is_not_stored),
    CONFORMANCE_TEST(a_stale_grant_binds_nothing),
    CONFORMANCE_TEST(a_lease_keeps_others_away_until_it_ends),
    CONFORMANCE_TEST(an_owner_may_take_its_own_lease_again),
    CONFORMANCE_TEST(who_lost_a_lease_cannot_write_any_more),
    CONFORMANCE_TEST(writing_a_grant_leaves_no_lease_on_it),
    CONFORMANCE_TEST(a_token_is_used_once),
    CONFORMANCE_TEST(a_used_token_is_forgotten_when_it_has_expired),
    CONFORMANCE_TEST(the_generation_of_token_keys_starts_at_one_and_is_raised),
    CONFORMANCE_TEST(the_hot_generation_starts_anywhere_and_only_rises),
    CONFORMANCE_TEST(grants_are_there_after_reopening_and_for_readers),
};

int conformance_run_grants(const char *name)
{
    return _cmocka_run_group_tests(name, conformance_grants, COUNT_OF(conformance_grants), NULL,
                                   NULL);
}
