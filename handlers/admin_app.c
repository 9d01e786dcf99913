/* Sets and shows our application at Lightspeed, and rotates the keys of our own tokens. */
#include "handlers/admin.h"

#include "base/log.h"
#include "handlers/admin_request.h"
#include "oauth/oauth.h"

#include <string.h>

#include "base/banned.h"

#define APP_JSON_MAX 4096

static void write_flag(struct jwrite *writer, const char *key, bool flag)
{
    jwrite_key(writer, text_of(key));
    jwrite_bool(writer, flag);
}

/* No secrets: whether they are there is all that is told. */
struct app_view {
    char client_id[APP_CLIENT_MAX + 1];
    bool has_secret, has_token, has_previous;
};

static struct app_view view_of(const struct app *app)
{
    struct app_view view = {.has_secret = app->client_secret[0] != '\0',
                            .has_token = app->signature_token[0] != '\0',
                            .has_previous = app->signature_token_previous[0] != '\0'};
    memcpy(view.client_id, app->client_id, sizeof(view.client_id));
    return view;
}

static void reply_app(struct exchange *exchange, const struct app_view *app)
{
    char uri[OAUTH_REDIRECT_MAX];
    struct text_buffer buffer, redirect;
    struct jwrite writer;
    text_buffer_init(&redirect, uri, sizeof(uri));
    oauth_append_redirect_uri(exchange->handlers->oauth, &redirect);
    text_buffer_init(&buffer, exchange_allocate(exchange, APP_JSON_MAX), APP_JSON_MAX);
    jwrite_init(&writer, &buffer);
    jwrite_object_begin(&writer);
    admin_write_text(&writer, "surface", "oseries");
    admin_write_text(&writer, "client_id", app->client_id);
    write_flag(&writer, "client_secret_is_set", app->has_secret);
    write_flag(&writer, "signature_token_is_set", app->has_token);
    write_flag(&writer, "signature_token_previous_is_set", app->has_previous);
    admin_write_text(&writer, "redirect_uri", uri);
    admin_write_text(&writer, "next",
                     "register redirect_uri at Lightspeed, letter by letter; then: counterpart "
                     "oauth start --tenant ID");
    jwrite_object_end(&writer);
    CHECK(!buffer.is_cut);
    exchange_reply_json(exchange, 200, text_buffer_text(&buffer));
}

/* --- app set */

struct app_task {
    struct handlers *handlers;
    struct app app; /* in: what is to be changed; out: as it is now */
    bool sets_client_id, sets_client_secret, sets_token, sets_previous;
};

static void merge_member(char *now, const char *wanted, size_t size, bool is_set)
{
    if (is_set)
        memcpy(now, wanted, size);
}

static int task_set_app(struct job *job, struct store *store)
{
    struct app_task *task = (struct app_task *)(job + 1);
    struct app now, *wanted = &task->app;
    int err = store_read_app(store, APP_OSERIES, &now);
    if (err != 0 && err != ERR_NOT_FOUND)
        return err;
    now.surface = APP_OSERIES;
    merge_member(now.client_id, wanted->client_id, sizeof(now.client_id), task->sets_client_id);
    merge_member(now.client_secret, wanted->client_secret, sizeof(now.client_secret),
                 task->sets_client_secret);
    merge_member(now.signature_token, wanted->signature_token, sizeof(now.signature_token),
                 task->sets_token);
    merge_member(now.signature_token_previous, wanted->signature_token_previous,
                 sizeof(now.signature_token_previous), task->sets_previous);
    task->app = now;
    seal_wipe(&now, sizeof(now));
    if (task->app.client_id[0] == '\0' || task->app.client_secret[0] == '\0')
        return ERR_MISSING;
    err = store_put_app(store, &task->app);
    /* From here: who waits for the answer may have been told that it takes too long. */
    if (err == 0 || err == ERR_COMMIT_UNKNOWN)
        oauth_reload_app(task->handlers->oauth);
    return err != 0 ? err : admin_reload_directory(task->handlers, store);
}

static void on_app_reloaded(struct exchange *exchange, const struct job *job)
{
    if (job->error != 0)
        admin_refuse_error(exchange, ERR_NOT_LOADED);
    else
        reply_app(exchange, exchange->data);
}

static void on_app_set(struct exchange *exchange, const struct job *job)
{
    if (job->error == ERR_MISSING) {
        admin_refuse(exchange, 400, error_name(job->error),
                     "No application is set yet: give client-id and client-secret, from the "
                     "add-on's details in Lightspeed's Back Office");
        return;
    }
    if (job->error != 0) {
        admin_refuse_error(exchange, job->error);
        return;
    }
    struct app_view *view = exchange_allocate(exchange, sizeof(*view));
    *view = view_of(&((const struct app_task *)(job + 1))->app);
    exchange->data = view;
    log_event(LOG_INFO, "app_set", LOG_TEXT("surface", "oseries"));
    struct job *reload = exchange_job(exchange, sizeof(struct oauth_task));
    ((struct oauth_task *)(reload + 1))->oauth = exchange->handlers->oauth;
    reload->begin = oauth_begin_reload_app;
    exchange_submit_outbound(exchange, reload, on_app_reloaded);
}

/* Not there: *is_there is false and field stays. "" takes a signature token away. */
static bool read_member(struct exchange *exchange, const struct jread *body, const char *name,
                        bool may_be_empty, char *field, size_t size, bool *is_there)
{
    const struct jread *member = jread_member(body, name);
    struct text text;
    *is_there = member != NULL;
    if (member == NULL)
        return true;
    if (may_be_empty && jread_text(member, &text) == 0 && text.length == 0) {
        field[0] = '\0';
        return true;
    }
    return admin_read_text(exchange, body, name, true, &text) &&
           admin_copy(exchange, name, text, field, size);
}

static bool read_app(struct exchange *exchange, const struct jread *body, struct app_task *task)
{
    struct app *app = &task->app;
    return read_member(exchange, body, "client_id", false, app->client_id, sizeof(app->client_id),
                       &task->sets_client_id) &&
           read_member(exchange, body, "client_secret", false, app->client_secret,
                       sizeof(app->client_secret), &task->sets_client_secret) &&
           read_member(exchange, body, "signature_token", true, app->signature_token,
                       sizeof(app->signature_token), &task->sets_token) &&
           read_member(exchange, body, "signature_token_previous", true,
                       app->signature_token_previous, sizeof(app->signature_token_previous),
                       &task->sets_previous);
}

static bool surface_is_known(struct exchange *exchange, struct text surface)
{
    if (text_equal(surface, TEXT("oseries")))
        return true;
    admin_refuse(exchange, 400, "bad_surface", "'surface' must be oseries");
    return false;
}

static void app_set(struct exchange *exchange, const struct jread *body)
{
    struct app_task wanted = {.handlers = exchange->handlers};
    struct text surface;
    if (!admin_read_text(exchange, body, "surface", true, &surface) ||
        !surface_is_known(exchange, surface))
        return;
    if (read_app(exchange, body, &wanted)) {
        struct job *job = exchange_job(exchange, sizeof(struct app_task));
        *(struct app_task *)(job + 1) = wanted;
        job->task = task_set_app;
        exchange_submit_write(exchange, job, on_app_set);
    }
    seal_wipe(&wanted, sizeof(wanted));
}

void admin_app_set(struct exchange *exchange)
{
    static const char *const members[] = {
        "surface", "client_id", "client_secret", "signature_token", "signature_token_previous",
        NULL};
    struct jread *body;
    if (!admin_read_body(exchange, members, &body))
        return;
    app_set(exchange, body);
    jread_destroy(body);
}

/* --- app show */

static int task_show_app(struct job *job, struct store *store)
{
    return store_read_app(store, APP_OSERIES, (struct app *)(job + 1));
}

static void on_app_read(struct exchange *exchange, const struct job *job)
{
    if (job->error == ERR_NOT_FOUND) {
        admin_refuse(exchange, 404, error_name(ERR_NO_APP),
                     "No application is set: counterpart app set --surface oseries --client-id C "
                     "--client-secret -");
    } else if (job->error != 0) {
        admin_refuse_error(exchange, job->error);
    } else {
        const struct app_view view = view_of((const struct app *)(job + 1));
        reply_app(exchange, &view);
    }
}

void admin_app_show(struct exchange *exchange)
{
    struct job *job = exchange_job(exchange, sizeof(struct app));
    job->task = task_show_app;
    exchange_submit_read(exchange, job, on_app_read);
}

/* --- key rotate */

struct rotate_task {
    struct handlers *handlers;
    int64_t generation;
};

static int task_rotate(struct job *job, struct store *store)
{
    struct rotate_task *task = (struct rotate_task *)(job + 1);
    int err = store_raise_token_generation(store, &task->generation);
    if (err == 0)
        token_keys_rotate(task->handlers->token_keys, task->generation);
    return err;
}

static void on_rotated(struct exchange *exchange, const struct job *job)
{
    char bytes[256];
    struct text_buffer buffer;
    struct jwrite writer;
    if (job->error != 0) {
        admin_refuse_error(exchange, job->error);
        return;
    }
    int64_t generation = ((const struct rotate_task *)(job + 1))->generation;
    log_event(LOG_INFO, "token_key_rotated", LOG_INT("generation", generation));
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    jwrite_init(&writer, &buffer);
    jwrite_object_begin(&writer);
    admin_write_int64(&writer, "generation", generation);
    admin_write_text(&writer, "note",
                     "tokens of the generation before stay good until they expire; rotate once "
                     "more to end them now");
    jwrite_object_end(&writer);
    CHECK(!buffer.is_cut);
    exchange_reply_json(exchange, 200, text_buffer_text(&buffer));
}

void admin_key_rotate(struct exchange *exchange)
{
    static const char *const members[] = {NULL};
    struct jread *body;
    if (!admin_read_body(exchange, members, &body))
        return;
    jread_destroy(body);
    struct job *job = exchange_job(exchange, sizeof(struct rotate_task));
    ((struct rotate_task *)(job + 1))->handlers = exchange->handlers;
    job->task = task_rotate;
    exchange_submit_write(exchange, job, on_rotated);
}
