/* Reads the command line of tillsim register, serves, and waits for the signal to end. */
#include "mocks/register/register_command.h"

#include "base/error.h"
#include "mocks/lightspeed/call.h"
#include "mocks/register/booking.h"
#include "mocks/register/command_file.h"
#include "mocks/register/till_server.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define EXIT_NOT_STARTED 3

enum option_id {
    OPTION_LISTEN = 256, /* beyond every short option */
    OPTION_CLOUD,
    OPTION_URL,
    OPTION_TOKEN,
    OPTION_NAME,
    OPTION_COMPANY,
    OPTION_SITE,
    OPTION_REGISTER,
    OPTION_CLIENT_ID,
    OPTION_PROFILE,
    OPTION_TIMEOUT,
    OPTION_WITHOUT_GRANT,
    OPTION_SEED,
    OPTION_REPLAY,
    OPTION_HELP,
};

static const struct option OPTIONS[] = {
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"cloud", required_argument, NULL, OPTION_CLOUD},
    {"url", required_argument, NULL, OPTION_URL},
    {"token", required_argument, NULL, OPTION_TOKEN},
    {"name", required_argument, NULL, OPTION_NAME},
    {"company", required_argument, NULL, OPTION_COMPANY},
    {"site", required_argument, NULL, OPTION_SITE},
    {"register", required_argument, NULL, OPTION_REGISTER},
    {"client-id", required_argument, NULL, OPTION_CLIENT_ID},
    {"profile", required_argument, NULL, OPTION_PROFILE},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"without-grant", no_argument, NULL, OPTION_WITHOUT_GRANT},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"replay", required_argument, NULL, OPTION_REPLAY},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static const char USAGE[] =
    "tillsim register: the till with a screen.\n"
    "\n"
    "  tillsim register [--listen HOST:PORT] [--cloud URL] [--url U] [--token T] [...]\n"
    "\n"
    "  --listen HOST:PORT   default 127.0.0.1:8091; port 0: a free one\n"
    "  --cloud URL          where `tillsim cloud` listens, default http://127.0.0.1:8090\n"
    "  --url U              the tenant's address, http://HOST/oseries/KEY; the back office's six\n"
    "                       addresses are made from it\n"
    "  --token T            Signature Token of the application\n"
    "  --name N             the payment type's name, default \"Our Gift Card\"\n"
    "  --company C --site S --register R    default 5678, 923, 9091: the demo tenant's\n"
    "  --client-id C        the application, as the cloud knows it, default demo-client\n"
    "  --profile strict|lenient             how replies are judged\n"
    "  --timeout S          seconds to wait for a reply, default 15\n"
    "  --without-grant      offer payments and loyalty also without a registered token\n"
    "  --seed N             decides every fault that has a chance, default 1\n"
    "  --replay FILE        a recording to send first, to the addresses above\n"
    "\n"
    "Prints one line of JSON with its address, then serves until SIGTERM or SIGINT.\n";

struct command {
    const char *listen, *url, *replay;
    struct till_options till;
    bool wants_help;
};

static bool complain(const char *what, const char *value)
{
    fprintf(stderr, "tillsim register: %s%s%s (see tillsim register --help)\n", what,
            value != NULL ? ": " : "", value != NULL ? value : "");
    return false;
}

static bool set_text(char *place, size_t size, const char *value)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, place, size);
    text_append(&buffer, text_of(value));
    return (value[0] != '\0' && !buffer.is_cut) || complain("empty or too long", value);
}

static bool set_number(int64_t *place, int64_t min, int64_t max, const char *value)
{
    if (text_parse_int64(text_of(value), place) == 0 && *place >= min && *place <= max)
        return true;
    return complain("no such number", value);
}

static bool set_profile(int64_t *is_lenient, const char *value)
{
    *is_lenient = strcmp(value, "lenient") == 0;
    return *is_lenient == 1 || strcmp(value, "strict") == 0 ||
           complain("--profile wants strict or lenient", value);
}

static bool option_set(struct command *command, enum option_id id, const char *value)
{
    struct config *config = &command->till.config;
    switch (id) {
    case OPTION_LISTEN:
        command->listen = value;
        return true;
    case OPTION_CLOUD:
        command->till.cloud = value;
        return true;
    case OPTION_URL:
        command->url = value;
        return true;
    case OPTION_REPLAY:
        command->replay = value;
        return true;
    case OPTION_TOKEN:
        return set_text(config->token, sizeof(config->token), value);
    case OPTION_NAME:
        return set_text(config->payment_name, sizeof(config->payment_name), value);
    case OPTION_CLIENT_ID:
        return set_text(config->client_id, sizeof(config->client_id), value);
    case OPTION_COMPANY:
        return set_number(&config->company_id, 1, INT64_MAX, value);
    case OPTION_SITE:
        return set_number(&config->site_id, 1, INT64_MAX, value);
    case OPTION_REGISTER:
        return set_number(&config->register_id, 1, INT64_MAX, value);
    case OPTION_TIMEOUT:
        return set_number(&config->timeout_s, 1, CONFIG_TIMEOUT_S_MAX, value);
    case OPTION_SEED:
        return set_number(&command->till.seed, 0, INT64_MAX, value);
    case OPTION_PROFILE:
        return set_profile(&config->is_lenient, value);
    case OPTION_WITHOUT_GRANT:
        config->needs_grant = false;
        return true;
    case OPTION_HELP:
        return command->wants_help = true;
    }
    return false;
}

static bool command_parse(struct command *command, int argc, char **argv)
{
    int id;
    *command = (struct command){.listen = "127.0.0.1:8091",
                                .till = {.cloud = "http://127.0.0.1:8090", .seed = 1}};
    config_init(&command->till.config);
    while ((id = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1)
        if (id == '?' || !option_set(command, (enum option_id)id, optarg))
            return false;
    if (optind < argc)
        return complain("unknown argument", argv[optind]);
    return command->url == NULL || config_set_base(&command->till.config, command->url) ||
           complain("--url wants an address that begins with http:// or https://", command->url);
}

/* --- serving --------------------------------------------------------------------------------- */

static void write_ready(struct jwrite *writer, const void *context)
{
    char till_url[256];
    const char *url = context;
    (void)snprintf(till_url, sizeof(till_url), "%s/_till", url);
    jwrite_object_begin(writer);
    jwrite_named_text(writer, "url", url);
    jwrite_named_text(writer, "till_url", till_url);
    jwrite_object_end(writer);
}

static void print_ready(const struct till_server *server)
{
    struct made line = {0};
    made_create(&line, write_ready, till_server_url(server));
    printf("%s\n", line.base);
    fflush(stdout);
    made_destroy(&line);
}

/* Blocked before any thread starts, so that every thread leaves them to sigwait. */
static void block_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    CHECK(pthread_sigmask(SIG_BLOCK, signals, NULL) == 0);
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
}

struct first_replay {
    struct till *till;
    struct made recording;
};

static void *replay_first(void *context)
{
    struct first_replay *first = context;
    struct till_answer answer = {0};
    struct till_call call = {.body = made_text(&first->recording)};
    if (!till_replay(first->till, &call, &answer))
        fprintf(stderr, "tillsim register: --replay: %s\n", answer.body.base);
    made_destroy(&answer.body);
    return NULL;
}

static void serve(struct command *command, struct till *till, struct till_server *server,
                  const sigset_t *signals)
{
    int signal_number;
    pthread_t thread;
    struct first_replay first = {.till = till};
    if (till->synced.has_payments)
        booking_make_method(till, &command->till.config);
    print_ready(server);
    bool replays = command->replay != NULL && command_file_read(command->replay, &first.recording);
    if (replays)
        CHECK(pthread_create(&thread, NULL, replay_first, &first) == 0);
    while (sigwait(signals, &signal_number) != 0)
        ;
    till_server_destroy(server);
    if (replays)
        CHECK(pthread_join(thread, NULL) == 0);
    made_destroy(&first.recording);
}

static int command_run(struct command *command)
{
    sigset_t signals;
    struct till *till = NULL;
    struct till_server *server = NULL;
    block_signals(&signals);
    int err = till_create(&command->till, &till);
    if (err == 0)
        err = till_server_create(till, command->listen, &server);
    if (err != 0)
        fprintf(stderr, "tillsim register: cannot serve on %s: %s\n", command->listen,
                err == ERR_IO ? strerror(errno) : error_name(err));
    else
        serve(command, till, server, &signals);
    till_destroy(till);
    return err == 0 ? EXIT_APPROVED : err == ERR_BAD_CONFIG ? EXIT_USAGE : EXIT_NOT_STARTED;
}

int register_command(int argc, char **argv)
{
    struct command *command = malloc(sizeof(*command));
    CHECK(command != NULL);
    int code = EXIT_USAGE;
    if (command_parse(command, argc, argv)) {
        wire_start();
        if (command->wants_help)
            fputs(USAGE, stdout);
        code = command->wants_help ? EXIT_APPROVED : command_run(command);
        wire_finish();
    }
    free(command);
    return code;
}
