/*
 * The command line of `tillsim cloud`, as one struct.
 */
#ifndef COUNTERPART_MOCKS_LIGHTSPEED_OPTIONS_H
#define COUNTERPART_MOCKS_LIGHTSPEED_OPTIONS_H

#include "mocks/lightspeed/cloud.h"

struct cloud_options {
    const char *listen; /* HOST:PORT; port 0 takes a free one */
    const char *client_id;
    const char *client_secret;
    const char *signature_token;
    const char *redirect_uris[REDIRECTS_MAX];
    size_t redirect_count;
    int64_t seed;
    bool wants_help;
};

/* Fills *options; false: the command line is wrong, and the reason was printed. Strings are
 * borrowed from argv. */
MUST_CHECK bool cloud_options_parse(struct cloud_options *options, int argc, char **argv);
void cloud_options_print_usage(void);

#endif
