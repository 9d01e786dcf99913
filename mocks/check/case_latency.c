/* How long a cashier waits (protocol o-series 2.1: typically under a second, never over four). */
#include "mocks/check/cases.h"
#include "mocks/check/expect.h"

#include <stdlib.h>

#include "base/clock.h"

#include "base/banned.h"

#define ROUNDS 7 /* odd: the one in the middle is the median */
#define TYPICAL_US CLOCK_US_PER_S
#define WORST_US (4 * CLOCK_US_PER_S)

static int time_compare(const void *a, const void *b)
{
    int64_t first = *(const int64_t *)a, second = *(const int64_t *)b;
    return (first > second) - (first < second);
}

static void judge_times(struct scene *scene, int64_t times_us[ROUNDS])
{
    qsort(times_us, ROUNDS, sizeof(times_us[0]), time_compare);
    if (times_us[ROUNDS / 2] > TYPICAL_US)
        scene_fail(scene, "half of the answers took %lld ms or more; a second is the limit",
                   (long long)times_us[ROUNDS / 2] / 1000);
    else if (times_us[ROUNDS - 1] > WORST_US)
        scene_fail(scene, "the slowest answer took %lld ms; four seconds are the limit",
                   (long long)times_us[ROUNDS - 1] / 1000);
}

void latency_check_balance(struct scene *scene)
{
    int64_t times_us[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        const struct step *step = pay(scene, TILL_CHECK_BALANCE, scene->settings->card, 0, 0);
        if (!expect_object(scene, step))
            return;
        times_us[i] = step->reply.time_us;
    }
    judge_times(scene, times_us);
}

void latency_checkout(struct scene *scene)
{
    int64_t times_us[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        const struct step *step =
            pay(scene, TILL_CHECKOUT, scene->settings->card, scene_new_order(scene), 5);
        if (!expect_approved(scene, step, 5))
            return;
        times_us[i] = step->reply.time_us;
    }
    judge_times(scene, times_us);
}
