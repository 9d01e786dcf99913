/* Reads the command line of tillsim cloud, one table row per option. */
#include "mocks/lightspeed/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

enum option_id {
    OPTION_LISTEN = 256, /* beyond every short option */
    OPTION_CLIENT_ID,
    OPTION_CLIENT_SECRET,
    OPTION_REDIRECT_URI,
    OPTION_SIGNATURE_TOKEN,
    OPTION_SEED,
    OPTION_ORDER_IDS_FROM,
    OPTION_HELP,
};

static const struct option OPTIONS[] = {
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"client-id", required_argument, NULL, OPTION_CLIENT_ID},
    {"client-secret", required_argument, NULL, OPTION_CLIENT_SECRET},
    {"redirect-uri", required_argument, NULL, OPTION_REDIRECT_URI},
    {"signature-token", required_argument, NULL, OPTION_SIGNATURE_TOKEN},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"order-ids-from", required_argument, NULL, OPTION_ORDER_IDS_FROM},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static const char USAGE[] =
    "tillsim cloud: a fake Lightspeed O-Series cloud, for tests and for a developer's desk.\n"
    "\n"
    "  tillsim cloud [--listen HOST:PORT] [--client-id C] [--client-secret S]\n"
    "                [--redirect-uri U]... [--signature-token T] [--seed N]\n"
    "                [--order-ids-from N]\n"
    "\n"
    "  --listen HOST:PORT   default 127.0.0.1:0, a free port\n"
    "  --client-id C        default demo-client\n"
    "  --client-secret S    default demo-client-secret\n"
    "  --redirect-uri U     where the consent page sends the user back to; may be given up to 8\n"
    "                       times, default http://127.0.0.1:8080/oauth/callback\n"
    "  --signature-token T  signs webhooks, default demo-signature-token\n"
    "  --seed N             decides every fault that has a chance, default 1\n"
    "  --order-ids-from N   id of the first order, default 2802065908; a service that keeps its\n"
    "                       ledger needs ids that the cloud before this one did not use\n"
    "\n"
    "Prints one line of JSON with its addresses, then serves until SIGTERM or SIGINT.\n"
    "Everything else is set over HTTP under control_url; GET it for the list.\n";

void cloud_options_print_usage(void)
{
    fputs(USAGE, stdout);
}

static bool complain(const char *what, const char *value)
{
    fprintf(stderr, "tillsim cloud: %s%s%s (see tillsim cloud --help)\n", what,
            value != NULL ? ": " : "", value != NULL ? value : "");
    return false;
}

static bool set_text(const char **place, const char *value, size_t size)
{
    *place = value;
    if (value[0] != '\0' && strlen(value) < size)
        return true;
    return complain("empty or too long", value);
}

static bool options_set(struct cloud_options *options, enum option_id id, const char *value)
{
    switch (id) {
    case OPTION_LISTEN:
        options->listen = value;
        return true;
    case OPTION_CLIENT_ID:
        return set_text(&options->client_id, value, NAME_MAX_BYTES);
    case OPTION_CLIENT_SECRET:
        return set_text(&options->client_secret, value, NAME_MAX_BYTES);
    case OPTION_SIGNATURE_TOKEN:
        return set_text(&options->signature_token, value, NAME_MAX_BYTES);
    case OPTION_REDIRECT_URI:
        if (options->redirect_count == REDIRECTS_MAX)
            return complain("too many --redirect-uri", NULL);
        return set_text(&options->redirect_uris[options->redirect_count++], value, URL_MAX);
    case OPTION_SEED:
        if (text_parse_int64(text_of(value), &options->seed) == 0 && options->seed >= 0)
            return true;
        return complain("--seed wants a whole number", value);
    case OPTION_ORDER_IDS_FROM:
        if (text_parse_int64(text_of(value), &options->order_ids_from) == 0 &&
            options->order_ids_from > 0 && options->order_ids_from <= ORDER_IDS_FROM_MAX)
            return true;
        return complain("--order-ids-from wants a number from 1 to 9000000000000000", value);
    case OPTION_HELP:
        return options->wants_help = true;
    }
    return false;
}

bool cloud_options_parse(struct cloud_options *options, int argc, char **argv)
{
    *options = (struct cloud_options){.listen = "127.0.0.1:0",
                                      .client_id = "demo-client",
                                      .client_secret = "demo-client-secret",
                                      .signature_token = "demo-signature-token",
                                      .seed = 1,
                                      .order_ids_from = ORDER_ID_FIRST};
    int id;
    while ((id = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1)
        if (id == '?' || !options_set(options, (enum option_id)id, optarg))
            return false;
    if (optind < argc)
        return complain("unknown argument", argv[optind]);
    if (options->redirect_count == 0)
        options->redirect_uris[options->redirect_count++] = "http://127.0.0.1:8080/oauth/callback";
    return true;
}
