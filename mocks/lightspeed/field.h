/*
 * Records read from and written to JSON by tables: one row a field. Every object of the fake that
 * is plain data goes through here, so all of them refuse bad values with the same words.
 */
#ifndef COUNTERPART_MOCKS_LIGHTSPEED_FIELD_H
#define COUNTERPART_MOCKS_LIGHTSPEED_FIELD_H

#include "mocks/lightspeed/call.h"

enum field_kind {
    FIELD_TEXT,    /* char[size], NUL-terminated; a number is taken as its text */
    FIELD_INT,     /* int64_t from min to max */
    FIELD_BOOL,    /* bool */
    FIELD_PERCENT, /* int64_t 0..100; true is 100, false 0 */
    FIELD_MONEY,   /* int64_t minor units of the exponent in use */
    FIELD_DECIMAL, /* int64_t millionths */
};

struct field {
    const char *name;
    enum field_kind kind;
    bool is_required;
    size_t offset;
    size_t size; /* FIELD_TEXT */
    int64_t min;
    int64_t max;
};

#define FIELD_OF_TEXT(type, member, json_name, required)                                           \
    {                                                                                              \
        .name = (json_name), .kind = FIELD_TEXT, .is_required = (required),                        \
        .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)                      \
    }
#define FIELD_OF_INT(type, member, json_name, low, high, required)                                 \
    {                                                                                              \
        .name = (json_name), .kind = FIELD_INT, .is_required = (required),                         \
        .offset = offsetof(type, member), .min = (low), .max = (high)                              \
    }
#define FIELD_OF(type, member, json_name, kind_)                                                   \
    {                                                                                              \
        .name = (json_name), .kind = (kind_), .offset = offsetof(type, member)                     \
    }

/*
 * Fills record with the members that json has (null counts as absent); the others stay.
 *
 * errors  false, and the answer is a 400 that names the field. The record may then be half filled:
 *         read into a copy.
 */
MUST_CHECK bool fields_read(const struct field *fields, size_t count, int exponent, bool is_new,
                            const struct jread *json, void *record, struct answer *answer);
/* false, and a 400: json has a member that neither the table nor the list (NULL-terminated, may be
 * NULL) names. For what people type: a wrong name must not look like success. */
MUST_CHECK bool fields_are_known(const struct field *fields, size_t count, const char *const *more,
                                 const struct jread *json, struct answer *answer);
/* Members into an open object. */
void fields_write(const struct field *fields, size_t count, int exponent, const void *record,
                  struct jwrite *writer);

#endif
