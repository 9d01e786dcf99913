/* Charges by prepared statements, each a round trip of its own. */
#include "baseline_charge.h"

#include "base/check.h"

#include <libpq-fe.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define INTEGER_CHARS 24
#define PARAMETERS_MAX 6

struct charge_connection {
    PGconn *pg;
    bool is_one_call;
};

static const struct prepared {
    const char *name, *text;
} statements[] = {
    {"begin", "BEGIN"},
    {"card", "SELECT id, balance_minor, version FROM card WHERE number = $1 FOR UPDATE"},
    {"earlier",
     "SELECT id, balance_minor_after FROM operation WHERE order_id = $1 AND card_id = $2"
     " AND asked_minor = $3 AND is_charged AND created_at > now() - INTERVAL '90 seconds'"
     " ORDER BY id DESC LIMIT 1"},
    {"operation", "INSERT INTO operation (card_id, order_id, site_id, register_id, asked_minor)"
                  " VALUES ($1, $2, $3, $4, $5) RETURNING id"},
    {"transfer", "INSERT INTO transfer (operation_id, card_id, amount_minor, version,"
                 " balance_minor_after) VALUES ($1, $2, $3, $4, $5)"},
    {"balance", "UPDATE card SET balance_minor = $2, version = $3 WHERE id = $1"},
    {"outcome", "UPDATE operation SET is_charged = $2, balance_minor_after = $3 WHERE id = $1"},
    {"commit", "COMMIT"},
    {"rollback", "ROLLBACK"},
    {"charge", "SELECT operation_id, balance_after, is_charged FROM charge($1, $2, $3, $4, $5)"},
};

struct charge_connection *charge_connect(const char *location, bool is_one_call)
{
    struct charge_connection *connection = calloc(1, sizeof(*connection));
    CHECK(connection != NULL);
    *connection = (struct charge_connection){PQconnectdb(location), is_one_call};
    if (PQstatus(connection->pg) != CONNECTION_OK) {
        fputs(PQerrorMessage(connection->pg), stderr);
        exit(1);
    }
    for (size_t i = 0; i < COUNT_OF(statements); i++) {
        PGresult *result =
            PQprepare(connection->pg, statements[i].name, statements[i].text, 0, NULL);
        if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            fputs(PQresultErrorMessage(result), stderr);
            exit(1);
        }
        PQclear(result);
    }
    return connection;
}

/* Runs one of them; values: of integers, behind the text where there is one. NULL: it failed.
 * ownership: the caller's. */
static PGresult *execute(struct charge_connection *connection, const char *name, const char *text,
                         const int64_t *values, int count)
{
    char digits[PARAMETERS_MAX][INTEGER_CHARS];
    const char *parameters[PARAMETERS_MAX] = {text};
    int first = text == NULL ? 0 : 1;
    CHECK(first + count <= PARAMETERS_MAX);
    for (int i = 0; i < count; i++) {
        snprintf(digits[i], INTEGER_CHARS, "%" PRId64, values[i]);
        parameters[first + i] = digits[i];
    }
    PGresult *result =
        PQexecPrepared(connection->pg, name, first + count, parameters, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        return result;
    fputs(PQresultErrorMessage(result), stderr);
    PQclear(result);
    return NULL;
}

static int64_t column(const PGresult *result, int index)
{
    return strtoll(PQgetvalue(result, 0, index), NULL, 10);
}

/* Runs one and reads its first row. false: it failed. *has_row may be NULL: nobody asks. */
static bool ask(struct charge_connection *connection, const char *name, const char *text,
                const int64_t *values, int count, int64_t *columns, bool *has_row)
{
    PGresult *result = execute(connection, name, text, values, count);
    if (result == NULL)
        return false;
    if (has_row != NULL)
        *has_row = PQntuples(result) > 0;
    for (int i = 0; PQntuples(result) > 0 && i < PQnfields(result); i++)
        columns[i] = column(result, i);
    PQclear(result);
    return true;
}

static bool tell(struct charge_connection *connection, const char *name, const int64_t *values,
                 int count)
{
    PGresult *result = execute(connection, name, NULL, values, count);
    bool is_done = result != NULL;
    PQclear(result);
    return is_done;
}

/* The card is locked: book it. */
static bool book(struct charge_connection *connection, struct charge *charge, int64_t card_id,
                 int64_t balance_minor, int64_t version)
{
    bool has_funds = balance_minor >= charge->asked_minor;
    int64_t after_minor = balance_minor - (has_funds ? charge->asked_minor : 0);
    const int64_t operation[] = {card_id, charge->order_id, charge->site_id, charge->register_id,
                                 charge->asked_minor};
    if (!ask(connection, "operation", NULL, operation, 5, &charge->operation_id, NULL))
        return false;
    const int64_t transfer[] = {charge->operation_id, card_id, charge->asked_minor, version + 1,
                                after_minor};
    const int64_t balance[] = {card_id, after_minor, version + 1};
    const int64_t outcome[] = {charge->operation_id, has_funds, after_minor};
    charge->result = has_funds ? CHARGE_BOOKED : CHARGE_NO_FUNDS;
    charge->balance_minor_after = after_minor;
    return (!has_funds || (tell(connection, "transfer", transfer, 5) &&
                           tell(connection, "balance", balance, 3))) &&
           tell(connection, "outcome", outcome, 3);
}

static bool decide(struct charge_connection *connection, struct charge *charge)
{
    int64_t card[3], earlier[2];
    bool has_card, has_earlier;
    if (!tell(connection, "begin", NULL, 0) ||
        !ask(connection, "card", charge->number, NULL, 0, card, &has_card))
        return false;
    if (!has_card) {
        charge->result = CHARGE_NOT_FOUND;
        return true;
    }
    const int64_t identity[] = {charge->order_id, card[0], charge->asked_minor};
    if (!ask(connection, "earlier", NULL, identity, 3, earlier, &has_earlier))
        return false;
    if (!has_earlier)
        return book(connection, charge, card[0], card[1], card[2]);
    charge->result = CHARGE_BOOKED;
    charge->operation_id = earlier[0];
    charge->balance_minor_after = earlier[1];
    return true;
}

static void run_eight(struct charge_connection *connection, struct charge *charge)
{
    if (decide(connection, charge) && tell(connection, "commit", NULL, 0))
        return;
    charge->result = CHARGE_FAILED;
    (void)tell(connection, "rollback", NULL, 0);
}

static void run_call(struct charge_connection *connection, struct charge *charge)
{
    const int64_t values[] = {charge->order_id, charge->site_id, charge->register_id,
                              charge->asked_minor};
    PGresult *result = execute(connection, "charge", charge->number, values, 4);
    charge->result = CHARGE_FAILED;
    if (result == NULL)
        return;
    charge->operation_id = column(result, 0);
    charge->balance_minor_after = column(result, 1);
    charge->result = PQgetisnull(result, 0, 2)            ? CHARGE_NOT_FOUND
                     : PQgetvalue(result, 0, 2)[0] == 't' ? CHARGE_BOOKED
                                                          : CHARGE_NO_FUNDS;
    PQclear(result);
}

void charge_run(struct charge_connection *connection, struct charge *charge)
{
    if (connection->is_one_call)
        run_call(connection, charge);
    else
        run_eight(connection, charge);
}
