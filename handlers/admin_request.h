/*
 * What the admin handlers share: reading members, naming what is wrong, and the way back from a
 * task on the committer or a reader.
 */
#ifndef COUNTERPART_HANDLERS_ADMIN_REQUEST_H
#define COUNTERPART_HANDLERS_ADMIN_REQUEST_H

#include "base/json.h"
#include "handlers/exchange.h"
#include "ledger/points.h"

/* Every function that returns false has answered the exchange with a refusal that says why. */

void admin_refuse(struct exchange *exchange, int status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* An ERR_*, as the status and words it means to an administrator. */
void admin_refuse_error(struct exchange *exchange, int err);

/* The body as one JSON object whose members are all in allowed (NULL-terminated; NULL: any). *body
 * is the caller's: jread_destroy. */
MUST_CHECK bool admin_read_body(struct exchange *exchange, const char *const *allowed,
                                struct jread **body);
/* is_wanted: refuse when it is missing; else *text is empty then. */
MUST_CHECK bool admin_read_text(struct exchange *exchange, const struct jread *body,
                                const char *name, bool is_wanted, struct text *text);
MUST_CHECK bool admin_read_int64(struct exchange *exchange, const struct jread *body,
                                 const char *name, int64_t min, int64_t max, int64_t *number);
/* A date "YYYY-MM-DD"; missing: 0. */
MUST_CHECK bool admin_read_date(struct exchange *exchange, const struct jread *body,
                                const char *name, int32_t *date);
/* The tenant that the body's member "tenant" names. */
MUST_CHECK bool admin_read_tenant(struct exchange *exchange, const struct jread *body,
                                  const struct directory_tenant **tenant);
/* The same from the query: ?tenant=ID. is_wanted false: *tenant is NULL when it is not named. */
MUST_CHECK bool admin_query_tenant(struct exchange *exchange, bool is_wanted,
                                   const struct directory_tenant **tenant);

/* names ends with NULL. */
bool admin_name_is_in(struct text name, const char *const *names);

/* Copies text, which must be 1..size - 1 bytes long and printable, and a NUL into field. */
MUST_CHECK bool admin_copy(struct exchange *exchange, const char *name, struct text text,
                           char *field, size_t size);

/* In a task on the committer's thread, after a change was stored: all loops see it before the
 * answer leaves. errors: ERR_NOT_LOADED: the change stays stored, the next reload takes it over. */
MUST_CHECK int admin_reload_directory(struct handlers *handlers, struct store *store);

void admin_write_text(struct jwrite *writer, const char *key, const char *value);
void admin_write_int64(struct jwrite *writer, const char *key, int64_t value);
void admin_write_time(struct jwrite *writer, const char *key, int64_t time_us);
/* One object, the same wherever points are shown. */
void admin_write_points_entry(struct jwrite *writer, const struct points_entry *entry);
/* The approval to pay orders that are not ours, as an object: state, and what it is limited to;
 * null: to nothing. */
void admin_write_approval(struct jwrite *writer, const struct foreign_approval *approval,
                          int exponent);
/* A local date as "2027-03-31"; 0: null. */
void admin_write_date(struct jwrite *writer, const char *key, int32_t date);
/* The amount as a decimal string; with its key. */
void admin_write_money(struct jwrite *writer, int64_t amount_minor, int exponent);
void admin_write_amount(struct jwrite *writer, struct text key, int64_t amount_minor, int exponent);

#endif
