/*
 * The command line of tillsim, as one struct. Defaults are the demo tenant's company, site and
 * register.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_OPTIONS_H
#define COUNTERPART_MOCKS_REGISTER_OPTIONS_H

#include "mocks/register/dialect.h"

/* Sends of one run; each keeps its reply (wire.h), so this bounds the memory at about 17 MB. */
#define SENDS_MAX 256
#define TIMEOUT_S_DEFAULT 15 /* protocol o-series 2.1: a register waits longer than we may take */
#define TIMEOUT_S_MAX 3600

#define EXIT_APPROVED 0
#define EXIT_REFUSED 1
#define EXIT_USAGE 2
#define EXIT_NO_ANSWER 3 /* transport error, or a reply that a register could not use */

enum till_action {
    TILL_CHECKOUT,
    TILL_CHECK_BALANCE,
    TILL_TOP_UP,
    TILL_REFUND,
    TILL_CUSTOMER_SEARCH,
    TILL_REWARD_LOOKUP,
    TILL_REDEEM,
    TILL_LOYALTY, /* search, look-up and redeem, one after the other */
    TILL_ACTIONS,
};
const char *till_action_path(enum till_action action);  /* "check-balance" */
const char *till_action_title(enum till_action action); /* "Check balance" */
bool till_action_is_payment(enum till_action action);   /* a signed POST, the others are GETs */

enum sign_mode {
    SIGN_HEX, /* what a register does */
    SIGN_NONE,
    SIGN_WRONG, /* well formed, of another body */
    SIGN_UPPER,
    SIGN_BASE64,
    /* Of a GET; whether registers sign those, and what, is not known (protocol o-series 4). */
    SIGN_EMPTY,
    SIGN_QUERY,
    SIGN_PATH, /* path and query */
    SIGN_URL,
};

struct options {
    enum till_action action;
    const char *url;   /* of the tenant, ".../oseries/KEY", or of the action itself; a redeem_url */
    bool url_is_exact; /* nothing is appended to its path */
    const char *token; /* NULL with SIGN_NONE only */
    const char *card;  /* NULL: none is sent */
    const char *amount;    /* NULL for check-balance only */
    const char *keyword;   /* what the cashier types to find a member */
    const char *reference; /* reward-lookup: the member's id at the partner; NULL */
    const char *pick;      /* loyalty: which of the members found; NULL: the first */
    const char *api;       /* redeem, loyalty: where the order is read; NULL: it is not shown */
    const char *client;    /* "ID:SECRET" for api */
    const char *cloud;     /* the same from a fake cloud, which asks nobody who he is; NULL */
    int64_t company_id;
    int64_t site_id;
    int64_t register_id;
    int64_t customer_id; /* 0: none */
    int64_t order_id;    /* the sale; of customer-search and reward-lookup the placeholder */
    int64_t placeholder_id;
    int64_t reward_index; /* from 1; 0: none */
    bool has_order;
    bool has_placeholder;
    bool keeps_placeholder;    /* redeem: the fault of sending it through unchanged */
    bool card_is_reference_id; /* sent as reference_id instead of keyword */
    bool body_is_form;
    bool amount_is_string;
    enum sign_mode sign_mode;
    const struct dialect *dialect; /* NULL: the documented names */
    bool is_lenient;               /* verdict.h: what a forgiving register would still use */
    bool drops_reply;              /* the first send only; repeats are read */
    int64_t repeats;               /* further sends, one after the other */
    int64_t concurrent;            /* sends at once; 1: not */
    int64_t timeout_s;
    bool wants_json;
    bool wants_help;
};

/* Fills *options from the command line; false: the command line is wrong, and the reason was
 * printed. Strings are borrowed from argv. */
MUST_CHECK bool options_parse(struct options *options, int argc, char **argv);
void options_print_usage(void);

const struct dialect *options_dialect(const struct options *options);

#endif
