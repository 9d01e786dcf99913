/*
 * Decimal text as scaled integers: what the API calls floats, read and written without any.
 */
#ifndef COUNTERPART_LIGHTSPEED_DECIMAL_H
#define COUNTERPART_LIGHTSPEED_DECIMAL_H

#include "base/text.h"

#define DECIMAL_PLACES_MAX 6
#define DECIMAL_MAX INT64_C(1000000000000000000) /* 10^18: a sum of eight fits */

/*
 * "-2.5" with 3 places gives -2500. Digits beyond the places are rounded, halves away from zero:
 * the other side computes in binary and says 17.999999999999996.
 *
 * errors     ERR_NOT_A_NUMBER (what is no JSON number), ERR_TOO_LARGE (beyond DECIMAL_MAX).
 */
MUST_CHECK int decimal_parse(struct text text, int places, int64_t *value);
/* value, which has `from` places, rounded to `to` of them; to <= from. */
int64_t decimal_round(int64_t value, int from, int to);
/* Without superfluous zeroes: 1150000 with 6 places is "1.15". */
void decimal_append(struct text_buffer *buffer, int64_t value, int places);

#endif
