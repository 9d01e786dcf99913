/*
 * What stands between a tenant and its registers, from the master key to the first charge: facts
 * are gathered on the threads that they belong to (admin_doctor.c, doctor_probe.c), and judged here
 * line by line: green, or with the one thing to do. The judgement is pure.
 */
#ifndef COUNTERPART_HANDLERS_DOCTOR_H
#define COUNTERPART_HANDLERS_DOCTOR_H

#include "handlers/exchange.h"
#include "handlers/metrics.h"
#include "lightspeed/oseries_api.h"

#include <limits.h>

/* --- facts ------------------------------------------------------------------------------------ */

struct doctor_file {
    char path[PATH_MAX];
    int error; /* errno; 0: it is there */
    unsigned mode;
    bool is_ours; /* its owner is who runs the service */
};

#define DOCTOR_TEXT_MAX 200
/* One request, and what came back. */
struct doctor_visit {
    bool was_made;
    int error;               /* ERR_*; 0: a whole reply */
    int status;              /* of a reply */
    bool is_object, is_ours; /* its body is JSON, and what only this process answers */
    char content_type[DOCTOR_TEXT_MAX + 1], location[DOCTOR_TEXT_MAX + 1];
    char reason[DOCTOR_TEXT_MAX + 1]; /* beside an error */
    int64_t certificate_ends_us;      /* 0: not told */
    int64_t date_us;                  /* what the other side's clock showed; 0: not told */
    int64_t wall_us, steady_us;       /* what ours did when the reply came */
};

/* What our process can ask of the world outside (doctor_probe.c). */
struct doctor_probes {
    struct doctor_visit hello;   /* through the public URL: are we there? */
    struct doctor_visit unknown; /* a path that nobody has: is it told in JSON? */
    struct doctor_visit parcel;  /* a signed body, large and oddly spaced: does it come whole? */
    struct doctor_visit api;     /* Lightspeed, for its clock */
    bool api_was_asked;          /* the three below, with the tenant's grant */
    struct api_result company_result, sites_result, methods_result;
    struct oseries_company company;
    struct api_names sites, methods;
};

/* What registers have called, and whatever else comes from outside. */
enum doctor_call {
    DOCTOR_CALL_CHECKOUT,
    DOCTOR_CALL_CHECK_BALANCE,
    DOCTOR_CALL_TOP_UP,
    DOCTOR_CALL_REFUND,
    DOCTOR_CALL_CUSTOMER_SEARCH,
    DOCTOR_CALL_REWARD_LOOKUP,
    DOCTOR_CALL_REDEEM,
    DOCTOR_CALL_WEBHOOK,
    DOCTOR_CALLS,
};
struct doctor_seen {
    int64_t at_us;                /* the latest; 0: none is known of */
    int64_t site_id, register_id; /* 0: not told */
};

/* What the store says. */
struct doctor_rows {
    struct doctor_file data, key;
    int64_t disk_free_bytes, disk_bytes; /* disk_bytes 0: not told */
    bool has_client, app_has_token;
    int64_t newest_us;                     /* the latest row of money, of any tenant */
    int64_t oldest_operation_us;           /* of what was looked at, the tenant's first; 0: none */
    bool operations_are_cut;               /* there are older ones, which nobody has looked at */
    struct doctor_seen seen[DOCTOR_CALLS]; /* those that leave rows */
    /* Items that are not proved, at most DOCTOR_ITEMS_MAX of them: who has more has them to do. */
    int32_t listed, open, suspects;         /* suspects are among the others */
    int64_t oldest_open_id, oldest_open_us; /* 0: none */
    int32_t given_up;                       /* work */
    int32_t rewards, paying_rewards;        /* that are offered */
};
#define DOCTOR_ITEMS_MAX 200

#define DOCTOR_SITES_MAX API_NAMES_MAX
struct doctor_facts {
    const struct about *about;
    const char *public_url;
    int64_t now_us, wall_us; /* steady; and the wall's */
    const struct tenant *tenant;
    bool has_token;                  /* a signature token serves it */
    bool profile_is_loaded;          /* the tenant's own, or else the default stands in for it */
    int64_t sites[DOCTOR_SITES_MAX]; /* O-Series sites that are mapped */
    int32_t site_count;
    int32_t local_date;
    struct oauth_status grant; /* tenant_id 0: none */
    int64_t next_refresh_us;
    struct doctor_seen seen[DOCTOR_CALLS]; /* since the process began */
    struct metrics_tenant callers;
    bool has_redis, hot_is_up;
    bool is_shared; /* other processes may use the same store */
    struct doctor_rows rows;
    struct doctor_probes probes;
};

/* --- judgement -------------------------------------------------------------------------------- */

enum doctor_state {
    DOCTOR_OK,
    DOCTOR_TODO,
    DOCTOR_WAITS,   /* for another line, or for somebody else */
    DOCTOR_UNKNOWN, /* nothing is known, and nothing has to be done about it */
    DOCTOR_OFF,     /* not used here */
};
const char *doctor_state_name(enum doctor_state state); /* "ok" */

/* X(symbol, id, group, title), in the order in which things are done. */
#define DOCTOR_LINE_LIST(X)                                                                        \
    X(DOCTOR_SERVICE, "service", "This machine", "Service")                                        \
    X(DOCTOR_DATA_FOLDER, "data_folder", "This machine", "Data folder")                            \
    X(DOCTOR_MASTER_KEY, "master_key", "This machine", "Master key")                               \
    X(DOCTOR_DISK, "disk", "This machine", "Disk")                                                 \
    X(DOCTOR_REDIS, "redis", "This machine", "Redis")                                              \
    X(DOCTOR_CLOCK, "clock", "This machine", "Clock")                                              \
    X(DOCTOR_PUBLIC_URL, "public_url", "The way in", "Public URL")                                 \
    X(DOCTOR_REACHABLE, "reachable", "The way in", "Reached from outside")                         \
    X(DOCTOR_CERTIFICATE, "certificate", "The way in", "Certificate")                              \
    X(DOCTOR_JSON, "json", "The way in", "JSON on every path")                                     \
    X(DOCTOR_UNCHANGED, "unchanged", "The way in", "Bodies arrive unchanged")                      \
    X(DOCTOR_APP, "app", "The application at Lightspeed", "Client ID and secret")                  \
    X(DOCTOR_TOKEN, "signature_token", "The application at Lightspeed", "Signature token")         \
    X(DOCTOR_GRANT, "grant", "The application at Lightspeed", "Refresh token")                     \
    X(DOCTOR_COMPANY, "company", "The merchant", "Company")                                        \
    X(DOCTOR_SITES, "sites", "The merchant", "Sites")                                              \
    X(DOCTOR_METHOD, "payment_method", "The merchant", "Payment method")                           \
    X(DOCTOR_FOREIGN, "foreign_orders", "The merchant", "Orders not ours")                         \
    X(DOCTOR_PROFILE, "profile", "The register", "Field names")                                    \
    X(DOCTOR_CHECKOUT, "checkout", "The register", "Checkout")                                     \
    X(DOCTOR_CHECK_BALANCE, "check_balance", "The register", "Check balance")                      \
    X(DOCTOR_TOP_UP, "top_up", "The register", "Top-up")                                           \
    X(DOCTOR_REFUND, "refund", "The register", "Refund")                                           \
    X(DOCTOR_CUSTOMER_SEARCH, "customer_search", "The register", "Customer search")                \
    X(DOCTOR_REWARD_LOOKUP, "reward_lookup", "The register", "Rewards")                            \
    X(DOCTOR_REDEEM, "redeem", "The register", "Redeem")                                           \
    X(DOCTOR_WEBHOOK, "webhook", "The register", "Webhook")                                        \
    X(DOCTOR_SIGNATURES, "signatures", "The register", "Signatures")                               \
    X(DOCTOR_REPLIES, "replies", "Afterwards", "Replies fetched")                                  \
    X(DOCTOR_PROOFS, "proofs", "Afterwards", "Operations proved")                                  \
    X(DOCTOR_WORK, "work", "Afterwards", "Work at Lightspeed")

enum doctor_line_id {
#define X(symbol, id, group, title) symbol,
    DOCTOR_LINE_LIST(X)
#undef X
        DOCTOR_LINES,
};

/* Where an address is pasted in the Back Office. */
struct doctor_field {
    const char *tab, *field;
    const char *path; /* below the tenant's address; NULL: the redirect URL */
    bool is_wanted;   /* false: the tenant has switched it off */
};

#define DOCTOR_SENTENCE_MAX 1600 /* a public URL of 1023 bytes, and some words */
struct doctor_line {
    const char *id, *group, *title;
    enum doctor_state state;
    char found[DOCTOR_SENTENCE_MAX];
    char todo[DOCTOR_SENTENCE_MAX];    /* empty: nothing */
    char command[DOCTOR_SENTENCE_MAX]; /* exact; empty: none */
    char instead[DOCTOR_SENTENCE_MAX]; /* the command where the shop does not want it; or empty */
    const char *tab, *field;           /* of the Back Office; NULL: nothing is to be pasted */
    char paste[DOCTOR_SENTENCE_MAX];
};
struct doctor_report {
    struct doctor_line lines[DOCTOR_LINES];
};
/* Fills the whole report. */
void doctor_judge(const struct doctor_facts *facts, struct doctor_report *report);
/* Nothing is to be done, and nothing waits. */
bool doctor_is_green(const struct doctor_report *report);

/* The fields that are pasted into, from 0; false: no more. */
bool doctor_field_at(const struct doctor_facts *facts, int index, struct doctor_field *field);
void doctor_append_address(const struct doctor_facts *facts, const struct doctor_field *field,
                           struct text_buffer *address);

/* --- gathering -------------------------------------------------------------------------------- */

/* The extra bytes of a job for a reader. */
struct doctor_look {
    const struct about *about;
    int64_t tenant_id;
    struct doctor_rows rows; /* out */
};
int doctor_task_look(struct job *job, struct store *store); /* a job_task_fn */

#define DOCTOR_VISIT_US (INT64_C(3) * 1000000) /* of one request; a register waits no longer */
#define DOCTOR_PROBES_US (3 * DOCTOR_VISIT_US)

/* The extra bytes of a job for the outbound thread. */
struct doctor_probe {
    struct outbound *outbound;
    struct oseries_api *api;
    const struct seal_hmac *presence;
    struct id_source random;
    char public_url[1024]; /* empty: there is none to visit */
    char api_url[1024];
    int64_t tenant_id;
    bool is_connected;
    /* out */
    struct doctor_probes probes;
    /* the thread's own */
    struct job *job;
    int32_t under_way;
    char nonce[ID_KEY_CHARS + 1];
    char proof[2 * SEAL_MAC_BYTES + 1]; /* of the visit that is under way */
    char parcel_proof[2 * SEAL_MAC_BYTES + 1];
};
/* A job_begin_fn: it ends when all probes have, at DOCTOR_PROBES_US at latest. */
void doctor_begin_probe(struct job *job);

#endif
