/*
 * The settings of a tenant that an administrator may change: ONE static table that drives reading,
 * listing and the command line's help.
 */
#ifndef COUNTERPART_HANDLERS_ADMIN_SETTING_H
#define COUNTERPART_HANDLERS_ADMIN_SETTING_H

#include "base/json.h"
#include "store/tenant.h"

enum admin_setting_kind {
    SETTING_TEXT,     /* char[] */
    SETTING_SECRET,   /* char[]; listed as "set" or "not set" only */
    SETTING_DIGITS,   /* char[] */
    SETTING_WORD,     /* char[]: a-z, 0-9, '-', '_' */
    SETTING_SWITCH,   /* bool: index of the word */
    SETTING_CHOICE,   /* an enum from 0 on: index of the word */
    SETTING_AMOUNT,   /* int64_t minor units of the tenant's currency */
    SETTING_COUNT,    /* int32_t */
    SETTING_SECONDS,  /* int64_t microseconds */
    SETTING_MILLI,    /* int64_t thousandths, written as a decimal number */
    SETTING_LIST,     /* char[]: items of a-z, 0-9, '_' and '/', ',' between them */
    SETTING_STATUSES, /* char[]: HTTP statuses from min to max, ',' between them; at least one */
};

struct admin_setting {
    const char *name; /* in JSON; the flag is the same with '-' for '_' */
    enum admin_setting_kind kind;
    size_t offset;     /* in struct tenant */
    size_t size;       /* of that member, in bytes */
    const char *words; /* SETTING_SWITCH, SETTING_CHOICE: by index, '|' between them */
    const char *help;
    int64_t min, max; /* SETTING_COUNT, _SECONDS, _MILLI, _STATUSES; both 0: what the kind allows */
};

/* A set of changed settings is kept as the bits of a uint64_t. */
#define ADMIN_SETTINGS_MAX 64
size_t admin_setting_count(void);
const struct admin_setting *admin_setting_at(size_t index);
const struct admin_setting *admin_setting_find(struct text name); /* NULL: none */

/* What a new tenant starts with; its currency must be set. */
void admin_setting_defaults(struct tenant *tenant);

/* false: value is not acceptable, and the tenant untouched; what would be is said by
 * admin_setting_expectation. */
MUST_CHECK bool admin_setting_apply(const struct admin_setting *setting, struct text value,
                                    struct tenant *tenant);
/* Takes over one setting's value. */
void admin_setting_copy(const struct admin_setting *setting, const struct tenant *from,
                        struct tenant *to);
void admin_setting_expectation(const struct admin_setting *setting, struct text_buffer *buffer);
/* The value alone, as JSON. */
void admin_setting_write(const struct admin_setting *setting, const struct tenant *tenant,
                         struct jwrite *writer);

#endif
