/*
 * The fake Lightspeed cloud: everything it knows, as plain records in bounded tables. One thread
 * owns it (the loop), time and randomness are handed in, and nothing here touches a socket:
 * cloud_answer turns a call into an answer, and what is to be sent later waits in the post.
 */
#ifndef COUNTERPART_MOCKS_LIGHTSPEED_CLOUD_H
#define COUNTERPART_MOCKS_LIGHTSPEED_CLOUD_H

#include "base/clock.h"
#include "base/id.h"
#include "base/money.h"
#include "mocks/lightspeed/call.h"
#include "mocks/lightspeed/fault.h"
#include "mocks/lightspeed/post.h"
#include "mocks/lightspeed/table.h"
#include "mocks/lightspeed/token.h"

/* Enough for a soak of a day's trade of several shops; an order takes some 10 KiB. */
#define ORDERS_MAX 20000
#define CUSTOMERS_MAX 10000
#define PRODUCTS_MAX 2000
#define COMPANIES_MAX 64
#define PLACES_MAX 512 /* sites, registers, payment methods: each */
#define CHECKINS_MAX 1000
#define WEBHOOKS_MAX 500
#define APPLICATIONS_MAX 16 /* a customer keeps one reference_id for each */
#define REDIRECTS_MAX 8
#define URL_MAX 1024
#define NAME_MAX_BYTES 128
#define NOTE_MAX 1024
#define JSON_KEPT_MAX 1024 /* tags, addresses and the like, kept as they came */
#define ORDER_LINES_MAX 100
#define LINE_MODIFIERS_MAX 16
#define ORDER_PAYMENTS_MAX 50
#define NOTIFICATIONS_MAX 5 /* per order: protocol o-series 7.6 */
#define LOCKS_MAX 8
#define JOURNAL_MAX 1000
/* Ids count up from where real ones are: order ids lie beyond 2^31 (protocol o-series 2.1). */
#define ORDER_ID_FIRST INT64_C(2802065908)
#define SALE_FIRST 1000 /* the first sale number of a company */

/* A fixed window of requests. */
struct window {
    int64_t start_us; /* 0: none has begun */
    int64_t used;
};

struct application {
    int64_t id; /* 1..APPLICATIONS_MAX */
    char name[NAME_MAX_BYTES];
    char client_id[NAME_MAX_BYTES];
    char client_secret[NAME_MAX_BYTES];
    char signature_token[NAME_MAX_BYTES];
    char redirect_uris[REDIRECTS_MAX][URL_MAX];
    size_t redirect_count;
    int64_t own_company_id; /* the developer's: what Basic reaches */
    bool may_pay_foreign_orders;
    struct window basic_window;
};

struct company {
    int64_t id;
    char name[NAME_MAX_BYTES];
    char business_number[NAME_MAX_BYTES];
    char timezone[NAME_MAX_BYTES];
    char currency_code[8];
    struct currency currency;
    struct clock_zone *zone;
    int64_t sale_next;
};

struct site {
    int64_t id;
    int64_t company_id;
    char name[NAME_MAX_BYTES];
    char code[NAME_MAX_BYTES];
    char email[NAME_MAX_BYTES];
    bool is_online;
    bool is_ordering_online;
    int64_t pass_thru_register_id; /* 0: none */
};

struct till {
    int64_t id;
    int64_t company_id;
    int64_t site_id;
    char name[NAME_MAX_BYTES];
    char code[NAME_MAX_BYTES];
    char sale_prefix[16];
    char return_prefix[16];
    char staff_name[NAME_MAX_BYTES];
    int64_t staff_id; /* 0: nobody */
    bool is_assigned;
};

struct method {
    int64_t id;
    int64_t company_id;
    int64_t application_id; /* 0: the merchant's own */
    char name[NAME_MAX_BYTES];
    char ledger_code[NAME_MAX_BYTES];
    bool is_active;
};

struct product {
    int64_t id;
    int64_t company_id;
    char name[NAME_MAX_BYTES];
    char code[NAME_MAX_BYTES];
    int64_t price_millionths; /* tax included */
    int64_t tax_rate_millionths;
    int64_t stock; /* NO_STOCK: not counted */
};
#define NO_STOCK INT64_C(-1)

struct customer {
    int64_t id;
    int64_t company_id;
    char first_name[NAME_MAX_BYTES];
    char last_name[NAME_MAX_BYTES];
    char email[NAME_MAX_BYTES];
    char phone[NAME_MAX_BYTES];
    char image[URL_MAX];
    bool accepts_marketing;
    char tags_json[JSON_KEPT_MAX]; /* empty: [] */
    char primary_address_json[JSON_KEPT_MAX];
    char shipping_address_json[JSON_KEPT_MAX];
    char references[APPLICATIONS_MAX][NAME_MAX_BYTES]; /* reference_id, by application id - 1 */
};

struct checkin {
    int64_t id;
    int64_t company_id;
    int64_t site_id;
    int64_t customer_id;
    int64_t start_us;
    int64_t duration_min;
};

struct journal_entry {
    int64_t number; /* from 1 */
    int64_t wall_us;
    char method[16];
    char path[256];
    int64_t status; /* 0: no reply was sent */
    int64_t company_id;
    int64_t duration_us;
    const char *fault; /* static; NULL: none */
};

struct settings {
    int64_t access_token_ttl_s;
    int64_t refresh_token_ttl_s; /* 0: for ever */
    int64_t code_ttl_s;
    bool refresh_returns_new;
    bool refresh_revokes_old;    /* only when a new one is given, or nobody could go on */
    char expired_error[32];      /* older libraries of this kind say expired_token */
    int64_t visibility_delay_ms; /* of a new order, in lists */
    int64_t read_delay_ms;       /* the same by id too */
    bool registers_keep_ref;     /* what the partner calls reference_id becomes a payment's ref */
    int64_t rate_bearer_max;     /* requests per window and grant */
    int64_t rate_basic_max;
    int64_t rate_window_s;
    bool rate_retry_after;
    bool ignore_variations; /* of a whole order, from clients: 200, and the price stays */
    struct post_settings post;
};

struct cloud {
    int64_t wall_us; /* of the call in hand */
    int64_t mono_us;
    struct id_source random; /* tokens */
    uint64_t dice_state;     /* every fault that has a chance */
    uint64_t seed;
    struct settings settings;
    struct table applications;
    struct table companies;
    struct table sites;
    struct table tills;
    struct table methods;
    struct table products;
    struct table customers;
    struct table checkins;
    struct table webhooks;
    struct table orders;
    struct table grants;
    int64_t payment_next_id;
    struct token_table tokens;
    struct faults faults;
    struct post post;
    struct journal_entry *journal;
    int64_t journal_count; /* all that ever were; the last JOURNAL_MAX are kept */
};

/* An empty world. errors: ERR_NO_MEMORY. ownership: cloud_destroy. */
MUST_CHECK int cloud_create(struct id_source random, uint64_t seed, struct cloud **cloud);
void cloud_destroy(struct cloud *cloud); /* accepts NULL */
/* The demo world (seed.c). redirects: NULL-terminated. errors: ERR_NO_MEMORY, ERR_NOT_FOUND (no
 * time zone database). */
struct cloud_demo {
    const char *client_id;
    const char *client_secret;
    const char *signature_token;
    const char *const *redirect_uris;
    size_t redirect_count;
};
MUST_CHECK int cloud_seed(struct cloud *cloud, const struct cloud_demo *demo);

/* Answers every call there can be; call_read has worked on it. */
void cloud_answer(struct cloud *cloud, struct call *call, struct answer *answer);
/* What became of a call, for GET /_cloud/state. duration_us includes every delay. */
void cloud_note(struct cloud *cloud, const struct call *call, int status, const char *fault,
                int64_t duration_us);

/* --- look-ups that more than one file needs */
struct application *cloud_application(const struct cloud *cloud, struct text client_id);
struct application *cloud_application_by_id(const struct cloud *cloud, int64_t id);
struct company *cloud_company(const struct cloud *cloud, int64_t id);
/* NULL unless it belongs to the company. */
struct site *cloud_site(const struct cloud *cloud, int64_t company_id, int64_t id);
struct till *cloud_till(const struct cloud *cloud, int64_t company_id, int64_t id);
struct method *cloud_method(const struct cloud *cloud, int64_t company_id, int64_t id);
struct product *cloud_product(const struct cloud *cloud, int64_t company_id, int64_t id);
struct customer *cloud_customer(const struct cloud *cloud, int64_t company_id, int64_t id);
/* Sets currency and zone from their names. errors: ERR_NOT_FOUND. */
MUST_CHECK int company_resolve(struct company *company);
/* 0..99, by seed. */
int64_t cloud_dice(struct cloud *cloud);
/* "2026-05-29T11:14:06+10:00": the company's own clock. */
void jwrite_named_time(struct jwrite *writer, const char *name, const struct company *company,
                       int64_t wall_us);
void text_append_time(struct text_buffer *buffer, const struct company *company, int64_t wall_us);

#endif
