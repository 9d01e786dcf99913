/* Wall and monotonic time, dates by plain arithmetic, and GLib's time zones behind our own type. */
#include "base/clock.h"

#include "base/error.h"

#include <glib.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/banned.h"

/* --- reading the clocks ---------------------------------------------------------------------- */

static int64_t read_us(clockid_t id)
{
    struct timespec now;
    CHECK(clock_gettime(id, &now) == 0);
    return (int64_t)now.tv_sec * CLOCK_US_PER_S + now.tv_nsec / 1000;
}

int64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t clock_steady_us(void)
{
    static _Atomic int64_t anchor_us; /* wall time at boot, as first seen */
    int64_t since_boot_us = read_us(CLOCK_BOOTTIME);
    int64_t seen_us = atomic_load_explicit(&anchor_us, memory_order_relaxed);
    if (seen_us == 0) {
        int64_t wanted_us = clock_wall_us() - since_boot_us;
        if (atomic_compare_exchange_strong(&anchor_us, &seen_us, wanted_us))
            seen_us = wanted_us;
    }
    return seen_us + since_boot_us;
}

int64_t clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_sooner_us(int64_t a_us, int64_t b_us)
{
    return a_us < b_us ? a_us : b_us;
}

/* --- dates ----------------------------------------------------------------------------------- */

/* The calendar is counted in eras of 400 years (146,097 days) that begin on 1 March, so the leap
 * day is the last day of its year: the well-known days_from_civil and civil_from_days. */
#define DAYS_PER_ERA INT64_C(146097)
#define DAYS_TO_1970 INT64_C(719468) /* from 0000-03-01 */

static int64_t divide_down(int64_t value, int64_t by)
{
    int64_t quotient = value / by;
    return value % by < 0 ? quotient - 1 : quotient;
}

static int64_t days_from_civil(int64_t year, int64_t month, int64_t day)
{
    int64_t march_year = month > 2 ? year : year - 1;
    int64_t era = divide_down(march_year, 400);
    int64_t year_of_era = march_year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970;
}

static void civil_from_days(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    days += DAYS_TO_1970;
    int64_t era = divide_down(days, DAYS_PER_ERA);
    int64_t day_of_era = days - era * DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * march_month + 2) / 5 + 1;
    *month = march_month < 10 ? march_month + 3 : march_month - 9;
    *year = year_of_era + era * 400 + (*month <= 2 ? 1 : 0);
}

static bool parse_part(struct text text, size_t from, size_t length, int64_t *value)
{
    struct text part = text_slice(text, from, length);
    return text_is_digits(part) && text_parse_int64(part, value) == 0;
}

int clock_parse_date(struct text text, int32_t *date)
{
    int64_t year;
    int64_t month;
    int64_t day;
    if (text.length != 10 || text.base[4] != '-' || text.base[7] != '-' ||
        !parse_part(text, 0, 4, &year) || !parse_part(text, 5, 2, &month) ||
        !parse_part(text, 8, 2, &day))
        return ERR_NOT_A_NUMBER;
    if (month < 1 || month > 12 || day < 1)
        return ERR_NOT_A_NUMBER;
    /* The day exists when it does not spill into another month: "2027-02-30" becomes 2 March. */
    int64_t days = days_from_civil(year, month, day);
    int64_t real_year;
    int64_t real_month;
    int64_t real_day;
    civil_from_days(days, &real_year, &real_month, &real_day);
    if (real_month != month || real_day != day)
        return ERR_NOT_A_NUMBER;
    *date = (int32_t)days;
    return 0;
}

void clock_append_date(struct text_buffer *buffer, int32_t date)
{
    int64_t year;
    int64_t month;
    int64_t day;
    civil_from_days(date, &year, &month, &day);
    text_append_format(buffer, "%04d-%02d-%02d", (int)year, (int)month, (int)day);
}

void clock_append_time(struct text_buffer *buffer, int64_t wall_us)
{
    int64_t day_us = CLOCK_S_PER_DAY * CLOCK_US_PER_S;
    int64_t days = divide_down(wall_us, day_us);
    int64_t rest_us = wall_us - days * day_us;
    int rest_s = (int)(rest_us / CLOCK_US_PER_S);
    clock_append_date(buffer, (int32_t)days);
    text_append_format(buffer, "T%02d:%02d:%02d.%06dZ", rest_s / 3600, rest_s / 60 % 60,
                       rest_s % 60, (int)(rest_us % CLOCK_US_PER_S));
}

/* --- reading ISO 8601 ------------------------------------------------------------------------ */

static bool take_any_of(struct text *rest, const char *wanted)
{
    if (rest->length == 0 || strchr(wanted, rest->base[0]) == NULL || rest->base[0] == '\0')
        return false;
    *rest = text_slice(*rest, 1, rest->length);
    return true;
}

/* Two digits below limit. */
static bool take_pair(struct text *rest, int64_t limit, int64_t *value)
{
    if (rest->length < 2 || !parse_part(*rest, 0, 2, value) || *value >= limit)
        return false;
    *rest = text_slice(*rest, 2, rest->length);
    return true;
}

/* Digits beyond the microsecond are left out. */
static bool take_fraction(struct text *rest, int64_t *us)
{
    int64_t worth_us = CLOCK_US_PER_S / 10;
    *us = 0;
    if (!take_any_of(rest, ".,"))
        return true;
    size_t count = 0;
    for (; rest->length > 0 && text_is_digits(text_slice(*rest, 0, 1)); count++) {
        *us += (rest->base[0] - '0') * worth_us;
        worth_us /= 10;
        *rest = text_slice(*rest, 1, rest->length);
    }
    return count > 0;
}

static bool take_offset(struct text *rest, int64_t *offset_s)
{
    int64_t hour;
    int64_t minute;
    *offset_s = 0;
    if (take_any_of(rest, "Zz"))
        return true;
    bool is_west = rest->length > 0 && rest->base[0] == '-';
    if (!take_any_of(rest, "+-") || !take_pair(rest, 24, &hour))
        return false;
    (void)take_any_of(rest, ":");
    if (!take_pair(rest, 60, &minute))
        return false;
    *offset_s = (hour * 3600 + minute * 60) * (is_west ? -1 : 1);
    return true;
}

int clock_parse_time(struct text text, int64_t *wall_us)
{
    int32_t date;
    int64_t hour;
    int64_t minute;
    int64_t second;
    int64_t fraction_us;
    int64_t offset_s;
    struct text rest = text_slice(text, 10, text.length);
    int err = clock_parse_date(text_slice(text, 0, 10), &date);
    if (err != 0)
        return err;
    if (!take_any_of(&rest, "Tt ") || !take_pair(&rest, 24, &hour) || !take_any_of(&rest, ":") ||
        !take_pair(&rest, 60, &minute) || !take_any_of(&rest, ":") ||
        !take_pair(&rest, 61, &second) || !take_fraction(&rest, &fraction_us) ||
        !take_offset(&rest, &offset_s) || rest.length > 0)
        return ERR_NOT_A_NUMBER;
    int64_t seconds = date * CLOCK_S_PER_DAY + hour * 3600 + minute * 60 + second - offset_s;
    *wall_us = seconds * CLOCK_US_PER_S + fraction_us;
    return 0;
}

/* --- zones ----------------------------------------------------------------------------------- */

/*
 * Library edge: g_time_zone_new_identifier also takes "+10:00", POSIX rules such as
 * "EST5EDT4,M3.2.0" and, since the name becomes part of a path, "../../../tmp/x". A tenant's zone
 * is a name of the tz database and nothing else.
 */
static bool is_zone_name(const char *name)
{
    if (!g_ascii_isalpha(name[0]) || strlen(name) > 64)
        return false;
    for (const char *c = name; *c != '\0'; c++) {
        if (!g_ascii_isalnum(*c) && strchr("/_+-", *c) == NULL)
            return false;
    }
    return true;
}

static bool is_in_database(const char *name)
{
    const char *folder = getenv("TZDIR"); /* GLib asks it too */
    char path[4096];
    struct stat status;
    int length = snprintf(path, sizeof(path), "%s/%s",
                          folder != NULL ? folder : "/usr/share/zoneinfo", name);
    return length > 0 && (size_t)length < sizeof(path) && stat(path, &status) == 0 &&
           S_ISREG(status.st_mode);
}

/*
 * GLib's zone, which is immutable, and the last answer: the local date of one quarter of an hour,
 * both in one word, so that any thread may read and replace it. GLib searches its whole table of
 * transitions: 1,400 instructions a request, a twentieth of a hot balance.
 */
struct clock_zone {
    GTimeZone *zone;
    _Atomic uint64_t known; /* quarter since 1970 << 32 | date */
};
#define QUARTER_S 900
#define KNOWN_NOTHING ((uint64_t)(uint32_t)INT32_MIN << 32) /* a quarter in the year -59,000 */

int clock_zone_create(const char *name, struct clock_zone **zone)
{
    if (!is_zone_name(name) || !is_in_database(name))
        return ERR_NOT_FOUND;
    GTimeZone *found = g_time_zone_new_identifier(name);
    if (found == NULL)
        return ERR_NOT_FOUND;
    struct clock_zone *made = malloc(sizeof(*made));
    CHECK(made != NULL); /* as GLib does */
    made->zone = found;
    atomic_init(&made->known, KNOWN_NOTHING);
    *zone = made;
    return 0;
}

void clock_zone_destroy(struct clock_zone *zone)
{
    if (zone == NULL)
        return;
    g_time_zone_unref(zone->zone);
    free(zone);
}

/* Seconds since 1970 on the site's own clock. */
static int64_t local_s_at(const struct clock_zone *zone, int64_t utc_s)
{
    int interval = g_time_zone_find_interval(zone->zone, G_TIME_TYPE_UNIVERSAL, utc_s);
    CHECK(interval >= 0); /* every instant has a UTC offset; only local times can fall in a gap */
    return utc_s + g_time_zone_get_offset(zone->zone, interval);
}

/* A quarter is kept when it lies in one date and no transition falls into it. */
static void keep_quarter(struct clock_zone *zone, int64_t quarter, int32_t date)
{
    int64_t first_s = quarter * QUARTER_S, last_s = first_s + QUARTER_S - 1;
    int64_t local_first_s = local_s_at(zone, first_s), local_last_s = local_s_at(zone, last_s);
    if (quarter > INT32_MIN && quarter <= INT32_MAX &&
        local_last_s - local_first_s == last_s - first_s &&
        divide_down(local_first_s, CLOCK_S_PER_DAY) == date &&
        divide_down(local_last_s, CLOCK_S_PER_DAY) == date)
        atomic_store_explicit(&zone->known, (uint64_t)quarter << 32 | (uint32_t)date,
                              memory_order_relaxed);
}

int32_t clock_local_date(struct clock_zone *zone, int64_t wall_us)
{
    int64_t utc_s = divide_down(wall_us, CLOCK_US_PER_S);
    int64_t quarter = divide_down(utc_s, QUARTER_S);
    uint64_t known = atomic_load_explicit(&zone->known, memory_order_relaxed);
    if ((int32_t)(known >> 32) == quarter)
        return (int32_t)known;
    int32_t date = (int32_t)divide_down(local_s_at(zone, utc_s), CLOCK_S_PER_DAY);
    keep_quarter(zone, quarter, date);
    return date;
}

int32_t clock_zone_offset_s(const struct clock_zone *zone, int64_t wall_us)
{
    int64_t utc_s = divide_down(wall_us, CLOCK_US_PER_S);
    return (int32_t)(local_s_at(zone, utc_s) - utc_s);
}
