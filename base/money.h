/*
 * Money is int64_t minor units of a currency with a known exponent (law 7). Decimal text is parsed
 * exactly; no binary floating point touches it.
 */
#ifndef COUNTERPART_BASE_MONEY_H
#define COUNTERPART_BASE_MONEY_H

#include "base/text.h"

/* Largest single amount and largest balance: 10^15 minor units. 1,000 such amounts still fit 10x
 * over in int64_t, so sums inside one decision cannot overflow before they are checked. */
#define MONEY_MAX_MINOR INT64_C(1000000000000000)
#define MONEY_EXPONENT_MAX 3
/* "-9223372036854775.808" and a NUL, rounded up. */
#define MONEY_TEXT_MAX 32

struct currency {
    char code[4]; /* ISO 4217 */
    int exponent; /* 0..3 */
};

/*
 * Parse decimal text such as "25.5", "-3", "100.00".
 *
 * units      *amount_minor in minor units of exponent; may be negative or zero: the caller judges.
 * errors     ERR_MISSING (empty), ERR_NOT_A_NUMBER (exponents, signs alone, leading '+', "1.",
 * ".5", spaces, commas, non-ASCII digits, NaN), ERR_TOO_PRECISE (non-zero digits beyond the
 * exponent; "1.500" with exponent 2 is fine), ERR_TOO_LARGE (|amount| > MONEY_MAX_MINOR).
 */
MUST_CHECK int money_parse(struct text text, int exponent, int64_t *amount_minor);

/* Appends plain decimal text with exactly exponent decimals, such as "25.50", "-0.05", "300". */
void money_append(struct text_buffer *buffer, int64_t amount_minor, int exponent);

/* false when the sum does not fit int64_t; *sum is then untouched. */
MUST_CHECK bool money_add(int64_t a_minor, int64_t b_minor, int64_t *sum_minor);

/* Exponent by ISO 4217 code from a table of all active currencies with 0, 2 or 3 decimals.
 * errors  ERR_NOT_FOUND for a code that is not in it. */
MUST_CHECK int currency_find(struct text code, struct currency *currency);
/* What a cashier reads in front of an amount: "$" for AUD, USD, NZD, CAD, SGD, HKD; GBP, EUR, JPY,
 * CHF ... their own; else "CODE ". */
const char *currency_symbol(const struct currency *currency);

#endif
