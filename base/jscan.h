/*
 * Is this text exactly one JSON value, as RFC 8259 says and nothing more? Used by json.c in front
 * of json-c, which is more generous; not for others.
 */
#ifndef COUNTERPART_BASE_JSCAN_H
#define COUNTERPART_BASE_JSCAN_H

#include "base/text.h"

struct jscan_counts {
    size_t members;         /* in all objects together */
    bool has_wide_integers; /* integers that json-c would not give back as they were written */
};

/*
 * errors  ERR_JSON_SYNTAX; ERR_JSON_DEPTH (more than JREAD_DEPTH_MAX objects and arrays inside each
 * other). A member name that holds \u0000 is a syntax error too: json-c would cut the name there,
 * and "amount\u0000x" would pass for "amount".
 */
MUST_CHECK int jscan_check(struct text body, struct jscan_counts *counts);

/* Takes everything up to and including the next number off the front of a checked body. CHECKs that
 * there is one. */
struct text jscan_next_number(struct text *body);

#endif
