/* counterpart: the service, and the command line that talks to it. */
#include "base/error.h"
#include "service/admin_client.h"
#include "service/backup.h"
#include "service/command.h"
#include "service/config.h"
#include "service/doctor.h"
#include "service/explain.h"
#include "service/foreign_report.h"
#include "service/handover.h"
#include "service/member_import.h"
#include "service/move.h"
#include "service/profile_import.h"
#include "service/reconcile.h"
#include "service/routes.h"
#include "service/serve.h"
#include "service/tail.h"
#include "service/verify.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/banned.h"

#define EXIT_USAGE 2

#ifdef __SANITIZE_ADDRESS__
/* libh2o 2.2.5 keeps freed memory for reuse in thread-local lists and never empties them: when a
 * loop's thread ends, the leak detector no longer sees who has it. Its evloop flavour also forgets
 * the message queue of a context. */
const char *__lsan_default_options(void);
const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:h2o_mem_alloc_recycle\nleak:h2o_multithread_create_queue\n";
}
#endif

/* The commands that ask the running service. */
static int run_client(const struct invocation *invocation, const char *socket_path)
{
    switch (invocation->subcommand->kind) {
    case COMMAND_GET:
    case COMMAND_POST:
    case COMMAND_SIGN:
        return admin_client_run(invocation, socket_path);
    case COMMAND_MEMBER_IMPORT:
        return member_import_run(invocation, socket_path);
    case COMMAND_RECONCILE:
        return reconcile_run(invocation, socket_path);
    case COMMAND_EXPLAIN:
        return explain_run(invocation, socket_path);
    case COMMAND_TAIL:
        return tail_run(invocation, socket_path);
    case COMMAND_FOREIGN_REPORT:
        return foreign_report_run(invocation, socket_path);
    case COMMAND_DOCTOR:
        return doctor_run(invocation, socket_path);
    case COMMAND_HAND_OVER:
        return handover_ask(socket_path, invocation->wants_json);
    case COMMAND_SERVE:
    case COMMAND_VERIFY:
    case COMMAND_BACKUP:
    case COMMAND_RESTORE:
    case COMMAND_MOVE:
    case COMMAND_BEGIN_ANEW:
    case COMMAND_HELP:
    case COMMAND_ROUTES:
    case COMMAND_PROFILE_IMPORT:
        break;
    }
    return EXIT_USAGE;
}

/* The reports that tell by their exit code what is so have another for not knowing. */
static int exit_untold(enum command_kind kind)
{
    if (kind == COMMAND_DOCTOR)
        return DOCTOR_NOT_TOLD;
    return kind == COMMAND_RECONCILE ? RECONCILE_NOT_TOLD : EXIT_FAILURE;
}

static int run_help(const struct invocation *invocation)
{
    if (command_print_help(stdout, invocation->help_noun, invocation->help_verb))
        return EXIT_SUCCESS;
    fprintf(stderr, "counterpart: there is no subcommand '%s'\n", invocation->help_noun);
    return EXIT_USAGE;
}

static int run_move(const struct invocation *invocation, const struct config *config)
{
    const struct move_wish wish = {.tenant = command_value(invocation, "tenant"),
                                   .is_all = command_value(invocation, "all") != NULL,
                                   .is_cancel = command_value(invocation, "cancel") != NULL,
                                   .is_dry_run = command_value(invocation, "dry-run") != NULL,
                                   .wants_json = invocation->wants_json,
                                   .to = command_value(invocation, "to")};
    return move_run(config, &wish);
}

int main(int count, char **words)
{
    struct invocation invocation;
    static struct config config;
    if (command_parse(count, words, &invocation) != 0)
        return EXIT_USAGE;
    switch (invocation.subcommand->kind) {
    case COMMAND_HELP:
        return run_help(&invocation);
    case COMMAND_ROUTES:
        return routes_run(invocation.wants_json);
    case COMMAND_SERVE:
        return serve(environ, command_value(&invocation, "take-over") != NULL);
    case COMMAND_PROFILE_IMPORT:
        return profile_import_run(&invocation);
    case COMMAND_VERIFY:
        if (config_read(environ, &config) != 0)
            return EXIT_FAILURE;
        return verify(&config, invocation.wants_json);
    case COMMAND_BACKUP:
        if (config_read(environ, &config) != 0)
            return EXIT_FAILURE;
        return backup_run(&config, command_value(&invocation, "to"), invocation.wants_json);
    case COMMAND_BEGIN_ANEW:
        if (config_read(environ, &config) != 0)
            return EXIT_FAILURE;
        return begin_anew_run(&config, invocation.wants_json);
    case COMMAND_RESTORE:
        return restore_run(command_value(&invocation, "from"), command_value(&invocation, "to"),
                           invocation.wants_json);
    case COMMAND_MOVE:
        if (config_read(environ, &config) != 0)
            return EXIT_FAILURE;
        return run_move(&invocation, &config);
    case COMMAND_HAND_OVER:
    case COMMAND_GET:
    case COMMAND_POST:
    case COMMAND_SIGN:
    case COMMAND_MEMBER_IMPORT:
    case COMMAND_RECONCILE:
    case COMMAND_EXPLAIN:
    case COMMAND_TAIL:
    case COMMAND_FOREIGN_REPORT:
    case COMMAND_DOCTOR:
        if (config_read(environ, &config) != 0)
            return exit_untold(invocation.subcommand->kind);
        return run_client(&invocation, invocation.subcommand->kind == COMMAND_HAND_OVER
                                           ? config.hand_over_path
                                           : config.admin_path);
    }
    return EXIT_USAGE;
}
