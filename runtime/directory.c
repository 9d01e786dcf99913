/* Tenants and sites as one immutable snapshot, swapped whole and counted by its holders. */
#include "runtime/directory.h"

#include "base/error.h"
#include "store/grant.h"
#include "store/lease.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

struct keyed_tenant {
    uint64_t hash; /* of its key */
    const struct directory_tenant *tenant;
};

struct directory_snapshot {
    _Atomic int64_t holders;
    struct directory_tenant *tenants; /* sorted by id */
    size_t tenant_count;
    size_t tenant_room;
    struct keyed_tenant *by_key;  /* sorted by hash: an order that tells a guesser nothing */
    struct directory_site *sites; /* sorted by tenant id, then site id */
    size_t site_count;
    size_t site_room;
    struct tenant *elsewhere; /* sorted by id, as the store gives them */
    size_t elsewhere_count;
    size_t elsewhere_room;
    int64_t version; /* of the configuration, before it was read; or less */
    struct app app;  /* while loading; wiped after */
    bool has_app_token;
    int error; /* while loading */
};

struct directory {
    pthread_mutex_t mutex;
    struct directory_snapshot *current;
};

static void snapshot_free(struct directory_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->site_count; i++) {
        if (snapshot->sites[i].site.zone[0] != '\0')
            clock_zone_destroy(snapshot->sites[i].zone); /* else the tenant's */
    }
    for (size_t i = 0; i < snapshot->tenant_count; i++) {
        struct directory_tenant *each = &snapshot->tenants[i];
        clock_zone_destroy(each->zone);
        seal_hmac_destroy(each->signature);
        seal_hmac_destroy(each->signature_previous);
        seal_wipe(&each->tenant, sizeof(each->tenant));
    }
    if (snapshot->elsewhere != NULL)
        seal_wipe(snapshot->elsewhere, snapshot->elsewhere_count * sizeof(*snapshot->elsewhere));
    free(snapshot->elsewhere);
    free(snapshot->by_key);
    free(snapshot->sites);
    free(snapshot->tenants);
    free(snapshot);
}

/* Doubles the array when it is full. NULL: no memory, the old array stays. */
static void *grow(void *array, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return array;
    size_t wanted = *room == 0 ? 16 : *room * 2;
    void *grown = reallocarray(array, wanted, size);
    if (grown != NULL)
        *room = wanted;
    return grown;
}

static struct seal_hmac *prepare_token(const char *token)
{
    return token[0] == '\0' ? NULL : seal_hmac_create(text_of(token));
}

static void load_elsewhere(struct directory_snapshot *snapshot, const struct tenant *tenant)
{
    struct tenant *elsewhere = grow(snapshot->elsewhere, snapshot->elsewhere_count,
                                    &snapshot->elsewhere_room, sizeof(*elsewhere));
    if (elsewhere == NULL) {
        snapshot->error = ERR_NO_MEMORY;
        return;
    }
    snapshot->elsewhere = elsewhere;
    elsewhere[snapshot->elsewhere_count++] = *tenant;
}

static void load_tenant(void *context, const struct tenant *tenant)
{
    struct directory_snapshot *snapshot = context;
    if (tenant->place != TENANT_HERE) {
        load_elsewhere(snapshot, tenant);
        return;
    }
    struct directory_tenant *tenants =
        grow(snapshot->tenants, snapshot->tenant_count, &snapshot->tenant_room, sizeof(*tenants));
    if (tenants == NULL) {
        snapshot->error = ERR_NO_MEMORY;
        return;
    }
    snapshot->tenants = tenants;
    struct directory_tenant *added = &tenants[snapshot->tenant_count++];
    /* Registers sign with the token of the application they were given (protocol o-series 4): a
     * tenant that has one of its own is a tenant of another application. */
    bool has_own = tenant->signature_token[0] != '\0';
    const struct app *app = &snapshot->app;
    *added = (struct directory_tenant){
        .tenant = *tenant,
        .signature = prepare_token(has_own ? tenant->signature_token : app->signature_token),
        .signature_previous = prepare_token(has_own ? tenant->signature_token_previous
                                                    : app->signature_token_previous),
    };
    int err = clock_zone_create(tenant->zone, &added->zone);
    if (err != 0)
        snapshot->error = err;
}

static void load_site(void *context, const struct site *site)
{
    struct directory_snapshot *snapshot = context;
    struct directory_site *sites =
        grow(snapshot->sites, snapshot->site_count, &snapshot->site_room, sizeof(*sites));
    if (sites == NULL) {
        snapshot->error = ERR_NO_MEMORY;
        return;
    }
    snapshot->sites = sites;
    struct directory_site *added = &sites[snapshot->site_count++];
    *added = (struct directory_site){.site = *site};
    int err = site->zone[0] == '\0' ? 0 : clock_zone_create(site->zone, &added->zone);
    if (err != 0)
        snapshot->error = err;
}

static int compare_tenants(const void *a, const void *b)
{
    const struct directory_tenant *left = a, *right = b;
    return (left->tenant.id > right->tenant.id) - (left->tenant.id < right->tenant.id);
}

static int compare_sites(const void *a, const void *b)
{
    const struct directory_site *left = a, *right = b;
    int64_t l = left->site.tenant_id, r = right->site.tenant_id;
    if (l == r) {
        l = left->site.id;
        r = right->site.id;
    }
    return (l > r) - (l < r);
}

static int compare_keys(const void *a, const void *b)
{
    const struct keyed_tenant *left = a, *right = b;
    return (left->hash > right->hash) - (left->hash < right->hash);
}

static int snapshot_index(struct directory_snapshot *snapshot)
{
    if (snapshot->tenant_count == 0)
        return 0;
    qsort(snapshot->tenants, snapshot->tenant_count, sizeof(*snapshot->tenants), compare_tenants);
    if (snapshot->site_count > 0)
        qsort(snapshot->sites, snapshot->site_count, sizeof(*snapshot->sites), compare_sites);
    snapshot->by_key = calloc(snapshot->tenant_count, sizeof(*snapshot->by_key));
    if (snapshot->by_key == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < snapshot->tenant_count; i++)
        snapshot->by_key[i] = (struct keyed_tenant){
            text_hash(text_of(snapshot->tenants[i].tenant.key)), &snapshot->tenants[i]};
    qsort(snapshot->by_key, snapshot->tenant_count, sizeof(*snapshot->by_key), compare_keys);
    for (size_t i = 0; i < snapshot->site_count; i++) {
        struct directory_site *each = &snapshot->sites[i];
        const struct directory_tenant *tenant = directory_find_id(snapshot, each->site.tenant_id);
        if (tenant == NULL)
            return ERR_STORE_CORRUPT;
        if (each->zone == NULL)
            each->zone = tenant->zone;
    }
    return 0;
}

static struct directory_snapshot *snapshot_create(void)
{
    struct directory_snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (snapshot != NULL)
        atomic_init(&snapshot->holders, 1);
    return snapshot;
}

static int load_app(struct directory_snapshot *snapshot, struct store *store)
{
    int err = store_read_app(store, APP_OSERIES, &snapshot->app);
    snapshot->has_app_token = err == 0 && snapshot->app.signature_token[0] != '\0';
    return err == ERR_NOT_FOUND ? 0 : err;
}

static int snapshot_load(struct directory_snapshot *snapshot, struct store *store)
{
    struct store_versions versions;
    int err = store_read_versions(store, &versions);
    snapshot->version = versions.config;
    if (err == 0)
        err = load_app(snapshot, store);
    /* Sites first: what another process adds meanwhile, tenant and site, comes whole or not. */
    if (err == 0)
        err = store_each_site(store, load_site, snapshot);
    if (err == 0)
        err = store_each_tenant(store, load_tenant, snapshot);
    seal_wipe(&snapshot->app, sizeof(snapshot->app));
    if (err == 0)
        err = snapshot->error;
    return err != 0 ? err : snapshot_index(snapshot);
}

int directory_create(struct directory **directory)
{
    struct directory *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    made->current = snapshot_create();
    if (made->current == NULL) {
        free(made);
        return ERR_NO_MEMORY;
    }
    CHECK(pthread_mutex_init(&made->mutex, NULL) == 0);
    *directory = made;
    return 0;
}

void directory_destroy(struct directory *directory)
{
    if (directory == NULL)
        return;
    directory_release(directory->current);
    pthread_mutex_destroy(&directory->mutex);
    free(directory);
}

int directory_load(struct directory *directory, struct store *store)
{
    struct directory_snapshot *loaded = snapshot_create();
    if (loaded == NULL)
        return ERR_NO_MEMORY;
    int err = snapshot_load(loaded, store);
    if (err != 0) {
        snapshot_free(loaded);
        return err;
    }
    pthread_mutex_lock(&directory->mutex);
    struct directory_snapshot *old = directory->current;
    if (loaded->version < old->version) /* somebody was faster */
        old = loaded;
    else
        directory->current = loaded;
    pthread_mutex_unlock(&directory->mutex);
    directory_release(old);
    return 0;
}

const struct directory_snapshot *directory_acquire(struct directory *directory)
{
    pthread_mutex_lock(&directory->mutex);
    struct directory_snapshot *snapshot = directory->current;
    atomic_fetch_add(&snapshot->holders, 1);
    pthread_mutex_unlock(&directory->mutex);
    return snapshot;
}

void directory_release(const struct directory_snapshot *snapshot)
{
    struct directory_snapshot *held = (struct directory_snapshot *)snapshot;
    if (atomic_fetch_sub(&held->holders, 1) == 1)
        snapshot_free(held);
}

const struct directory_tenant *directory_find_key(const struct directory_snapshot *snapshot,
                                                  struct text key)
{
    uint64_t hash = text_hash(key);
    size_t low = 0, high = snapshot->tenant_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (snapshot->by_key[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < snapshot->tenant_count && snapshot->by_key[low].hash == hash; low++) {
        const struct directory_tenant *each = snapshot->by_key[low].tenant;
        if (text_equal_constant_time(text_of(each->tenant.key), key))
            return each;
    }
    return NULL;
}

const struct directory_tenant *directory_find_id(const struct directory_snapshot *snapshot,
                                                 int64_t tenant_id)
{
    struct directory_tenant wanted = {.tenant.id = tenant_id};
    if (snapshot->tenant_count == 0)
        return NULL;
    return bsearch(&wanted, snapshot->tenants, snapshot->tenant_count, sizeof(wanted),
                   compare_tenants);
}

const struct tenant *directory_find_elsewhere(const struct directory_snapshot *snapshot,
                                              struct text key)
{
    for (size_t i = 0; i < snapshot->elsewhere_count; i++) {
        if (text_equal_constant_time(text_of(snapshot->elsewhere[i].key), key))
            return &snapshot->elsewhere[i];
    }
    return NULL;
}

size_t directory_elsewhere_count(const struct directory_snapshot *snapshot)
{
    return snapshot->elsewhere_count;
}

const struct tenant *directory_elsewhere_at(const struct directory_snapshot *snapshot, size_t index)
{
    return index < snapshot->elsewhere_count ? &snapshot->elsewhere[index] : NULL;
}

enum tenant_place directory_place_of_id(const struct directory_snapshot *snapshot,
                                        int64_t tenant_id)
{
    for (size_t i = 0; i < snapshot->elsewhere_count; i++) {
        if (snapshot->elsewhere[i].id == tenant_id)
            return snapshot->elsewhere[i].place;
    }
    return TENANT_HERE;
}

/* First site of the tenant, or where it would be. */
static size_t first_site(const struct directory_snapshot *snapshot, int64_t tenant_id)
{
    size_t low = 0, high = snapshot->site_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (snapshot->sites[middle].site.tenant_id < tenant_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct directory_site *directory_site_at(const struct directory_snapshot *snapshot,
                                               int64_t tenant_id, size_t index)
{
    size_t at = first_site(snapshot, tenant_id) + index;
    if (at >= snapshot->site_count || snapshot->sites[at].site.tenant_id != tenant_id)
        return NULL;
    return &snapshot->sites[at];
}

const struct directory_site *directory_find_site(const struct directory_snapshot *snapshot,
                                                 int64_t tenant_id, int64_t oseries_site)
{
    const struct directory_site *each;
    for (size_t i = 0; (each = directory_site_at(snapshot, tenant_id, i)) != NULL; i++) {
        if (each->site.oseries_site == oseries_site)
            return each;
    }
    return NULL;
}

bool directory_has_app_token(const struct directory_snapshot *snapshot)
{
    return snapshot->has_app_token;
}

size_t directory_tenant_count(const struct directory_snapshot *snapshot)
{
    return snapshot->tenant_count;
}

const struct directory_tenant *directory_tenant_at(const struct directory_snapshot *snapshot,
                                                   size_t index)
{
    return index < snapshot->tenant_count ? &snapshot->tenants[index] : NULL;
}
