/*
 * Prices and coefficients as whole millionths: 0.9 is 900,000. Law 7 holds for the fake too, so
 * every product is exact and rounded once, half away from zero.
 */
#ifndef COUNTERPART_MOCKS_LIGHTSPEED_DECIMAL_H
#define COUNTERPART_MOCKS_LIGHTSPEED_DECIMAL_H

#include "base/text.h"

#define DECIMAL_ONE INT64_C(1000000)
#define DECIMAL_PLACES 6
/* A thousand million units: beyond every price, and three factors of that size fit 128 bits. */
#define DECIMAL_MAX (INT64_C(1000000000) * DECIMAL_ONE)

/* Plain decimal text; places beyond the sixth are rounded, for clients that compute in binary.
 * errors  ERR_NOT_A_NUMBER, ERR_TOO_LARGE. */
MUST_CHECK int decimal_parse(struct text text, int64_t *millionths);
/* At most places (0..6) decimals, rounded, without trailing zeros: "0.9", "1", "4.0909". */
void decimal_append(struct text_buffer *buffer, int64_t millionths, int places);

/* value * factor / divisor, rounded half away from zero. divisor > 0. */
int64_t decimal_scale(int64_t value, int64_t factor, int64_t divisor);
/* 10^exponent, 0..6. */
int64_t decimal_power(int exponent);

#endif
