/*
 * Profiles: the names a register dialect gives to the fields of requests and replies, as data. The
 * vendor's public text does not confirm most of them, so a correction must be an edit of a JSON
 * file, read at start and on SIGHUP, never a rebuild (protocol o-series 2.6). "default" is built
 * in; COUNTERPART_PROFILES names a folder of NAME.json.
 */
#ifndef COUNTERPART_HANDLERS_PROFILE_H
#define COUNTERPART_HANDLERS_PROFILE_H

#include "base/text.h"

struct profile;  /* one dialect; immutable */
struct profiles; /* the set; swapped whole on reload */

/* folder NULL: the built-in default only. errors: ERR_BAD_CONFIG; which file and what is wrong with
 * it was logged. */
MUST_CHECK int profiles_create(const char *folder, struct profiles **profiles);
void profiles_destroy(struct profiles *profiles); /* accepts NULL */
/* On error the old set stays in force. */
MUST_CHECK int profiles_reload(struct profiles *profiles);
/* A held reference; name unknown: the default. */
const struct profile *profile_acquire(struct profiles *profiles, const char *name);
void profile_release(const struct profile *profile);

#endif
