/*
 * Verify, points: a member's points, version and chain follow from the entries, what is held from
 * the open reservations, and every burn or return answers its reservation (laws 1, 2, 4 and 6);
 * and no sale gives up more than it has earned.
 */
#include "store/sql_verify.h"

#include "base/check.h"
#include "base/money.h"

#include <inttypes.h>

#include "base/banned.h"

static const char sql_count_rows[] =
    "SELECT (SELECT count(*) FROM member) + 2 * (SELECT count(*) FROM points_entry)"
    " + 2 * (SELECT count(*) FROM reservation)";
static const char sql_read_members[] =
    "SELECT id, tenant_id, points, points_held, version, last_entry_id,"
    " EXISTS (SELECT 1 FROM tenant WHERE tenant.id = member.tenant_id) FROM member ORDER BY id";
static const char sql_read_entries[] =
    "SELECT " POINTS_ENTRY_COLUMNS " FROM points_entry ORDER BY member_id, version, id";
static const char sql_read_held[] =
    "SELECT " RESERVATION_COLUMNS " FROM reservation ORDER BY member_id, id";
static const char sql_read_reservations[] =
    "SELECT " RESERVATION_COLUMNS ", EXISTS (SELECT 1 FROM reward"
    " WHERE reward.id = reservation.reward_id AND reward.tenant_id = reservation.tenant_id)"
    " FROM reservation ORDER BY id";
#define RESERVATION_COLUMN_HAS_REWARD 15 /* after RESERVATION_COLUMNS */
static const char sql_read_answers[] = "SELECT " POINTS_ENTRY_COLUMNS " FROM points_entry"
                                       " WHERE reservation_id <> 0 ORDER BY reservation_id, id";
/* Of more than the law allows so much counts as shows it: a sum that overflows would end the query.
 */
static const char sql_read_overtaken[] =
    "SELECT sale, tenant_id FROM (SELECT tenant_id, member_id,"
    " CASE cause WHEN 2 THEN order_id ELSE sale_order_id END AS sale,"
    " sum(CASE WHEN points > 10000000000000 THEN 10000000000000"
    " WHEN points < -10000000000000 THEN -10000000000000 ELSE points END) AS left_over"
    " FROM points_entry WHERE +cause IN (2, 3) GROUP BY tenant_id, member_id, sale) AS counted"
    " WHERE left_over < 0";
/* What unique indices keep, proved without them (that is what each plus is for). */
static const char sql_read_twice_counted[] =
    "SELECT tenant_id, order_id FROM points_entry WHERE +cause IN (2, 3)"
    " GROUP BY tenant_id, order_id, cause HAVING count(*) > 1";
static const char sql_read_twice_used[] =
    "SELECT min(id), max(id) FROM reservation WHERE +state <> 4"
    " GROUP BY token_id HAVING count(*) > 1";
static const char sql_read_twice_under_way[] =
    "SELECT min(id), max(id) FROM reservation WHERE +state = 1"
    " GROUP BY +tenant_id, order_id HAVING count(*) > 1";
static const char sql_read_lost_rewards[] =
    "SELECT id, tenant_id FROM reward"
    " WHERE NOT EXISTS (SELECT 1 FROM tenant WHERE tenant.id = reward.tenant_id)";

/* --- by member --- */

struct member_row {
    int64_t id;
    int64_t tenant_id;
    int64_t points;
    int64_t points_held;
    int64_t version;
    int64_t last_entry_id;
    bool has_tenant;
};

struct member_pass {
    struct verify *verify;
    struct stream members;
    struct stream entries;
    struct stream reservations;
    struct member_row member;
    struct points_entry entry;
    struct reservation reservation;
};

/* What the entries of one member add up to so far. */
struct chain {
    int64_t count;
    int64_t version;
    int64_t sum;
    int64_t points; /* after the last entry, as that says */
    int64_t last_id;
};

static void load_entry(struct verify *verify, const struct stream *stream,
                       struct points_entry *entry)
{
    if (stream->has_row && row_read_points_entry(stream->statement, entry) != 0)
        verify_report(verify, "points_entry_out_of_range",
                      "entry %" PRId64 " holds a value that no entry can have", entry->id);
}

static void load_reservation(struct verify *verify, const struct stream *stream,
                             struct reservation *reservation)
{
    if (stream->has_row && row_read_reservation(stream->statement, reservation) != 0)
        verify_report(verify, "reservation_out_of_range",
                      "reservation %" PRId64 " holds a value that no reservation can have",
                      reservation->id);
}

static int next_entry(struct member_pass *pass)
{
    int err = stream_next(&pass->entries);
    if (err == 0)
        load_entry(pass->verify, &pass->entries, &pass->entry);
    return err;
}

static int next_reservation(struct member_pass *pass)
{
    int err = stream_next(&pass->reservations);
    if (err == 0)
        load_reservation(pass->verify, &pass->reservations, &pass->reservation);
    return err;
}

/* Which way each cause moves points, and what it must name. */
static bool cause_fits(const struct points_entry *entry)
{
    bool has_order = entry->order_id > 0;
    bool has_reservation = entry->reservation_id > 0;
    if (entry->order_id < 0 || entry->reservation_id < 0 || entry->sale_order_id < 0 ||
        (entry->sale_order_id > 0) != (entry->cause == POINTS_CAUSE_UNEARN))
        return false;
    switch (entry->cause) {
    case POINTS_CAUSE_GRANT:
        return !has_order && !has_reservation;
    case POINTS_CAUSE_EARN:
        return entry->points > 0 && has_order && !has_reservation;
    case POINTS_CAUSE_UNEARN:
        return entry->points < 0 && has_order && !has_reservation;
    case POINTS_CAUSE_BURN:
        return entry->points < 0 && !has_order && has_reservation;
    case POINTS_CAUSE_RETURN:
        return entry->points > 0 && !has_order && has_reservation;
    case POINTS_CAUSE_EXPIRE:
        return entry->points < 0 && !has_order && !has_reservation;
    }
    return false;
}

static void check_version(struct verify *verify, const struct chain *chain,
                          const struct points_entry *entry)
{
    if (entry->version == chain->version)
        verify_report(verify, "points_version_repeated",
                      "member %" PRId64 ": entries %" PRId64 " and %" PRId64
                      " both have version %" PRId64,
                      entry->member_id, chain->last_id, entry->id, entry->version);
    else if (entry->version != chain->version + 1)
        verify_report(verify, "points_version_gap",
                      "member %" PRId64 ": version %" PRId64 " (entry %" PRId64
                      ") follows version %" PRId64,
                      entry->member_id, entry->version, entry->id, chain->version);
}

static void check_entry(struct verify *verify, const struct chain *chain,
                        const struct points_entry *entry)
{
    int64_t expected;
    check_version(verify, chain, entry);
    if (!money_add(chain->points, entry->points, &expected) || expected != entry->points_after ||
        expected < 0)
        verify_report(verify, "points_after_differ",
                      "member %" PRId64 ": %" PRId64 " changed by %" PRId64 " is not %" PRId64
                      " (entry %" PRId64 ")",
                      entry->member_id, chain->points, entry->points, entry->points_after,
                      entry->id);
    if (entry->previous_entry_id != chain->last_id)
        verify_report(verify, "points_chain_broken",
                      "member %" PRId64 ": entry %" PRId64 " names %" PRId64
                      " before it; it is %" PRId64,
                      entry->member_id, entry->id, entry->previous_entry_id, chain->last_id);
    if (entry->points == 0)
        verify_report(verify, "points_entry_moves_nothing", "entry %" PRId64 " moves no points",
                      entry->id);
    else if (!cause_fits(entry))
        verify_report(verify, "points_cause_differs",
                      "entry %" PRId64 " moves %" PRId64 " and names order %" PRId64
                      ", sale %" PRId64 " and reservation %" PRId64
                      ", which its cause %d never does",
                      entry->id, entry->points, entry->order_id, entry->sale_order_id,
                      entry->reservation_id, (int)entry->cause);
}

static void chain_add(struct verify *verify, struct chain *chain, const struct points_entry *entry)
{
    check_entry(verify, chain, entry);
    if (!money_add(chain->sum, entry->points, &chain->sum))
        verify_report(verify, "sum_overflows", "points of member %" PRId64, entry->member_id);
    chain->count++;
    chain->version = entry->version;
    chain->points = entry->points_after;
    chain->last_id = entry->id;
}

static void check_member(struct verify *verify, const struct member_row *member,
                         const struct chain *chain)
{
    if (member->points != chain->sum)
        verify_report(verify, "points_differ",
                      "member %" PRId64 " has %" PRId64 " points; the entries add up to %" PRId64,
                      member->id, member->points, chain->sum);
    if (member->version != chain->count)
        verify_report(verify, "member_version_differs",
                      "member %" PRId64 " has version %" PRId64 " and %" PRId64 " entries",
                      member->id, member->version, chain->count);
    if (member->last_entry_id != chain->last_id)
        verify_report(verify, "points_head_differs",
                      "member %" PRId64 " names entry %" PRId64 " as the last; it is %" PRId64,
                      member->id, member->last_entry_id, chain->last_id);
}

/* Entries that sort before member_id belong to nobody who exists. */
static int skip_lost_entries(struct member_pass *pass, int64_t member_id)
{
    int err = 0;
    while (err == 0 && pass->entries.has_row && pass->entry.member_id < member_id) {
        verify_report(pass->verify, "points_entry_without_member",
                      "entry %" PRId64 " is of member %" PRId64 ", who does not exist",
                      pass->entry.id, pass->entry.member_id);
        err = next_entry(pass);
    }
    return err;
}

static int check_entries_of_member(struct member_pass *pass)
{
    struct chain chain = {0};
    int err = skip_lost_entries(pass, pass->member.id);
    while (err == 0 && pass->entries.has_row && pass->entry.member_id == pass->member.id) {
        if (pass->entry.tenant_id != pass->member.tenant_id)
            verify_report(pass->verify, "points_entry_tenant_differs",
                          "entry %" PRId64 " is of tenant %" PRId64 ", its member %" PRId64
                          " of tenant %" PRId64,
                          pass->entry.id, pass->entry.tenant_id, pass->member.id,
                          pass->member.tenant_id);
        chain_add(pass->verify, &chain, &pass->entry);
        err = next_entry(pass);
    }
    if (err == 0)
        check_member(pass->verify, &pass->member, &chain);
    return err;
}

static int skip_lost_reservations(struct member_pass *pass, int64_t member_id)
{
    int err = 0;
    while (err == 0 && pass->reservations.has_row && pass->reservation.member_id < member_id) {
        verify_report(pass->verify, "reservation_without_member",
                      "reservation %" PRId64 " is of member %" PRId64 ", who does not exist",
                      pass->reservation.id, pass->reservation.member_id);
        err = next_reservation(pass);
    }
    return err;
}

static void held_add(struct verify *verify, const struct reservation *reservation,
                     const struct member_row *member, int64_t *held)
{
    bool is_open =
        reservation->state == RESERVATION_RESERVED || reservation->state == RESERVATION_APPLIED;
    if (reservation->tenant_id != member->tenant_id)
        verify_report(verify, "reservation_tenant_differs",
                      "reservation %" PRId64 " is of tenant %" PRId64 ", its member %" PRId64
                      " of tenant %" PRId64,
                      reservation->id, reservation->tenant_id, member->id, member->tenant_id);
    if (is_open && !money_add(*held, reservation->points, held))
        verify_report(verify, "sum_overflows", "held points of member %" PRId64, member->id);
}

static int check_held_of_member(struct member_pass *pass)
{
    const struct member_row *member = &pass->member;
    int64_t held = 0;
    int err = skip_lost_reservations(pass, member->id);
    while (err == 0 && pass->reservations.has_row && pass->reservation.member_id == member->id) {
        held_add(pass->verify, &pass->reservation, member, &held);
        err = next_reservation(pass);
    }
    if (err != 0)
        return err;
    if (member->points_held != held)
        verify_report(pass->verify, "points_held_differ",
                      "member %" PRId64 " has %" PRId64
                      " points held; the open reservations add up to %" PRId64,
                      member->id, member->points_held, held);
    if (member->points < member->points_held || member->points_held < 0)
        verify_report(pass->verify, "points_below_floor",
                      "member %" PRId64 " has %" PRId64 " points, of which %" PRId64 " are held",
                      member->id, member->points, member->points_held);
    return 0;
}

static int check_one_member(struct member_pass *pass)
{
    struct columns columns = {.statement = pass->members.statement};
    pass->member.id = column_int(&columns);
    pass->member.tenant_id = column_int(&columns);
    pass->member.points = column_int(&columns);
    pass->member.points_held = column_int(&columns);
    pass->member.version = column_int(&columns);
    pass->member.last_entry_id = column_int(&columns);
    pass->member.has_tenant = column_bool(&columns);
    if (!pass->member.has_tenant)
        verify_report(pass->verify, "member_without_tenant",
                      "member %" PRId64 " is of tenant %" PRId64 ", which does not exist",
                      pass->member.id, pass->member.tenant_id);
    int err = check_entries_of_member(pass);
    return err != 0 ? err : check_held_of_member(pass);
}

static int verify_members(struct verify *verify)
{
    struct member_pass pass = {.verify = verify};
    int err = stream_open(&pass.members, verify, sql_read_members);
    if (err == 0)
        err = stream_open(&pass.entries, verify, sql_read_entries);
    if (err == 0)
        err = stream_open(&pass.reservations, verify, sql_read_held);
    if (err == 0) {
        load_entry(verify, &pass.entries, &pass.entry);
        load_reservation(verify, &pass.reservations, &pass.reservation);
    }
    while (err == 0 && pass.members.has_row) {
        err = check_one_member(&pass);
        if (err == 0)
            err = stream_next(&pass.members);
    }
    if (err == 0)
        err = skip_lost_entries(&pass, INT64_MAX);
    if (err == 0)
        err = skip_lost_reservations(&pass, INT64_MAX);
    stream_close(&pass.members);
    stream_close(&pass.entries);
    stream_close(&pass.reservations);
    return err;
}

/* --- by reservation --- */

struct reservation_pass {
    struct verify *verify;
    struct stream reservations;
    struct stream answers; /* entries that name one */
    struct reservation reservation;
    struct points_entry answer;
};

/* The member pass has named causes and states that do not exist. */
static void load_answer(struct reservation_pass *pass)
{
    if (pass->answers.has_row && row_read_points_entry(pass->answers.statement, &pass->answer) != 0)
        pass->answer.cause = (enum points_cause)0;
}

static int next_answer(struct reservation_pass *pass)
{
    int err = stream_next(&pass->answers);
    if (err == 0)
        load_answer(pass);
    return err;
}

static int skip_lost_answers(struct reservation_pass *pass, int64_t reservation_id)
{
    int err = 0;
    while (err == 0 && pass->answers.has_row && pass->answer.reservation_id < reservation_id) {
        verify_report(pass->verify, "points_answer_nothing",
                      "entry %" PRId64 " answers reservation %" PRId64 ", which does not exist",
                      pass->answer.id, pass->answer.reservation_id);
        err = next_answer(pass);
    }
    return err;
}

static void check_answer(struct verify *verify, const struct reservation *reservation,
                         const struct points_entry *answer)
{
    bool is_burn = answer->cause == POINTS_CAUSE_BURN;
    if (reservation->state != RESERVATION_BURNED)
        verify_report(verify, "points_answer_unburned",
                      "entry %" PRId64 " burns or returns reservation %" PRId64
                      ", which was not burned",
                      answer->id, reservation->id);
    if (answer->member_id != reservation->member_id)
        verify_report(verify, "points_answer_member_differs",
                      "entry %" PRId64 " is of member %" PRId64 ", reservation %" PRId64
                      " of member %" PRId64,
                      answer->id, answer->member_id, reservation->id, reservation->member_id);
    if (answer->points != (is_burn ? -reservation->points : reservation->points))
        verify_report(verify, "points_answer_differs",
                      "entry %" PRId64 " moves %" PRId64 "; reservation %" PRId64 " is of %" PRId64,
                      answer->id, answer->points, reservation->id, reservation->points);
}

static void check_counts(struct verify *verify, const struct reservation *reservation, int burns,
                         int returns)
{
    if (reservation->state == RESERVATION_BURNED && burns == 0)
        verify_report(verify, "burn_is_missing",
                      "reservation %" PRId64 " was burned; no entry says so", reservation->id);
    if (burns > 1)
        verify_report(verify, "burned_twice", "%d entries burn reservation %" PRId64, burns,
                      reservation->id);
    if (returns > 1)
        verify_report(verify, "returned_twice", "%d entries return reservation %" PRId64, returns,
                      reservation->id);
}

static int check_answers(struct reservation_pass *pass)
{
    int burns = 0;
    int returns = 0;
    int err = skip_lost_answers(pass, pass->reservation.id);
    while (err == 0 && pass->answers.has_row &&
           pass->answer.reservation_id == pass->reservation.id) {
        burns += pass->answer.cause == POINTS_CAUSE_BURN;
        returns += pass->answer.cause == POINTS_CAUSE_RETURN;
        check_answer(pass->verify, &pass->reservation, &pass->answer);
        err = next_answer(pass);
    }
    if (err == 0)
        check_counts(pass->verify, &pass->reservation, burns, returns);
    return err;
}

static int check_reservation(struct reservation_pass *pass)
{
    struct sql_statement *statement = pass->reservations.statement;
    struct reservation *reservation = &pass->reservation;
    if (row_read_reservation(statement, reservation) != 0)
        reservation->state = RESERVATION_NONE;
    if (sql_column_int(statement, RESERVATION_COLUMN_HAS_REWARD) == 0)
        verify_report(pass->verify, "reservation_without_reward",
                      "reservation %" PRId64 " is of reward %" PRId64
                      ", which its tenant does not have",
                      reservation->id, reservation->reward_id);
    if (reservation->points <= 0)
        verify_report(pass->verify, "reservation_of_nothing",
                      "reservation %" PRId64 " is of %" PRId64 " points", reservation->id,
                      reservation->points);
    return check_answers(pass);
}

static int verify_reservations(struct verify *verify)
{
    struct reservation_pass pass = {.verify = verify};
    int err = stream_open(&pass.reservations, verify, sql_read_reservations);
    if (err == 0)
        err = stream_open(&pass.answers, verify, sql_read_answers);
    if (err == 0)
        load_answer(&pass);
    while (err == 0 && pass.reservations.has_row) {
        err = check_reservation(&pass);
        if (err == 0)
            err = stream_next(&pass.reservations);
    }
    if (err == 0)
        err = skip_lost_answers(&pass, INT64_MAX);
    stream_close(&pass.reservations);
    stream_close(&pass.answers);
    return err;
}

/* --- what must happen once, and what must belong to somebody --- */

typedef void (*report_fn)(struct verify *verify, int64_t first, int64_t second);

static void report_order(struct verify *verify, int64_t tenant_id, int64_t order_id)
{
    verify_report(verify, "order_counted_twice",
                  "order %" PRId64 " of tenant %" PRId64 " has earned or taken back twice",
                  order_id, tenant_id);
}

static void report_sale(struct verify *verify, int64_t order_id, int64_t tenant_id)
{
    verify_report(verify, "sale_overtaken",
                  "more points were taken back of order %" PRId64 " of tenant %" PRId64
                  " than it has earned",
                  order_id, tenant_id);
}

static void report_token(struct verify *verify, int64_t first_id, int64_t last_id)
{
    verify_report(verify, "token_used_twice",
                  "reservations %" PRId64 " and %" PRId64 " are of one token", first_id, last_id);
}

static void report_under_way(struct verify *verify, int64_t first_id, int64_t last_id)
{
    verify_report(verify, "order_changed_twice",
                  "reservations %" PRId64 " and %" PRId64 " are both under way on one order",
                  first_id, last_id);
}

static void report_reward(struct verify *verify, int64_t id, int64_t tenant_id)
{
    verify_report(verify, "reward_without_tenant",
                  "reward %" PRId64 " is of tenant %" PRId64 ", which does not exist", id,
                  tenant_id);
}

static int report_each(struct verify *verify, const char *sql, report_fn report)
{
    struct stream stream;
    int err = stream_open(&stream, verify, sql);
    while (err == 0 && stream.has_row) {
        struct columns columns = {.statement = stream.statement};
        int64_t first = column_int(&columns);
        report(verify, first, column_int(&columns));
        err = stream_next(&stream);
    }
    stream_close(&stream);
    return err;
}

int verify_points_count_rows(struct verify *verify)
{
    struct stream stream;
    int err = stream_open(&stream, verify, sql_count_rows);
    if (err == 0)
        verify->rows_total += column_int(&(struct columns){.statement = stream.statement});
    stream_close(&stream);
    return err;
}

int verify_points(struct verify *verify)
{
    int err = verify_members(verify);
    if (err == 0)
        err = verify_reservations(verify);
    if (err == 0)
        err = report_each(verify, sql_read_twice_counted, report_order);
    if (err == 0)
        err = report_each(verify, sql_read_overtaken, report_sale);
    if (err == 0)
        err = report_each(verify, sql_read_twice_used, report_token);
    if (err == 0)
        err = report_each(verify, sql_read_twice_under_way, report_under_way);
    if (err == 0)
        err = report_each(verify, sql_read_lost_rewards, report_reward);
    return err;
}
