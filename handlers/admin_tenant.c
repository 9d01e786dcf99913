/* Adds, lists and changes tenants and sites, and signs as their registers would. */
#include "handlers/admin.h"

#include "handlers/admin_request.h"
#include "handlers/admin_setting.h"
#include "oauth/oauth.h"

#include <string.h>

#include "base/banned.h"

#define TENANT_JSON_MAX 8192 /* 22 settings, four URLs, two texts of 120 bytes */
#define SITE_JSON_MAX 2048

/* --- writing */

static void write_url(struct jwrite *writer, struct exchange *exchange, const struct tenant *tenant,
                      const char *key, const char *path)
{
    char bytes[1024];
    struct text_buffer buffer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    text_append_format(&buffer, "%s/oseries/%s/%s", exchange->handlers->public_url, tenant->key,
                       path);
    jwrite_key(writer, text_of(key));
    jwrite_text(writer, text_buffer_text(&buffer));
}

static void write_urls(struct jwrite *writer, struct exchange *exchange,
                       const struct tenant *tenant)
{
    jwrite_key(writer, TEXT("urls"));
    jwrite_object_begin(writer);
    write_url(writer, exchange, tenant, "checkout", "checkout");
    write_url(writer, exchange, tenant, "check_balance", "check-balance");
    write_url(writer, exchange, tenant, "top_up", "top-up");
    write_url(writer, exchange, tenant, "refund", "refund");
    write_url(writer, exchange, tenant, "customer_search", "customer-search");
    write_url(writer, exchange, tenant, "reward_lookup", "reward-lookup");
    jwrite_object_end(writer);
}

static const char *place_name(enum tenant_place place)
{
    static const char *const names[] = {
        [TENANT_HERE] = "here",       [TENANT_ARRIVING] = "arriving", [TENANT_GONE] = "moved",
        [TENANT_LEAVING] = "leaving", [TENANT_CLOSED] = "closed",
    };
    CHECK((size_t)place < COUNT_OF(names));
    return names[place];
}

static void write_tenant_members(struct jwrite *writer, struct exchange *exchange,
                                 const struct tenant *tenant)
{
    admin_write_int64(writer, "id", tenant->id);
    admin_write_text(writer, "name", tenant->name);
    admin_write_text(writer, "key", tenant->key);
    admin_write_text(writer, "currency", tenant->currency.code);
    admin_write_text(writer, "timezone", tenant->zone);
    admin_write_int64(writer, "oseries_company", tenant->oseries_company);
    admin_write_text(writer, "place", place_name(tenant->place));
    write_urls(writer, exchange, tenant);
    jwrite_key(writer, TEXT("foreign_orders"));
    admin_write_approval(writer, &tenant->approval, tenant->currency.exponent);
}

static void write_settings(struct jwrite *writer, const struct tenant *tenant)
{
    jwrite_key(writer, TEXT("settings"));
    jwrite_object_begin(writer);
    for (size_t i = 0; i < admin_setting_count(); i++) {
        const struct admin_setting *setting = admin_setting_at(i);
        jwrite_key(writer, text_of(setting->name));
        admin_setting_write(setting, tenant, writer);
    }
    jwrite_object_end(writer);
}

static bool has_signature_token(const struct exchange *exchange, const struct tenant *tenant)
{
    return tenant->signature_token[0] != '\0' || directory_has_app_token(exchange->snapshot);
}

/* The first of what keeps registers from being served as it is set; NULL: nothing. */
static const char *find_warning(const struct exchange *exchange, const struct tenant *tenant)
{
    bool has_token = has_signature_token(exchange, tenant);
    bool is_approved = tenant->approval.state == FOREIGN_APPROVED && !tenant->approval.is_suspended;
    if (!has_token && tenant->oseries_signature_mode == SIGNATURE_ENFORCE)
        return "no signature token is set: every request of a register is refused";
    if (!has_token && tenant->oseries_signature_mode != SIGNATURE_OFF)
        return "no signature token is set: no request can be checked";
    if (!profiles_know(exchange->handlers->profiles, tenant->profile))
        return "profile names one that is not loaded: registers are spoken to in the default one";
    if (tenant->payment_is_ours && !is_approved)
        return "payment_booked_by is counterpart, and no approval of Lightspeed's is recorded: "
               "every checkout is refused (foreign-orders request, then record)";
    return NULL;
}

static void write_warning(struct jwrite *writer, const struct exchange *exchange,
                          const struct tenant *tenant)
{
    const char *warning = tenant->place == TENANT_HERE ? find_warning(exchange, tenant) : NULL;
    if (warning != NULL)
        admin_write_text(writer, "warning", warning);
}

static void begin_reply(struct exchange *exchange, size_t capacity, struct text_buffer *buffer,
                        struct jwrite *writer)
{
    text_buffer_init(buffer, exchange_allocate(exchange, capacity), capacity);
    jwrite_init(writer, buffer);
}

static void reply(struct exchange *exchange, const struct text_buffer *buffer)
{
    CHECK(!buffer->is_cut);
    exchange_reply_json(exchange, 200, text_buffer_text(buffer));
}

/* --- changing: tasks on the committer's thread */

struct tenant_task {
    struct handlers *handlers;
    struct tenant tenant;
    uint64_t changed; /* set: bit i for setting i */
};

static int task_add_tenant(struct job *job, struct store *store)
{
    struct tenant_task *task = (struct tenant_task *)(job + 1);
    int err = store_add_tenant(store, &task->tenant);
    return err != 0 ? err : admin_reload_directory(task->handlers, store);
}

/* Reads the row as it is now: another change may have come in between, or be stored and not loaded.
 */
static int task_set_tenant(struct job *job, struct store *store)
{
    struct tenant_task *task = (struct tenant_task *)(job + 1);
    struct tenant now;
    int err = store_read_tenant(store, task->tenant.id, &now);
    if (err != 0)
        return err;
    for (size_t i = 0; i < admin_setting_count(); i++)
        if ((task->changed >> i & 1) != 0)
            admin_setting_copy(admin_setting_at(i), &task->tenant, &now);
    task->tenant = now;
    seal_wipe(&now, sizeof(now));
    err = store_update_tenant(store, &task->tenant);
    return err != 0 ? err : admin_reload_directory(task->handlers, store);
}

static void on_tenant_done(struct exchange *exchange, const struct job *job, bool with_settings)
{
    if (job->error != 0) {
        admin_refuse_error(exchange, job->error);
        return;
    }
    const struct tenant *tenant = &((const struct tenant_task *)(job + 1))->tenant;
    struct text_buffer buffer;
    struct jwrite writer;
    begin_reply(exchange, TENANT_JSON_MAX, &buffer, &writer);
    jwrite_object_begin(&writer);
    write_tenant_members(&writer, exchange, tenant);
    if (with_settings)
        write_settings(&writer, tenant);
    write_warning(&writer, exchange, tenant);
    jwrite_object_end(&writer);
    reply(exchange, &buffer);
}

static void on_tenant_added(struct exchange *exchange, const struct job *job)
{
    if (job->error == ERR_ALREADY_EXISTS)
        admin_refuse(exchange, 409, error_name(job->error),
                     "That O-Series company is already served under another tenant");
    else
        on_tenant_done(exchange, job, false);
}

static void on_tenant_set(struct exchange *exchange, const struct job *job)
{
    on_tenant_done(exchange, job, true);
}

static void submit_tenant(struct exchange *exchange, const struct tenant *tenant, uint64_t changed,
                          job_task_fn run, exchange_done_fn on_done)
{
    struct job *job = exchange_job(exchange, sizeof(struct tenant_task));
    struct tenant_task *task = (struct tenant_task *)(job + 1);
    job->task = run;
    task->handlers = exchange->handlers;
    task->tenant = *tenant;
    task->changed = changed;
    exchange_submit_write(exchange, job, on_done);
}

/* A name that no file has would mean the default one, and nobody would notice. */
static bool profile_is_there(struct exchange *exchange, const struct tenant *tenant)
{
    if (profiles_know(exchange->handlers->profiles, tenant->profile))
        return true;
    admin_refuse(exchange, 400, "bad_setting",
                 "There is no profile '%s' in the service: put %s.json into the folder that "
                 "COUNTERPART_PROFILES names, and send the service a SIGHUP",
                 tenant->profile, tenant->profile);
    return false;
}

static bool apply_setting(struct exchange *exchange, const struct admin_setting *setting,
                          const struct jread *body, struct tenant *tenant)
{
    struct text value;
    if (jread_scalar(jread_member(body, setting->name), &value) == 0 &&
        admin_setting_apply(setting, value, tenant))
        return strcmp(setting->name, "profile") != 0 || profile_is_there(exchange, tenant);
    char bytes[128];
    struct text_buffer expected;
    text_buffer_init(&expected, bytes, sizeof(bytes));
    admin_setting_expectation(setting, &expected);
    admin_refuse(exchange, 400, "bad_setting", "'%s' must be %s", setting->name, bytes);
    return false;
}

/* All members but those in others must be settings. */
static bool apply_settings(struct exchange *exchange, const struct jread *body,
                           const char *const *others, struct tenant *tenant, uint64_t *changed)
{
    *changed = 0;
    for (size_t i = 0; i < jread_count(body); i++) {
        struct text name;
        (void)jread_member_at(body, i, &name);
        if (admin_name_is_in(name, others))
            continue;
        const struct admin_setting *setting = admin_setting_find(name);
        if (setting == NULL) {
            admin_refuse(exchange, 400, "unknown_field", "There is no setting '%.*s'",
                         (int)(name.length < 64 ? name.length : 64), name.base);
            return false;
        }
        if (!apply_setting(exchange, setting, body, tenant))
            return false;
        *changed |= UINT64_C(1) << (setting - admin_setting_at(0));
    }
    return true;
}

static bool read_zone(struct exchange *exchange, const struct jread *body, bool is_wanted,
                      char zone[TENANT_ZONE_MAX + 1])
{
    struct text name;
    struct clock_zone *opened = NULL;
    zone[0] = '\0';
    if (!admin_read_text(exchange, body, "timezone", is_wanted, &name))
        return false;
    if (name.length == 0 && !is_wanted)
        return true;
    if (!admin_copy(exchange, "timezone", name, zone, TENANT_ZONE_MAX + 1))
        return false;
    int err = clock_zone_create(zone, &opened);
    clock_zone_destroy(opened);
    if (err == 0)
        return true;
    admin_refuse(exchange, 400, "bad_timezone",
                 "'timezone' must be a name such as Australia/Sydney; '%s' is not known here",
                 zone);
    return false;
}

static bool read_currency(struct exchange *exchange, const struct jread *body,
                          struct currency *currency)
{
    struct text code;
    if (!admin_read_text(exchange, body, "currency", true, &code))
        return false;
    if (currency_find(code, currency) == 0)
        return true;
    admin_refuse(exchange, 400, "bad_currency", "'currency' must be an ISO 4217 code such as AUD");
    return false;
}

/* Without one its first connection says which company it is; registers are refused until then. */
static bool read_company(struct exchange *exchange, const struct jread *body, int64_t *company)
{
    *company = 0;
    return jread_member(body, "oseries_company") == NULL ||
           admin_read_int64(exchange, body, "oseries_company", 1, INT64_MAX, company);
}

static bool read_new_tenant(struct exchange *exchange, const struct jread *body,
                            struct tenant *tenant)
{
    static const char *const others[] = {"currency", "timezone", "oseries_company", NULL};
    struct text name;
    uint64_t changed;
    if (!admin_read_text(exchange, body, "name", true, &name) ||
        !read_currency(exchange, body, &tenant->currency) ||
        !read_zone(exchange, body, true, tenant->zone) ||
        !read_company(exchange, body, &tenant->oseries_company))
        return false;
    admin_setting_defaults(tenant);
    return apply_settings(exchange, body, others, tenant, &changed);
}

static void tenant_add(struct exchange *exchange, const struct jread *body)
{
    struct tenant tenant = {0};
    if (read_new_tenant(exchange, body, &tenant)) {
        id_key_generate(exchange->handlers->random, tenant.key);
        submit_tenant(exchange, &tenant, 0, task_add_tenant, on_tenant_added);
    }
    seal_wipe(&tenant, sizeof(tenant));
}

void admin_tenant_add(struct exchange *exchange)
{
    struct jread *body;
    if (!admin_read_body(exchange, NULL, &body))
        return;
    tenant_add(exchange, body);
    jread_destroy(body);
}

static void tenant_set(struct exchange *exchange, const struct jread *body)
{
    static const char *const others[] = {"tenant", NULL};
    const struct directory_tenant *tenant;
    uint64_t changed;
    if (!admin_read_tenant(exchange, body, &tenant))
        return;
    struct tenant wanted = tenant->tenant;
    bool is_sound = apply_settings(exchange, body, others, &wanted, &changed);
    if (is_sound && changed == 0)
        admin_refuse(exchange, 400, error_name(ERR_MISSING), "No setting was given");
    else if (is_sound)
        submit_tenant(exchange, &wanted, changed, task_set_tenant, on_tenant_set);
    seal_wipe(&wanted, sizeof(wanted));
}

void admin_tenant_set(struct exchange *exchange)
{
    struct jread *body;
    if (!admin_read_body(exchange, NULL, &body))
        return;
    tenant_set(exchange, body);
    jread_destroy(body);
}

/* Of those that are served here and those that are not, the next by id. NULL: no more. */
static const struct tenant *next_tenant(const struct directory_snapshot *snapshot, size_t *here,
                                        size_t *elsewhere)
{
    const struct directory_tenant *served = directory_tenant_at(snapshot, *here);
    const struct tenant *other = directory_elsewhere_at(snapshot, *elsewhere);
    if (served != NULL && (other == NULL || served->tenant.id < other->id)) {
        (*here)++;
        return &served->tenant;
    }
    (*elsewhere)++;
    return other;
}

void admin_tenant_list(struct exchange *exchange)
{
    const struct directory_snapshot *snapshot = exchange->snapshot;
    size_t count = directory_tenant_count(snapshot) + directory_elsewhere_count(snapshot);
    size_t here = 0, elsewhere = 0;
    const struct tenant *tenant;
    struct text_buffer buffer;
    struct jwrite writer;
    begin_reply(exchange, (count + 1) * TENANT_JSON_MAX, &buffer, &writer);
    jwrite_object_begin(&writer);
    jwrite_key(&writer, TEXT("tenants"));
    jwrite_array_begin(&writer);
    while ((tenant = next_tenant(snapshot, &here, &elsewhere)) != NULL) {
        jwrite_object_begin(&writer);
        write_tenant_members(&writer, exchange, tenant);
        write_settings(&writer, tenant);
        write_warning(&writer, exchange, tenant);
        jwrite_object_end(&writer);
    }
    jwrite_array_end(&writer);
    jwrite_object_end(&writer);
    reply(exchange, &buffer);
}

/* --- sites */

struct site_task {
    struct handlers *handlers;
    struct site site;
};

static int task_add_site(struct job *job, struct store *store)
{
    struct site_task *task = (struct site_task *)(job + 1);
    int err = store_add_site(store, &task->site);
    return err != 0 ? err : admin_reload_directory(task->handlers, store);
}

static void write_site(struct jwrite *writer, const struct site *site)
{
    jwrite_object_begin(writer);
    admin_write_int64(writer, "id", site->id);
    admin_write_int64(writer, "tenant", site->tenant_id);
    admin_write_text(writer, "name", site->name);
    admin_write_int64(writer, "oseries_site", site->oseries_site);
    jwrite_key(writer, TEXT("timezone"));
    if (site->zone[0] == '\0')
        jwrite_null(writer);
    else
        jwrite_text(writer, text_of(site->zone));
    jwrite_object_end(writer);
}

static void on_site_added(struct exchange *exchange, const struct job *job)
{
    if (job->error == ERR_ALREADY_EXISTS) {
        admin_refuse(exchange, 409, error_name(job->error), "That O-Series site is already mapped");
        return;
    }
    if (job->error != 0) {
        admin_refuse_error(exchange, job->error);
        return;
    }
    struct text_buffer buffer;
    struct jwrite writer;
    begin_reply(exchange, SITE_JSON_MAX, &buffer, &writer);
    write_site(&writer, &((const struct site_task *)(job + 1))->site);
    reply(exchange, &buffer);
}

static void site_add(struct exchange *exchange, const struct jread *body)
{
    const struct directory_tenant *tenant;
    struct site site = {0};
    struct text name;
    if (!admin_read_tenant(exchange, body, &tenant) ||
        !admin_read_text(exchange, body, "name", true, &name) ||
        !admin_copy(exchange, "name", name, site.name, sizeof(site.name)) ||
        !admin_read_int64(exchange, body, "oseries_site", 1, INT64_MAX, &site.oseries_site) ||
        !read_zone(exchange, body, false, site.zone))
        return;
    site.tenant_id = tenant->tenant.id;
    struct job *job = exchange_job(exchange, sizeof(struct site_task));
    *(struct site_task *)(job + 1) =
        (struct site_task){.handlers = exchange->handlers, .site = site};
    job->task = task_add_site;
    exchange_submit_write(exchange, job, on_site_added);
}

void admin_site_add(struct exchange *exchange)
{
    static const char *const members[] = {"tenant", "name", "oseries_site", "timezone", NULL};
    struct jread *body;
    if (!admin_read_body(exchange, members, &body))
        return;
    site_add(exchange, body);
    jread_destroy(body);
}

static size_t count_sites(const struct directory_snapshot *snapshot, int64_t tenant_id)
{
    size_t count = 0;
    while (directory_site_at(snapshot, tenant_id, count) != NULL)
        count++;
    return count;
}

static void write_sites_of(struct jwrite *writer, const struct directory_snapshot *snapshot,
                           int64_t tenant_id)
{
    const struct directory_site *site;
    for (size_t i = 0; (site = directory_site_at(snapshot, tenant_id, i)) != NULL; i++)
        write_site(writer, &site->site);
}

void admin_site_list(struct exchange *exchange)
{
    const struct directory_snapshot *snapshot = exchange->snapshot;
    const struct directory_tenant *only;
    if (!admin_query_tenant(exchange, false, &only))
        return;
    size_t sites = 0, tenants = directory_tenant_count(snapshot);
    for (size_t i = 0; i < tenants; i++)
        sites += count_sites(snapshot, directory_tenant_at(snapshot, i)->tenant.id);
    struct text_buffer buffer;
    struct jwrite writer;
    begin_reply(exchange, (sites + 1) * SITE_JSON_MAX, &buffer, &writer);
    jwrite_object_begin(&writer);
    jwrite_key(&writer, TEXT("sites"));
    jwrite_array_begin(&writer);
    for (size_t i = 0; i < tenants; i++) {
        const struct directory_tenant *tenant = directory_tenant_at(snapshot, i);
        if (only == NULL || only == tenant)
            write_sites_of(&writer, snapshot, tenant->tenant.id);
    }
    jwrite_array_end(&writer);
    jwrite_object_end(&writer);
    reply(exchange, &buffer);
}

/* --- what `counterpart move` has changed in the store */

struct reload_task {
    struct handlers *handlers;
};

static int task_reload(struct job *job, struct store *store)
{
    return admin_reload_directory(((struct reload_task *)(job + 1))->handlers, store);
}

static void on_followed(struct exchange *exchange, const struct job *job)
{
    if (job->error != 0) {
        admin_refuse_error(exchange, job->error);
        return;
    }
    exchange_reply_json(exchange, 200, TEXT("{\"reloaded\":true}"));
}

static void on_reloaded(struct exchange *exchange, const struct job *job)
{
    if (job->error != 0) {
        admin_refuse_error(exchange, job->error);
        return;
    }
    struct job *follow = exchange_job(exchange, sizeof(struct oauth_task));
    ((struct oauth_task *)(follow + 1))->oauth = exchange->handlers->oauth;
    follow->begin = oauth_begin_follow;
    exchange_submit_outbound(exchange, follow, on_followed);
}

void admin_tenant_reload(struct exchange *exchange)
{
    static const char *const members[] = {NULL};
    struct jread *body;
    if (!admin_read_body(exchange, members, &body))
        return;
    jread_destroy(body);
    struct job *job = exchange_job(exchange, sizeof(struct reload_task));
    ((struct reload_task *)(job + 1))->handlers = exchange->handlers;
    job->task = task_reload;
    exchange_submit_write(exchange, job, on_reloaded);
}

/* --- signing */

void admin_sign(struct exchange *exchange)
{
    const struct directory_tenant *tenant;
    if (!admin_query_tenant(exchange, true, &tenant))
        return;
    if (tenant->signature == NULL) {
        admin_refuse(exchange, 409, "no_signature_token", "Tenant %lld has no signature token",
                     (long long)tenant->tenant.id);
        return;
    }
    uint8_t mac[SEAL_MAC_BYTES];
    char hex[2 * SEAL_MAC_BYTES + 1], bytes[128];
    seal_hmac_sign(tenant->signature, exchange->body, mac);
    text_hex_encode(hex, mac, sizeof(mac));
    struct text_buffer buffer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    text_append_format(&buffer, "{\"signature\":\"%s\"}", hex);
    reply(exchange, &buffer);
}
