/* Who loses his place when others come, and who never does. */
#include "mocks/register/places.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/banned.h"

#define FULL (PLACES_MAX - PLACES_SPARE)

static struct places places;
static struct place *taken[PLACES_MAX];
static int ours[PLACES_MAX], theirs[PLACES_MAX];

static int set_up(void **state)
{
    (void)state;
    places_init(&places);
    for (size_t i = 0; i < PLACES_MAX; i++) {
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
        ours[i] = pair[0];
        theirs[i] = pair[1];
        taken[i] = NULL;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    places_finish(&places);
    for (size_t i = 0; i < PLACES_MAX; i++) {
        (void)close(ours[i]);
        (void)close(theirs[i]);
    }
    return 0;
}

static void take(size_t first, size_t end)
{
    for (size_t i = first; i < end; i++)
        taken[i] = places_take(&places, ours[i]);
}

/* As its client sees it: what is there to be read is the end. */
static bool is_ended(size_t index)
{
    char byte;
    return read(theirs[index], &byte, 1) == 0;
}

static size_t ended_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < PLACES_MAX; i++)
        count += is_ended(i);
    return count;
}

static void nobody_is_ended_while_there_are_places(void **state)
{
    (void)state;
    take(0, FULL);
    assert_int_equal(ended_count(), 0);
}

static void the_longest_to_send_is_ended_for_who_comes_next(void **state)
{
    (void)state;
    take(0, FULL + 2);
    assert_true(is_ended(0));
    assert_true(is_ended(1));
    assert_int_equal(ended_count(), 2);
}

static void who_waits_for_the_till_keeps_his_place(void **state)
{
    (void)state;
    take(0, FULL);
    place_begin_answer(&places, taken[0]);
    take(FULL, FULL + 1);
    assert_false(is_ended(0));
    assert_true(is_ended(1));
}

static void an_answer_begins_the_turn_of_its_client_anew(void **state)
{
    (void)state;
    take(0, FULL);
    place_begin_answer(&places, taken[0]);
    place_end_answer(&places, taken[0]);
    take(FULL, FULL + 1);
    assert_true(is_ended(1));
    take(FULL + 1, PLACES_MAX);
    assert_false(is_ended(0));
}

static void where_everybody_waits_nobody_is_ended(void **state)
{
    (void)state;
    for (size_t i = 0; i < PLACES_MAX; i++) {
        take(i, i + 1);
        place_begin_answer(&places, taken[i]);
    }
    assert_int_equal(ended_count(), 0);
}

static void a_place_that_was_left_is_taken_again_and_without_one_nothing_breaks(void **state)
{
    (void)state;
    take(0, PLACES_MAX);
    assert_null(places_take(&places, ours[0]));
    place_leave(&places, taken[7]);
    assert_ptr_equal(places_take(&places, ours[7]), taken[7]);
    place_begin_answer(&places, NULL);
    place_end_answer(&places, NULL);
    place_leave(&places, NULL);
}

#define PLACES_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACES_TEST(nobody_is_ended_while_there_are_places),
        PLACES_TEST(the_longest_to_send_is_ended_for_who_comes_next),
        PLACES_TEST(who_waits_for_the_till_keeps_his_place),
        PLACES_TEST(an_answer_begins_the_turn_of_its_client_anew),
        PLACES_TEST(where_everybody_waits_nobody_is_ended),
        PLACES_TEST(a_place_that_was_left_is_taken_again_and_without_one_nothing_breaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
