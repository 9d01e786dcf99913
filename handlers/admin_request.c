/* Reads the admin API's requests and words its refusals. */
#include "handlers/admin_request.h"

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define REFUSAL_MAX 256 /* as long as exchange_refuse takes */

void admin_refuse(struct exchange *exchange, int status, const char *code, const char *format, ...)
{
    char sentence[REFUSAL_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    exchange_refuse(exchange, status, code, sentence);
}

void admin_refuse_error(struct exchange *exchange, int err)
{
    const char *code = error_name(err);
    if (err == ERR_NOT_FOUND)
        admin_refuse(exchange, 404, code, "Not found");
    else if (err == ERR_ALREADY_EXISTS)
        admin_refuse(exchange, 409, code, "It exists already");
    else if (err == ERR_NOT_LOADED)
        admin_refuse(exchange, 503, code,
                     "It is stored, but the service could not take it over: its log says why");
    else if (err == ERR_UNCONFIRMED || err == ERR_COMMIT_UNKNOWN)
        admin_refuse(exchange, 503, code,
                     "The store did not answer in time; look before you try again");
    else if (error_is_retryable(err))
        admin_refuse(exchange, 503, code, "The store cannot do it now; nothing was changed");
    else
        exchange_fail_bug(exchange, code);
}

bool admin_name_is_in(struct text name, const char *const *names)
{
    while (*names != NULL && !text_equal(name, text_of(*names)))
        names++;
    return *names != NULL;
}

static bool members_are_allowed(struct exchange *exchange, const struct jread *body,
                                const char *const *allowed)
{
    for (size_t i = 0; i < jread_count(body); i++) {
        struct text name;
        (void)jread_member_at(body, i, &name);
        if (admin_name_is_in(name, allowed))
            continue;
        admin_refuse(exchange, 400, "unknown_field", "There is no field '%.*s' here",
                     (int)(name.length < 64 ? name.length : 64), name.base);
        return false;
    }
    return true;
}

bool admin_read_body(struct exchange *exchange, const char *const *allowed, struct jread **body)
{
    int err = jread_parse(exchange->body, body);
    if (err != 0) {
        admin_refuse(exchange, 400, error_name(err), "The body is not JSON that can be read");
        return false;
    }
    if (jread_kind_of(*body) != JREAD_OBJECT) {
        admin_refuse(exchange, 400, error_name(ERR_JSON_TYPE), "The body must be a JSON object");
        goto err_after_parse;
    }
    if (allowed == NULL || members_are_allowed(exchange, *body, allowed))
        return true;
err_after_parse:
    jread_destroy(*body);
    *body = NULL;
    return false;
}

bool admin_read_text(struct exchange *exchange, const struct jread *body, const char *name,
                     bool is_wanted, struct text *text)
{
    int err = jread_scalar(jread_member(body, name), text);
    if (err == ERR_MISSING && !is_wanted) {
        *text = TEXT("");
        return true;
    }
    if (err == 0)
        return true;
    admin_refuse(exchange, 400, error_name(err),
                 err == ERR_MISSING ? "'%s' is missing" : "'%s' must be text or a number", name);
    return false;
}

bool admin_read_int64(struct exchange *exchange, const struct jread *body, const char *name,
                      int64_t min, int64_t max, int64_t *number)
{
    int err = jread_int64(jread_member(body, name), number);
    if (err == 0 && *number >= min && *number <= max)
        return true;
    if (err == ERR_MISSING)
        admin_refuse(exchange, 400, error_name(err), "'%s' is missing", name);
    else
        admin_refuse(exchange, 400, "bad_number", "'%s' must be a whole number from %lld to %lld",
                     name, (long long)min, (long long)max);
    return false;
}

bool admin_read_date(struct exchange *exchange, const struct jread *body, const char *name,
                     int32_t *date)
{
    struct text text;
    if (!admin_read_text(exchange, body, name, false, &text))
        return false;
    *date = 0;
    if (text.length == 0 || clock_parse_date(text, date) == 0)
        return true;
    admin_refuse(exchange, 400, "bad_date", "'%s' must be a date such as 2027-03-31", name);
    return false;
}

static bool find_tenant(struct exchange *exchange, int64_t tenant_id,
                        const struct directory_tenant **tenant)
{
    *tenant = directory_find_id(exchange->snapshot, tenant_id);
    if (*tenant != NULL)
        return true;
    enum tenant_place place = directory_place_of_id(exchange->snapshot, tenant_id);
    if (place == TENANT_HERE)
        admin_refuse(exchange, 404, "unknown_tenant", "There is no tenant %lld",
                     (long long)tenant_id);
    else
        admin_refuse(exchange, 404, "tenant_elsewhere",
                     place == TENANT_GONE
                         ? "Tenant %lld has moved to another store, and is served there"
                     : place == TENANT_ARRIVING
                         ? "Tenant %lld is being moved to this store, and is not served yet"
                         : "Tenant %lld is being moved to another store: try again in a minute",
                     (long long)tenant_id);
    return false;
}

bool admin_read_tenant(struct exchange *exchange, const struct jread *body,
                       const struct directory_tenant **tenant)
{
    int64_t tenant_id;
    return admin_read_int64(exchange, body, "tenant", 1, INT64_MAX, &tenant_id) &&
           find_tenant(exchange, tenant_id, tenant);
}

bool admin_query_tenant(struct exchange *exchange, bool is_wanted,
                        const struct directory_tenant **tenant)
{
    struct text query = exchange->query, name, value;
    size_t capacity = query.length + 1;
    struct text_buffer buffer;
    text_buffer_init(&buffer, exchange_allocate(exchange, capacity), capacity);
    *tenant = NULL;
    while (text_form_next(&query, &buffer, &name, &value) == 0) {
        int64_t tenant_id;
        if (!text_equal(name, TEXT("tenant")))
            continue;
        if (text_parse_int64(value, &tenant_id) == 0)
            return find_tenant(exchange, tenant_id, tenant);
        admin_refuse(exchange, 400, "bad_number", "'tenant' must be a number");
        return false;
    }
    if (!is_wanted)
        return true;
    admin_refuse(exchange, 400, error_name(ERR_MISSING), "'tenant' is missing");
    return false;
}

bool admin_copy(struct exchange *exchange, const char *name, struct text text, char *field,
                size_t size)
{
    if (text.length == 0 || text.length >= size || !text_is_printable(text)) {
        admin_refuse(exchange, 400, "bad_text",
                     "'%s' must be 1 to %zu characters, none of them a control character", name,
                     size - 1);
        return false;
    }
    memcpy(field, text.base, text.length);
    field[text.length] = '\0';
    return true;
}

int admin_reload_directory(struct handlers *handlers, struct store *store)
{
    int err = directory_load(handlers->directory, store);
    if (err != 0) {
        log_event(LOG_ERROR, "directory_not_loaded", LOG_TEXT("error", error_name(err)));
        return ERR_NOT_LOADED;
    }
    atomic_fetch_add_explicit(&handlers->epoch, 1, memory_order_release);
    return 0;
}

void admin_write_text(struct jwrite *writer, const char *key, const char *value)
{
    jwrite_key(writer, text_of(key));
    jwrite_text(writer, text_of(value));
}

void admin_write_int64(struct jwrite *writer, const char *key, int64_t value)
{
    jwrite_key(writer, text_of(key));
    jwrite_int64(writer, value);
}

void admin_write_time(struct jwrite *writer, const char *key, int64_t time_us)
{
    char bytes[64]; /* the last year that fits has six digits */
    struct text_buffer text;
    text_buffer_init(&text, bytes, sizeof(bytes));
    clock_append_time(&text, time_us);
    jwrite_key(writer, text_of(key));
    jwrite_text(writer, text_buffer_text(&text));
}

void admin_write_points_entry(struct jwrite *writer, const struct points_entry *entry)
{
    jwrite_object_begin(writer);
    admin_write_int64(writer, "entry_id", entry->id);
    admin_write_text(writer, "cause", points_cause_name(entry->cause));
    admin_write_int64(writer, "points", entry->points);
    admin_write_int64(writer, "points_after", entry->points_after);
    admin_write_int64(writer, "version", entry->version);
    admin_write_int64(writer, "order_id", entry->order_id);
    admin_write_int64(writer, "reservation_id", entry->reservation_id);
    admin_write_text(writer, "reason", entry->reason);
    admin_write_time(writer, "at", entry->created_at_us);
    jwrite_object_end(writer);
}

void admin_write_date(struct jwrite *writer, const char *key, int32_t date)
{
    char bytes[64];
    struct text_buffer buffer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    clock_append_date(&buffer, date);
    jwrite_key(writer, text_of(key));
    if (date == 0)
        jwrite_null(writer);
    else
        jwrite_text(writer, text_buffer_text(&buffer));
}

static void write_limit(struct jwrite *writer, const char *key, int64_t limit_minor, int exponent)
{
    jwrite_key(writer, text_of(key));
    if (limit_minor == 0)
        jwrite_null(writer);
    else
        admin_write_money(writer, limit_minor, exponent);
}

void admin_write_approval(struct jwrite *writer, const struct foreign_approval *approval,
                          int exponent)
{
    jwrite_object_begin(writer);
    admin_write_text(writer, "state", foreign_state_name(approval->state));
    write_limit(writer, "payment_max", approval->payment_max_minor, exponent);
    write_limit(writer, "day_max", approval->day_max_minor, exponent);
    admin_write_date(writer, "expires", approval->expires_on);
    jwrite_object_end(writer);
}

void admin_write_money(struct jwrite *writer, int64_t amount_minor, int exponent)
{
    char bytes[MONEY_TEXT_MAX];
    struct text_buffer buffer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    money_append(&buffer, amount_minor, exponent);
    jwrite_text(writer, text_buffer_text(&buffer));
}

void admin_write_amount(struct jwrite *writer, struct text key, int64_t amount_minor, int exponent)
{
    jwrite_key(writer, key);
    admin_write_money(writer, amount_minor, exponent);
}
