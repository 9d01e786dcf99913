/* Tells what stands between a tenant and its registers: gathers the facts, has them judged. */
#include "handlers/admin.h"

#include "base/url.h"
#include "handlers/admin_request.h"
#include "handlers/doctor.h"
#include "handlers/route.h"
#include "oauth/life.h"
#include "oauth/oauth.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

/* Five sentences a line, of which most are short, and the addresses. */
#define REPORT_MAX (DOCTOR_LINES * 5 * 2 * DOCTOR_SENTENCE_MAX)
/* Both a reader's and the outbound thread's. */
#define JOBS 2

struct gathering {
    struct doctor_facts facts;
    struct doctor_report report;
    int jobs_away;
};

/* --- telling */

static void write_or_null(struct jwrite *writer, const char *key, const char *value)
{
    jwrite_key(writer, text_of(key));
    if (value == NULL || value[0] == '\0')
        jwrite_null(writer);
    else
        jwrite_text(writer, text_of(value));
}

static void write_line(struct jwrite *writer, const struct doctor_line *line)
{
    jwrite_object_begin(writer);
    admin_write_text(writer, "id", line->id);
    admin_write_text(writer, "group", line->group);
    admin_write_text(writer, "title", line->title);
    admin_write_text(writer, "state", doctor_state_name(line->state));
    admin_write_text(writer, "found", line->found);
    write_or_null(writer, "todo", line->todo);
    write_or_null(writer, "command", line->command);
    write_or_null(writer, "instead", line->instead);
    jwrite_key(writer, TEXT("paste"));
    if (line->tab == NULL) {
        jwrite_null(writer);
    } else {
        jwrite_object_begin(writer);
        admin_write_text(writer, "tab", line->tab);
        admin_write_text(writer, "field", line->field);
        admin_write_text(writer, "text", line->paste);
        jwrite_object_end(writer);
    }
    jwrite_object_end(writer);
}

static void write_fields(struct jwrite *writer, const struct doctor_facts *facts)
{
    struct doctor_field field;
    jwrite_key(writer, TEXT("back_office"));
    jwrite_array_begin(writer);
    for (int i = 0; doctor_field_at(facts, i, &field); i++) {
        char bytes[DOCTOR_SENTENCE_MAX];
        struct text_buffer address;
        text_buffer_init(&address, bytes, sizeof(bytes));
        doctor_append_address(facts, &field, &address);
        jwrite_object_begin(writer);
        admin_write_text(writer, "tab", field.tab);
        admin_write_text(writer, "field", field.field);
        admin_write_text(writer, "text", bytes);
        jwrite_key(writer, TEXT("is_wanted"));
        jwrite_bool(writer, field.is_wanted);
        jwrite_object_end(writer);
    }
    jwrite_array_end(writer);
}

/* Nobody pastes these: the service tells Lightspeed itself, when it is connected. */
static void write_webhooks(struct jwrite *writer, const struct doctor_facts *facts)
{
    const struct doctor_field webhooks = {.path = "webhooks"};
    char bytes[DOCTOR_SENTENCE_MAX];
    struct text_buffer address;
    text_buffer_init(&address, bytes, sizeof(bytes));
    doctor_append_address(facts, &webhooks, &address);
    jwrite_key(writer, TEXT("webhooks"));
    jwrite_object_begin(writer);
    admin_write_text(writer, "topics", facts->tenant->webhook_topics);
    admin_write_text(writer, "below", bytes);
    jwrite_object_end(writer);
}

static void write_report(struct jwrite *writer, const struct gathering *gathering)
{
    const struct tenant *tenant = gathering->facts.tenant;
    jwrite_object_begin(writer);
    admin_write_int64(writer, "tenant", tenant->id);
    admin_write_text(writer, "name", tenant->name);
    admin_write_text(writer, "timezone", tenant->zone);
    admin_write_text(writer, "currency", tenant->currency.code);
    admin_write_text(writer, "version", gathering->facts.about->version);
    admin_write_time(writer, "made_at", gathering->facts.now_us);
    jwrite_key(writer, TEXT("is_green"));
    jwrite_bool(writer, doctor_is_green(&gathering->report));
    jwrite_key(writer, TEXT("lines"));
    jwrite_array_begin(writer);
    for (int i = 0; i < DOCTOR_LINES; i++)
        write_line(writer, &gathering->report.lines[i]);
    jwrite_array_end(writer);
    write_fields(writer, &gathering->facts);
    write_webhooks(writer, &gathering->facts);
    jwrite_object_end(writer);
}

static void reply(struct exchange *exchange, struct gathering *gathering)
{
    struct text_buffer buffer;
    struct jwrite writer;
    gathering->facts.now_us = clock_steady_us();
    gathering->facts.wall_us = clock_wall_us();
    doctor_judge(&gathering->facts, &gathering->report);
    text_buffer_init(&buffer, exchange_allocate(exchange, REPORT_MAX), REPORT_MAX);
    jwrite_init(&writer, &buffer);
    write_report(&writer, gathering);
    CHECK(!buffer.is_cut);
    exchange_reply_json(exchange, 200, text_buffer_text(&buffer));
}

/* --- what is known on this thread */

static void take_status(void *context, const struct oauth_status *status)
{
    struct doctor_facts *facts = context;
    if (status->tenant_id == facts->tenant->id)
        facts->grant = *status;
}

static void gather_grant(struct doctor_facts *facts, struct oauth *oauth)
{
    oauth_each_status(oauth, take_status, facts);
    const struct grant times = {
        .kind = facts->grant.kind,
        .status = facts->grant.status,
        .refreshed_at_us = facts->grant.refreshed_at_us,
        .expires_at_us = facts->grant.expires_at_us,
        .failures = facts->grant.failures,
        .failed_at_us = facts->grant.failed_at_us,
        .version = 1,
    };
    if (facts->grant.tenant_id != 0)
        facts->next_refresh_us = life_next_attempt_us(&times, facts->tenant->token_refresh_us);
}

static void gather_sites(struct doctor_facts *facts, const struct directory_snapshot *snapshot)
{
    const struct directory_site *site;
    for (size_t i = 0;
         i < DOCTOR_SITES_MAX && (site = directory_site_at(snapshot, facts->tenant->id, i)) != NULL;
         i++)
        facts->sites[facts->site_count++] = site->site.oseries_site;
}

/* By the names of their routes; a POST of what is a GET counts too. */
static void gather_calls(struct doctor_facts *facts)
{
    static const struct {
        const char *route;
        enum doctor_call call;
    } routes[] = {
        {"oseries.checkout", DOCTOR_CALL_CHECKOUT},
        {"oseries.check_balance", DOCTOR_CALL_CHECK_BALANCE},
        {"oseries.top_up", DOCTOR_CALL_TOP_UP},
        {"oseries.refund", DOCTOR_CALL_REFUND},
        {"oseries.customer_search", DOCTOR_CALL_CUSTOMER_SEARCH},
        {"oseries.customer_search.post", DOCTOR_CALL_CUSTOMER_SEARCH},
        {"oseries.reward_lookup", DOCTOR_CALL_REWARD_LOOKUP},
        {"oseries.reward_lookup.post", DOCTOR_CALL_REWARD_LOOKUP},
        {"oseries.redeem", DOCTOR_CALL_REDEEM},
        {"oseries.redeem.post", DOCTOR_CALL_REDEEM},
        {"webhook.order_completed", DOCTOR_CALL_WEBHOOK},
        {"webhook.order_deleted", DOCTOR_CALL_WEBHOOK},
    };
    for (int index = 0; index < route_count(); index++)
        for (size_t i = 0; i < COUNT_OF(routes); i++) {
            int64_t at_us = facts->callers.called_us[index];
            struct doctor_seen *seen = &facts->seen[routes[i].call];
            if (strcmp(route_at(index)->name, routes[i].route) == 0 && at_us > seen->at_us)
                seen->at_us = at_us;
        }
}

static void gather_here(struct exchange *exchange, const struct directory_tenant *tenant,
                        struct doctor_facts *facts)
{
    struct handlers *handlers = exchange->handlers;
    facts->about = handlers->about;
    facts->public_url = handlers->public_url;
    facts->tenant = &tenant->tenant;
    facts->has_token = tenant->signature != NULL;
    facts->profile_is_loaded = profiles_know(handlers->profiles, tenant->tenant.profile);
    facts->local_date = clock_local_date(tenant->zone, exchange->received_wall_us);
    facts->has_redis = handlers->depot != NULL;
    facts->hot_is_up = hot_is_up(handlers->hot);
    facts->is_shared = handlers->news != NULL;
    metrics_read_tenant(handlers->metrics, tenant->tenant.id, &facts->callers);
    gather_grant(facts, handlers->oauth);
    gather_sites(facts, exchange->snapshot);
    gather_calls(facts);
}

/* --- what others know */

static void one_is_home(struct exchange *exchange, struct gathering *gathering)
{
    if (--gathering->jobs_away == 0)
        reply(exchange, gathering);
}

static void on_looked(struct exchange *exchange, const struct job *job)
{
    struct gathering *gathering = exchange->data;
    if (job->error != 0) {
        admin_refuse_error(exchange, job->error);
        return;
    }
    gathering->facts.rows = ((const struct doctor_look *)(job + 1))->rows;
    one_is_home(exchange, gathering);
}

/* When the world outside takes too long, its lines say so. */
static void on_probed(struct exchange *exchange, const struct job *job)
{
    struct gathering *gathering = exchange->data;
    if (job->error == 0)
        gathering->facts.probes = ((const struct doctor_probe *)(job + 1))->probes;
    one_is_home(exchange, gathering);
}

static void submit_look(struct exchange *exchange, const struct gathering *gathering)
{
    struct job *job = exchange_job(exchange, sizeof(struct doctor_look));
    struct doctor_look *look = (struct doctor_look *)(job + 1);
    look->about = exchange->handlers->about;
    look->tenant_id = gathering->facts.tenant->id;
    job->task = doctor_task_look;
    job->is_long = true;
    exchange_submit_read(exchange, job, on_looked);
}

/* An address that is of this machine only is nobody's from outside. */
static bool has_way_in(const struct doctor_facts *facts)
{
    return facts->about->public_url_is_set && !url_is_loopback(text_of(facts->public_url));
}

static void submit_probe(struct exchange *exchange, struct gathering *gathering)
{
    const struct doctor_facts *facts = &gathering->facts;
    struct handlers *handlers = exchange->handlers;
    struct job *job = exchange_job(exchange, sizeof(struct doctor_probe));
    struct doctor_probe *probe = (struct doctor_probe *)(job + 1);
    probe->outbound = handlers->outbound;
    probe->api = handlers->api;
    probe->presence = handlers->presence;
    probe->random = handlers->random;
    probe->tenant_id = facts->tenant->id;
    probe->is_connected = facts->grant.tenant_id != 0 && facts->grant.status == GRANT_CONNECTED;
    (void)snprintf(probe->api_url, sizeof(probe->api_url), "%s", facts->about->api_url);
    if (has_way_in(facts))
        (void)snprintf(probe->public_url, sizeof(probe->public_url), "%s", facts->public_url);
    job->begin = doctor_begin_probe;
    job->deadline_us = clock_monotonic_us() + DOCTOR_PROBES_US;
    if (exchange_offer_outbound(exchange, job, on_probed) != 0)
        one_is_home(exchange, gathering);
}

void admin_doctor(struct exchange *exchange)
{
    static const char *const members[] = {"tenant", NULL};
    const struct directory_tenant *tenant;
    struct jread *body;
    if (!admin_read_body(exchange, members, &body))
        return;
    bool is_sound = admin_read_tenant(exchange, body, &tenant);
    jread_destroy(body);
    if (!is_sound)
        return;
    struct gathering *gathering = exchange_allocate(exchange, sizeof(*gathering));
    exchange->data = gathering;
    gathering->jobs_away = JOBS;
    gather_here(exchange, tenant, &gathering->facts);
    submit_probe(exchange, gathering);
    submit_look(exchange, gathering); /* last: it may answer, when the queue is full */
}
