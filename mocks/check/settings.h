/*
 * The command line of `tillsim check`, as one struct. Defaults are the demo tenant's company, site
 * and register.
 */
#ifndef COUNTERPART_MOCKS_CHECK_SETTINGS_H
#define COUNTERPART_MOCKS_CHECK_SETTINGS_H

#include "mocks/register/options.h"

#define CHECK_TIMEOUT_S_DEFAULT 5 /* we may take 4 (protocol o-series 2.1), and a second of way */
#define CHECK_DEADLINE_S_DEFAULT 300 /* of the whole run; a healthy target takes under 60 */
#define PICKS_MAX 64                 /* ids after --only, --skip */

enum profile {
    PROFILE_STRICT,  /* all that protocol o-series 2, 3 and 10 say */
    PROFILE_LENIENT, /* what a register cannot do without; a static mock passes */
};

enum surface {
    SURFACE_PAYMENTS = 1,
    SURFACE_LOYALTY = 2,
};
const char *surface_name(enum surface surface);

struct picks {
    const char *id[PICKS_MAX]; /* or the word before the first dash: a whole group */
    size_t count;
};

struct settings {
    const char *target;            /* base that the actions are appended to; NULL: single ones */
    const char *url[TILL_LOYALTY]; /* the single address of an action; NULL: of the base */
    bool is_without[TILL_LOYALTY]; /* this merchant has not configured it */
    const char *token;             /* NULL: nothing is signed */
    const char *card;              /* NULL where not given, as all that follow */
    const char *empty_card;
    const char *pin_card; /* NUMBER*PIN */
    const char *stock_card;
    const char *unknown_card;
    const char *keyword;
    const char *cloud;
    int64_t company_id;
    int64_t site_id;
    int64_t register_id;
    int64_t other_register_id; /* 0: the next one */
    int64_t timeout_s;
    int64_t deadline_s;
    unsigned surfaces; /* of enum surface */
    enum profile profile;
    struct picks only; /* none: all */
    struct picks skip;
    const char *report_html; /* file names; NULL: not wanted */
    const char *report_junit;
    const char *report_json;
    bool wants_list;
    bool wants_help;
};

/* Fills *settings; false: the command line is wrong, and the reason was printed. Strings are
 * borrowed from argv. */
MUST_CHECK bool settings_parse(struct settings *settings, int argc, char **argv);
void settings_print_usage(void);

/* Where an action is asked; false: nowhere. The address may carry a query (protocol 1.1). */
bool settings_write_url(const struct settings *settings, enum till_action action,
                        struct text_buffer *url);
bool settings_have_action(const struct settings *settings, enum till_action action);

#endif
