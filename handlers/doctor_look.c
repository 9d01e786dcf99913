/* Looks at what the store and its disk say of one tenant, on a reader's thread. */
#include "handlers/doctor.h"

#include "store/grant.h"
#include "store/member.h"
#include "store/proof.h"
#include "store/work.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/banned.h"

/* There is no index of operations by tenant and action, because every charge would pay for it: the
 * newest are looked at, which takes some 10 ms. */
#define OPERATIONS_LOOKED 20000
#define WORK_MAX 100

static void look_at_file(struct doctor_file *file, const char *path)
{
    struct stat status;
    (void)snprintf(file->path, sizeof(file->path), "%s", path);
    if (stat(path, &status) != 0) {
        file->error = errno;
        return;
    }
    file->mode = (unsigned)status.st_mode;
    file->is_ours = status.st_uid == geteuid();
}

static void look_at_disk(struct doctor_rows *rows, const char *path)
{
    struct statvfs disk;
    if (statvfs(path, &disk) != 0)
        return;
    rows->disk_bytes = (int64_t)(disk.f_blocks * disk.f_frsize);
    rows->disk_free_bytes = (int64_t)(disk.f_bavail * disk.f_frsize);
}

static int look_at_app(struct doctor_rows *rows, struct store *store)
{
    struct app app;
    int err = store_read_app(store, APP_OSERIES, &app);
    rows->has_client = err == 0 && app.client_id[0] != '\0' && app.client_secret[0] != '\0';
    rows->app_has_token = err == 0 && app.signature_token[0] != '\0';
    seal_wipe(&app, sizeof(app));
    return err == ERR_NOT_FOUND ? 0 : err;
}

/* --- operations */

/* What a register has called for it to be there; DOCTOR_CALLS: nothing. */
static enum doctor_call call_of(enum action action)
{
    switch (action) {
    case ACTION_CHARGE:
        return DOCTOR_CALL_CHECKOUT;
    case ACTION_TOP_UP:
    case ACTION_HOLD_LOAD:
        return DOCTOR_CALL_TOP_UP;
    case ACTION_REFUND:
        return DOCTOR_CALL_REFUND;
    case ACTION_ISSUE:
    case ACTION_VOID:
    case ACTION_RELEASE:
    case ACTION_REVERSE:
    case ACTION_RECHARGE:
        break;
    }
    return DOCTOR_CALLS;
}

static void on_operation(void *context, const struct operation *operation)
{
    struct doctor_rows *rows = context;
    enum doctor_call call = call_of(operation->action);
    if (call == DOCTOR_CALLS)
        return;
    if (rows->oldest_operation_us == 0)
        rows->oldest_operation_us = operation->created_at_us;
    rows->seen[call] =
        (struct doctor_seen){operation->created_at_us, operation->site_id, operation->register_id};
}

static int look_at_operations(struct doctor_rows *rows, struct store *store, int64_t tenant_id,
                              int64_t last_id)
{
    struct operation newest;
    int64_t after_id = last_id > OPERATIONS_LOOKED ? last_id - OPERATIONS_LOOKED : 0;
    rows->operations_are_cut = after_id > 0;
    int err = store_each_operation_after(store, tenant_id, after_id, last_id, OPERATIONS_LOOKED,
                                         on_operation, rows);
    if (err != 0 || last_id == 0)
        return err;
    err = store_read_operation(store, last_id, &newest);
    if (err == 0)
        rows->newest_us = newest.created_at_us;
    return err == ERR_NOT_FOUND ? 0 : err; /* ids have gaps */
}

/* --- what is open */

static void on_item(void *context, const struct open_item *item)
{
    struct doctor_rows *rows = context;
    bool is_operation = item->facts != NULL;
    bool is_open = is_operation && item->facts->proof.state == PROOF_OPEN;
    rows->open += is_open;
    rows->listed += !is_open;
    rows->suspects += is_operation && item->facts->proof.is_suspect;
    if (rows->oldest_open_us != 0)
        return;
    rows->oldest_open_id = is_operation ? item->facts->proof.operation_id : 0;
    rows->oldest_open_us =
        is_operation ? item->facts->proof.created_at_us : item->payment->seen_at_us;
}

static void on_work(void *context, const struct work *work)
{
    struct doctor_rows *rows = context;
    rows->given_up += work->state == WORK_GIVEN_UP;
}

static void on_reward(void *context, const struct reward *reward)
{
    struct doctor_rows *rows = context;
    rows->rewards += reward->is_active;
    rows->paying_rewards += reward->is_active && reward->effect == REWARD_PAY;
}

static int look_at_rest(struct doctor_rows *rows, struct store *store, int64_t tenant_id)
{
    const struct open_item_place first = {.is_payment = false};
    int err = store_each_open_item(store, tenant_id, 0, 0, &first, DOCTOR_ITEMS_MAX, on_item, rows);
    if (err == 0)
        err = store_each_work(store, tenant_id, WORK_MAX, on_work, rows);
    if (err == 0)
        err = store_each_reward(store, tenant_id, on_reward, rows);
    return err;
}

int doctor_task_look(struct job *job, struct store *store)
{
    struct doctor_look *look = (struct doctor_look *)(job + 1);
    look_at_file(&look->rows.data, look->about->data_path);
    look_at_file(&look->rows.key, look->about->master_key_path);
    look_at_disk(&look->rows, look->about->data_path);
    int64_t last_id;
    int err = store_read_last_operation(store, &last_id);
    if (err == 0)
        err = store_begin_read(store);
    if (err != 0)
        return err;
    err = look_at_app(&look->rows, store);
    if (err == 0)
        err = look_at_operations(&look->rows, store, look->tenant_id, last_id);
    if (err == 0)
        err = look_at_rest(&look->rows, store, look->tenant_id);
    store_end_read(store);
    return err;
}
