/*
 * Faults at a tap: what is armed for the next press, what chance throws in, and which of it a press
 * gets. Pure.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_TILL_FAULTS_H
#define COUNTERPART_MOCKS_REGISTER_TILL_FAULTS_H

#include "mocks/register/till_call.h"

#define FAULT_DELAY_MS_MAX 60000

enum send_twice {
    SEND_ONCE,
    SEND_AT_ONCE,
    SEND_AFTER_TIMEOUT,
    SEND_CONCURRENT,
    SEND_WAYS,
};

struct fault_set {
    bool drops_reply;
    enum send_twice twice;
    int64_t delay_ms;
    bool resets_mid_reply;
    bool has_wrong_signature;
    /* States rather than events: a press does not use them up. */
    bool is_unregistered;
    int64_t clock_skew_s;
};

/* In percent of presses, thrown in this order. */
enum fault_chance {
    CHANCE_DROP_REPLY,
    CHANCE_SEND_AT_ONCE,
    CHANCE_SEND_AFTER_TIMEOUT,
    CHANCE_SEND_CONCURRENT,
    CHANCE_DELAY,
    CHANCE_RESET_MID_REPLY,
    CHANCE_WRONG_SIGNATURE,
    FAULT_CHANCES,
};

struct till_faults {
    struct fault_set next;
    bool is_always;
    int64_t percents[FAULT_CHANCES];
    int64_t chance_delay_ms;
    int64_t seed;
    uint64_t dice; /* where the generator is */
};

void till_faults_init(struct till_faults *faults, int64_t seed);
/* What this press gets; disarms what was for one press. */
struct fault_set till_faults_take(struct till_faults *faults);
/* Changes from a body {next, always, chance}; false: refused, and faults is half changed. */
MUST_CHECK bool till_faults_read(struct till_faults *faults, const struct jread *json,
                                 struct till_answer *answer);
void till_faults_write(const struct till_faults *faults, struct jwrite *writer);
/* The names of what a press got, as array. */
void fault_set_write(const struct fault_set *set, struct jwrite *writer);

#endif
