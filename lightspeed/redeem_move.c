/* Moves a reservation along its table, on the committer's thread. */
#include "lightspeed/redeem_state.h"

#include <stdio.h>

#include "base/banned.h"

static int task_move(struct job *job, struct store *store)
{
    struct redeem_move *move = errand_data_of(job);
    return store_run_points(store, &move->command, clock_steady_us(), &move->outcome);
}

bool redeem_move_begin(struct redeem *redeem, const struct reservation *reservation,
                       enum points_action action, const char *reason, errand_done_fn on_done,
                       void *context)
{
    CHECK(action == POINTS_MARK_UNSURE || action == POINTS_APPLY || action == POINTS_BURN ||
          action == POINTS_RETURN);
    struct errand *errand = errand_create(redeem->config.outbound, sizeof(struct redeem_move));
    if (errand == NULL)
        return false;
    struct redeem_move *move = errand_data(errand);
    move->command = (struct points_command){.action = action,
                                            .tenant_id = reservation->tenant_id,
                                            .member_id = reservation->member_id,
                                            .reservation_id = reservation->id};
    if (reason != NULL)
        snprintf(move->command.reason, sizeof(move->command.reason), "%s", reason);
    errand->job.joins = true;
    errand_write(errand, redeem->config.committer, task_move, on_done, context);
    return true;
}

bool redeem_move_is_done(const struct errand *errand)
{
    const struct redeem_move *move = errand_data((struct errand *)errand);
    return errand->job.error == 0 &&
           (move->outcome.result == POINTS_OK || move->outcome.result == POINTS_ALREADY_DONE);
}
