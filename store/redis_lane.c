/* Asks a Redis with time-outs and a breaker, on one thread. */
#include "store/redis_lane.h"

#include "base/error.h"
#include "base/log.h"
#include "store/redis_breaker.h"

#include <stdlib.h>

#include "base/banned.h"

/* What stands in a link's ticket: a question as serial << 32 | index, or one of these. */
#define TICKET_TOLD (UINT64_C(1) << 63)
#define TICKET_GREETING (UINT64_C(1) << 62) /* + step */
#define SERIAL_MASK UINT32_C(0x3fffffff)
#define LANE_IDLE_US (INT64_C(500) * 1000) /* an unwatched lane is looked at this often */
#define NOWHERE UINT32_MAX

/* A place for one question. Its serial moves on with its end, so that a late answer finds nobody.
 * Linked by index: in use, by age; else free. */
struct slot {
    lane_answer_fn on_answer;
    void *context;
    int64_t deadline_us;
    uint32_t serial; /* never 0 */
    uint32_t next, previous;
    bool is_used;
};

struct lane {
    struct depot *depot;
    struct lane_pump pump;
    struct link *link; /* NULL: not connected, nor trying */
    void *attachment;
    bool wants_write;
    bool is_doomed; /* an answer has shown that the link is of no use */
    struct breaker breaker;
    int64_t place_serial; /* of the place that the link leads to */
    struct greeting greeting;
    int32_t greetings_due; /* answers until the probe has worked */
    int64_t probe_until_us;
    int64_t now_us;
    struct lane_counters counters;
    uint32_t oldest, newest, free;
    struct slot slots[LANE_QUESTIONS_MAX];
};

static void count(_Atomic uint64_t *counter)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + 1, memory_order_relaxed);
}

static void note_state(struct lane *lane)
{
    atomic_store_explicit(&lane->counters.state, (int)lane->breaker.state, memory_order_relaxed);
}

/* --- slots --- */

static struct slot *slot_claim(struct lane *lane)
{
    if (lane->free == NOWHERE)
        return NULL;
    uint32_t index = lane->free;
    struct slot *slot = &lane->slots[index];
    lane->free = slot->next;
    slot->is_used = true;
    slot->next = NOWHERE;
    slot->previous = lane->newest;
    if (lane->newest != NOWHERE)
        lane->slots[lane->newest].next = index;
    else
        lane->oldest = index;
    lane->newest = index;
    return slot;
}

static void slot_release(struct lane *lane, struct slot *slot)
{
    uint32_t index = (uint32_t)(slot - lane->slots);
    if (slot->previous != NOWHERE)
        lane->slots[slot->previous].next = slot->next;
    else
        lane->oldest = slot->next;
    if (slot->next != NOWHERE)
        lane->slots[slot->next].previous = slot->previous;
    else
        lane->newest = slot->previous;
    slot->serial = slot->serial == SERIAL_MASK ? 1 : slot->serial + 1;
    slot->is_used = false;
    slot->next = lane->free;
    lane->free = index;
}

static uint64_t ticket_of(const struct lane *lane, const struct slot *slot)
{
    return (uint64_t)slot->serial << 32 | (uint64_t)(slot - lane->slots);
}

/* NULL: that question has ended. */
static struct slot *slot_of(struct lane *lane, uint64_t ticket)
{
    uint32_t index = (uint32_t)ticket;
    CHECK(index < LANE_QUESTIONS_MAX);
    struct slot *slot = &lane->slots[index];
    return slot->is_used && slot->serial == ticket >> 32 ? slot : NULL;
}

static void slot_end(struct lane *lane, struct slot *slot, const struct answer *answer)
{
    lane_answer_fn on_answer = slot->on_answer;
    void *context = slot->context;
    slot_release(lane, slot);
    on_answer(context, answer);
}

/* --- the link --- */

static void lane_hang_up(struct lane *lane)
{
    if (lane->attachment != NULL)
        lane->pump.detach(lane->attachment);
    lane->attachment = NULL;
    link_close(lane->link);
    lane->link = NULL;
    lane->is_doomed = false;
}

/* The breaker is open. Who waits is told at once. */
static void lane_drop(struct lane *lane, bool is_doubtful)
{
    if (lane->link != NULL)
        count(&lane->counters.lost);
    lane_hang_up(lane);
    breaker_note_lost(&lane->breaker, lane->now_us);
    note_state(lane);
    if (is_doubtful)
        depot_doubt(lane->depot);
    while (lane->oldest != NOWHERE)
        slot_end(lane, &lane->slots[lane->oldest], NULL);
}

static void send_greeting(struct lane *lane, int32_t first_step)
{
    for (int32_t step = first_step; step < GREETING_STEPS; step++) {
        struct words words;
        if (!greeting_words(&lane->greeting, step, &words))
            continue;
        if (link_send(lane->link, &words, TICKET_GREETING + (uint64_t)step) != 0)
            lane->is_doomed = true;
        lane->greetings_due++;
    }
}

/* The probe of the breaker: nobody's request waits for it. */
static void lane_connect(struct lane *lane)
{
    struct place place;
    if (!depot_find(lane->depot, &place, &lane->place_serial)) {
        breaker_note_lost(&lane->breaker, lane->now_us);
        depot_doubt(lane->depot);
        return;
    }
    lane->probe_until_us = lane->now_us + LANE_GREETING_US;
    lane->greetings_due = 0;
    if (link_open(&place, &lane->link) != 0) {
        lane_drop(lane, true);
        return;
    }
    lane->attachment = lane->pump.attach(lane->pump.context, lane, link_fd(lane->link));
    if (lane->attachment == NULL) {
        lane_drop(lane, false);
        return;
    }
    lane->wants_write = false;
    count(&lane->counters.opened);
    send_greeting(lane, 0);
    note_state(lane);
}

static void lane_flush(struct lane *lane)
{
    if (lane->link == NULL)
        return;
    if (lane->is_doomed || link_flush(lane->link) != 0) {
        lane_drop(lane, true);
        return;
    }
    bool wants_write = link_is_stuck(lane->link);
    if (wants_write == lane->wants_write)
        return;
    lane->wants_write = wants_write;
    lane->pump.watch(lane->attachment, wants_write);
}

/* --- answers --- */

static void take_greeting(struct lane *lane, int32_t step, const struct answer *answer)
{
    int err = greeting_take(&lane->greeting, step, answer);
    if (err != 0) {
        log_event(LOG_WARNING, "redis_refused", LOG_INT("step", step),
                  LOG_TEXT_N("answer", answer->kind == ANSWER_ERROR ? answer->text : TEXT("")));
        lane->is_doomed = true;
    }
    if (--lane->greetings_due > 0 || lane->is_doomed || lane->breaker.state != BREAKER_PROBING)
        return;
    breaker_note_probed(&lane->breaker);
    note_state(lane);
}

static void judge_error(struct lane *lane, const struct answer *answer)
{
    count(&lane->counters.errors);
    if (answer_is_wrong_type(answer))
        return;
    if (answer_is_fatal(answer))
        lane->is_doomed = true;
    else if (answer_is_no_script(answer) && lane->greetings_due == 0)
        send_greeting(lane, GREETING_STEPS - SCRIPTS); /* somebody has emptied its scripts */
    else if (breaker_note_failure(&lane->breaker, lane->now_us))
        lane->is_doomed = true;
}

static void on_answer(void *context, uint64_t ticket, const struct answer *answer)
{
    struct lane *lane = context;
    if (ticket >= TICKET_GREETING && ticket < TICKET_TOLD) {
        take_greeting(lane, (int32_t)(ticket - TICKET_GREETING), answer);
        return;
    }
    if (answer->kind == ANSWER_ERROR)
        judge_error(lane, answer);
    if (ticket == TICKET_TOLD)
        return;
    struct slot *slot = slot_of(lane, ticket);
    if (slot == NULL) {
        count(&lane->counters.late);
        return;
    }
    if (answer->kind != ANSWER_ERROR)
        breaker_note_success(&lane->breaker);
    slot_end(lane, slot, answer);
}

static void lane_end_late(struct lane *lane)
{
    bool is_open = false;
    while (lane->oldest != NOWHERE && lane->slots[lane->oldest].deadline_us <= lane->now_us) {
        count(&lane->counters.timeouts);
        is_open |= breaker_note_failure(&lane->breaker, lane->now_us);
        slot_end(lane, &lane->slots[lane->oldest], NULL);
    }
    bool is_probe_late =
        lane->breaker.state == BREAKER_PROBING && lane->now_us >= lane->probe_until_us;
    if (is_open || is_probe_late)
        lane_drop(lane, true);
}

/* --- public --- */

int lane_create(struct depot *depot, const struct lane_pump *pump, struct lane **created)
{
    struct lane *lane = calloc(1, sizeof(*lane));
    *created = lane;
    if (lane == NULL)
        return ERR_NO_MEMORY;
    lane->depot = depot;
    lane->pump = *pump;
    lane->greeting.target = depot_target(depot);
    lane->oldest = lane->newest = NOWHERE;
    lane->free = 0;
    for (uint32_t i = 0; i < LANE_QUESTIONS_MAX; i++) {
        lane->slots[i].serial = 1;
        lane->slots[i].next = i + 1 < LANE_QUESTIONS_MAX ? i + 1 : NOWHERE;
    }
    depot_add_lane(depot, &lane->counters);
    return 0;
}

void lane_destroy(struct lane *lane)
{
    if (lane == NULL)
        return;
    lane_drop(lane, false);
    depot_remove_lane(lane->depot, &lane->counters);
    free(lane);
}

static bool is_elsewhere(const struct lane *lane)
{
    return lane->link != NULL && lane->place_serial != depot_serial(lane->depot);
}

/* What the lane is waiting for, when nothing comes from the socket. */
static int64_t next_turn_us(const struct lane *lane)
{
    int64_t due_us = lane->now_us + LANE_IDLE_US;
    if (lane->breaker.state == BREAKER_OPEN && lane->breaker.open_until_us < due_us)
        due_us = lane->breaker.open_until_us;
    if (lane->breaker.state == BREAKER_PROBING && lane->probe_until_us < due_us)
        due_us = lane->probe_until_us;
    if (lane->oldest != NOWHERE && lane->slots[lane->oldest].deadline_us < due_us)
        due_us = lane->slots[lane->oldest].deadline_us;
    return due_us;
}

int64_t lane_turn(struct lane *lane, int64_t now_us)
{
    lane->now_us = now_us;
    lane_end_late(lane);
    if (is_elsewhere(lane)) {
        lane_drop(lane, false);
        lane->breaker = (struct breaker){0}; /* that was no fault of the new one's */
    }
    if (breaker_may_probe(&lane->breaker, now_us))
        lane_connect(lane);
    lane_flush(lane);
    return next_turn_us(lane);
}

void lane_on_ready(struct lane *lane, bool can_read, int64_t now_us)
{
    lane->now_us = now_us;
    if (lane->link == NULL)
        return;
    if (can_read && link_read(lane->link, on_answer, lane) != 0)
        lane->is_doomed = true;
    lane_flush(lane);
}

bool lane_is_ready(const struct lane *lane)
{
    return lane->breaker.state == BREAKER_CLOSED && !lane->is_doomed;
}

const struct greeting *lane_greeting(const struct lane *lane)
{
    return &lane->greeting;
}

uint64_t lane_ask(struct lane *lane, const struct words *words, int64_t now_us,
                  lane_answer_fn answer_fn, void *context)
{
    struct slot *slot = lane_is_ready(lane) ? slot_claim(lane) : NULL;
    if (slot == NULL || link_send(lane->link, words, ticket_of(lane, slot)) != 0) {
        if (slot != NULL)
            slot_release(lane, slot);
        count(&lane->counters.refused);
        return 0;
    }
    slot->on_answer = answer_fn;
    slot->context = context;
    slot->deadline_us = now_us + LANE_TIMEOUT_US;
    count(&lane->counters.asked);
    return ticket_of(lane, slot);
}

void lane_forget(struct lane *lane, uint64_t ticket)
{
    struct slot *slot = slot_of(lane, ticket);
    if (slot != NULL)
        slot_release(lane, slot);
}

void lane_tell(struct lane *lane, const struct words *words)
{
    if (!lane_is_ready(lane) || link_send(lane->link, words, TICKET_TOLD) != 0)
        count(&lane->counters.refused);
}
