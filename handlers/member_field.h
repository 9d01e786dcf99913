/*
 * The fields of a member that an administrator or a file may give: ONE static table that drives
 * reading them, judging them and saying what would be good.
 */
#ifndef COUNTERPART_HANDLERS_MEMBER_FIELD_H
#define COUNTERPART_HANDLERS_MEMBER_FIELD_H

#include "base/text.h"
#include "store/member.h"

typedef bool (*member_check_fn)(struct text value);

struct member_field {
    const char *name; /* in JSON and in the header of a file */
    size_t offset;    /* in struct member */
    size_t size;      /* of that member, in bytes */
    bool may_be_empty;
    member_check_fn check; /* of what is not empty, printable and short enough */
    const char *rule;      /* "'name' must be ..." */
};

size_t member_field_count(void);
const struct member_field *member_field_at(size_t index);
const struct member_field *member_field_find(struct text name); /* NULL: none */

/* Puts value, without space around it, into the member. false: it cannot be; member is untouched,
 * and the field's rule says what can. */
MUST_CHECK bool member_field_set(const struct member_field *field, struct text value,
                                 struct member *member);
/* What stands there, NUL-terminated. */
const char *member_field_get(const struct member_field *field, const struct member *member);

#endif
