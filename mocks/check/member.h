/*
 * The ordinary requests of loyalty, for the cases of search, look-up and redemption.
 */
#ifndef COUNTERPART_MOCKS_CHECK_MEMBER_H
#define COUNTERPART_MOCKS_CHECK_MEMBER_H

#include "mocks/check/scene.h"

#define MEMBER_ID_MAX 256
#define PLACEHOLDER_FIRST INT64_C(2802065999) /* stands for a sale; beyond 2^31 as real ids are */

/* keyword is encoded here; query is appended as it stands (NULL: the documented parameters). */
struct step *search(struct scene *scene, const char *title, const char *keyword,
                    int64_t placeholder_id);
struct step *look_up(struct scene *scene, const char *title, const char *reference,
                     int64_t placeholder_id);

/* Every rule of the register about this reply is kept (mocks/register/verdict.h). */
bool expect_rules(struct scene *scene, const struct step *step, const enum rule *rules,
                  size_t count);

/* The "members" of a search; NULL where they are no object. */
const struct jread *members_of(const struct step *step);
/* --keyword finds nobody. */
bool fail_nobody(struct scene *scene);
/* The id of the first member that --keyword finds; the case fails where nobody is found. */
bool find_member(struct scene *scene, char id[MEMBER_ID_MAX]);

#endif
