/*
 * ERR_*: "could not do it". Functions return 0 or one of these. "Did it, the answer is no" is a
 * ledger result (ledger/operation.h), never an error.
 */
#ifndef COUNTERPART_BASE_ERROR_H
#define COUNTERPART_BASE_ERROR_H

#include <stdbool.h>

/* X(symbol, wire name, may the same request be sent again?) */
#define ERROR_LIST(X)                                                                              \
    X(ERR_BUG, "bug", false) /* a request-local violation of our own rules */                      \
    X(ERR_NO_MEMORY, "no_memory", true)                                                            \
    X(ERR_IO, "io", true) /* file or socket; errno was logged */                                   \
    X(ERR_BAD_CONFIG, "bad_config", false)                                                         \
    X(ERR_LOCKED, "locked", false)           /* another process owns the data directory */         \
    X(ERR_BAD_KEY, "bad_key", false)         /* master key malformed or not the store's */         \
    X(ERR_BAD_SEAL, "bad_seal", false)       /* sealed text does not open */                       \
    X(ERR_JSON_SYNTAX, "json_syntax", false) /* truncated, single quotes, NUL, bad UTF-8 ... */    \
    X(ERR_JSON_DUPLICATE, "json_duplicate_key", false)                                             \
    X(ERR_JSON_DEPTH, "json_depth", false)                                                         \
    X(ERR_JSON_TYPE, "json_type", false) /* there, but not of the type asked for */                \
    X(ERR_FORM_SYNTAX, "form_syntax", false)                                                       \
    X(ERR_MISSING, "missing", false) /* the field is not there, null or empty */                   \
    X(ERR_NOT_A_NUMBER, "not_a_number", false)                                                     \
    X(ERR_TOO_PRECISE, "too_precise", false) /* more decimals than the currency has */             \
    X(ERR_TOO_LARGE, "too_large", false)                                                           \
    X(ERR_NOT_FOUND, "not_found", false)                                                           \
    X(ERR_ALREADY_EXISTS, "already_exists", false)                                                 \
    X(ERR_NOT_SOLD, "not_sold", false)     /* a card of the stock has no switch yet */             \
    X(ERR_NOT_LOADED, "not_loaded", false) /* stored, but this process could not take it over */   \
    X(ERR_QUEUE_FULL, "queue_full", true)                                                          \
    X(ERR_CANCELLED, "cancelled",                                                                  \
      true) /* deadline passed in the queue: it never ran and never will */                        \
    X(ERR_UNCONFIRMED, "unconfirmed",                                                              \
      false) /* taken, and the store went silent: outcome not known yet */                         \
    X(ERR_STORE_BUSY, "store_busy", true)                                                          \
    X(ERR_STORE_FULL, "store_full", true) /* disk full: rolled back */                             \
    X(ERR_STORE_CORRUPT, "store_corrupt", false)                                                   \
    X(ERR_STORE_DOWN, "store_down", true)                                                          \
    X(ERR_STORE_CONSTRAINT, "store_constraint",                                                    \
      false) /* a law of the schema refused the rows: a bug */                                     \
    X(ERR_ELSEWHERE, "tenant_elsewhere",                                                           \
      true) /* the rows are another store's, or about to be: nothing is written */                 \
    X(ERR_COMMIT_UNKNOWN, "commit_unknown", false)                                                 \
    X(ERR_SCHEMA_TOO_NEW, "schema_too_new", false)                                                 \
    X(ERR_SHUTTING_DOWN, "shutting_down", true)                                                    \
    X(ERR_TIMED_OUT, "timed_out", true) /* no whole reply of the other side in time */             \
    X(ERR_UNREACHABLE, "unreachable", true)                                                        \
    X(ERR_CONNECTION_LOST, "connection_lost", true)                                                \
    X(ERR_BAD_REPLY, "bad_reply", true) /* the other side's reply is not what it should be */      \
    X(ERR_REFUSED, "refused", false)    /* the other side understood, and said no */               \
    X(ERR_RATE_LIMITED, "rate_limited", true)                                                      \
    X(ERR_NOT_CONNECTED, "not_connected", false) /* no grant, or it must be given again */         \
    X(ERR_NO_APP, "no_app", false)               /* client id and secret were not set */           \
    X(ERR_STALE, "stale", true)                  /* somebody else has written the row meanwhile */ \
    X(ERR_LEASED, "leased", true)                /* another process is at it */                    \
    X(ERR_BAD_TOKEN, "bad_token", false)         /* a token of ours: forged or malformed */        \
    X(ERR_EXPIRED, "expired", false)             /* a token of ours that was good once */

enum error {
    ERR_OK = 0,
#define X(symbol, name, is_retryable) symbol,
    ERROR_LIST(X)
#undef X
        ERR_COUNT,
};

const char *error_name(int err); /* wire name; "ok" for 0; "bug" for what is no error code */
bool error_is_retryable(int err);

#endif
