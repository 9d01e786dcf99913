/* Webhooks in: which order has changed, stored as work before anybody is told that it was. */
#include "handlers/webhook.h"

#include "base/json.h"
#include "base/log.h"
#include "handlers/route.h"
#include "lightspeed/inbox.h"

#include <string.h>

#include "base/banned.h"

#define IDENTITY_KEY TEXT("webhook identity")
/* A name of a route, a digest in hex, a separator. */
#define IDENTITY_TEXT_MAX 128

/* Stands behind its job. */
struct webhook_task {
    struct work work;
    bool is_known; /* was stored before */
};

/* --- reading --- */

/* Ids outgrow binary fractions, so they come twice: as a number, and as text (o-series 7.1). */
static int read_order_id(const struct jread *body, int64_t *order_id)
{
    if (jread_kind_of(body) != JREAD_OBJECT)
        return ERR_JSON_TYPE;
    int err = jread_int64(jread_member(body, "id"), order_id);
    if (err != 0)
        err = jread_int64(jread_member(body, "id_str"), order_id);
    return err == 0 && *order_id <= 0 ? ERR_NOT_A_NUMBER : err;
}

/* The same body sent again to the same address has the same identity; any other has another. */
static void make_identity(const struct exchange *exchange, uint8_t identity[WORK_IDENTITY_BYTES])
{
    uint8_t key[SEAL_KEY_BYTES], digest[SEAL_MAC_BYTES];
    char bytes[IDENTITY_TEXT_MAX], hex[2 * SEAL_MAC_BYTES + 1];
    struct text_buffer text;
    seal_derive_key(exchange->handlers->seal, IDENTITY_KEY, key);
    struct seal_hmac *hmac = seal_hmac_create((struct text){(const char *)key, sizeof(key)});
    seal_wipe(key, sizeof(key));
    seal_hmac_sign(hmac, exchange->body, digest);
    text_hex_encode(hex, digest, sizeof(digest));
    text_buffer_init(&text, bytes, sizeof(bytes));
    text_append_format(&text, "%s %s", exchange->route->name, hex);
    CHECK(!text.is_cut);
    seal_hmac_sign(hmac, text_buffer_text(&text), identity);
    seal_hmac_destroy(hmac);
}

/* --- storing --- */

static int add_task(struct job *job, struct store *store)
{
    struct webhook_task *task = (struct webhook_task *)(job + 1);
    int err = store_add_work(store, &task->work);
    task->is_known = err == ERR_ALREADY_EXISTS;
    return task->is_known ? 0 : err;
}

static void on_added(struct exchange *exchange, const struct job *job)
{
    const struct webhook_task *task = (const struct webhook_task *)(job + 1);
    if (job->error != 0) {
        log_event(LOG_WARNING, "webhook_not_stored", LOG_INT("request_id", exchange->request_id),
                  LOG_INT("tenant_id", exchange->tenant->tenant.id),
                  LOG_TEXT("error", error_name(job->error)));
        exchange_add_header(exchange, "retry-after", TEXT("1"));
        exchange_refuse(exchange, 503, error_name(job->error), "Not stored, please send it again");
        return;
    }
    log_event(LOG_INFO, "webhook", LOG_INT("request_id", exchange->request_id),
              LOG_INT("tenant_id", exchange->tenant->tenant.id),
              LOG_TEXT("route", exchange->route->name), LOG_INT("order_id", task->work.subject_id),
              LOG_BOOL("is_known", task->is_known));
    if (!task->is_known)
        inbox_wake(exchange->handlers->inbox);
    exchange_reply_json(exchange, 200, TEXT("{}"));
}

static void submit_notice(struct exchange *exchange, int64_t order_id)
{
    struct job *job = exchange_job(exchange, sizeof(struct webhook_task));
    struct webhook_task *task = (struct webhook_task *)(job + 1);
    task->work = work_make(exchange->tenant->tenant.id, WORK_ORDER_CHANGED, order_id, 0,
                           exchange->received_steady_us);
    make_identity(exchange, task->work.identity);
    job->task = add_task;
    job->joins = true;
    exchange_submit_write(exchange, job, on_added);
}

static void refuse_body(struct exchange *exchange, int err)
{
    log_event(LOG_WARNING, "webhook_refused", LOG_INT("request_id", exchange->request_id),
              LOG_INT("tenant_id", exchange->tenant->tenant.id),
              LOG_TEXT("route", exchange->route->name), LOG_TEXT("error", error_name(err)));
    if (err == ERR_NO_MEMORY)
        exchange_refuse(exchange, 503, error_name(err), "Busy, please send it again");
    else
        exchange_refuse(exchange, 400, error_name(err), "The body is not an order");
}

static void webhook_order(struct exchange *exchange)
{
    int64_t order_id;
    struct jread *body;
    int err = jread_parse(exchange->body, &body);
    if (err != 0) {
        refuse_body(exchange, err);
        return;
    }
    err = read_order_id(body, &order_id);
    if (err != 0)
        refuse_body(exchange, err);
    else
        submit_notice(exchange, order_id);
    jread_destroy(body);
}

/* --- topics --- */

void webhook_order_completed(struct exchange *exchange)
{
    webhook_order(exchange);
}

void webhook_order_deleted(struct exchange *exchange)
{
    webhook_order(exchange);
}

void webhook_other(struct exchange *exchange)
{
    log_event(LOG_INFO, "webhook_ignored", LOG_INT("request_id", exchange->request_id),
              LOG_INT("tenant_id", exchange->tenant->tenant.id));
    exchange_reply_json(exchange, 200, TEXT("{}"));
}
