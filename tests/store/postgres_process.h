/*
 * A real PostgreSQL cluster on a spare port of this machine, in a temporary folder; and its
 * streaming replica, which can take its place. Ended with the test.
 */
#ifndef COUNTERPART_TESTS_POSTGRES_PROCESS_H
#define COUNTERPART_TESTS_POSTGRES_PROCESS_H

#include <libpq-fe.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define POSTGRES_FOLDER_MAX 64
#define POSTGRES_LOCATION_MAX 256

struct postgres_process {
    pid_t pid; /* 0: not running */
    uint16_t port;
    char folder[POSTGRES_FOLDER_MAX]; /* holds data/, the Unix socket and the log */
};

/*
 * A new cluster, running, with a role counterpart that owns the databases made below. Fails the
 * test when PostgreSQL's programs are not installed. It does not flush to the disk: what is killed
 * here is the server, not the machine.
 */
void postgres_process_create(struct postgres_process *process);
/* A copy of a running primary that follows it; running. While is_synchronous is set, no commit of
 * the primary returns before the replica has it. */
void postgres_process_create_replica(struct postgres_process *replica,
                                     struct postgres_process *primary, bool is_synchronous);
/* Stops it and removes its folder. Accepts a zeroed one. */
void postgres_process_destroy(struct postgres_process *process);

void postgres_process_start(struct postgres_process *process); /* on the same port */
void postgres_process_stop(struct postgres_process *process);  /* orderly; sessions are cut */
void postgres_process_kill(struct postgres_process *process); /* kill -9; accepts one not running */
void postgres_process_signal(const struct postgres_process *process, int signal);
/* The replica becomes a primary, on a timeline of its own. */
void postgres_process_promote(struct postgres_process *process);
/* A stopped primary that was replaced becomes the replica of the one that replaced it; running. */
void postgres_process_rewind(struct postgres_process *process,
                             const struct postgres_process *primary);

/* "postgresql://counterpart@127.0.0.1:5432/name"; other may be NULL: a second host. */
void postgres_process_location(const struct postgres_process *process,
                               const struct postgres_process *other, const char *database,
                               char location[POSTGRES_LOCATION_MAX]);
void postgres_process_create_database(const struct postgres_process *process, const char *name);
void postgres_process_drop_database(const struct postgres_process *process, const char *name);

/* As the superuser. ownership: the connection is the caller's, PQfinish. */
PGconn *postgres_process_connect(const struct postgres_process *process, const char *database);
/* Each as a session of its own; fails the test when the server says no. */
void postgres_process_execute(const struct postgres_process *process, const char *database,
                              const char *sql);
int64_t postgres_process_read_int(const struct postgres_process *process, const char *database,
                                  const char *sql);
/* Until this is true; fails the test after a while. */
void postgres_process_await(const struct postgres_process *process, const char *database,
                            const char *sql);

#endif
