/* Makes, starts, ends and promotes real PostgreSQL clusters for the suites of this folder. */
#include "tests/store/postgres_process.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_US (60 * CLOCK_US_PER_S) /* a sanitizer build on a busy machine */
#define PROGRAMS "/usr/lib/postgresql/15/bin/"
#define ACCOUNT "postgres" /* who the server runs as when the tests run as root */
#define ARGUMENTS_MAX 16
#define TEXT_MAX 512
#define PORT_FIRST 20000
#define PORT_COUNT 12000

static const char settings[] = "listen_addresses = '127.0.0.1'\n"
                               "fsync = off\n"
                               "max_connections = 60\n"
                               "shared_buffers = 32MB\n"
                               "wal_log_hints = on\n" /* what pg_rewind needs */
                               "wal_keep_size = 256MB\n"
                               "max_wal_senders = 4\n"
                               "autovacuum_naptime = 10s\n"
                               "hot_standby = on\n";

/* --- programs --- */

static bool is_free(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool is_bound = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return is_bound;
}

/* Below those that outgoing connections use: while a server is down nobody may take its place. */
static uint16_t spare_port(void)
{
    uint16_t offset;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(getrandom(&offset, sizeof(offset), 0), sizeof(offset));
        uint16_t port = (uint16_t)(PORT_FIRST + offset % PORT_COUNT);
        if (is_free(port))
            return port;
    }
    fail_msg("no port is free");
    return 0;
}

static void format_into(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void format_into(char *out, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(out, size, format, arguments);
    va_end(arguments);
    assert_true(length >= 0 && (size_t)length < size);
}

/* PostgreSQL refuses to run as root. */
static void become_account(void)
{
    const struct passwd *account = getuid() == 0 ? getpwnam(ACCOUNT) : NULL;
    if (getuid() != 0)
        return;
    if (account == NULL || setgroups(0, NULL) != 0 || setgid(account->pw_gid) != 0 ||
        setuid(account->pw_uid) != 0)
        _exit(126);
}

static void give_to_account(const char *path)
{
    if (getuid() != 0)
        return;
    const struct passwd *account = getpwnam(ACCOUNT);
    assert_non_null(account);
    assert_int_equal(chown(path, account->pw_uid, account->pw_gid), 0);
}

/* What it says goes to the log of the folder. */
static void become_program(const struct postgres_process *process, const char *const *arguments)
{
    char log[TEXT_MAX];
    (void)snprintf(log, sizeof(log), "%s/log", process->folder);
    become_account();
    (void)prctl(PR_SET_PDEATHSIG, SIGQUIT); /* the server's own way of ending at once */
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0 || chdir("/") != 0)
        _exit(125);
    char program[TEXT_MAX];
    char *argv[ARGUMENTS_MAX] = {program}; /* its whole name: initdb looks for postgres beside it */
    (void)snprintf(program, sizeof(program), PROGRAMS "%s", arguments[0]);
    for (int i = 1; i < ARGUMENTS_MAX - 1 && arguments[i] != NULL; i++)
        argv[i] = (char *)arguments[i];
    execv(program, argv);
    _exit(127); /* is postgresql installed? */
}

static pid_t spawn(const struct postgres_process *process, const char *const *arguments)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        become_program(process, arguments);
    return pid;
}

static void run(const struct postgres_process *process, const char *const *arguments)
{
    int status;
    pid_t pid = spawn(process, arguments);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0)
        fail_msg("%s ended with %d; see %s/log", arguments[0], WEXITSTATUS(status),
                 process->folder);
}

/* --- sessions --- */

PGconn *postgres_process_connect(const struct postgres_process *process, const char *database)
{
    char text[TEXT_MAX];
    format_into(text, sizeof(text),
                "host=127.0.0.1 port=%u user=postgres dbname=%s gssencmode=disable", process->port,
                database);
    PGconn *connection = PQconnectdb(text);
    if (PQstatus(connection) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(connection));
    return connection;
}

static PGresult *ask(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    int status = (int)PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQresultErrorMessage(result));
    return result;
}

void postgres_process_execute(const struct postgres_process *process, const char *database,
                              const char *sql)
{
    PGconn *connection = postgres_process_connect(process, database);
    PQclear(ask(connection, sql));
    PQfinish(connection);
}

int64_t postgres_process_read_int(const struct postgres_process *process, const char *database,
                                  const char *sql)
{
    int64_t value = 0;
    PGconn *connection = postgres_process_connect(process, database);
    PGresult *result = ask(connection, sql);
    assert_int_equal(PQntuples(result), 1);
    assert_int_equal(text_parse_int64(text_of(PQgetvalue(result, 0, 0)), &value), 0);
    PQclear(result);
    PQfinish(connection);
    return value;
}

void postgres_process_await(const struct postgres_process *process, const char *database,
                            const char *sql)
{
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    PGconn *connection = postgres_process_connect(process, database);
    for (bool is_true = false; !is_true;) {
        PGresult *result = ask(connection, sql);
        is_true = PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), "t") == 0;
        PQclear(result);
        assert_true(is_true || clock_monotonic_us() < until_us);
        if (!is_true)
            (void)poll(NULL, 0, 20);
    }
    PQfinish(connection);
}

/* --- start and end --- */

static bool is_answering(const struct postgres_process *process)
{
    char text[TEXT_MAX];
    format_into(text, sizeof(text),
                "host=127.0.0.1 port=%u user=postgres dbname=postgres gssencmode=disable "
                "connect_timeout=2",
                process->port);
    return PQping(text) == PQPING_OK;
}

/* A server that was killed leaves children that need a moment to notice: until then a new one ends
 * at once, and is started again. */
void postgres_process_start(struct postgres_process *process)
{
    char data[TEXT_MAX], port[8];
    format_into(data, sizeof(data), "%s/data", process->folder);
    format_into(port, sizeof(port), "%u", process->port);
    const char *const arguments[] = {"postgres",      "-D", data, "-k",
                                     process->folder, "-p", port, NULL};
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    process->pid = spawn(process, arguments);
    while (!is_answering(process)) {
        if (clock_monotonic_us() > until_us)
            fail_msg("PostgreSQL does not start; see %s/log", process->folder);
        (void)poll(NULL, 0, 20);
        if (waitpid(process->pid, NULL, WNOHANG) != 0)
            process->pid = spawn(process, arguments);
    }
}

static void end_with(struct postgres_process *process, int number)
{
    if (process->pid == 0)
        return;
    kill(process->pid, number);
    assert_int_equal(waitpid(process->pid, NULL, 0), process->pid);
    process->pid = 0;
}

void postgres_process_stop(struct postgres_process *process)
{
    end_with(process, SIGINT);
}

void postgres_process_kill(struct postgres_process *process)
{
    end_with(process, SIGKILL);
}

void postgres_process_signal(const struct postgres_process *process, int number)
{
    assert_int_equal(kill(process->pid, number), 0);
}

/* --- folders --- */

static void make_folder(struct postgres_process *process)
{
    const char *folder = getenv("TMPDIR");
    *process = (struct postgres_process){.port = spare_port()};
    format_into(process->folder, sizeof(process->folder), "%s/counterpart-pg-XXXXXX",
                folder == NULL ? "/tmp" : folder);
    assert_non_null(mkdtemp(process->folder));
    give_to_account(process->folder);
}

static void append_settings(const struct postgres_process *process, const char *lines)
{
    char path[TEXT_MAX];
    format_into(path, sizeof(path), "%s/data/postgresql.auto.conf", process->folder);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    assert_true(fputs(lines, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

void postgres_process_create(struct postgres_process *process)
{
    char data[TEXT_MAX];
    make_folder(process);
    format_into(data, sizeof(data), "%s/data", process->folder);
    const char *const initdb[] = {
        "initdb", "-D",   data,         "-U",        "postgres",          "-A", "trust",
        "-E",     "UTF8", "--locale=C", "--no-sync", "--no-instructions", NULL};
    run(process, initdb);
    append_settings(process, settings);
    postgres_process_start(process);
    postgres_process_execute(process, "postgres", "CREATE ROLE counterpart LOGIN");
}

void postgres_process_destroy(struct postgres_process *process)
{
    if (process->folder[0] == '\0')
        return;
    end_with(process, SIGQUIT);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execlp("rm", "rm", "-rf", "--one-file-system", process->folder, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    process->folder[0] = '\0';
}

/* --- replicas --- */

static void set_primary(const struct postgres_process *process,
                        const struct postgres_process *primary)
{
    char lines[TEXT_MAX];
    format_into(lines, sizeof(lines),
                "primary_conninfo = 'host=127.0.0.1 port=%u user=postgres gssencmode=disable "
                "application_name=replica'\n",
                primary->port);
    append_settings(process, lines);
}

void postgres_process_create_replica(struct postgres_process *replica,
                                     struct postgres_process *primary, bool is_synchronous)
{
    char data[TEXT_MAX], source[TEXT_MAX];
    make_folder(replica);
    format_into(data, sizeof(data), "%s/data", replica->folder);
    format_into(source, sizeof(source), "host=127.0.0.1 port=%u user=postgres gssencmode=disable",
                primary->port);
    const char *const backup[] = {"pg_basebackup", "-D",        data, "-d", source, "-R", "-c",
                                  "fast",          "--no-sync", NULL};
    run(replica, backup);
    set_primary(replica, primary);
    postgres_process_start(replica);
    postgres_process_await(
        primary, "postgres",
        "SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'");
    if (!is_synchronous)
        return;
    postgres_process_execute(primary, "postgres",
                             "ALTER SYSTEM SET synchronous_standby_names = 'replica'");
    postgres_process_execute(primary, "postgres", "SELECT pg_reload_conf()");
    postgres_process_await(
        primary, "postgres",
        "SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'");
}

/* It was made from a primary that waits for a replica; it has none itself yet. */
void postgres_process_promote(struct postgres_process *process)
{
    char data[TEXT_MAX];
    format_into(data, sizeof(data), "%s/data", process->folder);
    const char *const promote[] = {"pg_ctl", "promote", "-D", data, "-w", NULL};
    run(process, promote);
    postgres_process_await(process, "postgres", "SELECT NOT pg_is_in_recovery()");
}

void postgres_process_rewind(struct postgres_process *process,
                             const struct postgres_process *primary)
{
    char data[TEXT_MAX], source[TEXT_MAX], signal_path[TEXT_MAX];
    format_into(data, sizeof(data), "%s/data", process->folder);
    format_into(source, sizeof(source),
                "host=127.0.0.1 port=%u user=postgres dbname=postgres gssencmode=disable",
                primary->port);
    const char *const rewind_data[] = {"pg_rewind", "-D",        data, "--source-server",
                                       source,      "--no-sync", NULL};
    postgres_process_execute(primary, "postgres",
                             "CHECKPOINT"); /* pg_rewind reads the timeline there */
    run(process, rewind_data);
    format_into(signal_path, sizeof(signal_path), "%s/data/standby.signal", process->folder);
    FILE *file = fopen(signal_path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    give_to_account(signal_path);
    set_primary(process, primary);
    postgres_process_start(process);
    postgres_process_await(
        primary, "postgres",
        "SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'");
}

/* --- databases --- */

void postgres_process_location(const struct postgres_process *process,
                               const struct postgres_process *other, const char *database,
                               char location[POSTGRES_LOCATION_MAX])
{
    char second[32] = "";
    if (other != NULL)
        format_into(second, sizeof(second), ",127.0.0.1:%u", other->port);
    format_into(location, POSTGRES_LOCATION_MAX, "postgresql://counterpart@127.0.0.1:%u%s/%s",
                process->port, second, database);
}

void postgres_process_create_database(const struct postgres_process *process, const char *name)
{
    char sql[TEXT_MAX];
    format_into(sql, sizeof(sql), "CREATE DATABASE %s OWNER counterpart", name);
    postgres_process_execute(process, "postgres", sql);
}

void postgres_process_drop_database(const struct postgres_process *process, const char *name)
{
    char sql[TEXT_MAX];
    format_into(sql, sizeof(sql), "DROP DATABASE %s WITH (FORCE)", name);
    postgres_process_execute(process, "postgres", sql);
}
