/*
 * Dates and times as clients write them in filters (ISO 8601).
 */
#ifndef COUNTERPART_MOCKS_LIGHTSPEED_STAMP_H
#define COUNTERPART_MOCKS_LIGHTSPEED_STAMP_H

#include "base/clock.h"

/* "2026-05-29", "2026-05-29T11:14", with seconds and fraction, with Z, "+10:00" or "+1000"; a blank
 * may stand for the T or for the sign +, which a query string turns into one. Without an offset it
 * is the zone's own time. errors: ERR_NOT_A_NUMBER. */
MUST_CHECK int stamp_parse(struct text text, const struct clock_zone *zone, int64_t *wall_us);

#endif
