/*
 * What the suites of rewards and points need: members, a reward, and points commands.
 */
#include "tests/store/loyalty.h"

#include <stdio.h>
#include <string.h>

int64_t loyalty_member(struct rows *rows, const char *code)
{
    struct member member = {.tenant_id = rows->tenant.id,
                            .first_name = "Ada",
                            .last_name = "Tide",
                            .email = "ada@example.com",
                            .created_at_us = rows->now_us,
                            .account = {.is_active = true, .active_at_us = rows->now_us}};
    snprintf(member.code, sizeof(member.code), "%s", code);
    assert_int_equal(store_add_member(rows->store, &member), 0);
    return member.id;
}

struct reward loyalty_reward(int64_t tenant_id)
{
    return (struct reward){.tenant_id = tenant_id,
                           .title = "Ten dollars off",
                           .terms = "One per order",
                           .points = 20,
                           .effect = REWARD_MONEY_OFF,
                           .amount_minor = 1000,
                           .is_active = true};
}

int64_t loyalty_add_reward(struct rows *rows)
{
    struct reward reward = loyalty_reward(rows->tenant.id);
    assert_int_equal(store_add_reward(rows->store, &reward), 0);
    return reward.id;
}

struct points_command loyalty_grant(struct rows *rows, int64_t member_id, int64_t points)
{
    return (struct points_command){.action = POINTS_GRANT,
                                   .tenant_id = rows->tenant.id,
                                   .member_id = member_id,
                                   .points = points,
                                   .reason = "goodwill"};
}

struct points_command loyalty_earn(struct rows *rows, int64_t member_id, int64_t order_id,
                                   int64_t points)
{
    return (struct points_command){.action = POINTS_EARN,
                                   .tenant_id = rows->tenant.id,
                                   .member_id = member_id,
                                   .order_id = order_id,
                                   .points = points};
}

struct points_command loyalty_unearn(struct rows *rows, int64_t member_id, int64_t order_id,
                                     int64_t sale_order_id, int64_t points)
{
    struct points_command command = loyalty_earn(rows, member_id, order_id, points);
    command.action = POINTS_UNEARN;
    command.sale_order_id = sale_order_id;
    return command;
}

struct points_command loyalty_reserve(struct rows *rows, int64_t member_id, int64_t reward_id,
                                      const char *token_id, int64_t order_id, int64_t points)
{
    struct points_command command = {.action = POINTS_RESERVE,
                                     .tenant_id = rows->tenant.id,
                                     .member_id = member_id,
                                     .reward_id = reward_id,
                                     .order_id = order_id,
                                     .site_id = LOYALTY_SITE,
                                     .points = points};
    snprintf(command.token_id, sizeof(command.token_id), "%s", token_id);
    return command;
}

struct points_command loyalty_move(struct rows *rows, enum points_action action,
                                   int64_t reservation_id)
{
    return (struct points_command){
        .action = action, .tenant_id = rows->tenant.id, .reservation_id = reservation_id};
}

struct points_outcome loyalty_run(struct rows *rows, struct points_command command)
{
    struct points_outcome outcome;
    rows->now_us += 1000000;
    assert_int_equal(store_run_points(rows->store, &command, rows->now_us, &outcome), 0);
    return outcome;
}

struct points_outcome loyalty_run_to(struct rows *rows, struct points_command command,
                                     enum points_result result)
{
    struct points_outcome outcome = loyalty_run(rows, command);
    assert_string_equal(points_result_name(outcome.result), points_result_name(result));
    return outcome;
}

/* A grant of nothing is refused, and shows the account. */
struct points_account loyalty_account(struct rows *rows, int64_t member_id)
{
    struct points_command look = loyalty_grant(rows, member_id, 0);
    return loyalty_run_to(rows, look, POINTS_BAD_AMOUNT).account;
}
