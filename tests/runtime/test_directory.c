/* The directory: tenants and sites found in memory, and a snapshot that outlives its successor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "runtime/directory.h"
#include "store/grant.h"

static struct seal *seal;
static struct store *store;
static struct directory *directory;

static int setup(void **state)
{
    static const uint8_t master[SEAL_KEY_BYTES] = {1};
    (void)state;
    assert_int_equal(seal_from_bytes(master, &seal), 0);
    struct store_config config = {.location = ":memory:", .seal = seal};
    assert_int_equal(store_open(&config, STORE_WRITER, &store), 0);
    assert_int_equal(directory_create(&directory), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    directory_destroy(directory);
    store_close(store);
    seal_destroy(seal);
    return 0;
}

static struct tenant add_tenant(int number, const char *zone)
{
    struct tenant tenant = {
        .oseries_company = number, .profile = "default", .currency = {"AUD", 2}, TENANT_CHOICES};
    snprintf(tenant.name, sizeof(tenant.name), "Tenant %d", number);
    snprintf(tenant.zone, sizeof(tenant.zone), "%s", zone);
    snprintf(tenant.key, sizeof(tenant.key), "%032x", (unsigned)number * 2654435761u);
    snprintf(tenant.signature_token, sizeof(tenant.signature_token), "token-%d", number);
    assert_int_equal(store_add_tenant(store, &tenant), 0);
    return tenant;
}

static void add_site(int64_t tenant_id, int64_t oseries_site, const char *zone)
{
    struct site site = {.tenant_id = tenant_id, .name = "Site", .oseries_site = oseries_site};
    snprintf(site.zone, sizeof(site.zone), "%s", zone);
    assert_int_equal(store_add_site(store, &site), 0);
}

static void every_tenant_is_found_by_key_and_by_id(void **state)
{
    enum { COUNT = 40 };
    struct tenant tenants[COUNT];
    (void)state;
    for (int i = 0; i < COUNT; i++)
        tenants[i] = add_tenant(i + 1, "Australia/Sydney");
    assert_int_equal(directory_load(directory, store), 0);
    const struct directory_snapshot *snapshot = directory_acquire(directory);
    assert_int_equal(directory_tenant_count(snapshot), COUNT);
    for (int i = 0; i < COUNT; i++) {
        const struct directory_tenant *found =
            directory_find_key(snapshot, text_of(tenants[i].key));
        assert_non_null(found);
        assert_int_equal(found->tenant.id, tenants[i].id);
        assert_non_null(found->signature);
        assert_null(found->signature_previous);
        assert_ptr_equal(directory_find_id(snapshot, tenants[i].id), found);
    }
    assert_null(directory_find_key(snapshot, TEXT("00000000000000000000000000000000")));
    assert_null(directory_find_key(snapshot, TEXT("")));
    assert_null(directory_find_id(snapshot, 9999));
    assert_null(directory_tenant_at(snapshot, COUNT));
    directory_release(snapshot);
}

static void a_site_has_its_own_zone_or_its_tenants(void **state)
{
    (void)state;
    struct tenant first = add_tenant(1, "Australia/Sydney");
    struct tenant second = add_tenant(2, "Europe/London");
    add_site(first.id, 923, "Australia/Perth");
    add_site(first.id, 924, "");
    add_site(second.id, 923, "");
    assert_int_equal(directory_load(directory, store), 0);
    const struct directory_snapshot *snapshot = directory_acquire(directory);
    const struct directory_tenant *tenant = directory_find_id(snapshot, first.id);
    assert_ptr_not_equal(directory_find_site(snapshot, first.id, 923)->zone, tenant->zone);
    assert_ptr_equal(directory_find_site(snapshot, first.id, 924)->zone, tenant->zone);
    assert_int_equal(directory_find_site(snapshot, second.id, 923)->site.tenant_id, second.id);
    assert_null(directory_find_site(snapshot, second.id, 924));
    assert_null(directory_site_at(snapshot, first.id, 2));
    directory_release(snapshot);
}

static void a_held_snapshot_outlives_its_successor(void **state)
{
    (void)state;
    add_tenant(1, "UTC");
    assert_int_equal(directory_load(directory, store), 0);
    const struct directory_snapshot *old = directory_acquire(directory);
    add_tenant(2, "UTC");
    assert_int_equal(directory_load(directory, store), 0);
    const struct directory_snapshot *fresh = directory_acquire(directory);
    assert_int_equal(directory_tenant_count(old), 1);
    assert_int_equal(directory_tenant_count(fresh), 2);
    assert_string_equal(directory_tenant_at(old, 0)->tenant.name, "Tenant 1");
    directory_release(old);
    directory_release(fresh);
}

static void assert_signs(const struct seal_hmac *hmac, const char *token)
{
    uint8_t mac[SEAL_MAC_BYTES], wanted[SEAL_MAC_BYTES];
    struct seal_hmac *own = seal_hmac_create(text_of(token));
    assert_non_null(hmac);
    seal_hmac_sign(hmac, TEXT("body"), mac);
    seal_hmac_sign(own, TEXT("body"), wanted);
    assert_memory_equal(mac, wanted, sizeof(wanted));
    seal_hmac_destroy(own);
}

static void the_applications_tokens_serve_who_has_none(void **state)
{
    struct tenant own = add_tenant(1, "UTC"), none = add_tenant(2, "UTC");
    (void)state;
    none.signature_token[0] = '\0';
    assert_int_equal(store_update_tenant(store, &none), 0);
    assert_int_equal(directory_load(directory, store), 0);
    const struct directory_snapshot *snapshot = directory_acquire(directory);
    assert_null(directory_find_id(snapshot, none.id)->signature);
    assert_false(directory_has_app_token(snapshot));
    directory_release(snapshot);

    const struct app app = {.surface = APP_OSERIES,
                            .client_id = "c",
                            .client_secret = "s",
                            .signature_token = "app-2",
                            .signature_token_previous = "app-1"};
    assert_int_equal(store_put_app(store, &app), 0);
    assert_int_equal(directory_load(directory, store), 0);
    snapshot = directory_acquire(directory);
    assert_true(directory_has_app_token(snapshot));
    assert_signs(directory_find_id(snapshot, none.id)->signature, "app-2");
    assert_signs(directory_find_id(snapshot, none.id)->signature_previous, "app-1");
    assert_signs(directory_find_id(snapshot, own.id)->signature, "token-1");
    assert_null(directory_find_id(snapshot, own.id)->signature_previous);
    assert_string_equal(directory_find_id(snapshot, none.id)->tenant.signature_token, "");
    directory_release(snapshot);
}

static void an_unknown_zone_leaves_the_old_snapshot(void **state)
{
    (void)state;
    add_tenant(1, "UTC");
    assert_int_equal(directory_load(directory, store), 0);
    add_tenant(2, "Atlantis/Capital");
    assert_int_equal(directory_load(directory, store), ERR_NOT_FOUND);
    const struct directory_snapshot *snapshot = directory_acquire(directory);
    assert_int_equal(directory_tenant_count(snapshot), 1);
    directory_release(snapshot);
}

static void an_empty_directory_finds_nothing(void **state)
{
    (void)state;
    const struct directory_snapshot *snapshot = directory_acquire(directory);
    assert_int_equal(directory_tenant_count(snapshot), 0);
    assert_null(directory_find_key(snapshot, TEXT("x")));
    assert_null(directory_find_id(snapshot, 1));
    assert_null(directory_find_site(snapshot, 1, 1));
    directory_release(snapshot);
}

#define directory_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        directory_test(every_tenant_is_found_by_key_and_by_id),
        directory_test(a_site_has_its_own_zone_or_its_tenants),
        directory_test(a_held_snapshot_outlives_its_successor),
        directory_test(the_applications_tokens_serve_who_has_none),
        directory_test(an_unknown_zone_leaves_the_old_snapshot),
        directory_test(an_empty_directory_finds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
