/*
 * The command line of `tillsim cloud`, as one struct.
 */
#ifndef COUNTERPART_MOCKS_LIGHTSPEED_OPTIONS_H
#define COUNTERPART_MOCKS_LIGHTSPEED_OPTIONS_H

#include "mocks/lightspeed/cloud.h"

#define ORDER_IDS_FROM_MAX INT64_C(9000000000000000) /* JSON numbers are exact so far */

struct cloud_options {
    const char *listen; /* HOST:PORT; port 0 takes a free one */
    const char *client_id;
    const char *client_secret;
    const char *signature_token;
    const char *redirect_uris[REDIRECTS_MAX];
    size_t redirect_count;
    int64_t seed;
    int64_t order_ids_from;
    bool wants_help;
};

/* Fills *options; false: the command line is wrong, and the reason was printed. Strings are
 * borrowed from argv. */
MUST_CHECK bool cloud_options_parse(struct cloud_options *options, int argc, char **argv);
void cloud_options_print_usage(void);

#endif
