/*
 * The command line: ONE static table of subcommands with their flags and help (command.c).
 */
#ifndef COUNTERPART_SERVICE_COMMAND_H
#define COUNTERPART_SERVICE_COMMAND_H

#include "base/text.h"

#include <stdio.h>

#define COMMAND_FLAGS_MAX 40
#define COMMAND_SECRETS_MAX 3    /* no subcommand has more flags of that kind */
#define COMMAND_SECRET_SIZE 4096 /* of the longest, an address with code and state */

enum command_kind {
    COMMAND_SERVE,
    COMMAND_HAND_OVER, /* asks the running service, but not over the admin socket */
    COMMAND_VERIFY,
    COMMAND_BACKUP, /* these work on files, or on a database that nobody serves */
    COMMAND_RESTORE,
    COMMAND_MOVE, /* on a file and another store; the service may run at first */
    COMMAND_BEGIN_ANEW,
    COMMAND_HELP,
    COMMAND_ROUTES,        /* asks nobody: the table is in the binary */
    COMMAND_GET,           /* flags become the query */
    COMMAND_POST,          /* flags become a JSON object */
    COMMAND_SIGN,          /* standard input becomes the body */
    COMMAND_MEMBER_IMPORT, /* a file becomes many requests */
    COMMAND_RECONCILE,     /* these read page by page what may be long */
    COMMAND_EXPLAIN,
    COMMAND_TAIL,
    COMMAND_FOREIGN_REPORT, /* text, JSON or a page */
    COMMAND_DOCTOR,
    COMMAND_PROFILE_IMPORT, /* reads and writes files; needs no service */
};

enum flag_kind {
    FLAG_TEXT,
    FLAG_SECRET, /* text; "-" stands for the next line of standard input */
    FLAG_SWITCH, /* no value; true when there */
    FLAG_MANY,   /* text; may be given more than once */
};

struct flag {
    const char *name; /* without "--"; in JSON '-' becomes '_' */
    enum flag_kind kind;
    bool is_wanted;
    const char *value; /* for help: "ID" */
    const char *help;
};

struct subcommand {
    const char *noun;
    const char *verb; /* NULL: there is none */
    enum command_kind kind;
    const char *path; /* on the admin socket */
    const char *help;
    struct flag flags[12];
    bool takes_settings;        /* the flags of handlers/admin_setting.c too */
    const char *wanted_setting; /* the one of them that must be given; NULL: none */
    const char *operand; /* the one word without a flag, for help: "FILE"; NULL: takes none */
};

struct flag_value {
    const char *name; /* the flag's */
    enum flag_kind kind;
    const char *value; /* NULL for FLAG_SWITCH */
};

struct invocation {
    const struct subcommand *subcommand;
    struct flag_value values[COMMAND_FLAGS_MAX];
    int count;
    char secrets[COMMAND_SECRETS_MAX][COMMAND_SECRET_SIZE]; /* from standard input */
    int secret_count;
    bool wants_json;                   /* --json */
    const char *operand;               /* given whenever the subcommand takes one */
    const char *help_noun, *help_verb; /* COMMAND_HELP: about what; NULL */
};

/* errors  ERR_BAD_CONFIG: usage; what is wrong was written to stderr. */
MUST_CHECK int command_parse(int count, char *const *words, struct invocation *invocation);
const char *command_value(const struct invocation *invocation, const char *name); /* NULL: not given
                                                                                   */
/* One value after the other of a FLAG_MANY, *at from 0; NULL: no more. */
const char *command_next_value(const struct invocation *invocation, const char *name, int *at);
/* noun NULL: everything. false: there is no such subcommand. */
bool command_print_help(FILE *file, const char *noun, const char *verb);

#endif
