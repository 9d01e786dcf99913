/*
 * A lane against a server that the test plays itself, byte for byte: time-outs, late answers, the
 * breaker, and everything that is no Redis.
 */
#include "tests/store/redis_process.h"

#include "store/redis_breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SHA "0123456789012345678901234567890123456789"
#define ROLE_MASTER "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"
#define LOADED "$40\r\n" SHA "\r\n"
#define GREETED ROLE_MASTER LOADED LOADED LOADED
#define PATIENCE_MS 20000 /* a sanitizer build on a busy machine */
#define WAIT_MS 5
#define TURNS_MAX (PATIENCE_MS / WAIT_MS)

/* Both ends. */
static struct world {
    int listener;
    int peer; /* the server's end of the connection; -1: none */
    struct depot *depot;
    struct pumped_lane pumped;
    bool is_over; /* the test has ended, perhaps early: its variables are gone */
} w;

struct told {
    int count; /* of calls */
    bool is_answered;
    char text[64];
};

static void on_answer(void *context, const struct answer *answer)
{
    struct told *told = context;
    if (w.is_over)
        return;
    told->count++;
    told->is_answered = answer != NULL;
    if (answer == NULL || answer->kind != ANSWER_TEXT)
        return;
    assert_true(answer->text.length < sizeof(told->text));
    memcpy(told->text, answer->text.base, answer->text.length);
    told->text[answer->text.length] = '\0';
}

/* --- the server's side */

/* true: nothing that one end has written is still on its way to the other. */
static bool has_arrived(int from, int to)
{
    int on = 1, unconfirmed = 0;
    if (from == -1 || to == -1)
        return true;
    (void)setsockopt(to, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on)); /* confirms at once */
    return ioctl(from, TIOCOUTQ, &unconfirmed) != 0 || unconfirmed == 0;
}

/* A busy kernel delivers later than it takes, on one machine too. */
static void settle(void)
{
    for (int i = 0; i < PATIENCE_MS; i++) {
        if (has_arrived(w.peer, w.pumped.fd) && has_arrived(w.pumped.fd, w.peer))
            return;
        (void)poll(NULL, 0, 1);
    }
    fail_msg("what was written does not arrive");
}

static void turn(int times)
{
    for (int i = 0; i < times; i++) {
        pumped_lane_turn(&w.pumped, WAIT_MS);
        settle();
    }
}

/* Time goes on while the lane pauses, and not while it connects: that takes as long as it does. */
static void accept_lane(void)
{
    for (int i = 0; w.peer == -1 && i < TURNS_MAX; i++) {
        struct pollfd pollfd = {.fd = w.listener, .events = POLLIN};
        turn(1);
        if (poll(&pollfd, 1, 0) == 1)
            w.peer = accept(w.listener, NULL, NULL);
        else if (w.pumped.fd == -1)
            w.pumped.now_us += 10000;
    }
    assert_int_not_equal(w.peer, -1);
    int on = 1; /* else the second of two writes waits for the peer's system */
    assert_int_equal(setsockopt(w.peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
}

static void hang_up(void)
{
    if (w.peer != -1)
        close(w.peer);
    w.peer = -1;
}

static void say(const char *bytes)
{
    assert_int_equal(write(w.peer, bytes, strlen(bytes)), strlen(bytes));
    settle();
    turn(3);
}

static void close_circuit(void)
{
    accept_lane();
    say(GREETED);
    assert_true(lane_is_ready(w.pumped.lane));
}

/* Has the lane hung up? */
static bool is_gone_within(int wait_ms)
{
    struct pollfd pollfd = {.fd = w.peer, .events = POLLIN};
    char bytes[4096];
    ssize_t length = 1;
    turn(2);
    while (length > 0 && poll(&pollfd, 1, wait_ms) == 1)
        length = recv(w.peer, bytes, sizeof(bytes), MSG_DONTWAIT);
    return length == 0 || (length < 0 && errno == ECONNRESET); /* it left something unread */
}

static bool peer_is_gone(void)
{
    return is_gone_within(PATIENCE_MS);
}

static bool peer_is_there(void)
{
    return !is_gone_within(0);
}

static uint64_t ask(struct told *told)
{
    struct words words = {0};
    *told = (struct told){0};
    words_add(&words, TEXT("GET"));
    words_add(&words, TEXT("key"));
    return lane_ask(w.pumped.lane, &words, w.pumped.now_us, on_answer, told);
}

static struct depot_counters counters(void)
{
    struct depot_counters read;
    depot_read_counters(w.depot, &read);
    return read;
}

static int set_up(void **state)
{
    struct place place = {.length = sizeof(struct sockaddr_in)};
    struct sockaddr_in *address = (struct sockaddr_in *)&place.address;
    static const struct target target = {.database = "0", .host_count = 1};
    (void)state;
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    w = (struct world){.peer = -1, .listener = socket(AF_INET, SOCK_STREAM, 0)};
    assert_int_equal(bind(w.listener, (struct sockaddr *)address, place.length), 0);
    assert_int_equal(listen(w.listener, 8), 0);
    assert_int_equal(getsockname(w.listener, (struct sockaddr *)address, &place.length), 0);
    assert_int_equal(depot_create(&target, &w.depot), 0);
    depot_put_place(w.depot, &place);
    pumped_lane_init(&w.pumped, w.depot, 1000000);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    w.is_over = true;
    pumped_lane_finish(&w.pumped);
    depot_destroy(w.depot);
    hang_up();
    close(w.listener);
    return 0;
}

/* --- the tests */

static void answers_come_to_who_asked_in_order(void **state)
{
    struct told first, second;
    (void)state;
    close_circuit();
    assert_int_not_equal(ask(&first), 0);
    assert_int_not_equal(ask(&second), 0);
    turn(1);
    say("$1\r\na\r\n$-1\r\n");
    assert_string_equal(first.text, "a");
    assert_true(second.is_answered);
    assert_string_equal(second.text, "");
    assert_int_equal(counters().asked, 2);
}

static void what_gathers_in_one_turn_goes_out_as_one_piece(void **state)
{
    struct told told[3];
    char bytes[512] = {0};
    static const char get[] = "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
    (void)state;
    close_circuit();
    assert_true(recv(w.peer, bytes, sizeof(bytes) - 1, MSG_DONTWAIT) > 0); /* the greeting */
    while (recv(w.peer, bytes, sizeof(bytes) - 1, MSG_DONTWAIT) > 0)
        ;
    for (int i = 0; i < 3; i++)
        assert_int_not_equal(ask(&told[i]), 0);
    assert_int_equal(recv(w.peer, bytes, sizeof(bytes), MSG_DONTWAIT), -1); /* not before */
    turn(1);
    assert_int_equal(recv(w.peer, bytes, sizeof(bytes), 0), 3 * strlen(get));
    assert_memory_equal(bytes, get, strlen(get));
}

static void a_late_answer_finds_nobody_and_the_next_one_its_own(void **state)
{
    struct told first, second;
    (void)state;
    close_circuit();
    assert_int_not_equal(ask(&first), 0);
    turn(1);
    w.pumped.now_us += LANE_TIMEOUT_US - 1;
    turn(1);
    assert_int_equal(first.count, 0);
    w.pumped.now_us += 1;
    turn(1);
    assert_int_equal(first.count, 1);
    assert_false(first.is_answered);
    assert_int_not_equal(ask(&second), 0); /* in the place that has become free */
    turn(1);
    say("$5\r\nfirst\r\n");
    assert_int_equal(first.count, 1);
    assert_int_equal(second.count, 0);
    assert_int_equal(counters().late, 1);
    say("$6\r\nsecond\r\n");
    assert_string_equal(second.text, "second");
    assert_int_equal(counters().timeouts, 1);
}

static void who_has_forgotten_is_not_called(void **state)
{
    struct told told;
    (void)state;
    close_circuit();
    uint64_t ticket = ask(&told);
    turn(1);
    lane_forget(w.pumped.lane, ticket);
    lane_forget(w.pumped.lane, ticket); /* no harm */
    say("$1\r\na\r\n");
    assert_int_equal(told.count, 0);
    w.pumped.now_us += LANE_TIMEOUT_US;
    turn(1);
    assert_int_equal(told.count, 0);
    assert_int_equal(counters().timeouts, 0);
}

static void silence_opens_the_breaker_which_costs_nobody_anything(void **state)
{
    struct told told[BREAKER_FAILURES_MAX + 1];
    (void)state;
    close_circuit();
    for (int i = 0; i <= BREAKER_FAILURES_MAX; i++) {
        w.pumped.now_us += i == BREAKER_FAILURES_MAX ? 1000 : 0;
        assert_int_not_equal(ask(&told[i]), 0);
    }
    turn(1);
    w.pumped.now_us += LANE_TIMEOUT_US - 1000;
    turn(1);
    for (int i = 0; i <= BREAKER_FAILURES_MAX; i++) { /* the last with time left: all were told */
        assert_int_equal(told[i].count, 1);
        assert_false(told[i].is_answered);
    }
    assert_false(lane_is_ready(w.pumped.lane));
    assert_int_equal(ask(&told[0]), 0);
    assert_int_equal(told[0].count, 0);
    assert_true(peer_is_gone());
    assert_int_equal(counters().lanes_closed, 0);
    hang_up();
    close_circuit(); /* after its pause it tries again, and is greeted */
    assert_int_equal(counters().lanes_closed, 1);
    assert_int_not_equal(ask(&told[0]), 0);
    turn(1);
    say("$1\r\na\r\n");
    assert_string_equal(told[0].text, "a");
}

static void error_answers_open_it_too(void **state)
{
    struct told told;
    (void)state;
    close_circuit();
    for (int i = 0; i < BREAKER_FAILURES_MAX; i++) {
        assert_int_not_equal(ask(&told), 0);
        turn(1);
        say("-ERR no\r\n");
        assert_int_equal(told.count, 1);
    }
    assert_false(lane_is_ready(w.pumped.lane));
    assert_true(peer_is_gone());
    assert_int_equal(counters().errors, BREAKER_FAILURES_MAX);
}

static void a_server_that_is_no_primary_any_more_is_left_at_once(void **state)
{
    static const char *const said[] = {"-READONLY x\r\n", "-LOADING x\r\n", "-NOAUTH x\r\n",
                                       "-MASTERDOWN x\r\n"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(said); i++) {
        struct told told;
        close_circuit();
        (void)depot_take_doubt(w.depot);
        assert_int_not_equal(ask(&told), 0);
        turn(1);
        say(said[i]);
        assert_int_equal(told.count, 1);
        assert_false(lane_is_ready(w.pumped.lane));
        assert_true(peer_is_gone());
        assert_true(depot_take_doubt(w.depot)); /* so that somebody looks where the primary is */
        hang_up();
    }
}

static void a_greeting_that_is_not_as_it_should_be_is_no_connection(void **state)
{
    static const char *const said[] = {
        "*3\r\n$5\r\nslave\r\n:0\r\n*0\r\n" LOADED LOADED LOADED,
        "-LOADING x\r\n" LOADED LOADED LOADED,
        ROLE_MASTER "-NOPERM x\r\n" LOADED LOADED,
        ROLE_MASTER LOADED LOADED "$3\r\nabc\r\n",
        ROLE_MASTER LOADED LOADED ":1\r\n",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(said); i++) {
        accept_lane();
        say(said[i]);
        assert_false(lane_is_ready(w.pumped.lane));
        assert_true(peer_is_gone());
        hang_up();
    }
    close_circuit();
}

static void a_greeting_that_does_not_end_is_given_up(void **state)
{
    (void)state;
    accept_lane();
    say(ROLE_MASTER LOADED LOADED);
    assert_true(peer_is_there());
    w.pumped.now_us += LANE_GREETING_US;
    assert_true(peer_is_gone());
}

static void scripts_that_are_gone_are_loaded_again(void **state)
{
    char bytes[8192];
    (void)state;
    close_circuit();
    while (recv(w.peer, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
    struct words words;
    script_words(lane_greeting(w.pumped.lane), SCRIPT_PUT, 1, &words);
    lane_tell(w.pumped.lane, &words);
    turn(1);
    say("-NOSCRIPT No matching script\r\n");
    ssize_t length = recv(w.peer, bytes, sizeof(bytes) - 1, 0);
    assert_true(length > 0);
    bytes[length] = '\0';
    assert_non_null(strstr(bytes, "SCRIPT\r\n$4\r\nLOAD"));
    say(LOADED LOADED LOADED);
    assert_true(lane_is_ready(w.pumped.lane));
}

static void what_is_no_redis_protocol_ends_the_connection(void **state)
{
    static const char *const said[] = {
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "garbage",
        "$-2\r\n",
        "$5\r\nab\r\ncdef\r\n\r\n",
        "$99999999999999999999\r\n",
        "*2147483647\r\n",
        "*-5\r\n",
        "*1000\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
        ":12x\r\n",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(said); i++) {
        struct told told;
        close_circuit();
        assert_int_not_equal(ask(&told), 0);
        turn(1);
        say(said[i]);
        if (peer_is_there()) { /* it might have become an answer: nobody waits for ever */
            w.pumped.now_us += LANE_TIMEOUT_US;
            turn(1);
        }
        assert_int_equal(told.count, 1);
        if (i != 3) /* that one is a string of 5 bytes, and rubbish after it */
            assert_false(told.is_answered);
        w.pumped.now_us += BREAKER_PAUSE_MAX_US;
        hang_up();
    }
}

/* hiredis' own asynchronous connection ends in an assert here. */
static void an_answer_that_nobody_asked_for_ends_the_connection(void **state)
{
    struct told told;
    (void)state;
    close_circuit();
    say("+OK\r\n");
    assert_true(peer_is_gone());
    hang_up();
    close_circuit();
    assert_int_not_equal(ask(&told), 0);
    turn(1);
    say("$1\r\na\r\n$1\r\nb\r\n");
    assert_string_equal(told.text, "a");
    assert_true(peer_is_gone());
}

static void an_answer_longer_than_any_of_ours_is_not_kept(void **state)
{
    static char bytes[70 * 1024];
    struct told told;
    (void)state;
    close_circuit();
    assert_int_not_equal(ask(&told), 0);
    turn(1);
    memset(bytes, 'x', sizeof(bytes) - 1);
    say("$1000000\r\n");
    say(bytes);
    assert_true(peer_is_gone());
    assert_int_equal(told.count, 1);
    assert_false(told.is_answered);
}

static void half_an_answer_waits_for_the_other_half(void **state)
{
    struct told told;
    (void)state;
    close_circuit();
    assert_int_not_equal(ask(&told), 0);
    turn(1);
    say("$11\r\nhalf");
    assert_int_equal(told.count, 0);
    say(" a word\r\n");
    assert_string_equal(told.text, "half a word");
}

static void a_connection_that_breaks_tells_who_waits(void **state)
{
    struct told told;
    (void)state;
    close_circuit();
    assert_int_not_equal(ask(&told), 0);
    turn(1);
    hang_up();
    for (int i = 0; told.count == 0 && i < TURNS_MAX; i++)
        turn(1);
    assert_int_equal(told.count, 1);
    assert_false(told.is_answered);
    assert_int_equal(counters().lost, 1);
}

static void another_place_is_gone_to_at_once(void **state)
{
    struct place place;
    int64_t serial;
    int old = w.listener;
    (void)state;
    close_circuit();
    hang_up();
    turn(2);
    close_circuit();
    assert_true(depot_find(w.depot, &place, &serial));
    w.listener = socket(AF_INET, SOCK_STREAM, 0);
    ((struct sockaddr_in *)&place.address)->sin_port = 0;
    assert_int_equal(bind(w.listener, (struct sockaddr *)&place.address, place.length), 0);
    assert_int_equal(listen(w.listener, 8), 0);
    assert_int_equal(getsockname(w.listener, (struct sockaddr *)&place.address, &place.length), 0);
    depot_put_place(w.depot, &place);
    turn(1);
    assert_true(peer_is_gone());
    hang_up();
    close_circuit();
    close(old);
}

static void as_many_as_have_a_place_may_wait(void **state)
{
    static struct told told[LANE_QUESTIONS_MAX + 1];
    (void)state;
    close_circuit();
    for (int i = 0; i < LANE_QUESTIONS_MAX; i++)
        assert_int_not_equal(ask(&told[i]), 0);
    assert_int_equal(ask(&told[LANE_QUESTIONS_MAX]), 0);
    assert_int_equal(counters().refused, 1);
    pumped_lane_finish(&w.pumped); /* who waits is told */
    for (int i = 0; i < LANE_QUESTIONS_MAX; i++)
        assert_int_equal(told[i].count, 1);
    assert_int_equal(counters().asked, LANE_QUESTIONS_MAX); /* counted beyond the lane's end */
    pumped_lane_init(&w.pumped, w.depot, 0);
}

#define TEST_CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_CASE(answers_come_to_who_asked_in_order),
        TEST_CASE(what_gathers_in_one_turn_goes_out_as_one_piece),
        TEST_CASE(a_late_answer_finds_nobody_and_the_next_one_its_own),
        TEST_CASE(who_has_forgotten_is_not_called),
        TEST_CASE(silence_opens_the_breaker_which_costs_nobody_anything),
        TEST_CASE(error_answers_open_it_too),
        TEST_CASE(a_server_that_is_no_primary_any_more_is_left_at_once),
        TEST_CASE(a_greeting_that_is_not_as_it_should_be_is_no_connection),
        TEST_CASE(a_greeting_that_does_not_end_is_given_up),
        TEST_CASE(scripts_that_are_gone_are_loaded_again),
        TEST_CASE(what_is_no_redis_protocol_ends_the_connection),
        TEST_CASE(an_answer_that_nobody_asked_for_ends_the_connection),
        TEST_CASE(an_answer_longer_than_any_of_ours_is_not_kept),
        TEST_CASE(half_an_answer_waits_for_the_other_half),
        TEST_CASE(a_connection_that_breaks_tells_who_waits),
        TEST_CASE(another_place_is_gone_to_at_once),
        TEST_CASE(as_many_as_have_a_place_may_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
