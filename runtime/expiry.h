/*
 * Points of members who have neither earned nor spent for as long as their tenant says expire: a
 * scheduled task that walks the tenants, and each one's idle members in bounded batches, so that
 * tills are served between any two of them.
 */
#ifndef COUNTERPART_RUNTIME_EXPIRY_H
#define COUNTERPART_RUNTIME_EXPIRY_H

#include "runtime/committer.h"
#include "runtime/directory.h"
#include "runtime/scheduler.h"
#include "store/member.h"

#define EXPIRY_PERIOD_US (INT64_C(86400) * 1000000)
/* One batch is one commit. 100 members are some 10 ms of the committer's time, as long as a flush,
 * and every 50 ms leaves the disk to the tills for most of the time: a million in ten minutes. */
#define EXPIRY_BATCH 100
#define EXPIRY_PAUSE_US (INT64_C(50) * 1000)

/*
 * Expire the spendable points of at most EXPIRY_BATCH members of a tenant that were last active
 * before inactive_since_us; in one transaction. On the writer.
 *
 * errors  the store's: nothing of the batch is kept, or with ERR_COMMIT_UNKNOWN perhaps all of it;
 *         the next batch finds out.
 */
MUST_CHECK int points_expire_idle(struct store *store, int64_t tenant_id, int64_t inactive_since_us,
                                  int64_t now_us, int32_t *expired);

struct expiry;
MUST_CHECK int expiry_create(struct outbound *outbound, struct committer *committer,
                             struct directory *directory, struct expiry **expiry);
void expiry_destroy(struct expiry *expiry); /* after outbound_stop; accepts NULL */
/* scheduler_fn; context: the expiry. */
void expiry_run(struct scheduled *task, void *context);

#endif
