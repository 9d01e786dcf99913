/*
 * What the suites of rewards and points need: members, a reward, and points commands.
 */
#ifndef COUNTERPART_TESTS_STORE_LOYALTY_H
#define COUNTERPART_TESTS_STORE_LOYALTY_H

#include "store/member.h"
#include "tests/store/rows.h"

#define LOYALTY_SITE 923

int64_t loyalty_member(struct rows *rows, const char *code);
struct reward loyalty_reward(int64_t tenant_id);
/* Added; its id. */
int64_t loyalty_add_reward(struct rows *rows);

struct points_command loyalty_grant(struct rows *rows, int64_t member_id, int64_t points);
struct points_command loyalty_earn(struct rows *rows, int64_t member_id, int64_t order_id,
                                   int64_t points);
struct points_command loyalty_unearn(struct rows *rows, int64_t member_id, int64_t order_id,
                                     int64_t sale_order_id, int64_t points);
struct points_command loyalty_reserve(struct rows *rows, int64_t member_id, int64_t reward_id,
                                      const char *token_id, int64_t order_id, int64_t points);
/* MARK_UNSURE, APPLY, BURN, RETURN. */
struct points_command loyalty_move(struct rows *rows, enum points_action action,
                                   int64_t reservation_id);

/* A second later than the command before; fails the test when the store does. */
struct points_outcome loyalty_run(struct rows *rows, struct points_command command);
/* The same, and it must end so. */
struct points_outcome loyalty_run_to(struct rows *rows, struct points_command command,
                                     enum points_result result);
/* As the store has it now. */
struct points_account loyalty_account(struct rows *rows, int64_t member_id);

#endif
