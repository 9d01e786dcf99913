/*
 * What tillsim shows: a receipt for people, one JSON object for programs.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_RECEIPT_H
#define COUNTERPART_MOCKS_REGISTER_RECEIPT_H

#include "mocks/register/run.h"
#include "mocks/register/ticket.h"

/* For people; colours only on a terminal. is_brief: one step of several, so verdicts are told only
 * where one has failed. */
void receipt_print(const struct run *run, bool is_brief);
/* The ticket beside what it was before; nothing when neither was read. */
void receipt_print_ticket(const struct ticket *before, const struct ticket *after);

/* For programs. runs of one action each, in order; the tickets may be NULL. */
void receipt_print_json(const struct run *run, const struct ticket *before,
                        const struct ticket *after);
void receipt_print_walk_json(const struct run *runs, size_t count, const struct ticket *before,
                             const struct ticket *after);

/* --- for receipt_print alone: receipt_loyalty.c ----------------------------------------------- */

/* Whom the search found, or what the look-up offers. */
void receipt_print_members(const struct judgement *judgement);
void receipt_print_rewards(const struct judgement *judgement);

#endif
