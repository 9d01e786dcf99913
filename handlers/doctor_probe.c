/* Asks the world outside, on the outbound thread: ourselves by our public URL, and Lightspeed. */
#include "handlers/doctor.h"
#include "handlers/presence.h"

#include "base/url.h"
#include "runtime/queue.h"

#include <string.h>

#include "base/banned.h"

#define URL_MAX (1024 + 128)
#define HEADER_MAX (64 + PRESENCE_PROOF_CHARS)
/* More than any request of a register; a webhook may have four times as much. */
#define PARCEL_BYTES (60 * 1024)

static struct doctor_probe *probe_of(struct job *job)
{
    return (struct doctor_probe *)(job + 1);
}

static void probe_end(struct doctor_probe *probe)
{
    if (--probe->under_way == 0)
        job_end(probe->job, 0);
}

/* --- a visit */

static void copy_text(char out[DOCTOR_TEXT_MAX + 1], struct text text)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, out, DOCTOR_TEXT_MAX + 1);
    text_append_printable(&buffer, text_slice(text, 0, DOCTOR_TEXT_MAX), TEXT(" "));
}

static const char *reason_of(int error)
{
    switch (error) {
    case ERR_TIMED_OUT:
        return "nothing came in time";
    case ERR_SHUTTING_DOWN:
        return "the service is stopping";
    default:
        return error_name(error);
    }
}

/* Is this an object, and does it carry that proof? */
static void read_body(struct doctor_visit *visit, struct text body, const char *proof)
{
    struct jread *document;
    struct text text;
    if (jread_parse(body, &document) != 0)
        return;
    visit->is_object = jread_kind_of(document) == JREAD_OBJECT;
    visit->is_ours = proof[0] != '\0' && jread_text(jread_member(document, "proof"), &text) == 0 &&
                     text_equal(text, text_of(proof));
    jread_destroy(document);
}

static void read_reply(struct doctor_visit *visit, const struct outbound_reply *reply,
                       const char *proof)
{
    *visit = (struct doctor_visit){
        .was_made = true,
        .error = reply->error,
        .status = reply->status,
        .certificate_ends_us = reply->certificate_ends_us,
        .date_us = reply->told_at_us,
        .wall_us = clock_wall_us(),
        .steady_us = clock_steady_us(),
    };
    copy_text(visit->content_type, reply->content_type);
    copy_text(visit->location, reply->location);
    if (reply->error == 0)
        read_body(visit, reply->body, proof);
    else
        copy_text(visit->reason, reply->error == ERR_TIMED_OUT || reply->reason.length == 0
                                     ? text_of(reason_of(reply->error))
                                     : reply->reason);
}

static void send_visit(struct doctor_probe *probe, const char *method, const char *url,
                       const char *header, struct text body, outbound_done_fn on_done)
{
    const struct outbound_request request = {
        .method = method,
        .url = url,
        .headers = {"Accept: application/json", header,
                    body.length > 0 ? "Content-Type: application/json" : NULL},
        .body = body,
        .deadline_us = clock_monotonic_us() + DOCTOR_VISIT_US,
        .wants_certificate = true,
    };
    probe->under_way++;
    outbound_send(probe->outbound, &request, on_done, probe);
}

static void append_presence(const struct doctor_probe *probe, struct text_buffer *url)
{
    text_append_format(url, "%s" PRESENCE_PATH "?nonce=%s", probe->public_url, probe->nonce);
    CHECK(!url->is_cut);
}

/* --- what proxies do */

static void on_unknown(void *context, const struct outbound_reply *reply)
{
    struct doctor_probe *probe = context;
    read_reply(&probe->probes.unknown, reply, "");
    probe_end(probe);
}

static void send_unknown(struct doctor_probe *probe)
{
    char bytes[URL_MAX];
    struct text_buffer url;
    text_buffer_init(&url, bytes, sizeof(bytes));
    text_append_format(&url, "%s" PRESENCE_PATH "/%s", probe->public_url, probe->nonce);
    send_visit(probe, "GET", bytes, NULL, TEXT(""), on_unknown);
}

static void on_parcel(void *context, const struct outbound_reply *reply)
{
    struct doctor_probe *probe = context;
    read_reply(&probe->probes.parcel, reply, probe->parcel_proof);
    probe_end(probe);
}

/* JSON as nobody writes it anew: odd spaces, an escaped letter, a trailing zero. */
static void fill_parcel(char bytes[PARCEL_BYTES])
{
    static const char piece[] = "{ \"amount\" :25.50,\t\"name\":\"Caf\\u00e9\" } ,\n ";
    struct text_buffer parcel;
    text_buffer_init(&parcel, bytes, PARCEL_BYTES);
    text_append(&parcel, TEXT("[ "));
    while (parcel.length + sizeof(piece) + 4 < PARCEL_BYTES)
        text_append(&parcel, (struct text){piece, sizeof(piece) - 1});
    text_append(&parcel, TEXT("0 ]"));
}

static void send_parcel(struct doctor_probe *probe)
{
    static char body[PARCEL_BYTES]; /* the outbound thread's alone, and always the same */
    char bytes[URL_MAX], header[HEADER_MAX], signature[2 * SEAL_MAC_BYTES + 1];
    uint8_t digest[SEAL_MAC_BYTES];
    struct text_buffer url, line;
    fill_parcel(body);
    /* No token of anybody's: what matters is that it arrives. */
    probe->random.fill(probe->random.context, digest, sizeof(digest));
    text_hex_encode(signature, digest, sizeof(digest));
    text_buffer_init(&line, header, sizeof(header));
    text_append_format(&line, "X-Kounta-Signature: %s", signature);
    presence_make_proof(probe->presence, text_of(probe->nonce), text_of(signature), text_of(body),
                        probe->parcel_proof);
    text_buffer_init(&url, bytes, sizeof(bytes));
    append_presence(probe, &url);
    send_visit(probe, "POST", bytes, header, text_of(body), on_parcel);
}

/* --- are we there? */

static void on_hello(void *context, const struct outbound_reply *reply)
{
    struct doctor_probe *probe = context;
    read_reply(&probe->probes.hello, reply, probe->proof);
    if (probe->probes.hello.is_ours) { /* what follows is for nobody else */
        send_unknown(probe);
        send_parcel(probe);
    }
    probe_end(probe);
}

static void send_hello(struct doctor_probe *probe)
{
    char bytes[URL_MAX];
    struct text_buffer url;
    presence_make_proof(probe->presence, text_of(probe->nonce), TEXT(""), TEXT(""), probe->proof);
    text_buffer_init(&url, bytes, sizeof(bytes));
    append_presence(probe, &url);
    send_visit(probe, "GET", bytes, NULL, TEXT(""), on_hello);
}

/* --- Lightspeed */

static void on_api(void *context, const struct outbound_reply *reply)
{
    struct doctor_probe *probe = context;
    read_reply(&probe->probes.api, reply, "");
    probe_end(probe);
}

static void on_company(void *context, const struct api_result *result,
                       const struct oseries_company *company)
{
    struct doctor_probe *probe = context;
    probe->probes.company_result = *result;
    if (company != NULL)
        probe->probes.company = *company;
    probe_end(probe);
}

static void on_sites(void *context, const struct api_result *result, const struct api_names *names)
{
    struct doctor_probe *probe = context;
    probe->probes.sites_result = *result;
    if (names != NULL)
        probe->probes.sites = *names;
    probe_end(probe);
}

static void on_methods(void *context, const struct api_result *result,
                       const struct api_names *names)
{
    struct doctor_probe *probe = context;
    probe->probes.methods_result = *result;
    if (names != NULL)
        probe->probes.methods = *names;
    probe_end(probe);
}

static void ask_api(struct doctor_probe *probe)
{
    const struct api_call call = {.tenant_id = probe->tenant_id,
                                  .priority = API_BACKGROUND,
                                  .deadline_us = clock_monotonic_us() + 2 * DOCTOR_VISIT_US};
    probe->probes.api_was_asked = true;
    probe->under_way += 3;
    oseries_api_get_company(probe->api, &call, on_company, probe);
    oseries_api_list_names(probe->api, &call, API_SITES, on_sites, probe);
    oseries_api_list_names(probe->api, &call, API_PAYMENT_METHODS, on_methods, probe);
}

void doctor_begin_probe(struct job *job)
{
    struct doctor_probe *probe = probe_of(job);
    probe->job = job;
    probe->under_way = 1;
    id_key_generate(probe->random, probe->nonce);
    send_visit(probe, "GET", probe->api_url, NULL, TEXT(""), on_api);
    if (probe->public_url[0] != '\0')
        send_hello(probe);
    if (probe->is_connected)
        ask_api(probe);
    probe_end(probe);
}
