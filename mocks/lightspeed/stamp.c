/* Reads ISO 8601 dates and times. */
#include "mocks/lightspeed/stamp.h"

#include "base/error.h"

#include "base/banned.h"

static bool take_char(struct text *rest, char a, char b)
{
    if (rest->length == 0 || (rest->base[0] != a && rest->base[0] != b))
        return false;
    *rest = text_slice(*rest, 1, rest->length);
    return true;
}

/* Two digits below limit. */
static bool take_pair(struct text *rest, int64_t limit, int64_t *value)
{
    struct text pair = text_slice(*rest, 0, 2);
    if (pair.length != 2 || !text_is_digits(pair) || text_parse_int64(pair, value) != 0 ||
        *value >= limit)
        return false;
    *rest = text_slice(*rest, 2, rest->length);
    return true;
}

static bool take_clock(struct text *rest, int64_t *seconds)
{
    int64_t hour, minute, second = 0;
    if (!take_pair(rest, 24, &hour) || !take_char(rest, ':', ':') || !take_pair(rest, 60, &minute))
        return false;
    if (take_char(rest, ':', ':') && !take_pair(rest, 60, &second))
        return false;
    if (take_char(rest, '.', ','))
        while (rest->length > 0 && rest->base[0] >= '0' && rest->base[0] <= '9')
            *rest = text_slice(*rest, 1, rest->length);
    *seconds = hour * 3600 + minute * 60 + second;
    return true;
}

/* false: what stands there is no offset. *is_given false: nothing stands there. */
static bool take_offset(struct text *rest, int64_t *offset_s, bool *is_given)
{
    *is_given = rest->length > 0;
    *offset_s = 0;
    if (rest->length == 0 || take_char(rest, 'Z', 'z'))
        return true;
    int64_t hour, minute;
    bool is_west = rest->base[0] == '-';
    if (!take_char(rest, '-', '+') && !take_char(rest, ' ', ' '))
        return false;
    if (!take_pair(rest, 24, &hour))
        return false;
    (void)take_char(rest, ':', ':');
    if (!take_pair(rest, 60, &minute))
        return false;
    *offset_s = (hour * 3600 + minute * 60) * (is_west ? -1 : 1);
    return true;
}

int stamp_parse(struct text text, const struct clock_zone *zone, int64_t *wall_us)
{
    int32_t date;
    int64_t seconds = 0, offset_s = 0;
    bool has_offset = false;
    int err = clock_parse_date(text_slice(text, 0, 10), &date);
    if (err != 0)
        return err;
    struct text rest = text_slice(text, 10, text.length);
    if (rest.length > 0 && (!take_char(&rest, 'T', ' ') || !take_clock(&rest, &seconds) ||
                            !take_offset(&rest, &offset_s, &has_offset) || rest.length > 0))
        return ERR_NOT_A_NUMBER;
    int64_t local_us = (date * CLOCK_S_PER_DAY + seconds) * CLOCK_US_PER_S;
    if (!has_offset) /* close enough beside a change of the clocks */
        offset_s = clock_zone_offset_s(zone, local_us);
    *wall_us = local_us - offset_s * CLOCK_US_PER_S;
    return 0;
}
