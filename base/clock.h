/*
 * Time comes from here and is passed on (law 8): handlers stamp a command once, nothing below asks
 * again.
 */
#ifndef COUNTERPART_BASE_CLOCK_H
#define COUNTERPART_BASE_CLOCK_H

#include "base/text.h"

#define CLOCK_US_PER_S INT64_C(1000000)
#define CLOCK_S_PER_DAY INT64_C(86400)
/* A local date is counted in days since 1970-01-01. */

int64_t clock_wall_us(void); /* since 1970-01-01 UTC; may jump */
/* Wall time as it was when this process first asked, and since then counted on (suspended time
 * included): what has happened here stays in order and at its true distance, whatever somebody does
 * to the wall clock meanwhile. For stamping commands and decisions. */
int64_t clock_steady_us(void);
int64_t clock_monotonic_us(void); /* since boot; never jumps: deadlines and durations */
int64_t clock_sooner_us(int64_t a_us, int64_t b_us); /* of two times, or spans */

/* An IANA time zone such as "Australia/Sydney". May be used from any thread. */
struct clock_zone;
/* errors  ERR_NOT_FOUND for a name the system's tz database does not know. ownership: caller,
 * clock_zone_destroy. */
MUST_CHECK int clock_zone_create(const char *name, struct clock_zone **zone);
void clock_zone_destroy(struct clock_zone *zone); /* accepts NULL */
int32_t clock_local_date(struct clock_zone *zone, int64_t wall_us);
/* What the zone's clocks show beyond UTC at that instant: 36000 for +10:00. */
int32_t clock_zone_offset_s(const struct clock_zone *zone, int64_t wall_us);

/* "2027-03-31" to days since 1970 and back. errors: ERR_NOT_A_NUMBER for anything but a real
 * calendar date. */
MUST_CHECK int clock_parse_date(struct text text, int32_t *date);
void clock_append_date(struct text_buffer *buffer, int32_t date);
/* "2026-05-29T11:14:06.123456Z" */
void clock_append_time(struct text_buffer *buffer, int64_t wall_us);
/* "2026-05-29T13:00:01+10:00", with Z, with a fraction, to microseconds of UTC. errors:
 * ERR_NOT_A_NUMBER for anything else: a time without its offset is nobody's. */
MUST_CHECK int clock_parse_time(struct text text, int64_t *wall_us);

#endif
