/*
 * Fetch: begins the batch's transaction, locks its cards and loads what it needs into its view. All
 * commands at once: every look-up of sqlite_fetch.c is one set statement, and one pipeline carries
 * what every batch needs. A second one, for few batches, carries what hangs on the answers to the
 * first: operations of orders that have any, and the recent charges of refunds whose sale is not
 * known (that a sale is not, and that the PIN is right, is known only then).
 *
 * Locks are taken in one order by all: the changes' lock where proofs will be written, cards by
 * their ids, register days and foreign days by their keys. What a statement reads after the cards
 * are locked is what all have committed until then (READ COMMITTED), so of these cards nothing is
 * missing. The ids come after the locks too: along a card's chain they must rise.
 */
#include "store/postgres_set.h"

#include "base/check.h"
#include "base/log.h"

#include <string.h>

#include "base/banned.h"

/* As in sqlite_fetch.c. */
#define ORDER_REACH "1024"
#define NO_ORDER_SLACK_US (INT64_C(60) * 1000000)
#define RECENT_REACH "1024"

/* ORDER_OPERATIONS_MAX, ORDER_REFUSALS_MAX, RECENT_CHARGES_MAX and actions, as the texts have them.
 */
#define SUCCESSES_MAX "64"
#define REFUSALS_MAX "8"
#define RECENT_MAX "64"
#define LOADS "(3, 6, 7)"
#define CHARGES "(2, 9)"
_Static_assert(ORDER_OPERATIONS_MAX == 64 && ORDER_REFUSALS_MAX == 8 && RECENT_CHARGES_MAX == 64,
               "the texts below say so");
_Static_assert(ACTION_TOP_UP == 3 && ACTION_HOLD_LOAD == 6 && ACTION_RELEASE == 7, "LOADS");
_Static_assert(ACTION_CHARGE == 2 && ACTION_RECHARGE == 9, "CHARGES");

/* The wanted card's id. One that is not there: its look-ups cost what those of one that is there
 * cost. OFFSET 0: looked up once per command. */
#define HOLDER                                                                                     \
    "CROSS JOIN LATERAL (SELECT coalesce((SELECT id FROM card WHERE tenant_id = of_tenant "        \
    "AND number_index = of_index), -1) AS of_card OFFSET 0) AS holder "
/* Stands for such a card where its look-ups come after the cards. */
#define NO_CARD (-1)
/*
 * Rows of one order, newest first. More than ORDER_REACH are not a till's doing. Successes apart
 * from refusals, each by its own partial index; result_is says which, as the index has it.
 */
#define ORDER_PART(result_is, most)                                                                \
    "(SELECT " OPERATION_COLUMNS " FROM (SELECT " OPERATION_COLUMNS " FROM operation "             \
    "WHERE tenant_id = of_tenant AND order_id = of_order AND " result_is                           \
    " AND card_id = of_card ORDER BY id DESC LIMIT " ORDER_REACH ") AS reach "                     \
    "WHERE of_loads_only = 0 OR action IN " LOADS " ORDER BY id DESC LIMIT " most ")"
/*
 * Without an order: of one register, and nothing older than the longest window. One after the
 * other, and no further than the first that is too old: such a card may have any number of them.
 */
#define NO_ORDER_STEP(result_is, bound)                                                            \
    "SELECT id, created_at_us, CASE WHEN site_id = of_site AND register_id = of_register "         \
    "AND (of_loads_only = 0 OR action IN " LOADS ") THEN 1 ELSE 0 END FROM operation "             \
    "WHERE tenant_id = of_tenant AND order_id = 0 AND " result_is " AND card_id = of_card" bound   \
    " ORDER BY id DESC LIMIT 1"
#define NO_ORDER_PART(result_is, most)                                                             \
    "(WITH RECURSIVE reach (at_id, at_us, is_wanted, depth, found_count) AS "                      \
    "(SELECT newest.*, 1, newest.is_wanted FROM (" NO_ORDER_STEP(                                  \
        result_is,                                                                                 \
        "") ") "                                                                                   \
            "AS newest (at_id, at_us, is_wanted) "                                                 \
            "UNION ALL SELECT older.*, depth + 1, found_count + older.is_wanted FROM reach "       \
            "CROSS JOIN LATERAL (" NO_ORDER_STEP(                                                  \
                result_is,                                                                         \
                " AND id < reach.at_id") ") "                                                      \
                                         "AS older (at_id, at_us, is_wanted) "                     \
                                         "WHERE reach.at_us >= of_since AND depth < " ORDER_REACH  \
                                         " AND found_count < " most ") "                           \
                                         "SELECT " OPERATION_COLUMNS                               \
                                         " FROM reach JOIN operation ON id = at_id "               \
                                         "WHERE is_wanted = 1 AND at_us >= of_since)"

static const char text_lock_changes[] = "SELECT 1 FROM pg_advisory_xact_lock(?)";
/* ?1 has their tenants, of_place counts from 1. */
#define WANTED "unnest(?2) WITH ORDINALITY AS wanted (of_index, of_place)"
#define IS_WANTED "tenant_id = ?1[of_place] AND number_index = of_index"
static const char text_lock_cards[] = "SELECT " CARD_COLUMNS ", of_place, 0 FROM " WANTED
                                      " JOIN card ON " IS_WANTED " ORDER BY id FOR UPDATE OF card";
/* Those that nobody holds; of the others whether there are such. (One that was made since is held
 * still, or was until now.) */
static const char text_lock_free_cards[] =
    "SELECT free.*, of_place, CASE WHEN free.id IS NULL THEN coalesce((SELECT 1 FROM card "
    "WHERE " IS_WANTED "), 0) ELSE 0 END FROM " WANTED " LEFT JOIN LATERAL (SELECT " CARD_COLUMNS
    " FROM card WHERE " IS_WANTED " FOR UPDATE SKIP LOCKED) AS free ON TRUE";
static const char text_read_known[] =
    "SELECT of_command FROM unnest(?, ?, ?) AS wanted (of_command, of_tenant, of_order) "
    "CROSS JOIN LATERAL (SELECT 1 FROM operation WHERE tenant_id = of_tenant "
    "AND order_id = of_order AND result = 0 AND action IN " CHARGES " LIMIT 1) AS found";
/* The ids, in the row of no command; and which orders have any operation, on whatever card: of
 * most sales a charge is the first. In one statement, for beginning one costs as much as rows. */
static const char text_take_ids[] =
    "SELECT -1, last_operation_id, last_transfer_id, is_done FROM take_ids(?2, ?3) "
    "UNION ALL SELECT of_command, 0, 0, TRUE FROM " POSTGRES_ROWS_3(
        "?1") " AS wanted "
              "(of_command, of_tenant, of_order) CROSS JOIN LATERAL (SELECT 1 FROM operation "
              "WHERE tenant_id = of_tenant AND order_id = of_order AND result = 0 UNION ALL "
              "SELECT 1 FROM operation WHERE tenant_id = of_tenant AND order_id = of_order AND "
              "result <> 0 "
              "LIMIT 1) AS found";
#define NO_COMMAND (-1)
static const char text_take_card_ids[] = "SELECT last_card_id, is_done FROM take_card_ids(?)";
/* What a refund's named sale has, comes beside what its own order has. */
static const char text_read_orders[] =
    "SELECT found.*, of_command, is_of_sale FROM " POSTGRES_ROWS_6(
        "?1") " AS wanted "
              "(of_command, is_of_sale, of_tenant, of_card, "
              "of_order, of_loads_only) "
              "CROSS JOIN LATERAL (" ORDER_PART(
                  "result = 0", SUCCESSES_MAX) " UNION ALL SELECT * "
                                               "FROM " ORDER_PART("result <> 0",
                                                                  REFUSALS_MAX) " AS refused "
                                                                                "WHERE "
                                                                                "is_of_sale = "
                                                                                "0) AS "
                                                                                "found";
static const char text_read_orderless[] =
    "SELECT found.*, of_command, 0 FROM unnest(?, ?, ?, ?, ?, ?, ?) AS wanted "
    "(of_command, of_tenant, of_index, of_site, of_register, of_loads_only, of_since) " HOLDER
    "CROSS JOIN LATERAL (" NO_ORDER_PART("result = 0", SUCCESSES_MAX) " UNION ALL " NO_ORDER_PART(
        "result <> 0", REFUSALS_MAX) ") AS found";
static const char text_read_answered[] =
    "SELECT " OPERATION_COLUMNS ", of_command, 0 FROM unnest(?, ?) AS wanted (of_command, of_id) "
    "JOIN operation ON id = of_id";
static const char text_lock_days[] =
    "SELECT of_day, refunded_minor FROM unnest(?, ?, ?, ?, ?) AS wanted "
    "(of_day, of_tenant, of_site, of_register, of_date) JOIN register_day "
    "ON tenant_id = of_tenant AND site_id = of_site AND register_id = of_register "
    "AND local_date = of_date ORDER BY tenant_id, site_id, register_id, local_date "
    "FOR UPDATE OF register_day";
static const char text_lock_foreign_days[] =
    "SELECT of_day, paid_minor FROM unnest(?, ?, ?) AS wanted (of_day, of_tenant, of_date) "
    "JOIN foreign_day ON tenant_id = of_tenant AND local_date = of_date "
    "ORDER BY tenant_id, local_date FOR UPDATE OF foreign_day";
/* Not locked: a batch that commits after a change of the approval was decided before it. */
static const char text_read_approvals[] =
    "SELECT state, payment_max_minor, day_max_minor, expires_on, is_suspended, of_day "
    "FROM unnest(?, ?) AS wanted (of_day, of_tenant) "
    "JOIN foreign_approval ON tenant_id = of_tenant";
/*
 * A card's chain, newest first, until there are enough open charges. visit: 1 one of them, 2 a
 * chain that leads nowhere or to another card, which is damage and not an answer.
 */
static const char text_read_recent[] =
    "WITH RECURSIVE walk (of_command, of_card, of_since, depth, open_count, at_id, visit, next_id) "
    "AS (SELECT of_command, of_card, of_since, 0, 0, CAST(0 AS BIGINT), 0, of_last "
    "FROM unnest(?, ?, ?, ?) AS wanted (of_command, of_card, of_since, of_last) "
    "UNION ALL SELECT of_command, of_card, of_since, depth + 1, "
    "open_count + CASE WHEN visited.visit = 1 THEN 1 ELSE 0 END, walk.next_id, visited.visit, "
    "visited.next_id FROM walk CROSS JOIN LATERAL (SELECT CASE "
    "WHEN id IS NULL OR card_id <> of_card THEN 2 "
    "WHEN action IN " CHARGES " AND result = 0 AND created_at_us >= of_since "
    "AND NOT (amount_minor > 0 AND given_back_minor = amount_minor) THEN 1 ELSE 0 END, "
    "coalesce(previous_operation_id, 0) "
    "FROM (SELECT 1) AS one LEFT JOIN operation ON id = walk.next_id) AS visited (visit, next_id) "
    "WHERE walk.next_id <> 0 AND walk.visit <> 2 AND depth < " RECENT_REACH
    " AND open_count < " RECENT_MAX ") "
    "SELECT " OPERATION_COLUMNS ", of_command, visit FROM walk LEFT JOIN operation ON id = at_id "
    "WHERE visit <> 0";
#define VISIT_DAMAGE 2

/* Distinct cards of the batch by index: open addressing, at most half full. */
#define WANTED_SLOTS (2 * BATCH_MAX)

struct wanted_card {
    const struct command *command; /* the first that names it */
    int32_t card;                  /* index into view.cards, VIEW_NONE: there is none */
    bool has_refund;
    bool has_recent_charges;
    bool is_skipped; /* another process holds it */
};

struct id_counts {
    int64_t cards, operations, transfers;
};

/* One fetch under way. */
struct fetch {
    struct store_postgres *postgres;
    struct batch *batch;
    struct view *view;
    struct wanted_card wanted[BATCH_MAX];
    int32_t wanted_count;
    int32_t slots[WANTED_SLOTS];  /* into wanted, VIEW_NONE: free */
    int32_t wanted_of[BATCH_MAX]; /* by command */
    struct id_counts ids;         /* that are taken */
    struct postgres_set lock_changes, lock_cards, take_ids, take_card_ids, read_known,
        read_orderless, read_answered, lock_days, lock_foreign_days, read_approvals, read_orders,
        read_recent;
};

/* --- cards: each once per batch --- */

/* As card_slot of sqlite_fetch.c, but of the cards that are wanted. */
static int32_t *wanted_slot(struct fetch *fetch, const struct command *command)
{
    uint64_t hash;
    memcpy(&hash, command->card_index, sizeof(hash));
    for (uint64_t i = hash;; i++) {
        int32_t *slot = &fetch->slots[i % WANTED_SLOTS];
        if (*slot == VIEW_NONE)
            return slot;
        const struct command *first = fetch->wanted[*slot].command;
        if (first->tenant_id == command->tenant_id &&
            memcmp(first->card_index, command->card_index, CARD_INDEX_BYTES) == 0)
            return slot;
    }
}

static void want_card(struct fetch *fetch, int32_t at)
{
    const struct command *command = fetch->batch->commands[at];
    int32_t *slot = wanted_slot(fetch, command);
    if (*slot == VIEW_NONE) {
        *slot = fetch->wanted_count++;
        fetch->wanted[*slot] = (struct wanted_card){.command = command, .card = VIEW_NONE};
        struct binder binder = postgres_set_row(&fetch->lock_cards);
        bind_int(&binder, command->tenant_id);
        bind_blob(&binder, command->card_index, CARD_INDEX_BYTES);
    }
    fetch->wanted_of[at] = *slot;
    fetch->wanted[*slot].has_refund |= command->action == ACTION_REFUND;
}

/* A number that the server gave back as it came. */
static int read_index(struct columns *columns, int32_t count, int32_t *index)
{
    *index = column_int32(columns);
    return *index >= 0 && *index < count ? 0 : ERR_STORE_CORRUPT;
}

/* Each row of what a set has brought. */
typedef int (*receive_fn)(struct fetch *fetch, struct sql_statement *row);

static int receive_rows(struct fetch *fetch, struct postgres_set *set, receive_fn receive)
{
    bool has_row = false;
    int err = postgres_set_receive(fetch->postgres, set);
    if (err == 0)
        err = postgres_set_step(fetch->postgres, set, &has_row);
    while (err == 0 && has_row) {
        err = receive(fetch, set->statement);
        if (err == 0)
            err = postgres_set_step(fetch->postgres, set, &has_row);
    }
    return err;
}

/* A card stands where it is wanted until receive_cards closes the gaps. Its id reads 0 where there
 * is no such card, or another process has it. */
static int receive_card(struct fetch *fetch, struct sql_statement *row)
{
    struct columns columns = {.statement = row, .position = sql_column_count(row) - 2};
    int64_t place = column_int(&columns);
    if (place < 1 || place > fetch->wanted_count)
        return ERR_STORE_CORRUPT;
    struct wanted_card *wanted = &fetch->wanted[place - 1];
    wanted->is_skipped = column_int(&columns) != 0;
    if (sql_column_int(row, 0) == 0)
        return 0;
    struct view_card *loaded = &fetch->view->cards[place - 1];
    *loaded = (struct view_card){.operation_newest = VIEW_NONE, .new_card = VIEW_NONE};
    int err = row_read_card(row, &loaded->card);
    loaded->version_loaded = loaded->card.version;
    wanted->card = (int32_t)place - 1;
    return err;
}

/* They come by id, and stand in the view in the order in which the commands name them. */
static int receive_cards(struct fetch *fetch)
{
    struct view *view = fetch->view;
    int err = receive_rows(fetch, &fetch->lock_cards, receive_card);
    for (int32_t i = 0; err == 0 && i < fetch->wanted_count; i++) {
        if (fetch->wanted[i].card == VIEW_NONE)
            continue;
        fetch->wanted[i].card = view->card_count;
        view->cards[view->card_count++] = view->cards[i];
    }
    return err;
}

static int32_t *card_of(struct fetch *fetch, int32_t at)
{
    return &fetch->wanted[fetch->wanted_of[at]].card;
}

/* --- operations --- */

static bool is_loads_only(const struct command *command)
{
    return command->action == ACTION_TOP_UP || command->action == ACTION_RELEASE;
}

static void want_orders_seen(struct fetch *fetch, int32_t at)
{
    const struct command *command = fetch->batch->commands[at];
    struct binder binder = postgres_set_row(&fetch->take_ids);
    bind_int(&binder, at);
    bind_int(&binder, command->tenant_id);
    bind_int(&binder, command->order_id);
}

static void want_orderless(struct fetch *fetch, int32_t at)
{
    const struct command *command = fetch->batch->commands[at];
    int64_t reach_us = command->policy.replay_window_no_order_us + NO_ORDER_SLACK_US;
    struct binder binder = postgres_set_row(&fetch->read_orderless);
    bind_int(&binder, at);
    bind_int(&binder, command->tenant_id);
    bind_blob(&binder, command->card_index, CARD_INDEX_BYTES);
    bind_int(&binder, command->site_id);
    bind_int(&binder, command->register_id);
    bind_int(&binder, is_loads_only(command));
    bind_int(&binder, command->received_at_us - reach_us);
}

static void want_known(struct fetch *fetch, int32_t at)
{
    struct binder binder = postgres_set_row(&fetch->read_known);
    bind_int(&binder, at);
    bind_int(&binder, fetch->batch->commands[at]->tenant_id);
    bind_int(&binder, fetch->batch->keys[at].sale_order_id);
}

static void want_answered(struct fetch *fetch, int32_t at)
{
    struct binder binder = postgres_set_row(&fetch->read_answered);
    bind_int(&binder, at);
    bind_int(&binder, fetch->batch->keys[at].answers_operation_id);
}

static void want_operations(struct fetch *fetch, int32_t at)
{
    const struct command *command = fetch->batch->commands[at];
    const struct keys *keys = &fetch->batch->keys[at];
    if (keys->wants_order_is_known)
        want_known(fetch, at);
    if (keys->wants_order_operations && command->order_id != 0)
        want_orders_seen(fetch, at);
    else if (keys->wants_order_operations)
        want_orderless(fetch, at);
    if (keys->answers_operation_id != 0)
        want_answered(fetch, at);
}

static int receive_known(struct fetch *fetch, struct sql_statement *row)
{
    int32_t at;
    int err = read_index(&(struct columns){.statement = row}, fetch->batch->count, &at);
    if (err == 0)
        fetch->batch->scopes[at].order_is_known = true;
    return err;
}

/* After the cards, whose ids are known now. */
static void want_order(struct fetch *fetch, int32_t at, int64_t order_id, bool is_of_sale)
{
    const struct command *command = fetch->batch->commands[at];
    int32_t card = *card_of(fetch, at);
    struct binder binder = postgres_set_row(&fetch->read_orders);
    bind_int(&binder, at);
    bind_int(&binder, is_of_sale);
    bind_int(&binder, command->tenant_id);
    bind_int(&binder, card == VIEW_NONE ? NO_CARD : fetch->view->cards[card].card.id);
    bind_int(&binder, order_id);
    bind_int(&binder, is_loads_only(command));
}

/* Behind an operation: the command, and a mark of its own. */
static int read_operation(struct fetch *fetch, struct sql_statement *row,
                          struct operation *operation, int32_t *at)
{
    struct columns columns = {.statement = row, .position = sql_column_count(row) - 2};
    int err = read_index(&columns, fetch->batch->count, at);
    return err != 0 ? err : row_read_operation(row, operation);
}

/* Of a card that came after the cards were locked, or of another one, it is as if it were not
 * there. */
static void add_operation(struct fetch *fetch, int32_t at, const struct operation *operation)
{
    int32_t card = *card_of(fetch, at);
    if (card != VIEW_NONE && operation->card_id == fetch->view->cards[card].card.id)
        view_add_operation(fetch->view, card, operation);
}

static int receive_operation(struct fetch *fetch, struct sql_statement *row)
{
    struct operation operation;
    int32_t at;
    int err = read_operation(fetch, row, &operation, &at);
    if (err == 0)
        add_operation(fetch, at, &operation);
    return err;
}

static int receive_recent(struct fetch *fetch, struct sql_statement *row)
{
    struct operation operation;
    int32_t at;
    if (sql_column_int(row, sql_column_count(row) - 1) == VISIT_DAMAGE) {
        log_event(LOG_ERROR, "chain_is_broken", LOG_TEXT("table", "operation"));
        return ERR_STORE_CORRUPT;
    }
    int err = read_operation(fetch, row, &operation, &at);
    if (err == 0)
        add_operation(fetch, at, &operation);
    return err;
}

/* --- days --- */

static bool is_same_day(const struct register_day *a, const struct register_day *b)
{
    return a->register_id == b->register_id && a->site_id == b->site_id &&
           a->tenant_id == b->tenant_id && a->local_date == b->local_date;
}

/* What is not there is as it stands here: new, and nothing was refunded. */
static int32_t want_day(struct fetch *fetch, const struct command *command)
{
    struct view *view = fetch->view;
    struct register_day day = {.tenant_id = command->tenant_id,
                               .site_id = command->site_id,
                               .register_id = command->register_id,
                               .local_date = command->local_date};
    for (int32_t i = 0; i < view->day_count; i++)
        if (is_same_day(&view->days[i].day, &day))
            return i;
    view->days[view->day_count] = (struct view_day){.day = day, .is_new = true};
    struct binder binder = postgres_set_row(&fetch->lock_days);
    bind_int(&binder, view->day_count);
    bind_int(&binder, day.tenant_id);
    bind_int(&binder, day.site_id);
    bind_int(&binder, day.register_id);
    bind_int(&binder, day.local_date);
    return view->day_count++;
}

static int receive_day(struct fetch *fetch, struct sql_statement *row)
{
    struct columns columns = {.statement = row};
    int32_t index;
    int err = read_index(&columns, fetch->view->day_count, &index);
    if (err != 0)
        return err;
    struct view_day *day = &fetch->view->days[index];
    day->is_new = false;
    day->day.refunded_minor = column_int(&columns);
    day->refunded_minor_loaded = day->day.refunded_minor;
    return 0;
}

static int32_t want_foreign_day(struct fetch *fetch, const struct command *command)
{
    struct view *view = fetch->view;
    struct foreign_day day = {.tenant_id = command->tenant_id, .local_date = command->local_date};
    for (int32_t i = 0; i < view->foreign_day_count; i++)
        if (view->foreign_days[i].day.tenant_id == day.tenant_id &&
            view->foreign_days[i].day.local_date == day.local_date)
            return i;
    view->foreign_days[view->foreign_day_count] =
        (struct view_foreign_day){.day = day, .is_new = true};
    struct binder binder = postgres_set_row(&fetch->lock_foreign_days);
    bind_int(&binder, view->foreign_day_count);
    bind_int(&binder, day.tenant_id);
    bind_int(&binder, day.local_date);
    struct binder approval = postgres_set_row(&fetch->read_approvals);
    bind_int(&approval, view->foreign_day_count);
    bind_int(&approval, day.tenant_id);
    return view->foreign_day_count++;
}

static int receive_foreign_day(struct fetch *fetch, struct sql_statement *row)
{
    struct columns columns = {.statement = row};
    int32_t index;
    int err = read_index(&columns, fetch->view->foreign_day_count, &index);
    if (err != 0)
        return err;
    struct view_foreign_day *day = &fetch->view->foreign_days[index];
    day->is_new = false;
    day->day.paid_minor = column_int(&columns);
    day->paid_minor_loaded = day->day.paid_minor;
    return 0;
}

static int receive_approval(struct fetch *fetch, struct sql_statement *row)
{
    struct columns columns = {.statement = row};
    struct foreign_approval approval;
    int32_t index;
    columns_approval(&columns, &approval);
    approval.is_suspended = column_bool(&columns);
    int err = read_index(&columns, fetch->view->foreign_day_count, &index);
    if (err != 0)
        return err;
    struct view_foreign_day *day = &fetch->view->foreign_days[index];
    day->approval = approval;
    return row_end(&columns, "foreign_approval", day->day.tenant_id);
}

/* --- ids --- */

/* Charges that the command's look-ups may load. (A refund looks at what its named sale paid or at
 * recent charges, never at both.) */
static int64_t charges_loaded_max(const struct keys *keys)
{
    int64_t charges = keys->wants_order_operations ? ORDER_OPERATIONS_MAX : 0;
    if (keys->wants_refunded_operations || keys->wants_recent_charges)
        charges +=
            ORDER_OPERATIONS_MAX > RECENT_CHARGES_MAX ? ORDER_OPERATIONS_MAX : RECENT_CHARGES_MAX;
    return charges + (keys->answers_operation_id != 0 ? 1 : 0);
}

/*
 * Refunds of a card empty each of its charges at most once, loaded or new, and each leaves at most
 * one with a rest; releases move each held top-up at most once: the loaded ones of their order, and
 * those that a top-up of this batch makes. A charge may write a reversal before its own.
 */
static int64_t transfers_max(const struct fetch *fetch, int32_t at)
{
    const struct command *command = fetch->batch->commands[at];
    int64_t transfers = 1;
    if (command->action == ACTION_CHARGE)
        transfers = 2;
    else if (command->action == ACTION_RELEASE)
        transfers = ORDER_OPERATIONS_MAX;
    if (fetch->wanted[fetch->wanted_of[at]].has_refund)
        transfers += charges_loaded_max(&fetch->batch->keys[at]) + 1;
    return transfers;
}

static void want_ids(struct fetch *fetch)
{
    int64_t cards = 0, operations = 0, transfers = 0;
    for (int32_t i = 0; i < fetch->batch->count; i++) {
        enum action action = fetch->batch->commands[i]->action;
        cards += action == ACTION_ISSUE;
        operations += action == ACTION_CHARGE ? 2 : 1;
        transfers += transfers_max(fetch, i);
    }
    struct binder binder = {.statement = fetch->take_ids.statement, .position = 1};
    bind_int(&binder, operations);
    bind_int(&binder, transfers);
    fetch->take_ids.row_count++; /* sent also where no order is looked for */
    bind_int(&(struct binder){.statement = fetch->take_card_ids.statement}, cards);
    fetch->take_card_ids.row_count = cards > 0;
    fetch->ids = (struct id_counts){cards, operations, transfers};
}

/* Up to the last one. errors: ERR_STORE_CORRUPT: a sequence that tells none, or another order. */
static int end_ids(int64_t last, int64_t count, int64_t *next, int64_t *end)
{
    *next = last - count + 1;
    *end = last + 1;
    return *next > 0 ? 0 : ERR_STORE_CORRUPT;
}

static int read_ids(struct fetch *fetch, struct sql_statement *row)
{
    struct view *view = fetch->view;
    struct store_postgres *postgres = fetch->postgres;
    struct columns columns = {.statement = row, .position = 1};
    int err = end_ids(column_int(&columns), fetch->ids.operations, &view->next_operation_id,
                      &postgres->operation_id_end);
    if (err == 0)
        err = end_ids(column_int(&columns), fetch->ids.transfers, &view->next_transfer_id,
                      &postgres->transfer_id_end);
    postgres->operation_id_begin = view->next_operation_id;
    postgres->transfer_id_begin = view->next_transfer_id;
    return err == 0 && !column_bool(&columns) ? ERR_STORE_CORRUPT : err;
}

static int receive_id_or_order(struct fetch *fetch, struct sql_statement *row)
{
    int32_t at;
    if (sql_column_int(row, 0) == NO_COMMAND)
        return read_ids(fetch, row);
    int err = read_index(&(struct columns){.statement = row}, fetch->batch->count, &at);
    if (err == 0)
        want_order(fetch, at, fetch->batch->commands[at]->order_id, false);
    return err;
}

static int receive_card_ids(struct fetch *fetch, struct sql_statement *row)
{
    struct columns columns = {.statement = row};
    int err = end_ids(column_int(&columns), fetch->ids.cards, &fetch->view->next_card_id,
                      &fetch->postgres->card_id_end);
    return err == 0 && !column_bool(&columns) ? ERR_STORE_CORRUPT : err;
}

/* A session that was broken off while it took ids may keep them from everybody. */
static int receive_ids(struct fetch *fetch)
{
    fetch->postgres->card_id_end = 0;
    int err = receive_rows(fetch, &fetch->take_ids, receive_id_or_order);
    if (err == 0)
        err = receive_rows(fetch, &fetch->take_card_ids, receive_card_ids);
    if (err != 0)
        postgres_disconnect(fetch->postgres);
    return err;
}

/* --- the batch --- */

/*
 * Will the batch write proofs? They are sums over several tables, so they are written beside no
 * change: the batch takes the changes' lock, before all others. (A charge reverses what it takes
 * the place of only where the order was read.)
 */
static bool may_undo(const struct command *command)
{
    return command->action == ACTION_REVERSE || command->action == ACTION_RECHARGE ||
           (command->action == ACTION_CHARGE && command->evidence.state == EVIDENCE_READ);
}

static void want_change_lock(struct fetch *fetch)
{
    bool is_wanted = false;
    for (int32_t i = 0; i < fetch->batch->count; i++)
        is_wanted |= may_undo(fetch->batch->commands[i]);
    fetch->postgres->has_change_lock = is_wanted;
    fetch->lock_changes.row_count = is_wanted;
    bind_int(&(struct binder){.statement = fetch->lock_changes.statement}, POSTGRES_LOCK_CHANGE);
}

static int begin_sets(struct fetch *fetch)
{
    bool may_skip = fetch->batch->may_skip;
    const struct {
        struct postgres_set *set;
        const char *text, *kinds;
        enum postgres_set_number number;
    } sets[] = {
        {&fetch->lock_changes, text_lock_changes, "", SET_LOCK_CHANGES},
        {&fetch->lock_cards, may_skip ? text_lock_free_cards : text_lock_cards, "rb",
         may_skip ? SET_LOCK_FREE_CARDS : SET_LOCK_CARDS},
        {&fetch->take_ids, text_take_ids, "rrr", SET_TAKE_IDS},
        {&fetch->take_card_ids, text_take_card_ids, "", SET_TAKE_CARD_IDS},
        {&fetch->read_known, text_read_known, "iii", SET_READ_KNOWN},
        {&fetch->read_orderless, text_read_orderless, "iibiiii", SET_READ_ORDERLESS},
        {&fetch->read_answered, text_read_answered, "ii", SET_READ_ANSWERED},
        {&fetch->lock_days, text_lock_days, "iiiii", SET_LOCK_DAYS},
        {&fetch->lock_foreign_days, text_lock_foreign_days, "iii", SET_LOCK_FOREIGN_DAYS},
        {&fetch->read_approvals, text_read_approvals, "ii", SET_READ_APPROVALS},
        {&fetch->read_orders, text_read_orders, "rrrrrr", SET_READ_ORDERS},
        {&fetch->read_recent, text_read_recent, "iiii", SET_READ_RECENT},
    };
    int err = 0;
    for (size_t i = 0; err == 0 && i < COUNT_OF(sets); i++)
        err = postgres_set_begin(fetch->postgres, sets[i].number, sets[i].text, sets[i].kinds,
                                 sets[i].set);
    return err;
}

static void want_all(struct fetch *fetch)
{
    struct batch *batch = fetch->batch;
    for (int32_t i = 0; i < batch->count; i++) {
        struct scope *scope = &batch->scopes[i];
        *scope = (struct scope){.card = VIEW_NONE, .day = VIEW_NONE, .foreign_day = VIEW_NONE};
        want_card(fetch, i);
        want_operations(fetch, i);
        if (batch->keys[i].wants_register_day)
            scope->day = want_day(fetch, batch->commands[i]);
        if (batch->keys[i].wants_foreign_day)
            scope->foreign_day = want_foreign_day(fetch, batch->commands[i]);
    }
    want_change_lock(fetch);
    want_ids(fetch);
}

static int receive_nothing(struct fetch *fetch, struct sql_statement *row)
{
    (void)fetch;
    (void)row;
    return 0;
}

static int send_all(struct fetch *fetch)
{
    struct postgres_set *const sets[] = {
        &fetch->lock_changes,   &fetch->lock_cards, &fetch->take_ids,
        &fetch->take_card_ids,  &fetch->read_known, &fetch->read_orderless,
        &fetch->read_answered,  &fetch->lock_days,  &fetch->lock_foreign_days,
        &fetch->read_approvals,
    };
    int err = postgres_send_begin(fetch->postgres);
    for (size_t i = 0; err == 0 && i < COUNT_OF(sets); i++)
        err = postgres_set_send(fetch->postgres, sets[i]);
    return err != 0 ? err : postgres_sync(fetch->postgres);
}

static void scope_cards(struct fetch *fetch)
{
    for (int32_t i = 0; i < fetch->batch->count; i++) {
        const struct wanted_card *wanted = &fetch->wanted[fetch->wanted_of[i]];
        fetch->batch->scopes[i].card = wanted->card;
        fetch->batch->is_skipped[i] = wanted->is_skipped;
    }
}

/* In the order in which they were sent; what an operation belongs to comes before it. */
static int receive_all(struct fetch *fetch)
{
    const struct {
        struct postgres_set *set;
        receive_fn receive;
    } sets[] = {
        {&fetch->read_known, receive_known},
        {&fetch->read_orderless, receive_operation},
        {&fetch->read_answered, receive_operation},
        {&fetch->lock_days, receive_day},
        {&fetch->lock_foreign_days, receive_foreign_day},
        {&fetch->read_approvals, receive_approval},
    };
    int err = postgres_receive(fetch->postgres, NULL, false); /* BEGIN */
    if (err == 0)
        err = receive_rows(fetch, &fetch->lock_changes, receive_nothing);
    if (err == 0)
        err = receive_cards(fetch);
    if (err == 0) {
        scope_cards(fetch);
        err = receive_ids(fetch);
    }
    for (size_t i = 0; err == 0 && i < COUNT_OF(sets); i++)
        err = receive_rows(fetch, sets[i].set, sets[i].receive);
    return err;
}

static int fetch_together(struct fetch *fetch)
{
    int err = postgres_pipeline(fetch->postgres);
    if (err != 0)
        return err;
    err = send_all(fetch);
    if (err == 0)
        err = receive_all(fetch);
    return postgres_end_pipeline(fetch->postgres, err);
}

static void want_recent(struct fetch *fetch, int32_t at)
{
    const struct command *command = fetch->batch->commands[at];
    const struct keys *keys = &fetch->batch->keys[at];
    const struct scope *scope = &fetch->batch->scopes[at];
    struct wanted_card *wanted = &fetch->wanted[fetch->wanted_of[at]];
    if (!keys->wants_recent_charges || scope->order_is_known || wanted->card == VIEW_NONE)
        return;
    const struct card *card = &fetch->view->cards[wanted->card].card;
    if (wanted->has_recent_charges || !ledger_knows(command, card))
        return;
    wanted->has_recent_charges = true; /* commands of a batch are of one moment */
    struct binder binder = postgres_set_row(&fetch->read_recent);
    bind_int(&binder, at);
    bind_int(&binder, card->id);
    bind_int(&binder, keys->recent_since_us);
    bind_int(&binder, card->last_operation_id);
}

static int fetch_rest(struct fetch *fetch)
{
    for (int32_t i = 0; i < fetch->batch->count; i++) {
        if (fetch->batch->keys[i].wants_refunded_operations &&
            fetch->batch->scopes[i].order_is_known)
            want_order(fetch, i, fetch->batch->keys[i].sale_order_id, true);
        want_recent(fetch, i);
    }
    if (fetch->read_orders.row_count == 0 && fetch->read_recent.row_count == 0)
        return 0;
    int err = postgres_pipeline(fetch->postgres);
    if (err != 0)
        return err;
    err = postgres_set_send(fetch->postgres, &fetch->read_orders);
    if (err == 0)
        err = postgres_set_send(fetch->postgres, &fetch->read_recent);
    if (err == 0)
        err = postgres_sync(fetch->postgres);
    if (err == 0)
        err = receive_rows(fetch, &fetch->read_orders, receive_operation);
    if (err == 0)
        err = receive_rows(fetch, &fetch->read_recent, receive_recent);
    return postgres_end_pipeline(fetch->postgres, err);
}

static int fetch_once(struct store_postgres *postgres, struct batch *batch)
{
    struct fetch fetch = {.postgres = postgres, .batch = batch, .view = &batch->view};
    for (size_t i = 0; i < WANTED_SLOTS; i++)
        fetch.slots[i] = VIEW_NONE;
    batch_rewind(batch);
    int err = postgres_connect(postgres);
    if (err == 0)
        err = begin_sets(&fetch);
    if (err != 0)
        return err;
    want_all(&fetch);
    err = fetch_together(&fetch);
    if (err == 0)
        err = fetch_rest(&fetch);
    if (err != 0)
        postgres_driver.rollback(&postgres->sql);
    return err;
}

int postgres_fetch(struct store *store, struct batch *batch)
{
    struct store_postgres *postgres = postgres_of(store);
    CHECK(postgres->sql.mode == STORE_WRITER);
    CHECK(!sql_is_in_transaction(&postgres->sql));
    bool was_connected = postgres->connection != NULL;
    int err = fetch_once(postgres, batch);
    /* A connection that was lost while nobody used it is found out here: once more, on a new one.
     * Nothing was decided. */
    if (err == ERR_STORE_DOWN && was_connected && postgres->connection == NULL)
        err = fetch_once(postgres, batch);
    return err;
}
