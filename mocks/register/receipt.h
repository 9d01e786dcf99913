/*
 * What tillsim shows: a receipt for people, one JSON object for programs.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_RECEIPT_H
#define COUNTERPART_MOCKS_REGISTER_RECEIPT_H

#include "mocks/register/verdict.h"

/* One send and what became of it. */
struct attempt {
    struct reply reply;
    struct judgement judgement;
};

/* All sends of one run: the same bytes each time. */
struct run {
    const struct options *options;
    const struct request *request;
    struct attempt *attempts;
    size_t count;
    size_t answered;    /* attempts with an HTTP reply */
    bool are_identical; /* all answered ones have the same status and body, byte for byte */
};

void receipt_print(const struct run *run); /* colours only on a terminal */
void receipt_print_json(const struct run *run);

#endif
