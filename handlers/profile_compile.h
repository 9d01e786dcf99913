/*
 * What the files that compile profiles share (profile.c, profile_loyalty.c); nobody else's.
 */
#ifndef COUNTERPART_HANDLERS_PROFILE_COMPILE_H
#define COUNTERPART_HANDLERS_PROFILE_COMPILE_H

#include "base/json.h"
#include "handlers/profile.h"

/* Where the result goes, and the one sentence that says what is wrong. */
struct compiler {
    struct profile *profile;
    struct text_buffer *problem;
};

/* Always ERR_BAD_CONFIG. */
MUST_CHECK int compiler_complain(struct compiler *compiler, const char *where, const char *what);
MUST_CHECK bool compiler_find_name(const char *const *names, size_t count, struct text name,
                                   size_t *index);
/* false: no text of 1 to PROFILE_NAME_MAX characters without control characters. */
MUST_CHECK bool compiler_copy_name(const struct jread *value, char out[PROFILE_NAME_MAX + 1]);
MUST_CHECK int compiler_read_names(struct compiler *compiler, const char *where,
                                   const struct jread *list, struct profile_names *names);
/* list: PROFILE_IN_*. */
MUST_CHECK int compiler_read_reply(struct compiler *compiler, const char *where,
                                   const struct jread *pairs, unsigned list,
                                   struct profile_reply *reply);
/* Do two lists share a name; is_same: has this one list a name twice? */
MUST_CHECK bool compiler_names_meet(const struct profile_names *a, const struct profile_names *b,
                                    bool is_same);

/* profile_loyalty.c */
MUST_CHECK int compiler_read_loyalty(struct compiler *compiler, const struct jread *loyalty);
MUST_CHECK int compiler_check_loyalty(struct compiler *compiler);

#endif
