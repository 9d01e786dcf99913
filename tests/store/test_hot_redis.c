/*
 * The Redis tier beyond the conformance suite: a Redis that is away, forgets, or lies, and what a
 * process knows of its own commits.
 */
#include "tests/store/redis_party.h"

#include "store/hot_entry.h"

#include <poll.h>
#include <signal.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
#define NOW_US (1000 * SECOND_US)
#define WALL_US (INT64_C(1700000000) * SECOND_US) /* what redis_party.c adds */
#define TENANT 1

static struct redis_process server;
static struct redis_party one, other;

static int set_up(void **state)
{
    (void)state;
    redis_process_start(&server, "");
    redis_party_init(&one, &server, NOW_US);
    redis_party_init(&other, &server, NOW_US);
    redis_party_generation++;
    redis_party_start(&one);
    redis_party_start(&other);
    redis_party_pass(NOW_US + SECOND_US);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    redis_party_finish(&one);
    redis_party_finish(&other);
    redis_process_kill(&server);
    return 0;
}

static struct card make_card(uint8_t number, int64_t version)
{
    struct card card = {.id = number,
                        .tenant_id = TENANT,
                        .last4 = "1234",
                        .status = CARD_ACTIVE,
                        .balance_minor = version * 100,
                        .version = version};
    memset(card.index, number, sizeof(card.index));
    return card;
}

static void commit(struct redis_party *party, uint8_t number, int64_t version)
{
    struct card card = make_card(number, version);
    hot_put(party->hot, &card, redis_party_now_us());
}

static void deliver(struct redis_party *party, uint8_t number, int64_t version)
{
    commit(party, number, version);
    redis_party_await_delivery(party);
}

static bool ask(struct redis_party *party, uint8_t number, struct hot_value *value)
{
    struct card card = make_card(number, 0);
    return redis_party_ask(party, TENANT, card.index, redis_party_now_us(), value);
}

static void assert_version(struct redis_party *party, uint8_t number, int64_t version)
{
    struct hot_value value;
    assert_true(ask(party, number, &value));
    assert_int_equal(value.card.version, version);
}

static void assert_miss(struct redis_party *party, uint8_t number)
{
    struct hot_value value;
    assert_false(ask(party, number, &value));
}

static struct hot_counters counters(struct redis_party *party)
{
    struct hot_counters read;
    hot_read_counters(party->hot, &read);
    return read;
}

/* --- behind everybody's back */

struct bytes {
    uint8_t bytes[256];
    size_t length;
};

static void on_bytes(void *context, const struct answer *answer)
{
    struct bytes *bytes = context;
    bytes->length = 0;
    if (answer->kind != ANSWER_TEXT)
        return;
    assert_true(answer->text.length <= sizeof(bytes->bytes));
    memcpy(bytes->bytes, answer->text.base, answer->text.length);
    bytes->length = answer->text.length;
}

static struct text key_of(uint8_t number, char key[ENTRY_KEY_MAX])
{
    struct entry_codec *codec;
    struct text_buffer buffer;
    struct card card = make_card(number, 0);
    assert_int_equal(entry_codec_create(one.seal, &codec), 0);
    text_buffer_init(&buffer, key, ENTRY_KEY_MAX);
    entry_key(codec, redis_party_generation, TENANT, card.index, &buffer);
    entry_codec_destroy(codec);
    return text_buffer_text(&buffer);
}

static struct bytes stored(uint8_t number)
{
    char key[ENTRY_KEY_MAX];
    struct words words = {0};
    struct bytes bytes;
    words_add(&words, TEXT("GET"));
    words_add(&words, key_of(number, key));
    redis_process_say(&server, &words, on_bytes, &bytes);
    return bytes;
}

static void forge(uint8_t number, const struct bytes *bytes)
{
    char key[ENTRY_KEY_MAX];
    struct words words = {0};
    words_add(&words, TEXT("SET"));
    words_add(&words, key_of(number, key));
    words_add(&words, (struct text){(const char *)bytes->bytes, bytes->length});
    redis_process_say(&server, &words, NULL, NULL);
}

static void say(const char *const *list)
{
    struct words words = {0};
    for (; *list != NULL; list++)
        words_add(&words, text_of(*list));
    redis_process_say(&server, &words, NULL, NULL);
}
#define SAY(...) say((const char *const[]){__VA_ARGS__, NULL})

/* Another type than an entry has, without an end. */
static void forge_list(uint8_t number)
{
    char key[ENTRY_KEY_MAX];
    struct words words = {0};
    words_add(&words, TEXT("DEL"));
    words_add(&words, key_of(number, key));
    redis_process_say(&server, &words, NULL, NULL);
    words.word[0] = TEXT("RPUSH");
    words_add(&words, TEXT("x"));
    redis_process_say(&server, &words, NULL, NULL);
}

static void flush_all(void)
{
    struct words words = {0};
    words_add(&words, TEXT("FLUSHALL"));
    redis_process_say(&server, &words, NULL, NULL);
}

static void restart_empty(void)
{
    redis_process_kill(&server);
    redis_party_await_up(&one, false);
    redis_process_restart(&server);
    redis_party_await_up(&one, true);
    for (int i = 0; i < 3; i++)
        pumped_lane_turn(&one.pumped, 10); /* sees that its connection has ended */
    pumped_lane_await(&one.pumped);
}

/* --- the tests */

static void a_commit_is_known_here_before_redis_has_it(void **state)
{
    (void)state;
    deliver(&one, 7, 1);
    redis_process_signal(&server, SIGSTOP);
    commit(&one, 7, 2);
    struct hot_value value;
    struct card card = make_card(7, 0);
    struct hot_question question = {0};
    assert_int_equal(hot_ask(one.hot, one.pumped.lane, TENANT, card.index, redis_party_now_us(),
                             &question, &value),
                     HOT_HIT); /* at once */
    assert_int_equal(value.card.version, 2);
    redis_process_signal(&server, SIGCONT);
}

static void an_answer_older_than_what_was_committed_here_is_no_answer(void **state)
{
    (void)state;
    deliver(&one, 7, 1);
    struct bytes old = stored(7);
    deliver(&one, 7, 2);
    forge(7, &old);
    assert_version(&other, 7, 1); /* who does not know better believes it, for a minute */
    assert_miss(&one, 7);
    assert_int_equal(counters(&one).undone, 1);
    assert_int_equal(counters(&other).undone, 0);
    redis_party_pass(redis_party_now_us() + HOT_TTL_US);
    assert_miss(&other, 7);
}

static void a_removal_here_is_not_undone_by_what_was_read_before(void **state)
{
    (void)state;
    struct card card = make_card(7, 3);
    deliver(&one, 7, 3);
    struct bytes before = stored(7);
    redis_party_pass(redis_party_now_us() + SECOND_US);
    hot_remove(one.hot, TENANT, card.index, 3, redis_party_now_us());
    redis_party_await_delivery(&one);
    assert_miss(&other, 7);
    forge(7, &before);
    assert_miss(&one, 7);
}

static void what_nobody_of_ours_has_written_is_dropped(void **state)
{
    (void)state;
    deliver(&one, 7, 1);
    const struct bytes good = stored(7);
    assert_int_equal(good.length, ENTRY_BYTES);
    for (size_t i = 0; i < ENTRY_BYTES; i++) {
        struct bytes bad = good;
        if (i == 1)
            continue; /* the state: a tombstone says nothing, and may be anybody's */
        bad.bytes[i] ^= 0x40;
        forge(7, &bad);
        assert_miss(&other, 7);
        assert_int_equal(counters(&other).poisoned, i + (i < 1));
        assert_miss(&other, 7); /* in order: it has been dropped by now */
        assert_int_equal(stored(7).length, 0);
    }
    forge(7, &good);
    assert_version(&other, 7, 1);
}

static void bytes_of_another_length_are_nobodys(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, ENTRY_BYTES - 1, ENTRY_BYTES + 1, 256};
    deliver(&one, 7, 1);
    const struct bytes good = stored(7);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        struct bytes bad = good;
        bad.length = lengths[i];
        forge(7, &bad);
        assert_miss(&other, 7);
        assert_int_equal(counters(&other).poisoned, i + 1);
        deliver(&one, 7, (int64_t)i + 2); /* and it holds up nobody */
        assert_version(&other, 7, (int64_t)i + 2);
    }
}

static void a_key_of_another_type_is_overwritten_by_the_next_commit(void **state)
{
    (void)state;
    deliver(&one, 7, 1);
    forge_list(7);
    deliver(&one, 7, 2);
    assert_true(hot_is_up(one.hot));
    assert_version(&other, 7, 2);
    assert_int_equal(counters(&one).poisoned, 1);
    assert_int_equal(counters(&one).refused, 0);
    deliver(&one, 7, 3);
    assert_int_equal(counters(&one).poisoned, 1);
}

static void a_key_of_another_type_is_dropped_when_it_is_asked_for(void **state)
{
    (void)state;
    deliver(&one, 8, 1);
    for (uint64_t i = 0; i < 20; i++) {
        forge_list(7);
        assert_miss(&other, 7);
        assert_int_equal(counters(&other).poisoned, i + 1);
        assert_miss(&other, 7); /* in order: it has been dropped by now */
        assert_int_equal(counters(&other).poisoned, i + 1);
        assert_version(&other, 8, 1); /* and the way there is as good as before */
    }
}

static void what_redis_refuses_is_deleted_there(void **state)
{
    (void)state;
    deliver(&one, 7, 1);
    deliver(&one, 8, 1);
    SAY("CONFIG", "SET", "maxmemory", "1");
    deliver(&one, 7, 2);
    assert_true(hot_is_up(one.hot));
    assert_int_equal(counters(&one).refused, 1);
    assert_int_equal(stored(7).length, 0);
    assert_int_equal(stored(8).length, ENTRY_BYTES);
    SAY("CONFIG", "SET", "maxmemory", "0");
    deliver(&one, 7, 3);
    assert_version(&other, 7, 3);
    assert_int_equal(counters(&one).refused, 1);
    assert_int_equal(counters(&one).overflows, 0);
}

static void a_redis_that_goes_on_refusing_costs_one_generation(void **state)
{
    (void)state;
    int raises = atomic_load(&one.raises);
    deliver(&one, 7, 1);
    redis_party_generation++;
    SAY("ACL", "SETUSER", "default", "-set", "-del");
    commit(&one, 7, 2);
    redis_party_await_delivery(&one); /* given up */
    assert_int_equal(counters(&one).overflows, 1);
    assert_int_equal(counters(&one).refused, 0);
    for (int i = 0; i < 200 && atomic_load(&one.raises) == raises; i++)
        (void)poll(NULL, 0, 10);
    assert_int_equal(atomic_load(&one.raises), raises + 1);
    redis_party_await_up(&one, true);
    commit(&one, 7, 3); /* waits, and costs no other one */
    (void)poll(NULL, 0, 500);
    assert_int_equal(counters(&one).overflows, 1);
    SAY("ACL", "SETUSER", "default", "+set", "+del");
    redis_party_await_delivery(&one);
    assert_int_equal(counters(&one).overflows, 1);
}

static void another_cards_balance_is_nobodys(void **state)
{
    (void)state;
    deliver(&one, 7, 1);
    deliver(&one, 8, 50);
    struct bytes rich = stored(8);
    forge(7, &rich);
    assert_miss(&other, 7);
    assert_int_equal(counters(&other).poisoned, 1);
    assert_version(&other, 8, 50);
}

static void a_forged_huge_version_holds_up_for_one_time_to_live_at_most(void **state)
{
    (void)state;
    deliver(&one, 7, 1);
    struct bytes huge = stored(7);
    memset(huge.bytes + 8, 0xff, 8);
    huge.bytes[8] = 0x7f;
    forge(7, &huge);
    deliver(&one, 7, 2); /* what is there has, so it seems, a greater version */
    struct bytes now = stored(7);
    assert_memory_equal(now.bytes, huge.bytes, ENTRY_BYTES);
    assert_miss(&other, 7); /* a miss, never an answer; it drops it */
    assert_miss(&other, 7);
    deliver(&one, 7, 3);
    assert_version(&other, 7, 3);
    forge(7, &huge);
    redis_party_pass(redis_party_now_us() + HOT_TTL_US);
    deliver(&one, 7, 4); /* and if nobody has looked: when it is old it does not count */
    assert_version(&other, 7, 4);
}

static void what_comes_from_the_future_does_not_count(void **state)
{
    (void)state;
    static const int64_t ahead_us[] = {SECOND_US, SECOND_US + 1};
    deliver(&one, 7, 1);
    int64_t then_us = redis_party_now_us();
    struct card card = make_card(7, 5);
    for (size_t i = 0; i < COUNT_OF(ahead_us); i++) {
        struct entry_codec *codec;
        char key[ENTRY_KEY_MAX];
        struct bytes bytes = {.length = ENTRY_BYTES};
        struct hot_write write = {.card = card, .at_us = WALL_US + then_us + ahead_us[i]};
        assert_int_equal(entry_codec_create(one.seal, &codec), 0);
        entry_encode(codec, key_of(7, key), &write, bytes.bytes);
        entry_codec_destroy(codec);
        forge(7, &bytes); /* a good one, of a process whose clock is wrong */
        if (ahead_us[i] <= SECOND_US)
            assert_version(&other, 7, 5);
        else
            assert_miss(&other, 7);
    }
    deliver(&one, 7, 2);
    assert_version(&other, 7, 2);
}

static void a_redis_that_was_emptied_is_filled_again(void **state)
{
    (void)state;
    deliver(&one, 7, 1);
    flush_all();
    assert_miss(&other, 7);
    struct card card = make_card(7, 1);
    hot_fill(other.hot, other.pumped.lane, &card, redis_party_now_us());
    assert_version(&other, 7, 1);
    assert_version(&one, 7, 1);
}

static void a_late_read_does_not_bring_an_old_balance_into_an_emptied_redis(void **state)
{
    (void)state;
    struct card old = make_card(7, 1);
    int64_t read_at_us = redis_party_now_us();
    redis_party_pass(read_at_us + 10);
    deliver(&one, 7, 2);
    flush_all();
    hot_fill(one.hot, one.pumped.lane, &old, read_at_us); /* knows better */
    assert_miss(&one, 7);
    assert_int_equal(stored(7).length, 0);
}

static void what_could_not_be_written_becomes_a_tombstone(void **state)
{
    (void)state;
    redis_process_kill(&server);
    redis_party_await_up(&one, false);
    redis_party_pass(redis_party_now_us() + 10);
    commit(&one, 7, 2);
    assert_true(counters(&one).pending > 0);
    redis_party_pass(redis_party_now_us() + 10); /* until it was back */
    redis_process_restart(&server);
    redis_party_await_delivery(&one);
    struct bytes bytes = stored(7);
    assert_int_equal(bytes.length, ENTRY_BYTES);
    assert_int_equal(bytes.bytes[1], 2);
    assert_int_equal(bytes.bytes[15], 2); /* its version */
    assert_int_equal(counters(&one).tombstones, 1);
    assert_int_equal(counters(&one).overflows, 0);
}

static void a_tombstone_of_what_was_late_keeps_old_reads_out(void **state)
{
    (void)state;
    what_could_not_be_written_becomes_a_tombstone(state);
    struct card old = make_card(7, 1);
    redis_party_pass(redis_party_now_us() + 10);
    for (int i = 0; i < 3; i++)
        pumped_lane_turn(&other.pumped, 10);
    pumped_lane_await(&other.pumped);
    hot_fill(other.hot, other.pumped.lane, &old, redis_party_now_us());
    assert_miss(&other, 7);
    old.version = 2; /* as the store has it */
    hot_fill(other.hot, other.pumped.lane, &old, redis_party_now_us());
    assert_version(&other, 7, 2);
}

static void more_than_can_wait_costs_a_generation(void **state)
{
    (void)state;
    struct redis_party small;
    redis_party_init_as(&small, &server, redis_party_now_us(), 4, 1);
    redis_party_start(&small);
    deliver(&small, 1, 1);
    assert_version(&other, 1, 1);
    redis_process_signal(&server, SIGSTOP);
    redis_party_await_up(&small, false); /* the keeper has seen it */
    redis_party_generation++;
    for (uint8_t i = 1; i <= 5; i++)
        commit(&small, i, 2);
    assert_int_equal(counters(&small).overflows, 1);
    assert_int_equal(counters(&small).pending, 0);
    assert_miss(&small, 1); /* not even asked */
    commit(&small, 9, 2);   /* and nothing is kept of this one */
    int64_t read_at_us = redis_party_now_us() - 1;
    redis_process_signal(&server, SIGCONT);
    redis_party_await_up(&small, true);
    assert_int_equal(small.raises, 2); /* one at its start */
    assert_int_equal(counters(&small).generation, redis_party_generation);
    pumped_lane_await(&small.pumped);
    assert_miss(&small, 1); /* what was there is of another generation */
    struct card old = make_card(9, 1);
    hot_fill(small.hot, small.pumped.lane, &old, read_at_us);
    assert_miss(&small, 9); /* nor is anything taken that was read before it */
    deliver(&small, 1, 3);
    assert_version(&small, 1, 3);
    redis_party_finish(&small);
}

static void one_card_that_moves_all_the_time_waits_once(void **state)
{
    (void)state;
    struct redis_party small;
    redis_party_init_as(&small, &server, redis_party_now_us(), 4, 1);
    redis_party_start(&small);
    redis_process_signal(&server, SIGSTOP);
    redis_party_await_up(&small, false);
    for (int64_t version = 1; version <= 100; version++)
        commit(&small, 7, version);
    assert_int_equal(counters(&small).overflows, 0);
    redis_process_signal(&server, SIGCONT);
    redis_party_await_delivery(&small);
    assert_int_equal(stored(7).bytes[15], 100);
    redis_party_finish(&small);
}

static void nothing_is_asked_or_held_until_the_store_has_given_a_generation(void **state)
{
    (void)state;
    struct redis_party new;
    deliver(&one, 7, 1);
    redis_party_init(&new, &server, redis_party_now_us());
    redis_party_start_held(&new);
    assert_miss(&new, 7);
    assert_int_equal(counters(&new).skipped, 1);
    commit(&new, 8, 1);
    assert_int_equal(counters(&new).pending, 0);
    assert_false(hot_is_up(new.hot));
    hot_redis_trust(new.hot, redis_party_generation);
    assert_version(&new, 7, 1);
    redis_party_finish(&new);
}

/* Until everybody knows of it others write elsewhere, and what is filled in would be stale. */
static void a_new_generation_is_asked_and_filled_when_every_process_may_know_of_it(void **state)
{
    (void)state;
    struct redis_party new;
    struct card old = make_card(7, 1);
    deliver(&one, 7, 1);
    redis_party_spread_us = 2 * SECOND_US;
    redis_party_init(&new, &server, redis_party_now_us());
    redis_party_spread_us = 0;
    redis_party_start_held(&new);
    int64_t generation = atomic_fetch_add(&redis_party_generation, 1) + 1;
    hot_redis_trust(new.hot, generation);
    hot_fill(new.hot, new.pumped.lane, &old, redis_party_now_us());
    assert_miss(&new, 7);
    deliver(&one, 7, 2);
    deliver(&new, 9, 1);
    hot_redis_follow(one.hot, generation);
    hot_redis_follow(one.hot, generation - 1); /* what was asked before, and answered late */
    assert_int_equal(counters(&one).generation, generation);
    assert_version(&one, 9, 1);
    redis_party_pass(redis_party_now_us() + 2 * SECOND_US);
    assert_miss(&new, 7);
    assert_version(&new, 9, 1);
    struct card now = make_card(7, 2);
    hot_fill(new.hot, new.pumped.lane, &now, redis_party_now_us());
    assert_version(&new, 7, 2);
    redis_party_finish(&new);
}

static void who_waits_for_a_generation_of_its_own_follows_no_other(void **state)
{
    (void)state;
    struct redis_party new;
    deliver(&one, 7, 1);
    redis_party_init(&new, &server, redis_party_now_us());
    redis_party_start_held(&new);
    hot_redis_follow(new.hot, redis_party_generation);
    assert_miss(&new, 7);
    assert_false(hot_is_up(new.hot));
    redis_party_finish(&new);
}

static void stores_under_other_keys_do_not_mix(void **state)
{
    (void)state;
    struct redis_party stranger;
    redis_party_init_as(&stranger, &server, redis_party_now_us(), HOT_PENDING_MAX, 2);
    redis_party_start(&stranger);
    deliver(&one, 7, 9);
    assert_miss(&stranger, 7);
    deliver(&stranger, 7, 3);
    assert_version(&one, 7, 9);
    assert_version(&stranger, 7, 3);
    assert_int_equal(counters(&stranger).poisoned, 0);
    redis_party_finish(&stranger);
}

static void commits_go_on_after_a_restart_of_redis(void **state)
{
    (void)state;
    deliver(&one, 7, 1);
    restart_empty();
    assert_miss(&one, 7);
    redis_party_pass(redis_party_now_us() + 10);
    deliver(&one, 7, 2);
    assert_version(&one, 7, 2);
    assert_int_equal(counters(&one).overflows, 0);
}

/* What is answered then comes from this process' own memory. */
static void what_is_answered_while_redis_is_down_is_no_hit(void **state)
{
    (void)state;
    struct hot_value value;
    struct card card = make_card(7, 0);
    deliver(&one, 7, 1);
    assert_version(&one, 7, 1);
    assert_int_equal(counters(&one).hits, 1);
    commit(&one, 7, 2);
    redis_process_signal(&server, SIGSTOP);
    commit(&one, 7, 3);
    redis_party_await_up(&one, false);
    const struct hot_counters before = counters(&one);
    struct hot_question question = {0};
    assert_int_equal(hot_ask(one.hot, one.pumped.lane, TENANT, card.index, redis_party_now_us(),
                             &question, &value),
                     HOT_HIT);
    assert_int_equal(value.card.version, 3);
    assert_int_equal(counters(&one).hits, before.hits);
    assert_int_equal(counters(&one).misses, before.misses);
    assert_int_equal(counters(&one).skipped, before.skipped + 1);
    redis_process_signal(&server, SIGCONT);
}

static void what_waits_at_the_end_is_written_before_it(void **state)
{
    (void)state;
    deliver(&one, 1, 1);
    assert_version(&other, 1, 1);
    for (int64_t version = 2; version < 50; version++) {
        commit(&one, 1, version);
        for (uint8_t number = 2; number < 200; number++)
            commit(&one, number, version);
    }
    hot_redis_stop(one.hot);
    assert_int_equal(counters(&one).pending, 0);
    assert_version(&other, 1, 49);
    assert_version(&other, 199, 49);
}

/* And holds up nobody for long. */
static void at_the_end_a_redis_that_says_nothing_is_left(void **state)
{
    (void)state;
    deliver(&one, 1, 1);
    redis_process_signal(&server, SIGSTOP);
    commit(&one, 1, 2);
    hot_redis_stop(one.hot);
    redis_process_signal(&server, SIGCONT);
    assert_int_equal(counters(&one).pending, 1);
}

#define TEST_CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_CASE(a_commit_is_known_here_before_redis_has_it),
        TEST_CASE(an_answer_older_than_what_was_committed_here_is_no_answer),
        TEST_CASE(a_removal_here_is_not_undone_by_what_was_read_before),
        TEST_CASE(what_nobody_of_ours_has_written_is_dropped),
        TEST_CASE(bytes_of_another_length_are_nobodys),
        TEST_CASE(a_key_of_another_type_is_overwritten_by_the_next_commit),
        TEST_CASE(a_key_of_another_type_is_dropped_when_it_is_asked_for),
        TEST_CASE(what_redis_refuses_is_deleted_there),
        TEST_CASE(a_redis_that_goes_on_refusing_costs_one_generation),
        TEST_CASE(another_cards_balance_is_nobodys),
        TEST_CASE(a_forged_huge_version_holds_up_for_one_time_to_live_at_most),
        TEST_CASE(what_comes_from_the_future_does_not_count),
        TEST_CASE(a_redis_that_was_emptied_is_filled_again),
        TEST_CASE(a_late_read_does_not_bring_an_old_balance_into_an_emptied_redis),
        TEST_CASE(what_could_not_be_written_becomes_a_tombstone),
        TEST_CASE(a_tombstone_of_what_was_late_keeps_old_reads_out),
        TEST_CASE(more_than_can_wait_costs_a_generation),
        TEST_CASE(one_card_that_moves_all_the_time_waits_once),
        TEST_CASE(what_waits_at_the_end_is_written_before_it),
        TEST_CASE(at_the_end_a_redis_that_says_nothing_is_left),
        TEST_CASE(nothing_is_asked_or_held_until_the_store_has_given_a_generation),
        TEST_CASE(a_new_generation_is_asked_and_filled_when_every_process_may_know_of_it),
        TEST_CASE(who_waits_for_a_generation_of_its_own_follows_no_other),
        TEST_CASE(stores_under_other_keys_do_not_mix),
        TEST_CASE(commits_go_on_after_a_restart_of_redis),
        TEST_CASE(what_is_answered_while_redis_is_down_is_no_hit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
