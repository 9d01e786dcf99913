/* Starts the fake, says where it is, and waits for the signal to end. */
#include "mocks/lightspeed/command.h"

#include "base/error.h"
#include "mocks/lightspeed/options.h"
#include "mocks/lightspeed/server.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define EXIT_GOOD 0
#define EXIT_BAD_USAGE 2
#define EXIT_NOT_STARTED 3
#define READY_MAX 1024

static void print_ready(const char *url)
{
    static const struct {
        const char *name;
        const char *path;
    } URLS[] = {{"url", ""},
                {"authorize_url", "/authorize"},
                {"token_url", "/v1/token"},
                {"api_url", "/v1"},
                {"control_url", "/_cloud"}};
    char line[READY_MAX];
    struct text_buffer buffer;
    struct jwrite writer;
    text_buffer_init(&buffer, line, sizeof(line));
    jwrite_init(&writer, &buffer);
    jwrite_object_begin(&writer);
    for (size_t i = 0; i < COUNT_OF(URLS); i++) {
        char whole[256];
        (void)snprintf(whole, sizeof(whole), "%s%s", url, URLS[i].path);
        jwrite_named_text(&writer, URLS[i].name, whole);
    }
    jwrite_object_end(&writer);
    printf("%s\n", line);
    fflush(stdout);
}

static int make_world(const struct cloud_options *options, struct cloud **cloud)
{
    struct cloud *made = NULL;
    int err = cloud_create(id_source_system(), (uint64_t)options->seed, &made);
    if (err != 0)
        return err;
    struct cloud_demo demo = {.client_id = options->client_id,
                              .client_secret = options->client_secret,
                              .signature_token = options->signature_token,
                              .redirect_uris = options->redirect_uris,
                              .redirect_count = options->redirect_count};
    made->wall_us = clock_wall_us();
    made->mono_us = clock_monotonic_us();
    made->orders.next_id = options->order_ids_from;
    err = cloud_seed(made, &demo);
    if (err != 0)
        cloud_destroy(made);
    else
        *cloud = made;
    return err;
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

int cloud_command(int argc, char **argv)
{
    struct cloud_options options;
    struct cloud *cloud = NULL;
    struct server *server = NULL;
    sigset_t signals;
    int signal_number;
    if (!cloud_options_parse(&options, argc, argv))
        return EXIT_BAD_USAGE;
    if (options.wants_help) {
        cloud_options_print_usage();
        return EXIT_GOOD;
    }
    block_signals(&signals);
    int err = make_world(&options, &cloud);
    if (err == 0)
        err = server_create(cloud, options.listen, &server);
    if (err != 0) {
        fprintf(stderr, "tillsim cloud: cannot serve on %s: %s\n", options.listen,
                err == ERR_IO ? strerror(errno) : error_name(err));
        return err == ERR_BAD_CONFIG ? EXIT_BAD_USAGE : EXIT_NOT_STARTED;
    }
    print_ready(server_url(server));
    while (sigwait(&signals, &signal_number) != 0)
        ;
    server_destroy(server);
    return EXIT_GOOD;
}
