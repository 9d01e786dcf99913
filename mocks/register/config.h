/*
 * What the back office knows of a till: where it stands, whom it calls, how it speaks. Plain data
 * with one table of its fields; README.md says what each means.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_CONFIG_H
#define COUNTERPART_MOCKS_REGISTER_CONFIG_H

#include "mocks/register/options.h"
#include "mocks/register/till_call.h"

#define CONFIG_NAME_MAX 64 /* as the cloud's own names */
#define CONFIG_TOKEN_MAX 256
#define CONFIG_URL_MAX 2048
#define CONFIG_NAMES_MAX (32 * 1024)
#define CONFIG_TIMEOUT_S_MAX 600
#define CONFIG_SKEW_S_MAX 31536000 /* a year */

/* The actions that have an address of their own; a redeem_url comes with its reward. */
#define CONFIG_URLS 6 /* TILL_CHECKOUT .. TILL_REWARD_LOOKUP */

struct config {
    int64_t company_id, site_id, register_id;
    char client_id[CONFIG_NAME_MAX];
    char token[CONFIG_TOKEN_MAX];
    char urls[CONFIG_URLS][CONFIG_URL_MAX]; /* by enum till_action; empty: not offered */
    char payment_name[CONFIG_NAME_MAX];
    bool requires_reference, has_payments, has_loyalty, needs_grant;
    int64_t body_is_form, amount_is_string, is_lenient; /* 0 or 1 */
    int64_t sign_get;                                   /* enum config_sign */
    int64_t refund_names_sale;                          /* 0 or 1 */
    int64_t timeout_s, clock_skew_s;
    char names[CONFIG_NAMES_MAX]; /* JSON; empty: the documented names */
    struct dialect dialect;       /* what names comes to */
};

enum sign_mode config_sign_mode(const struct config *config); /* of a GET */

void config_init(struct config *config); /* as README.md says, without URLs */
/* All six addresses from the tenant's, as a till without a screen makes them; false: too long, or
 * no http(s) address. */
MUST_CHECK bool config_set_base(struct config *config, const char *url);
/* What json gives; false: refused, and the config is half changed. */
MUST_CHECK bool config_read(struct config *config, const struct jread *json,
                            struct till_answer *answer);
/* methods: the cloud's payment methods; NULL: not known, and every name free. false: refused. */
MUST_CHECK bool config_name_is_free(const struct config *config, const struct jread *methods,
                                    struct till_answer *answer);
/* {"problems": {field: refusal}}: every field for which one of the two above would refuse it. */
void config_write_problems(const struct config *config, const struct jread *json,
                           const struct jread *methods, struct jwrite *writer);
void config_write(const struct config *config, struct jwrite *writer);
bool config_equal(const struct config *a, const struct config *b);

#endif
