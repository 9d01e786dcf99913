/* Judges what is on this machine: the service, its files, its clock. */
#include "handlers/doctor_line.h"

#include <string.h>

#include "base/banned.h"

#define CLOCK_OFF_US (30 * CLOCK_US_PER_S)
#define HALF_SECOND_US (CLOCK_US_PER_S / 2) /* a Date has no fraction */
/* A day of a busy merchant is some 20 MiB, and a checkpoint wants as much again. */
#define DISK_FREE_MIN (INT64_C(512) * 1024 * 1024)
#define MEBIBYTE (INT64_C(1024) * 1024)

void judge_service(const struct judging *judging, struct doctor_line *line)
{
    const struct doctor_facts *facts = judging->facts;
    line_find(line, DOCTOR_OK, "counterpart %s, running for %s", facts->about->version,
              span_of(facts->now_us - facts->about->started_at_us).text);
}

/* true: it is there, and its owner is who runs the service. */
static bool file_is_there(const struct doctor_file *file, struct doctor_line *line)
{
    if (file->error != 0) {
        line_find(line, DOCTOR_TODO, "%s: %s", file->path, strerror(file->error));
        line_advise(line, "Put it back from its copy, and start the service again");
        return false;
    }
    if (file->is_ours)
        return true;
    line_find(line, DOCTOR_TODO, "%s belongs to somebody else than the service", file->path);
    line_advise(line, "Give it to the user who runs the service, who alone should have it");
    return false;
}

void judge_data_folder(const struct judging *judging, struct doctor_line *line)
{
    const struct doctor_file *file = &judging->facts->rows.data;
    if (!file_is_there(file, line))
        return;
    if ((file->mode & 07) == 0) {
        if ((file->mode & 070) == 0)
            line_find(line, DOCTOR_OK, "%s, for nobody but the service", file->path);
        else
            line_find(line, DOCTOR_OK, "%s, for the service and its group (mode %04o)", file->path,
                      file->mode & 07777);
        return;
    }
    line_find(line, DOCTOR_TODO, "%s is open to every user of this machine (mode %04o)", file->path,
              file->mode & 07777);
    line_advise(line, "Close it: who can reach the socket in it may do everything");
    line_command(line, "chmod 0700 %s", quoted_of(file->path).text);
}

/* Whether there is a copy elsewhere nobody can see from here. */
void judge_master_key(const struct judging *judging, struct doctor_line *line)
{
    const struct doctor_file *file = &judging->facts->rows.key;
    if (!file_is_there(file, line))
        return;
    line_find(line, DOCTOR_OK,
              "%s, read by the service alone. Keep a copy away from this machine: without it no "
              "card number can be read again",
              file->path);
    if ((file->mode & 077) == 0)
        return;
    line_find(line, DOCTOR_TODO, "%s may be read by others (mode %04o)", file->path,
              file->mode & 07777);
    line_advise(line, "Take it from them");
    line_command(line, "chmod 0600 %s", quoted_of(file->path).text);
}

void judge_disk(const struct judging *judging, struct doctor_line *line)
{
    const struct doctor_rows *rows = &judging->facts->rows;
    if (rows->disk_bytes == 0) {
        line_find(line, DOCTOR_UNKNOWN, "The disk does not tell how full it is");
        return;
    }
    bool is_short = rows->disk_free_bytes < DISK_FREE_MIN;
    line_find(line, is_short ? DOCTOR_TODO : DOCTOR_OK, "%lld MiB of %lld MiB are free",
              (long long)(rows->disk_free_bytes / MEBIBYTE),
              (long long)(rows->disk_bytes / MEBIBYTE));
    if (is_short)
        line_advise(line, "Make room on the disk of the data folder, or move it to a larger one: "
                          "on a full disk every charge is refused");
}

void judge_redis(const struct judging *judging, struct doctor_line *line)
{
    const struct doctor_facts *facts = judging->facts;
    if (!facts->has_redis && facts->is_shared) {
        line_find(line, DOCTOR_OFF,
                  "None: every look-up goes to PostgreSQL, as other processes may change balances");
    } else if (!facts->has_redis) {
        line_find(line, DOCTOR_OFF,
                  "None: balances are kept in memory, which is fine for one "
                  "process");
    } else if (facts->hot_is_up) {
        line_find(line, DOCTOR_OK, "Answers");
    } else {
        line_find(line, DOCTOR_TODO,
                  "Does not answer; money is right without it, look-ups are "
                  "slower");
        line_advise(line, "Start the Redis that COUNTERPART_REDIS names, or take the variable "
                          "away and start the service again");
    }
}

/* --- the clock */

static bool is_off(int64_t ahead_us)
{
    return ahead_us > CLOCK_OFF_US || ahead_us < -CLOCK_OFF_US;
}

static const char *side_of(int64_t ahead_us)
{
    return ahead_us > 0 ? "ahead of" : "behind";
}

/* Rows of the future: the clock was set back since they were written. */
static bool judge_newest_row(const struct doctor_facts *facts, struct doctor_line *line)
{
    int64_t ahead_us = facts->rows.newest_us - facts->now_us;
    if (ahead_us <= CLOCK_OFF_US)
        return false;
    line_find(line, DOCTOR_TODO,
              "The newest operation in the store was written %s in the future: the clock was set "
              "back since",
              span_of(ahead_us).text);
    line_advise(line, "Let the network set the clock");
    line_command(line, "timedatectl set-ntp true");
    return true;
}

static void judge_against(const struct doctor_visit *api, struct doctor_line *line)
{
    int64_t wall_us = api->wall_us - api->date_us - HALF_SECOND_US;
    int64_t steady_us = api->steady_us - api->date_us - HALF_SECOND_US;
    if (is_off(wall_us)) {
        line_find(line, DOCTOR_TODO, "This machine's clock is %s %s Lightspeed's",
                  span_of(wall_us).text, side_of(wall_us));
        line_advise(line, "Let the network set the clock");
        line_command(line, "timedatectl set-ntp true");
    } else if (is_off(steady_us)) {
        line_find(line, DOCTOR_TODO,
                  "This machine's clock is right now, and was set since the service started, whose "
                  "own is %s %s Lightspeed's",
                  span_of(steady_us).text, side_of(steady_us));
        line_advise(line, "Start the service again, at a moment without sales");
    } else {
        line_find(line, DOCTOR_OK, "Shows what Lightspeed's does");
    }
}

void judge_clock(const struct judging *judging, struct doctor_line *line)
{
    const struct doctor_facts *facts = judging->facts;
    const struct doctor_visit *api = &facts->probes.api;
    if (judge_newest_row(facts, line))
        return;
    if (api->date_us == 0)
        line_find(line, DOCTOR_UNKNOWN, "%s cannot be asked for the time: %s",
                  facts->about->api_url, api->error == 0 ? "its answer has no Date" : api->reason);
    else
        judge_against(api, line);
}
