/* Moves a reservation along its table, on the committer's thread. */
#include "lightspeed/redeem_state.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

/* The move ends the attempt: what was said of it comes first. */
static int write_answer(struct store *store, const struct redeem_move *move)
{
    struct foreign_attempt attempt = {.tenant_id = move->command.tenant_id,
                                      .reservation_id = move->command.reservation_id,
                                      .end = FOREIGN_OPEN,
                                      .api_status = move->answer.status,
                                      .answered_at_us = clock_steady_us(),
                                      .alike_before = -1};
    memcpy(attempt.api_answer, move->answer.sentence, sizeof(attempt.api_answer));
    return store_answer_foreign_attempt(store, &attempt);
}

static int task_move(struct job *job, struct store *store)
{
    struct redeem_move *move = errand_data_of(job);
    int err = move->answer.is_there ? write_answer(store, move) : 0;
    if (err != 0)
        return err;
    return store_run_points(store, &move->command, clock_steady_us(), &move->outcome);
}

bool redeem_move_begin(struct redeem *redeem, const struct reservation *reservation,
                       enum points_action action, const char *reason,
                       const struct redeem_answer *answer, errand_done_fn on_done, void *context)
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
                                            .reservation_id = reservation->id,
                                            .alike_before = reservation->alike_before};
    if (action == POINTS_RETURN) /* by what was read of the order until then */
        move->command.seen_changed_at_us = reservation->changed_at_us;
    if (answer != NULL)
        move->answer = *answer;
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
