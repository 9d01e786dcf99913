/*
 * The baselines on PostgreSQL: checkouts over the same HTTP as the service's (libh2o, signature,
 * JSON), each booked by one of so many threads with a connection of its own, in a transaction of
 * its own (baseline_charge.h). A request waits for a free thread.
 * usage: bench_baseline PORT THREADS eight|call CONNECTIONS LOCATION TOKEN
 */
#include "bare_server.h"
#include "baseline_charge.h"

#include "base/check.h"
#include "base/json.h"
#include "base/money.h"
#include "base/seal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define EXPONENT 2
#define REPLY_MAX 512

/* A request on its way through a thread of the database. The request may be gone when the answer
 * comes: a client that hung up. */
struct job {
    h2o_multithread_message_t message; /* first */
    struct job *next;
    h2o_multithread_receiver_t *receiver; /* of the request's loop */
    h2o_req_t *req;                       /* the loop's alone; NULL: gone */
    struct charge charge;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t has_job;
    struct job *first, **end;
} waiting = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, &waiting.first};

static struct seal_hmac *signer;
static const char *location;
static bool is_one_call;
static _Thread_local h2o_multithread_receiver_t receiver;

/* --- threads of the database --- */

static void job_put(struct job *job)
{
    pthread_mutex_lock(&waiting.lock);
    *waiting.end = job;
    waiting.end = &job->next;
    pthread_mutex_unlock(&waiting.lock);
    pthread_cond_signal(&waiting.has_job);
}

static struct job *job_take(void)
{
    pthread_mutex_lock(&waiting.lock);
    while (waiting.first == NULL)
        pthread_cond_wait(&waiting.has_job, &waiting.lock);
    struct job *job = waiting.first;
    waiting.first = job->next;
    if (waiting.first == NULL)
        waiting.end = &waiting.first;
    pthread_mutex_unlock(&waiting.lock);
    return job;
}

static void *worker_run(void *connection)
{
    for (;;) {
        struct job *job = job_take();
        charge_run(connection, &job->charge);
        h2o_multithread_send_message(job->receiver, &job->message);
    }
    return NULL;
}

static void start_workers(long count)
{
    for (long i = 0; i < count; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, worker_run, charge_connect(location, is_one_call)) ==
              0);
        pthread_detach(thread);
    }
}

/* --- requests --- */

static bool is_signed(h2o_req_t *req)
{
    uint8_t expected[SEAL_MAC_BYTES], given[SEAL_MAC_BYTES];
    ssize_t at = h2o_find_header_by_str(&req->headers, H2O_STRLIT("x-kounta-signature"), -1);
    if (at < 0)
        return false;
    const h2o_iovec_t value = req->headers.entries[at].value;
    seal_hmac_sign(signer, (struct text){req->entity.base, req->entity.len}, expected);
    return text_hex_decode(given, sizeof(given), (struct text){value.base, value.len}) &&
           seal_equal(expected, given, sizeof(given));
}

static int read_members(const struct jread *body, struct charge *charge)
{
    struct text amount, number;
    int err = jread_int64(jread_member(body, "order_id"), &charge->order_id);
    if (err == 0)
        err = jread_int64(jread_member(body, "site_id"), &charge->site_id);
    if (err == 0)
        err = jread_int64(jread_member(body, "register_id"), &charge->register_id);
    if (err == 0)
        err = jread_scalar(jread_member(body, "keyword"), &number);
    if (err == 0)
        err = jread_scalar(jread_member(body, "amount"), &amount);
    if (err == 0)
        err = money_parse(amount, EXPONENT, &charge->asked_minor);
    if (err != 0 || !text_copy_utf8(charge->number, sizeof(charge->number), number))
        return -1;
    return 0;
}

static int read_charge(h2o_req_t *req, struct charge *charge)
{
    struct jread *body;
    int err = jread_parse((struct text){req->entity.base, req->entity.len}, &body);
    if (err != 0)
        return err;
    err = read_members(body, charge);
    jread_destroy(body);
    return err;
}

static void reply_text(h2o_req_t *req, struct text_buffer *buffer)
{
    CHECK(!buffer->is_cut);
    bare_server_reply(req, h2o_strdup(&req->pool, buffer->base, buffer->length));
}

static void reply(h2o_req_t *req, const struct charge *charge)
{
    char text[REPLY_MAX];
    struct text_buffer buffer;
    text_buffer_init(&buffer, text, sizeof(text));
    text_append(&buffer, TEXT("{\"success\":true,\"amount\":"));
    money_append(&buffer, charge->asked_minor, EXPONENT);
    text_append(&buffer, TEXT(",\"balance\":"));
    money_append(&buffer, charge->balance_minor_after, EXPONENT);
    text_append_format(&buffer, ",\"reference_id\":\"B%lld\",\"ref\":\"B%lld\"",
                       (long long)charge->operation_id, (long long)charge->operation_id);
    text_append(&buffer, TEXT(",\"message\":\"Gift card charged $"));
    money_append(&buffer, charge->asked_minor, EXPONENT);
    text_append(&buffer, TEXT(", $"));
    money_append(&buffer, charge->balance_minor_after, EXPONENT);
    text_append(&buffer, TEXT(" left\"}"));
    reply_text(req, &buffer);
}

static void answer(h2o_req_t *req, const struct charge *charge)
{
    if (charge->result == CHARGE_BOOKED)
        reply(req, charge);
    else if (charge->result == CHARGE_FAILED)
        h2o_send_error_503(req, "Service Unavailable", "", 0);
    else
        bare_server_reply(req, h2o_iovec_init(H2O_STRLIT("{\"success\":false,\"amount\":0}")));
}

static void on_done(h2o_multithread_receiver_t *of_loop, h2o_linklist_t *messages)
{
    (void)of_loop;
    while (!h2o_linklist_is_empty(messages)) {
        struct job *job = H2O_STRUCT_FROM_MEMBER(struct job, message.link, messages->next);
        h2o_linklist_unlink(&job->message.link);
        h2o_req_t *req = job->req;
        const struct charge charge = job->charge;
        job->receiver = NULL;
        if (req == NULL)
            free(job);
        else
            answer(req, &charge);
    }
}

/* With the request's memory. Whoever comes last frees the job. */
static void on_request_gone(void *leash)
{
    struct job *job = *(struct job **)leash;
    job->req = NULL;
    if (job->receiver == NULL)
        free(job);
}

static int on_request(h2o_handler_t *self, h2o_req_t *req)
{
    (void)self;
    if (req->entity.len == 0) { /* is it ready? */
        bare_server_reply(req, h2o_iovec_init(H2O_STRLIT("{}")));
        return 0;
    }
    struct charge charge = {0};
    if (!is_signed(req) || read_charge(req, &charge) != 0) {
        h2o_send_error_400(req, "Bad Request", "", 0);
        return 0;
    }
    struct job *job = malloc(sizeof(*job));
    CHECK(job != NULL);
    *job = (struct job){.receiver = &receiver, .req = req, .charge = charge};
    struct job **leash = h2o_mem_alloc_shared(&req->pool, sizeof(struct job *), on_request_gone);
    *leash = job;
    job_put(job);
    return 0;
}

static void on_loop(h2o_context_t *context)
{
    h2o_multithread_register_receiver(context->queue, &receiver, on_done);
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fputs("usage: bench_baseline PORT THREADS eight|call CONNECTIONS LOCATION TOKEN\n", stderr);
        return 2;
    }
    is_one_call = strcmp(argv[3], "call") == 0;
    location = argv[5];
    signer = seal_hmac_create(text_of(argv[6]));
    CHECK(signer != NULL);
    start_workers(strtol(argv[4], NULL, 10));
    const struct bare_server server = {
        .port = (uint16_t)strtol(argv[1], NULL, 10),
        .loop_count = strtol(argv[2], NULL, 10),
        .on_request = on_request,
        .on_loop = on_loop,
    };
    bare_server_run(&server);
    return 0;
}
