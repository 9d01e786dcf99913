/*
 * The directory: all tenants and sites in memory, so that a request finds its tenant without the
 * store. An immutable snapshot is swapped whole when the configuration changes; a request holds the
 * snapshot it started with.
 */
#ifndef COUNTERPART_RUNTIME_DIRECTORY_H
#define COUNTERPART_RUNTIME_DIRECTORY_H

#include "base/clock.h"
#include "store/store.h"

/* A tenant ready for use: zones opened, signature keys prepared. Immutable. */
struct directory_tenant {
    struct tenant tenant;
    struct clock_zone *zone;
    struct seal_hmac *signature;          /* its own token or the application's; NULL: none set */
    struct seal_hmac *signature_previous; /* NULL: none */
};
struct directory_site {
    struct site site;
    struct clock_zone *zone; /* the site's or, if it has none, the tenant's (then shared) */
};

struct directory_snapshot;
struct directory;

MUST_CHECK int directory_create(struct directory **directory); /* empty */
void directory_destroy(struct directory *directory);
/* Reads the application's signature tokens, all tenants and sites and swaps them in. On error the
 * old snapshot stays; it stays, too, when another thread has meanwhile loaded what is newer. */
MUST_CHECK int directory_load(struct directory *directory, struct store *store);

/* A reference to the current snapshot; release it when the request is done. Cheap: one lock, one
 * counter. */
const struct directory_snapshot *directory_acquire(struct directory *directory);
void directory_release(const struct directory_snapshot *snapshot);

const struct directory_tenant *directory_find_key(const struct directory_snapshot *snapshot,
                                                  struct text key);
const struct directory_tenant *directory_find_id(const struct directory_snapshot *snapshot,
                                                 int64_t tenant_id);
/* A tenant that the two do not find, because it is served elsewhere. NULL: served here, or not
 * known at all. */
const struct tenant *directory_find_elsewhere(const struct directory_snapshot *snapshot,
                                              struct text key);
/* All of those, in id order. */
size_t directory_elsewhere_count(const struct directory_snapshot *snapshot);
const struct tenant *directory_elsewhere_at(const struct directory_snapshot *snapshot,
                                            size_t index);
/* TENANT_HERE also for one that nobody knows. */
enum tenant_place directory_place_of_id(const struct directory_snapshot *snapshot,
                                        int64_t tenant_id);
/* NULL: not mapped. */
const struct directory_site *directory_find_site(const struct directory_snapshot *snapshot,
                                                 int64_t tenant_id, int64_t oseries_site);
/* The application has a signature token, which serves tenants that have none of their own. */
bool directory_has_app_token(const struct directory_snapshot *snapshot);
size_t directory_tenant_count(const struct directory_snapshot *snapshot);
const struct directory_tenant *directory_tenant_at(const struct directory_snapshot *snapshot,
                                                   size_t index);
/* Sites of one tenant, in id order; index from 0; NULL at the end. */
const struct directory_site *directory_site_at(const struct directory_snapshot *snapshot,
                                               int64_t tenant_id, size_t index);

#endif
