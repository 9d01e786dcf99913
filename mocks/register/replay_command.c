/* tillsim replay: sends a recording to a partner and prints what differs. */
#include "mocks/register/register_command.h"

#include "base/error.h"
#include "mocks/register/bill.h"
#include "mocks/register/command_file.h"
#include "mocks/register/paper.h"
#include "mocks/register/replay.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

enum option_id {
    OPTION_URL = 256, /* beyond every short option */
    OPTION_TOKEN,
    OPTION_PROFILE,
    OPTION_KEEP_PACE,
    OPTION_JSON,
    OPTION_HELP,
};

static const struct option OPTIONS[] = {
    {"url", required_argument, NULL, OPTION_URL},
    {"token", required_argument, NULL, OPTION_TOKEN},
    {"profile", required_argument, NULL, OPTION_PROFILE},
    {"keep-pace", no_argument, NULL, OPTION_KEEP_PACE},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static const char USAGE[] =
    "tillsim replay: sends a till's recording again, and says what differs.\n"
    "\n"
    "  tillsim replay FILE --url U [--token T] [--profile strict|lenient] [--keep-pace] [--json]\n"
    "\n"
    "  --url U       the tenant's address, http://HOST/oseries/KEY\n"
    "  --token T     signs anew; without it the recorded signatures are sent\n"
    "  --keep-pace   with the pauses of the recording\n"
    "\n"
    "Exit code: 0 no difference that a till would notice, 1 some, 2 usage or no recording,\n"
    "3 a request had no answer where the recording has one.\n";

struct replay_options {
    const char *file, *url;
    struct config *config;
    bool has_token, keeps_pace, wants_json, wants_help;
};

static bool complain(const char *what, const char *value)
{
    fprintf(stderr, "tillsim replay: %s%s%s (see tillsim replay --help)\n", what,
            value != NULL ? ": " : "", value != NULL ? value : "");
    return false;
}

static bool option_set(struct replay_options *options, enum option_id id, const char *value)
{
    struct text_buffer token;
    switch (id) {
    case OPTION_URL:
        options->url = value;
        return config_set_base(options->config, value) || complain("no such address", value);
    case OPTION_TOKEN:
        options->has_token = true;
        text_buffer_init(&token, options->config->token, sizeof(options->config->token));
        text_append(&token, text_of(value));
        return (!token.is_cut && value[0] != '\0') || complain("empty or too long", value);
    case OPTION_PROFILE:
        options->config->is_lenient = strcmp(value, "lenient") == 0;
        return options->config->is_lenient == 1 || strcmp(value, "strict") == 0 ||
               complain("--profile wants strict or lenient", value);
    case OPTION_KEEP_PACE:
        return options->keeps_pace = true;
    case OPTION_JSON:
        return options->wants_json = true;
    case OPTION_HELP:
        return options->wants_help = true;
    }
    return false;
}

static bool options_read(struct replay_options *options, int argc, char **argv)
{
    int id;
    while ((id = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1)
        if (id == '?' || !option_set(options, (enum option_id)id, optarg))
            return false;
    if (options->wants_help)
        return true;
    if (optind != argc - 1)
        return complain("exactly one file wanted", NULL);
    options->file = argv[optind];
    return options->url != NULL || complain("--url is missing", NULL);
}

static void print_differences(const struct jread *exchange)
{
    const struct jread *differs = jread_member(exchange, "differs");
    for (size_t i = 0; i < jread_count(differs); i++) {
        const struct jread *diff = jread_element(differs, i);
        struct text what = bill_text(diff, "what"), recorded = bill_text(diff, "recorded");
        struct text replayed = bill_text(diff, "replayed");
        printf("       %.*s: %.*s -> %.*s\n", (int)what.length, what.base, (int)recorded.length,
               recorded.base, (int)replayed.length, replayed.base);
    }
}

static void print_report(const struct replay_result *result)
{
    struct jread *report = NULL;
    CHECK(jread_parse(made_text(&result->report), &report) == 0);
    const struct jread *exchanges = jread_member(report, "exchanges");
    for (size_t i = 0; i < jread_count(exchanges); i++) {
        bool is_same = false;
        const struct jread *exchange = jread_element(exchanges, i);
        struct text action = bill_text(exchange, "action");
        bool differs = jread_count(jread_member(exchange, "differs")) > 0;
        (void)!jread_bool(jread_member(exchange, "is_same"), &is_same);
        printf("%s  %3zu  %.*s%s\n", differs ? "differs" : "   same", i + 1, (int)action.length,
               action.base, is_same || differs ? "" : ", in other words");
        print_differences(exchange);
    }
    printf("%lld sent: %lld with the same bytes, %lld differ, %lld without an answer\n",
           (long long)result->sent, (long long)result->same_bytes, (long long)result->differences,
           (long long)result->unanswered);
    jread_destroy(report);
}

static int replay_file(const struct replay_options *options)
{
    struct made text = {0};
    struct replay_result result;
    struct replay_target target = {.config = options->config,
                                   .keeps_signatures = !options->has_token,
                                   .keeps_pace = options->keeps_pace};
    if (!command_file_read(options->file, &text))
        return EXIT_USAGE;
    int err = replay_run(made_text(&text), &target, &result);
    made_destroy(&text);
    if (err != 0) {
        fprintf(stderr, "tillsim replay: %s\n", result.problem);
        return EXIT_USAGE;
    }
    if (options->wants_json)
        printf("%s\n", result.report.base);
    else
        print_report(&result);
    made_destroy(&result.report);
    return result.unanswered > 0    ? EXIT_NO_ANSWER
           : result.differences > 0 ? EXIT_REFUSED
                                    : EXIT_APPROVED;
}

int replay_command(int argc, char **argv)
{
    struct replay_options options = {.config = malloc(sizeof(*options.config))};
    CHECK(options.config != NULL);
    config_init(options.config);
    int code = EXIT_USAGE;
    if (options_read(&options, argc, argv)) {
        wire_start();
        if (options.wants_help)
            fputs(USAGE, stdout);
        code = options.wants_help ? EXIT_APPROVED : replay_file(&options);
        wire_finish();
    }
    free(options.config);
    return code;
}
