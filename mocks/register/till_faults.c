/* Arms faults, throws dice for them, and gives them to presses. */
#include "mocks/register/till_faults.h"

#include "base/id.h"
#include "mocks/lightspeed/call.h"
#include "mocks/register/config.h"

#include "base/banned.h"

#define CHANCE_DELAY_MS_DEFAULT 500

static const char *const TWICE[SEND_WAYS] = {"no", "at_once", "after_timeout", "concurrent"};
static const char *const CHANCES[FAULT_CHANCES] = {
    "drop_reply", "send_at_once",    "send_after_timeout", "send_concurrent",
    "delay",      "reset_mid_reply", "wrong_signature"};

void till_faults_init(struct till_faults *faults, int64_t seed)
{
    *faults = (struct till_faults){
        .seed = seed, .dice = (uint64_t)seed, .chance_delay_ms = CHANCE_DELAY_MS_DEFAULT};
}

static bool chance_hits(struct till_faults *faults, enum fault_chance chance)
{
    uint64_t random;
    struct id_source source = id_source_seeded(&faults->dice);
    source.fill(source.context, (uint8_t *)&random, sizeof(random));
    return (int64_t)(random % 100) < faults->percents[chance];
}

/* Every die is thrown, whatever the ones before it showed: the seed alone decides. */
struct fault_set till_faults_take(struct till_faults *faults)
{
    struct fault_set set = faults->next;
    bool hits[FAULT_CHANCES];
    for (int i = 0; i < FAULT_CHANCES; i++)
        hits[i] = chance_hits(faults, (enum fault_chance)i);
    set.drops_reply = set.drops_reply || hits[CHANCE_DROP_REPLY];
    if (set.twice == SEND_ONCE)
        set.twice = hits[CHANCE_SEND_AT_ONCE]         ? SEND_AT_ONCE
                    : hits[CHANCE_SEND_AFTER_TIMEOUT] ? SEND_AFTER_TIMEOUT
                    : hits[CHANCE_SEND_CONCURRENT]    ? SEND_CONCURRENT
                                                      : SEND_ONCE;
    if (set.delay_ms == 0 && hits[CHANCE_DELAY])
        set.delay_ms = faults->chance_delay_ms;
    set.resets_mid_reply = set.resets_mid_reply || hits[CHANCE_RESET_MID_REPLY];
    set.has_wrong_signature = set.has_wrong_signature || hits[CHANCE_WRONG_SIGNATURE];
    if (!faults->is_always)
        faults->next = (struct fault_set){.is_unregistered = faults->next.is_unregistered,
                                          .clock_skew_s = faults->next.clock_skew_s};
    return set;
}

/* --- reading --------------------------------------------------------------------------------- */

static bool read_twice(const struct jread *json, enum send_twice *twice, struct till_answer *answer)
{
    struct text word;
    *twice = SEND_ONCE;
    if (jread_member(json, "send_twice") == NULL)
        return true;
    if (!till_take_text(json, "send_twice", true, &word, answer))
        return false;
    for (int i = 0; i < SEND_WAYS; i++) {
        *twice = (enum send_twice)i;
        if (text_equal(word, text_of(TWICE[i])))
            return true;
    }
    return till_refuse(answer, 422, "bad_value",
                       "send_twice: no, at_once, after_timeout or concurrent wanted.");
}

static bool read_next(const struct jread *json, struct fault_set *set, struct till_answer *answer)
{
    static const char *const NAMES[] = {
        "drop_reply",      "send_twice",         "delay_ms",     "reset_mid_reply",
        "wrong_signature", "unregistered_token", "clock_skew_s", NULL};
    *set = (struct fault_set){0};
    return till_names_are_known(json, NAMES, answer) &&
           till_take_bool(json, "drop_reply", &set->drops_reply, answer) &&
           read_twice(json, &set->twice, answer) &&
           till_take_int(json, "delay_ms", 0, FAULT_DELAY_MS_MAX, &set->delay_ms, answer) &&
           till_take_bool(json, "reset_mid_reply", &set->resets_mid_reply, answer) &&
           till_take_bool(json, "wrong_signature", &set->has_wrong_signature, answer) &&
           till_take_bool(json, "unregistered_token", &set->is_unregistered, answer) &&
           till_take_int(json, "clock_skew_s", -CONFIG_SKEW_S_MAX, CONFIG_SKEW_S_MAX,
                         &set->clock_skew_s, answer);
}

static bool read_chance(const struct jread *json, struct till_faults *faults,
                        struct till_answer *answer)
{
    const char *names[FAULT_CHANCES + 3] = {"seed", "delay_ms"};
    struct till_faults fresh;
    for (size_t i = 0; i < FAULT_CHANCES; i++)
        names[i + 2] = CHANCES[i];
    till_faults_init(&fresh, faults->seed);
    bool is_good =
        till_names_are_known(json, names, answer) &&
        till_take_int(json, "seed", 0, INT64_MAX, &fresh.seed, answer) &&
        till_take_int(json, "delay_ms", 0, FAULT_DELAY_MS_MAX, &fresh.chance_delay_ms, answer);
    for (size_t i = 0; is_good && i < FAULT_CHANCES; i++)
        is_good = till_take_int(json, CHANCES[i], 0, 100, &fresh.percents[i], answer);
    fresh.dice = (uint64_t)fresh.seed;
    fresh.next = faults->next;
    fresh.is_always = faults->is_always;
    *faults = fresh;
    return is_good;
}

static bool is_object_or_missing(const struct jread *json, const char *name,
                                 struct till_answer *answer)
{
    const struct jread *part = jread_member(json, name);
    return part == NULL || jread_kind_of(part) == JREAD_OBJECT ||
           till_refuse(answer, 400, "wrong_type", "%s: an object wanted.", name);
}

bool till_faults_read(struct till_faults *faults, const struct jread *json,
                      struct till_answer *answer)
{
    static const char *const NAMES[] = {"next", "always", "chance", NULL};
    const struct jread *next = jread_member(json, "next");
    const struct jread *chance = jread_member(json, "chance");
    return till_names_are_known(json, NAMES, answer) &&
           is_object_or_missing(json, "next", answer) &&
           is_object_or_missing(json, "chance", answer) &&
           till_take_bool(json, "always", &faults->is_always, answer) &&
           (next == NULL || read_next(next, &faults->next, answer)) &&
           (chance == NULL || read_chance(chance, faults, answer));
}

/* --- writing --------------------------------------------------------------------------------- */

void till_faults_write(const struct till_faults *faults, struct jwrite *writer)
{
    const struct fault_set *next = &faults->next;
    jwrite_object_begin(writer);
    jwrite_begin(writer, "next", false);
    jwrite_named_bool(writer, "drop_reply", next->drops_reply);
    jwrite_named_text(writer, "send_twice", TWICE[next->twice]);
    jwrite_named_int(writer, "delay_ms", next->delay_ms);
    jwrite_named_bool(writer, "reset_mid_reply", next->resets_mid_reply);
    jwrite_named_bool(writer, "wrong_signature", next->has_wrong_signature);
    jwrite_named_bool(writer, "unregistered_token", next->is_unregistered);
    jwrite_named_int(writer, "clock_skew_s", next->clock_skew_s);
    jwrite_object_end(writer);
    jwrite_named_bool(writer, "always", faults->is_always);
    jwrite_begin(writer, "chance", false);
    jwrite_named_int(writer, "seed", faults->seed);
    for (size_t i = 0; i < FAULT_CHANCES; i++)
        jwrite_named_int(writer, CHANCES[i], faults->percents[i]);
    jwrite_named_int(writer, "delay_ms", faults->chance_delay_ms);
    jwrite_object_end(writer);
    jwrite_object_end(writer);
}

void fault_set_write(const struct fault_set *set, struct jwrite *writer)
{
    static const char *const NAMES[SEND_WAYS] = {NULL, "send_at_once", "send_after_timeout",
                                                 "send_concurrent"};
    jwrite_array_begin(writer);
    if (set->delay_ms > 0)
        jwrite_text(writer, TEXT("delay"));
    if (set->drops_reply)
        jwrite_text(writer, TEXT("drop_reply"));
    if (NAMES[set->twice] != NULL)
        jwrite_text(writer, text_of(NAMES[set->twice]));
    if (set->resets_mid_reply)
        jwrite_text(writer, TEXT("reset_mid_reply"));
    if (set->has_wrong_signature)
        jwrite_text(writer, TEXT("wrong_signature"));
    if (set->clock_skew_s != 0)
        jwrite_text(writer, TEXT("clock_skew"));
    jwrite_array_end(writer);
}
