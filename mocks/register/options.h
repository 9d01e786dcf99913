/*
 * The command line of tillsim, as one struct. Defaults are the demo tenant's company, site and
 * register.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_OPTIONS_H
#define COUNTERPART_MOCKS_REGISTER_OPTIONS_H

#include "base/text.h"

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
    TILL_ACTIONS,
};
const char *till_action_path(enum till_action action);  /* "check-balance" */
const char *till_action_title(enum till_action action); /* "Check balance" */

enum sign_mode {
    SIGN_HEX, /* what a register does */
    SIGN_NONE,
    SIGN_WRONG, /* well formed, of another body */
    SIGN_UPPER,
    SIGN_BASE64,
};

struct options {
    enum till_action action;
    const char *url;   /* of the tenant, ".../oseries/KEY", or of the action itself */
    const char *token; /* NULL with SIGN_NONE only */
    const char *card;
    const char *amount; /* NULL for check-balance only */
    int64_t company_id;
    int64_t site_id;
    int64_t register_id;
    int64_t order_id;
    bool has_order;
    bool card_is_reference_id; /* sent as reference_id instead of keyword */
    bool body_is_form;
    bool amount_is_string;
    enum sign_mode sign_mode;
    bool drops_reply;   /* the first send only; repeats are read */
    int64_t repeats;    /* further sends, one after the other */
    int64_t concurrent; /* sends at once; 1: not */
    int64_t timeout_s;
    bool wants_json;
    bool wants_help;
};

/* Fills *options from the command line; false: the command line is wrong, and the reason was
 * printed. Strings are borrowed from argv. */
MUST_CHECK bool options_parse(struct options *options, int argc, char **argv);
void options_print_usage(void);

#endif
