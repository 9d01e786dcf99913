/*
 * The schema: the texts of the migrations, and the checks a database must pass before it is used.
 */
#include "store/sqlite_driver.h"

#include "base/check.h"
#include "base/log.h"

#include <string.h>

#include "base/banned.h"

/* "CTPT": tells our files from any other SQLite database. */
#define APPLICATION_ID 0x43545054

/*
 * Version 1. Columns carry the names of the struct fields they hold (ledger/card.h,
 * ledger/operation.h, store/tenant.h); the laws that one row can show are CHECKed here a second
 * time.
 *
 * What is not here, because each would rewrite a random page with every charge: an index of
 * transfers or operations by card. A card's transfers and operations are chains that start at its
 * row. operation_by_order leads with the tenant and the order, and order ids grow, so its inserts
 * stay at the right edge. card_by_last4 and the unique index have no column that a charge assigns.
 */
const char sqlite_schema_1[] =
    "CREATE TABLE meta ("
    " id INTEGER PRIMARY KEY CHECK (id = 1),"
    " key_check BLOB NOT NULL CHECK (length(key_check) = 32),"
    " key_version INTEGER NOT NULL,"
    " generation INTEGER NOT NULL CHECK (generation > 0),"
    " ballast BLOB NOT NULL DEFAULT x''" /* what a writer's ping writes */
    ") STRICT;"

    "CREATE TABLE tenant ("
    " id INTEGER PRIMARY KEY CHECK (id > 0),"
    " name TEXT NOT NULL,"
    " key_sealed BLOB NOT NULL,"
    " currency_code TEXT NOT NULL CHECK (length(currency_code) = 3),"
    " currency_exponent INTEGER NOT NULL CHECK (currency_exponent BETWEEN 0 AND 3),"
    " zone TEXT NOT NULL,"
    " oseries_company INTEGER NOT NULL,"
    " signature_token_sealed BLOB NOT NULL,"
    " signature_token_previous_sealed BLOB NOT NULL,"
    " oseries_signature_mode INTEGER NOT NULL CHECK (oseries_signature_mode BETWEEN 0 AND 2),"
    " signature_base64_is_accepted INTEGER NOT NULL CHECK (signature_base64_is_accepted IN (0, 1)),"
    " charge_is_on INTEGER NOT NULL CHECK (charge_is_on IN (0, 1)),"
    " top_up_is_on INTEGER NOT NULL CHECK (top_up_is_on IN (0, 1)),"
    " refund_is_on INTEGER NOT NULL CHECK (refund_is_on IN (0, 1)),"
    " balance_is_on INTEGER NOT NULL CHECK (balance_is_on IN (0, 1)),"
    " sites_must_be_mapped INTEGER NOT NULL CHECK (sites_must_be_mapped IN (0, 1)),"
    " last4_is_accepted INTEGER NOT NULL CHECK (last4_is_accepted IN (0, 1)),"
    " amounts_are_strings INTEGER NOT NULL CHECK (amounts_are_strings IN (0, 1)),"
    " card_prefix TEXT NOT NULL,"
    " profile TEXT NOT NULL,"
    " partial_is_allowed INTEGER NOT NULL CHECK (partial_is_allowed IN (0, 1)),"
    " balance_max_minor INTEGER NOT NULL CHECK (balance_max_minor >= 0),"
    " load_day_max_minor INTEGER NOT NULL CHECK (load_day_max_minor >= 0),"
    " uses_hour_max INTEGER NOT NULL CHECK (uses_hour_max >= 0),"
    " refund_max_minor INTEGER NOT NULL CHECK (refund_max_minor >= 0),"
    " refund_register_day_max_minor INTEGER NOT NULL CHECK (refund_register_day_max_minor >= 0),"
    " replay_window_us INTEGER NOT NULL CHECK (replay_window_us >= 0),"
    " replay_window_no_order_us INTEGER NOT NULL CHECK (replay_window_no_order_us >= 0)"
    ") STRICT;"
    /* 0: not connected to a company yet. */
    "CREATE UNIQUE INDEX tenant_by_company ON tenant (oseries_company) WHERE oseries_company <> 0;"

    "CREATE TABLE site ("
    " id INTEGER PRIMARY KEY CHECK (id > 0),"
    " tenant_id INTEGER NOT NULL REFERENCES tenant (id),"
    " name TEXT NOT NULL,"
    " oseries_site INTEGER NOT NULL,"
    " zone TEXT NOT NULL,"
    " UNIQUE (tenant_id, oseries_site)"
    ") STRICT;"

    /* number_index is card.index; pin_hash is empty without PIN. number_sealed comes last: nothing
     * on the way of a charge reads it. */
    "CREATE TABLE card ("
    " id INTEGER PRIMARY KEY CHECK (id > 0),"
    " tenant_id INTEGER NOT NULL REFERENCES tenant (id),"
    " number_index BLOB NOT NULL CHECK (length(number_index) = 32),"
    " last4 TEXT NOT NULL CHECK (length(last4) <= 4),"
    " status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 2),"
    " has_pin INTEGER NOT NULL CHECK (has_pin IN (0, 1)),"
    " pin_hash BLOB NOT NULL CHECK (length(pin_hash) = 32 * has_pin),"
    " valid_from INTEGER NOT NULL,"
    " expires_on INTEGER NOT NULL,"
    " balance_minor INTEGER NOT NULL CHECK (balance_minor >= 0),"
    " version INTEGER NOT NULL CHECK (version >= 0),"
    " last_transfer_id INTEGER NOT NULL CHECK (last_transfer_id >= 0),"
    " last_operation_id INTEGER NOT NULL CHECK (last_operation_id >= 0),"
    " loaded_on INTEGER NOT NULL,"
    " loaded_minor INTEGER NOT NULL CHECK (loaded_minor >= 0),"
    " used_hour INTEGER NOT NULL,"
    " used_count INTEGER NOT NULL CHECK (used_count >= 0),"
    " number_sealed BLOB NOT NULL,"
    " key_version INTEGER NOT NULL,"
    " UNIQUE (tenant_id, number_index)"
    ") STRICT;"
    "CREATE INDEX card_by_last4 ON card (tenant_id, last4);"

    /* A tombstone (action 5) belongs to no card, so card_id refers to none there. */
    "CREATE TABLE operation ("
    " id INTEGER PRIMARY KEY CHECK (id > 0),"
    " tenant_id INTEGER NOT NULL,"
    " card_id INTEGER NOT NULL CHECK (card_id > 0 OR action = 5),"
    " action INTEGER NOT NULL CHECK (action BETWEEN 1 AND 5),"
    " result INTEGER NOT NULL CHECK (result BETWEEN 0 AND 20),"
    " order_id INTEGER NOT NULL,"
    " site_id INTEGER NOT NULL,"
    " register_id INTEGER NOT NULL,"
    " asked_minor INTEGER NOT NULL,"
    " amount_minor INTEGER NOT NULL"
    "  CHECK (amount_minor >= 0 AND (amount_minor = 0 OR (result = 0 AND action <> 5))),"
    " balance_minor_after INTEGER NOT NULL CHECK (balance_minor_after >= 0),"
    " card_version_after INTEGER NOT NULL CHECK (card_version_after >= 0),"
    " limit_minor INTEGER NOT NULL,"
    " given_back_minor INTEGER NOT NULL CHECK (given_back_minor BETWEEN 0 AND amount_minor),"
    " previous_operation_id INTEGER NOT NULL CHECK (previous_operation_id BETWEEN 0 AND id - 1),"
    " created_at_us INTEGER NOT NULL"
    ") STRICT;"
    /* Successes apart from refusals: however often a sale is refused, what it paid is found. */
    "CREATE INDEX operation_by_order"
    " ON operation (tenant_id, order_id, (result <> 0), card_id, id);"

    "CREATE TABLE transfer ("
    " id INTEGER PRIMARY KEY CHECK (id > 0),"
    " operation_id INTEGER NOT NULL REFERENCES operation (id),"
    " debit_account INTEGER NOT NULL CHECK (debit_account > 0),"
    " credit_account INTEGER NOT NULL CHECK (credit_account > 0"
    "  AND credit_account <> debit_account),"
    " amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),"
    " cause INTEGER NOT NULL CHECK (cause BETWEEN 1 AND 4),"
    " answers_operation_id INTEGER NOT NULL CHECK (answers_operation_id > 0),"
    " version INTEGER NOT NULL CHECK (version > 0),"
    " balance_minor_after INTEGER NOT NULL CHECK (balance_minor_after >= 0),"
    " previous_transfer_id INTEGER NOT NULL CHECK (previous_transfer_id BETWEEN 0 AND id - 1),"
    " created_at_us INTEGER NOT NULL"
    ") STRICT;"

    "CREATE TABLE register_day ("
    " tenant_id INTEGER NOT NULL,"
    " site_id INTEGER NOT NULL,"
    " register_id INTEGER NOT NULL,"
    " local_date INTEGER NOT NULL,"
    " refunded_minor INTEGER NOT NULL CHECK (refunded_minor >= 0),"
    " PRIMARY KEY (tenant_id, site_id, register_id, local_date)"
    ") STRICT, WITHOUT ROWID;"

    /* Law 1. UPDATE OF lists every column but given_back_minor, so an update of that one alone
     * never meets the trigger. */
    "CREATE TRIGGER transfer_is_never_updated BEFORE UPDATE ON transfer BEGIN"
    " SELECT RAISE(ABORT, 'law 1: a transfer is never changed'); END;"
    "CREATE TRIGGER transfer_is_never_deleted BEFORE DELETE ON transfer BEGIN"
    " SELECT RAISE(ABORT, 'law 1: a transfer is never deleted'); END;"
    "CREATE TRIGGER operation_is_never_updated BEFORE UPDATE OF id, tenant_id, card_id, action,"
    " result, order_id, site_id, register_id, asked_minor, amount_minor, balance_minor_after,"
    " card_version_after, limit_minor, previous_operation_id, created_at_us ON operation BEGIN"
    " SELECT RAISE(ABORT, 'law 5: of an operation only given_back_minor changes'); END;"
    "CREATE TRIGGER operation_is_never_deleted BEFORE DELETE ON operation BEGIN"
    " SELECT RAISE(ABORT, 'law 5: an operation is never deleted'); END;"
    "CREATE TRIGGER card_is_never_deleted BEFORE DELETE ON card BEGIN"
    " SELECT RAISE(ABORT, 'law 2: a card is never deleted'); END;";

/*
 * Version 2: the merchant's application and the grants of its tenants, members with their points,
 * rewards, and the work that must survive a crash.
 *
 * An operation may now be a top-up that waits for its order, and its release. What the CHECKs of
 * its table say changes without touching a row: the way that SQLite's own manual of ALTER TABLE
 * gives for it (the schema is text; whatever the new CHECKs allow, the old ones allowed less).
 */
const char sqlite_schema_2[] =
    "PRAGMA writable_schema = ON;"
    "UPDATE sqlite_schema SET sql = replace(replace(sql,"
    " 'action BETWEEN 1 AND 5', 'action BETWEEN 1 AND 7'),"
    " 'result BETWEEN 0 AND 20', 'result BETWEEN 0 AND 21')"
    " WHERE type = 'table' AND name = 'operation';"
    "PRAGMA writable_schema = RESET;"
    /* Which sale a refund gives back, where that is another than its own order. */
    "ALTER TABLE operation ADD COLUMN refunded_order_id INTEGER NOT NULL DEFAULT 0;"
    "DROP TRIGGER operation_is_never_updated;"
    "CREATE TRIGGER operation_is_never_updated BEFORE UPDATE OF id, tenant_id, card_id, action,"
    " result, order_id, refunded_order_id, site_id, register_id, asked_minor, amount_minor,"
    " balance_minor_after, card_version_after, limit_minor, previous_operation_id, created_at_us"
    " ON operation BEGIN"
    " SELECT RAISE(ABORT, 'law 5: of an operation only given_back_minor changes'); END;"

    "ALTER TABLE tenant ADD COLUMN top_up_is_held INTEGER NOT NULL DEFAULT 0"
    " CHECK (top_up_is_held IN (0, 1));"
    "ALTER TABLE tenant ADD COLUMN search_is_on INTEGER NOT NULL DEFAULT 1"
    " CHECK (search_is_on IN (0, 1));"
    "ALTER TABLE tenant ADD COLUMN rewards_is_on INTEGER NOT NULL DEFAULT 1"
    " CHECK (rewards_is_on IN (0, 1));"
    "ALTER TABLE tenant ADD COLUMN redeem_is_on INTEGER NOT NULL DEFAULT 1"
    " CHECK (redeem_is_on IN (0, 1));"
    "ALTER TABLE tenant ADD COLUMN loyalty_signature_mode INTEGER NOT NULL DEFAULT 1"
    " CHECK (loyalty_signature_mode BETWEEN 0 AND 2);"
    "ALTER TABLE tenant ADD COLUMN refusal_status INTEGER NOT NULL DEFAULT 200"
    " CHECK (refusal_status BETWEEN 200 AND 499);"
    "ALTER TABLE tenant ADD COLUMN body_format INTEGER NOT NULL DEFAULT 0"
    " CHECK (body_format BETWEEN 0 AND 2);"
    "ALTER TABLE tenant ADD COLUMN deadline_us INTEGER NOT NULL DEFAULT 4000000"
    " CHECK (deadline_us BETWEEN 1000000 AND 4000000);"
    "ALTER TABLE tenant ADD COLUMN payment_is_ours INTEGER NOT NULL DEFAULT 0"
    " CHECK (payment_is_ours IN (0, 1));"
    "ALTER TABLE tenant ADD COLUMN payment_refusals TEXT NOT NULL"
    " DEFAULT '400,401,403,404,422';"
    "ALTER TABLE tenant ADD COLUMN webhook_topics TEXT NOT NULL"
    " DEFAULT 'orders/completed,orders/deleted';"
    "ALTER TABLE tenant ADD COLUMN token_refresh_us INTEGER NOT NULL DEFAULT 86400000000"
    " CHECK (token_refresh_us > 0);"
    "ALTER TABLE tenant ADD COLUMN discount_is_on_line INTEGER NOT NULL DEFAULT 0"
    " CHECK (discount_is_on_line IN (0, 1));"
    "ALTER TABLE tenant ADD COLUMN earn_milli INTEGER NOT NULL DEFAULT 1000"
    " CHECK (earn_milli >= 0);"
    "ALTER TABLE tenant ADD COLUMN points_label TEXT NOT NULL DEFAULT 'Points';"
    "ALTER TABLE tenant ADD COLUMN points_expire_days INTEGER NOT NULL DEFAULT 0"
    " CHECK (points_expire_days >= 0);"
    "ALTER TABLE tenant ADD COLUMN burn_is_on_complete INTEGER NOT NULL DEFAULT 0"
    " CHECK (burn_is_on_complete IN (0, 1));"
    "ALTER TABLE tenant ADD COLUMN reservation_max_us INTEGER NOT NULL DEFAULT 86400000000"
    " CHECK (reservation_max_us > 0);"
    "ALTER TABLE tenant ADD COLUMN redeem_token_us INTEGER NOT NULL DEFAULT 14400000000"
    " CHECK (redeem_token_us > 0);"

    /* Of the keys that sign our own tokens (oauth/jwt.h). */
    "ALTER TABLE meta ADD COLUMN token_generation INTEGER NOT NULL DEFAULT 1"
    " CHECK (token_generation > 0);"

    /* One application per surface (store/grant.h). Secrets are sealed. */
    "CREATE TABLE app ("
    " surface INTEGER PRIMARY KEY CHECK (surface > 0),"
    " client_id TEXT NOT NULL,"
    " client_secret_sealed BLOB NOT NULL,"
    " signature_token_sealed BLOB NOT NULL,"
    " signature_token_previous_sealed BLOB NOT NULL"
    ") STRICT;"

    "CREATE TABLE oauth_grant (" /* GRANT is a reserved word elsewhere */
    " tenant_id INTEGER NOT NULL REFERENCES tenant (id),"
    " surface INTEGER NOT NULL CHECK (surface > 0),"
    " kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 2),"
    " status INTEGER NOT NULL CHECK (status BETWEEN 1 AND 3),"
    " company_id INTEGER NOT NULL,"
    " access_token_sealed BLOB NOT NULL,"
    " refresh_token_sealed BLOB NOT NULL,"
    " connected_at_us INTEGER NOT NULL,"
    " refreshed_at_us INTEGER NOT NULL,"
    " expires_at_us INTEGER NOT NULL,"
    " failures INTEGER NOT NULL CHECK (failures >= 0),"
    " failed_at_us INTEGER NOT NULL,"
    " reason TEXT NOT NULL,"
    " version INTEGER NOT NULL CHECK (version > 0),"
    " lease_owner TEXT NOT NULL,"
    " leased_until_us INTEGER NOT NULL,"
    " PRIMARY KEY (tenant_id, surface)"
    ") STRICT, WITHOUT ROWID;"

    /* Tokens of ours that are good for one use: kept until they would have expired. */
    "CREATE TABLE used_token ("
    " id TEXT PRIMARY KEY,"
    " expires_at_us INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX used_token_by_expiry ON used_token (expires_at_us);"

    "CREATE TABLE member ("
    " id INTEGER PRIMARY KEY CHECK (id > 0),"
    " tenant_id INTEGER NOT NULL REFERENCES tenant (id),"
    " code TEXT NOT NULL CHECK (length(code) BETWEEN 1 AND 64),"
    " first_name TEXT NOT NULL,"
    " last_name TEXT NOT NULL,"
    " email TEXT NOT NULL,"
    " phone TEXT NOT NULL,"
    " card_number TEXT NOT NULL,"
    " icon_url TEXT NOT NULL,"
    " intro_text TEXT NOT NULL,"
    " tier TEXT NOT NULL,"
    " is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),"
    " points INTEGER NOT NULL CHECK (points >= 0),"
    " points_held INTEGER NOT NULL CHECK (points_held BETWEEN 0 AND points),"
    " version INTEGER NOT NULL CHECK (version >= 0),"
    " last_entry_id INTEGER NOT NULL CHECK (last_entry_id >= 0),"
    " active_at_us INTEGER NOT NULL,"
    " created_at_us INTEGER NOT NULL,"
    " UNIQUE (tenant_id, code)"
    ") STRICT;"
    /* Whose points may expire. */
    "CREATE INDEX member_idle ON member (tenant_id, active_at_us) WHERE points > points_held;"
    "CREATE INDEX member_by_tenant ON member (tenant_id);" /* and id, as every index has it */
    "CREATE TRIGGER member_is_never_deleted BEFORE DELETE ON member BEGIN"
    " SELECT RAISE(ABORT, 'law 2: a member is never deleted'); END;"

    /* What members are found by: folded words, and names as a whole (store/member.h). */
    "CREATE TABLE member_word ("
    " tenant_id INTEGER NOT NULL,"
    " word TEXT NOT NULL,"
    " member_id INTEGER NOT NULL REFERENCES member (id),"
    " PRIMARY KEY (tenant_id, word, member_id)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE reward ("
    " id INTEGER PRIMARY KEY CHECK (id > 0),"
    " tenant_id INTEGER NOT NULL REFERENCES tenant (id),"
    " title TEXT NOT NULL,"
    " terms TEXT NOT NULL,"
    " points INTEGER NOT NULL CHECK (points > 0),"
    " effect INTEGER NOT NULL CHECK (effect BETWEEN 1 AND 3),"
    " amount_minor INTEGER NOT NULL,"
    " percent_bp INTEGER NOT NULL CHECK (percent_bp BETWEEN 0 AND 10000),"
    " product_id INTEGER NOT NULL,"
    " is_active INTEGER NOT NULL CHECK (is_active IN (0, 1))"
    ") STRICT;"
    "CREATE INDEX reward_by_tenant ON reward (tenant_id, id);"

    /* Law 6: reserved (1) -> applied (2) | burned (3) | returned (4); applied -> burned |
     * returned. */
    "CREATE TABLE reservation ("
    " id INTEGER PRIMARY KEY CHECK (id > 0),"
    " tenant_id INTEGER NOT NULL,"
    " member_id INTEGER NOT NULL REFERENCES member (id),"
    " reward_id INTEGER NOT NULL REFERENCES reward (id),"
    " token_id TEXT NOT NULL,"
    " order_id INTEGER NOT NULL CHECK (order_id > 0),"
    " site_id INTEGER NOT NULL,"
    " points INTEGER NOT NULL CHECK (points > 0),"
    " state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4),"
    " is_unsure INTEGER NOT NULL CHECK (is_unsure IN (0, 1)),"
    " reason TEXT NOT NULL,"
    " created_at_us INTEGER NOT NULL,"
    " changed_at_us INTEGER NOT NULL"
    ") STRICT;"
    "CREATE UNIQUE INDEX reservation_by_token ON reservation (token_id) WHERE state <> 4;"
    /* One change of an order at a time: the next reads what the one before has written. */
    "CREATE UNIQUE INDEX reservation_under_way ON reservation (tenant_id, order_id)"
    " WHERE state = 1;"
    "CREATE INDEX reservation_open ON reservation (state, changed_at_us) WHERE state <= 2;"
    "CREATE INDEX reservation_by_member ON reservation (member_id, id) WHERE state <= 2;"
    "CREATE INDEX reservation_by_order ON reservation (tenant_id, order_id, id);"
    "CREATE TRIGGER reservation_moves_along_its_table BEFORE UPDATE OF state ON reservation"
    " WHEN old.state >= 3 OR (old.state = 2 AND new.state = 1) BEGIN"
    " SELECT RAISE(ABORT, 'law 6: a reservation moves along its table'); END;"
    "CREATE TRIGGER reservation_is_never_changed BEFORE UPDATE OF id, tenant_id, member_id,"
    " reward_id, token_id, order_id, site_id, points, created_at_us ON reservation BEGIN"
    " SELECT RAISE(ABORT, 'law 6: of a reservation only its state changes'); END;"
    "CREATE TRIGGER reservation_is_never_deleted BEFORE DELETE ON reservation BEGIN"
    " SELECT RAISE(ABORT, 'law 6: a reservation is never deleted'); END;"

    /* Laws 1 and 2 for points: insert-only, versions without gaps, the points after. */
    "CREATE TABLE points_entry ("
    " id INTEGER PRIMARY KEY CHECK (id > 0),"
    " tenant_id INTEGER NOT NULL,"
    " member_id INTEGER NOT NULL REFERENCES member (id),"
    " version INTEGER NOT NULL CHECK (version > 0),"
    " cause INTEGER NOT NULL CHECK (cause BETWEEN 1 AND 6),"
    " points INTEGER NOT NULL CHECK (points <> 0)," /* signed */
    " points_after INTEGER NOT NULL CHECK (points_after >= 0),"
    " order_id INTEGER NOT NULL,"
    " sale_order_id INTEGER NOT NULL," /* of what takes back: the sale that had earned */
    " reservation_id INTEGER NOT NULL,"
    " previous_entry_id INTEGER NOT NULL CHECK (previous_entry_id BETWEEN 0 AND id - 1),"
    " created_at_us INTEGER NOT NULL,"
    " reason TEXT NOT NULL"
    ") STRICT;"
    /* Each order earns once for its member; each reservation burns once and returns once. */
    "CREATE UNIQUE INDEX points_entry_by_order ON points_entry (tenant_id, order_id, cause)"
    " WHERE cause IN (2, 3);"
    "CREATE INDEX points_entry_by_sale ON points_entry (tenant_id, sale_order_id)"
    " WHERE sale_order_id <> 0;"
    "CREATE UNIQUE INDEX points_entry_by_reservation ON points_entry (reservation_id, cause)"
    " WHERE reservation_id <> 0;"
    "CREATE TRIGGER points_entry_is_never_updated BEFORE UPDATE ON points_entry BEGIN"
    " SELECT RAISE(ABORT, 'law 1: an entry is never changed'); END;"
    "CREATE TRIGGER points_entry_is_never_deleted BEFORE DELETE ON points_entry BEGIN"
    " SELECT RAISE(ABORT, 'law 1: an entry is never deleted'); END;"

    /* Work that must survive a crash (store/work.h). */
    "CREATE TABLE work ("
    " id INTEGER PRIMARY KEY CHECK (id > 0),"
    " tenant_id INTEGER NOT NULL,"
    " kind INTEGER NOT NULL CHECK (kind > 0),"
    " subject_id INTEGER NOT NULL,"
    " identity BLOB NOT NULL CHECK (length(identity) = 32),"
    " state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 3),"
    " attempts INTEGER NOT NULL CHECK (attempts >= 0),"
    " due_at_us INTEGER NOT NULL,"
    " created_at_us INTEGER NOT NULL,"
    " ended_at_us INTEGER NOT NULL,"
    " reason TEXT NOT NULL,"
    " UNIQUE (tenant_id, kind, identity)"
    ") STRICT;"
    "CREATE INDEX work_open ON work (tenant_id, due_at_us) WHERE state = 1;"
    "CREATE INDEX work_shown ON work (tenant_id, id) WHERE state <> 2;"
    "CREATE INDEX work_counted ON work (tenant_id, subject_id)"
    " WHERE kind = 1 AND state = 2 AND reason = '';"
    "CREATE INDEX work_ended ON work (ended_at_us) WHERE state <> 1;";

/*
 * Version 3: reversals and recharges, and the proofs of what became of each operation at the
 * register; the approval to pay orders that are not ours. CHECKs are widened as in version 2.
 */
const char sqlite_schema_3[] =
    "PRAGMA writable_schema = ON;"
    "UPDATE sqlite_schema SET sql = replace(replace(sql,"
    " 'action BETWEEN 1 AND 7', 'action BETWEEN 1 AND 9'),"
    " 'result BETWEEN 0 AND 21', 'result BETWEEN 0 AND 31')"
    " WHERE type = 'table' AND name = 'operation';"
    "UPDATE sqlite_schema SET sql = replace(sql, 'cause BETWEEN 1 AND 4', 'cause BETWEEN 1 AND 5')"
    " WHERE type = 'table' AND name = 'transfer';"
    "UPDATE sqlite_schema SET sql = replace(sql,"
    " 'effect BETWEEN 1 AND 3', 'effect BETWEEN 1 AND 4')"
    " WHERE type = 'table' AND name = 'reward';"
    "PRAGMA writable_schema = RESET;"
    /* What a reversal or recharge undoes. */
    "ALTER TABLE operation ADD COLUMN answers_operation_id INTEGER NOT NULL DEFAULT 0"
    " CHECK (answers_operation_id >= 0);"
    "CREATE INDEX operation_by_answer ON operation (answers_operation_id)"
    " WHERE answers_operation_id <> 0;"
    /* Charges and loads answer themselves: they are not in it. */
    "CREATE INDEX transfer_by_answer ON transfer (answers_operation_id, operation_id)"
    " WHERE answers_operation_id <> operation_id;"
    "DROP TRIGGER operation_is_never_updated;"
    "CREATE TRIGGER operation_is_never_updated BEFORE UPDATE OF id, tenant_id, card_id, action,"
    " result, order_id, refunded_order_id, answers_operation_id, site_id, register_id, asked_minor,"
    " amount_minor, balance_minor_after, card_version_after, limit_minor, previous_operation_id,"
    " created_at_us ON operation BEGIN"
    " SELECT RAISE(ABORT, 'law 5: of an operation only given_back_minor changes'); END;"

    "ALTER TABLE tenant ADD COLUMN payment_method INTEGER NOT NULL DEFAULT 0"
    " CHECK (payment_method >= 0);"
    "ALTER TABLE tenant ADD COLUMN order_look_is_on INTEGER NOT NULL DEFAULT 1"
    " CHECK (order_look_is_on IN (0, 1));"
    "ALTER TABLE tenant ADD COLUMN notify_is_on INTEGER NOT NULL DEFAULT 1"
    " CHECK (notify_is_on IN (0, 1));"

    /* Part of every key in Redis (store/hot_redis.h). It starts anywhere, and is raised by any
     * amount, so that two stores under one master key, or a store and its copy, do not share
     * entries. */
    "ALTER TABLE meta ADD COLUMN hot_generation INTEGER NOT NULL DEFAULT 1"
    " CHECK (hot_generation > 0);"
    "UPDATE meta SET hot_generation = 1 + abs(random() % 281474976710656);"

    /* The scan for new operations goes on after this id (store/proof.h). What was decided more than
     * two days before the migration was closed without proofs: reading all those orders anew would
     * keep the API busy for weeks. */
    "ALTER TABLE meta ADD COLUMN proof_cursor INTEGER NOT NULL DEFAULT 0"
    " CHECK (proof_cursor >= 0);"
    "UPDATE meta SET proof_cursor = coalesce((SELECT id FROM operation WHERE created_at_us <"
    " (SELECT created_at_us FROM operation ORDER BY id DESC LIMIT 1) - 172800000000"
    " ORDER BY id DESC LIMIT 1), 0);"
    /* The last two columns are sums that are kept with the rows that they are made of, so that a
     * report of a million proofs reads one index: what the ledger says of the operation now
     * (store/sqlite_proof_ledger.c), and the payment that it claims. */
    "CREATE TABLE proof ("
    " operation_id INTEGER PRIMARY KEY CHECK (operation_id > 0),"
    " tenant_id INTEGER NOT NULL,"
    " order_id INTEGER NOT NULL CHECK (order_id >= 0),"
    " card_id INTEGER NOT NULL,"
    " site_id INTEGER NOT NULL,"
    " register_id INTEGER NOT NULL,"
    " action INTEGER NOT NULL CHECK (action BETWEEN 1 AND 9),"
    " booked_minor INTEGER NOT NULL," /* signed, as the two sums */
    " local_date INTEGER NOT NULL,"
    " state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4),"
    " reason INTEGER NOT NULL CHECK (reason BETWEEN 0 AND 31),"
    " is_suspect INTEGER NOT NULL CHECK (is_suspect IN (0, 1)),"
    " shown_order_id INTEGER NOT NULL,"
    " payment_number INTEGER NOT NULL,"
    " missing_since_us INTEGER NOT NULL,"
    " created_at_us INTEGER NOT NULL,"
    " changed_at_us INTEGER NOT NULL,"
    " ledger_minor INTEGER NOT NULL,"
    " shown_minor INTEGER NOT NULL,"
    /* The confirmation before this state, if there was one. */
    " was_order_id INTEGER NOT NULL DEFAULT 0,"
    " was_payment_number INTEGER NOT NULL DEFAULT 0,"
    " was_confirmed_at_us INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "CREATE INDEX proof_by_order ON proof (tenant_id, order_id, operation_id);"
    "CREATE INDEX proof_by_day ON proof (tenant_id, local_date, state, ledger_minor, shown_minor);"
    /* Every proof that a report tells by itself: so the differences of these, and of the payments
     * that nobody claims, are the difference of the sums. */
    "CREATE INDEX proof_told ON proof (tenant_id, local_date, operation_id)"
    " WHERE state IN (1, 4) OR shown_minor <> ledger_minor;"
    /* What the end of a sweep is waited for by (store_hasten_unswept). */
    "CREATE INDEX proof_missing ON proof (tenant_id, order_id)"
    " WHERE missing_since_us <> 0 AND (state <> 4 OR reason IN (5, 10));"
    "CREATE TRIGGER proof_moves_along_its_table BEFORE UPDATE OF state ON proof"
    " WHEN (old.state = 3 AND new.state = 1) OR (old.state = 4 AND new.state = 1)"
    " OR (old.state = 2 AND new.state IN (3, 4)) BEGIN"
    " SELECT RAISE(ABORT, 'law 6: a proof moves along its table'); END;"
    "CREATE TRIGGER proof_is_never_rewritten BEFORE UPDATE OF operation_id, tenant_id, order_id,"
    " card_id, site_id, register_id, action, booked_minor, local_date, created_at_us ON proof BEGIN"
    " SELECT RAISE(ABORT, 'law 6: a proof stays that of its operation'); END;"
    "CREATE TRIGGER proof_is_never_deleted BEFORE DELETE ON proof BEGIN"
    " SELECT RAISE(ABORT, 'law 6: a proof is never deleted'); END;"

    /* What a refund gave back of charges that the register does not show either, refund and charge
     * alike: it counts there, as a reversal would. And what a reversal gave in the place of another
     * charge: it counts there, and not (below 0) on the one that it answers. */
    "CREATE TABLE proof_offset ("
    " by_operation_id INTEGER NOT NULL,"
    " operation_id INTEGER NOT NULL,"
    " amount_minor INTEGER NOT NULL CHECK (amount_minor <> 0),"
    " PRIMARY KEY (by_operation_id, operation_id)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX proof_offset_by_operation ON proof_offset (operation_id, amount_minor);"

    /* Payments of ours that orders were seen to have. */
    "CREATE TABLE register_payment ("
    " tenant_id INTEGER NOT NULL,"
    " order_id INTEGER NOT NULL CHECK (order_id > 0),"
    " number INTEGER NOT NULL,"
    " site_id INTEGER NOT NULL,"
    " register_id INTEGER NOT NULL,"
    " method_id INTEGER NOT NULL,"
    " amount_minor INTEGER NOT NULL," /* signed */
    " ref TEXT NOT NULL,"
    " operation_id INTEGER NOT NULL CHECK (operation_id >= 0)," /* 0: nobody's */
    " local_date INTEGER NOT NULL,"
    " seen_at_us INTEGER NOT NULL,"
    " PRIMARY KEY (tenant_id, order_id, number)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX register_payment_by_ref ON register_payment (tenant_id, ref) WHERE ref <> '';"
    "CREATE INDEX register_payment_unclaimed ON register_payment"
    " (tenant_id, site_id, amount_minor, seen_at_us) WHERE operation_id = 0;"
    /* Those that are claimed count through their proofs. */
    "CREATE INDEX register_payment_by_day ON register_payment"
    " (tenant_id, local_date, order_id, number, amount_minor)"
    " WHERE operation_id = 0;"
    /* An operation claims one payment, wherever it stands. */
    "CREATE UNIQUE INDEX register_payment_by_operation ON register_payment (operation_id)"
    " WHERE operation_id <> 0;"

    "CREATE TABLE order_seen ("
    " tenant_id INTEGER NOT NULL,"
    " order_id INTEGER NOT NULL,"
    " site_id INTEGER NOT NULL,"
    " is_closed INTEGER NOT NULL CHECK (is_closed IN (0, 1)),"
    " updated_at TEXT NOT NULL,"
    " read_at_us INTEGER NOT NULL,"
    " PRIMARY KEY (tenant_id, order_id)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX order_seen_by_age ON order_seen (read_at_us);"
    /* Open work that is no proof, sweep or notice: it goes first. */
    "CREATE INDEX work_urgent ON work (tenant_id, due_at_us)"
    " WHERE state = 1 AND kind NOT IN (4, 5, 6);"
    "CREATE TABLE sweep ("
    " tenant_id INTEGER PRIMARY KEY,"
    " begun_at_us INTEGER NOT NULL,"
    " finished_at_us INTEGER NOT NULL,"
    " listed INTEGER NOT NULL,"
    " missed INTEGER NOT NULL"
    ") STRICT;"

    /* How often the row was opened again: who ends the work does so only for what was asked before
     * it began (store/work.h). */
    "ALTER TABLE work ADD COLUMN openings INTEGER NOT NULL DEFAULT 0 CHECK (openings >= 0);"
    /* Points that pay: a payment onto the order. */
    "ALTER TABLE reservation ADD COLUMN pays_minor INTEGER NOT NULL DEFAULT 0"
    " CHECK (pays_minor >= 0);"
    /* Those that its order had of the same amount, as far as known, when it was sent. */
    "ALTER TABLE reservation ADD COLUMN alike_before INTEGER NOT NULL DEFAULT 0"
    " CHECK (alike_before >= 0);"
    "DROP TRIGGER reservation_is_never_changed;"
    "CREATE TRIGGER reservation_is_never_changed BEFORE UPDATE OF id, tenant_id, member_id,"
    " reward_id, token_id, order_id, site_id, points, pays_minor, created_at_us ON reservation "
    "BEGIN"
    " SELECT RAISE(ABORT, 'law 6: of a reservation only its state changes'); END;"

    /* The approval to pay orders that our application did not create (store/foreign.h). */
    "CREATE TABLE foreign_approval ("
    " tenant_id INTEGER PRIMARY KEY REFERENCES tenant (id),"
    " state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 5),"
    " payment_max_minor INTEGER NOT NULL CHECK (payment_max_minor >= 0),"
    " day_max_minor INTEGER NOT NULL CHECK (day_max_minor >= 0),"
    " expires_on INTEGER NOT NULL,"
    " is_suspended INTEGER NOT NULL DEFAULT 0 CHECK (is_suspended IN (0, 1))"
    ") STRICT;"
    "CREATE TABLE foreign_change ("
    " id INTEGER PRIMARY KEY CHECK (id > 0),"
    " tenant_id INTEGER NOT NULL REFERENCES tenant (id),"
    " from_state INTEGER NOT NULL CHECK (from_state BETWEEN 0 AND 5),"
    " to_state INTEGER NOT NULL CHECK (to_state BETWEEN 1 AND 5),"
    " payment_max_minor INTEGER NOT NULL CHECK (payment_max_minor >= 0),"
    " day_max_minor INTEGER NOT NULL CHECK (day_max_minor >= 0),"
    " expires_on INTEGER NOT NULL,"
    " reference TEXT NOT NULL,"
    " note TEXT NOT NULL,"
    " actor TEXT NOT NULL,"
    " created_at_us INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX foreign_change_by_tenant ON foreign_change (tenant_id, id);"
    "CREATE TRIGGER foreign_change_is_never_updated BEFORE UPDATE ON foreign_change BEGIN"
    " SELECT RAISE(ABORT, 'law 1: an approval''s history is never changed'); END;"
    "CREATE TRIGGER foreign_change_is_never_deleted BEFORE DELETE ON foreign_change BEGIN"
    " SELECT RAISE(ABORT, 'law 1: an approval''s history is never deleted'); END;"
    "CREATE TRIGGER foreign_approval_begins BEFORE INSERT ON foreign_approval"
    " WHEN new.state <> 1 BEGIN"
    " SELECT RAISE(ABORT, 'law 6: an approval begins with a request'); END;"
    /* From ten times the state to the state. */
    "CREATE TRIGGER foreign_approval_moves_along_its_table BEFORE UPDATE ON foreign_approval"
    " WHEN old.state * 10 + new.state NOT IN (12, 13, 14, 23, 24, 33, 35, 41, 51) BEGIN"
    " SELECT RAISE(ABORT, 'law 6: an approval moves along its table'); END;"
    "CREATE TRIGGER foreign_approval_is_never_deleted BEFORE DELETE ON foreign_approval BEGIN"
    " SELECT RAISE(ABORT, 'law 6: an approval is never deleted'); END;"
    /* verdict 0: allowed. end_state 0: open, 1: paid, 2: unpaid. */
    "CREATE TABLE foreign_attempt ("
    " id INTEGER PRIMARY KEY CHECK (id > 0),"
    " tenant_id INTEGER NOT NULL REFERENCES tenant (id),"
    " effect INTEGER NOT NULL CHECK (effect BETWEEN 1 AND 2),"
    " order_id INTEGER NOT NULL,"
    " site_id INTEGER NOT NULL,"
    " operation_id INTEGER NOT NULL,"
    " reservation_id INTEGER NOT NULL,"
    " amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),"
    " local_date INTEGER NOT NULL,"
    " verdict INTEGER NOT NULL CHECK (verdict BETWEEN 0 AND 5),"
    " end_state INTEGER NOT NULL CHECK (end_state BETWEEN 0 AND 2),"
    " api_status INTEGER NOT NULL,"
    " api_answer TEXT NOT NULL,"
    " created_at_us INTEGER NOT NULL,"
    " answered_at_us INTEGER NOT NULL,"
    /* As of a reservation; -1: not sent yet, or points. */
    " alike_before INTEGER NOT NULL DEFAULT -1 CHECK (alike_before >= -1),"
    " CHECK (verdict = 0 OR (end_state = 2 AND api_status = 0))"
    ") STRICT;"
    "CREATE INDEX foreign_attempt_by_day ON foreign_attempt (tenant_id, local_date, id);"
    "CREATE INDEX foreign_attempt_by_operation ON foreign_attempt (operation_id)"
    " WHERE operation_id <> 0;"
    "CREATE INDEX foreign_attempt_by_reservation ON foreign_attempt (reservation_id)"
    " WHERE reservation_id <> 0;"
    "CREATE TRIGGER foreign_attempt_is_never_rewritten BEFORE UPDATE OF id, tenant_id, effect,"
    " order_id, site_id, operation_id, reservation_id, amount_minor, local_date, verdict,"
    " created_at_us ON foreign_attempt BEGIN"
    " SELECT RAISE(ABORT, 'law 1: an attempt is never rewritten'); END;"
    "CREATE TRIGGER foreign_attempt_ends_once BEFORE UPDATE ON foreign_attempt"
    " WHEN old.end_state <> 0 BEGIN"
    " SELECT RAISE(ABORT, 'law 6: an attempt ends once'); END;"
    "CREATE TRIGGER foreign_attempt_is_never_deleted BEFORE DELETE ON foreign_attempt BEGIN"
    " SELECT RAISE(ABORT, 'law 1: an attempt is never deleted'); END;"
    /* What was allowed on one date, less what ended unpaid: the limit that a day has. */
    "CREATE TABLE foreign_day ("
    " tenant_id INTEGER NOT NULL,"
    " local_date INTEGER NOT NULL,"
    " paid_minor INTEGER NOT NULL CHECK (paid_minor >= 0),"
    " PRIMARY KEY (tenant_id, local_date)"
    ") STRICT, WITHOUT ROWID;";

/* Version 4: which tenants are served elsewhere (enum tenant_place), and by which move: a random
 * number that the one target has, too; 0 while it is here. */
const char sqlite_schema_4[] = "ALTER TABLE tenant ADD COLUMN place INTEGER NOT NULL DEFAULT 0"
                               " CHECK (place BETWEEN 0 AND 4);"
                               "ALTER TABLE tenant ADD COLUMN move_id INTEGER NOT NULL DEFAULT 0"
                               " CHECK (move_id >= 0);";

static const char sql_read_version[] = "PRAGMA user_version";
static const char sql_read_application[] = "PRAGMA application_id";
static const char sql_count_tables[] = "SELECT count(*) FROM sqlite_schema";
static const char sql_set_journal[] = "PRAGMA journal_mode = WAL";
static const char sql_read_key[] = "SELECT key_check FROM meta WHERE id = 1";
static const char sql_insert_meta[] =
    "INSERT INTO meta (id, key_check, key_version, generation, hot_generation)"
    " VALUES (1, ?, ?, 1, 1 + abs(random() % 281474976710656))";

static int schema_read_int(struct sql *sql, const char *text, int64_t *value)
{
    struct sql_statement *statement;
    *value = 0;
    int err = sqlite_driver.prepare(sql, text, &statement);
    if (err != 0)
        return err;
    bool has_row;
    err = sql_step(sql, statement, &has_row);
    if (has_row)
        *value = sql_column_int(statement, 0);
    sqlite_driver.finalize(statement);
    return err;
}

static int schema_execute(struct sql *sql, const char *text, const char *what)
{
    if (sqlite3_exec(sqlite_of_sql(sql)->connection, text, NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_fail(sql, what);
    return 0;
}

/* The write-ahead log is what lets readers and the writer work side by side. ":memory:" has none
 * and needs none. A file system without shared memory keeps its old mode: then we do not start. */
static int schema_set_journal(struct sql *sql)
{
    char mode[16];
    struct sql_statement *statement;
    bool has_row;
    int err = sqlite_driver.prepare(sql, sql_set_journal, &statement);
    if (err != 0)
        return err;
    err = sql_step(sql, statement, &has_row);
    if (has_row)
        column_text(&(struct columns){.statement = statement}, mode, sizeof(mode));
    sqlite_driver.finalize(statement);
    if (err != 0)
        return err;
    if (has_row && (strcmp(mode, "wal") == 0 || strcmp(mode, "memory") == 0))
        return 0;
    log_event(LOG_ERROR, "no_write_ahead_log", LOG_TEXT("mode", has_row ? mode : ""));
    return ERR_STORE_DOWN;
}

static int schema_write_version(struct sql *sql)
{
    char text[96];
    struct text_buffer buffer;
    text_buffer_init(&buffer, text, sizeof(text));
    text_append_format(&buffer, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                       APPLICATION_ID, (int)sqlite_migration_count);
    CHECK(!buffer.is_cut);
    return schema_execute(sql, text, "write schema version");
}

static int schema_insert_meta(struct sql *sql)
{
    uint8_t key_check[SEAL_MAC_BYTES];
    struct sql_statement *statement;
    seal_check_value(sql->store.seal, key_check);
    int err = sqlite_driver.prepare(sql, sql_insert_meta, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_blob(&binder, key_check, sizeof(key_check));
    bind_int(&binder, SEAL_KEY_VERSION);
    err = sql_finish(sql, statement);
    sqlite_driver.finalize(statement);
    return err;
}

static int schema_migrate_from(struct sql *sql, int64_t version)
{
    int err = 0;
    for (int64_t next = version; err == 0 && next < sqlite_migration_count; next++)
        err = schema_execute(sql, sqlite_migrations[next], "migrate schema");
    if (err == 0 && version == 0)
        err = schema_insert_meta(sql);
    if (err == 0)
        err = schema_write_version(sql);
    return err;
}

/* Ours, and not from a later program? *version 0: an empty database. */
static int schema_read_version(struct sql *sql, int64_t *version)
{
    int64_t application, tables;
    int err = schema_read_int(sql, sql_read_version, version);
    if (err == 0)
        err = schema_read_int(sql, sql_read_application, &application);
    if (err == 0)
        err = schema_read_int(sql, sql_count_tables, &tables);
    if (err != 0)
        return err;
    if (*version == 0 && tables == 0)
        return 0;
    if (application != APPLICATION_ID || *version <= 0) {
        log_event(LOG_ERROR, "store_is_not_ours", LOG_INT("tables", tables));
        return ERR_STORE_CORRUPT;
    }
    if (*version > sqlite_migration_count) {
        log_event(LOG_ERROR, "schema_too_new", LOG_INT("version", *version),
                  LOG_INT("known", sqlite_migration_count));
        return ERR_SCHEMA_TOO_NEW;
    }
    return 0;
}

/* In one transaction, so that a crash leaves the old version or the new one. */
static int schema_migrate(struct sql *sql)
{
    int64_t version;
    int err = sqlite_run(sql, OWN_BEGIN_WRITE);
    if (err != 0)
        return err;
    err = schema_read_version(sql, &version); /* again: another process may have migrated */
    if (err == 0 && version < sqlite_migration_count)
        err = schema_migrate_from(sql, version);
    if (err == 0)
        err = sqlite_run(sql, OWN_COMMIT);
    if (err != 0)
        sqlite_rollback(sql);
    return err;
}

/* The master key must be the one the store was created with: another would seal and index new rows
 * so that nobody finds them again. */
static int schema_check_key(struct sql *sql)
{
    uint8_t expected[SEAL_MAC_BYTES];
    uint8_t stored[SEAL_MAC_BYTES];
    struct sql_statement *statement;
    bool has_row;
    int err = sqlite_driver.prepare(sql, sql_read_key, &statement);
    if (err != 0)
        return err;
    err = sql_step(sql, statement, &has_row);
    if (has_row)
        column_blob(&(struct columns){.statement = statement}, stored, sizeof(stored));
    sqlite_driver.finalize(statement);
    if (err != 0)
        return err;
    if (!has_row)
        return ERR_STORE_CORRUPT;
    seal_check_value(sql->store.seal, expected);
    return seal_equal(expected, stored, sizeof(expected)) ? 0 : ERR_BAD_KEY;
}

int sqlite_schema_create_model(sqlite3 **model)
{
    int code = sqlite3_open_v2(":memory:", model, SQLITE_OPEN_READWRITE, NULL);
    for (size_t i = 0; code == SQLITE_OK && i < (size_t)sqlite_migration_count; i++)
        code = sqlite3_exec(*model, sqlite_migrations[i], NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : sqlite_error_of(code);
}

int sqlite_schema_open(struct sql *sql)
{
    int64_t version;
    int err = schema_read_version(sql, &version); /* before anything is written to it */
    if (err == 0 && sql->mode == STORE_WRITER)
        err = schema_set_journal(sql);
    if (err != 0)
        return err;
    if (version < sqlite_migration_count && sql->mode == STORE_READER) {
        log_event(LOG_ERROR, "schema_not_migrated", LOG_INT("version", version));
        return ERR_STORE_DOWN;
    }
    if (version < sqlite_migration_count)
        err = schema_migrate(sql);
    return err != 0 ? err : schema_check_key(sql);
}
