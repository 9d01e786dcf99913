/* The scripted HTTP server of the tests. */
#include "tests/support/tiny_http.h"

#include "base/check.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"

#define SCRIPT_MAX TINY_REQUESTS_MAX

struct connection {
    struct tiny *tiny;
    pthread_t thread;
    int fd, index;
    char bytes[TINY_HEAD_MAX + TINY_BODY_MAX];
    size_t length;
};

struct tiny {
    int listener, port;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_stopping;
    int connection_count, request_count, script_count;
    struct connection *connections[TINY_CONNECTIONS_MAX];
    struct tiny_request *requests[TINY_REQUESTS_MAX];
    struct tiny_answer script[SCRIPT_MAX];
};

static void pause_ms(int ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    nanosleep(&pause, NULL);
}

const char *tiny_header(const struct tiny_request *request, const char *name)
{
    static _Thread_local char value[TINY_HEAD_MAX];
    const char *line = request->head;
    size_t length = strlen(name);
    while ((line = strstr(line, "\r\n")) != NULL) {
        line += 2;
        if (strncasecmp(line, name, length) != 0 || line[length] != ':')
            continue;
        line += length + 1;
        line += strspn(line, " ");
        snprintf(value, sizeof(value), "%.*s", (int)strcspn(line, "\r"), line);
        return value;
    }
    return NULL;
}

/* Reads one request off the connection. false: it ended. */
static bool read_request(struct connection *connection, struct tiny_request *request)
{
    char *end;
    size_t wanted = 0;
    for (;;) {
        connection->bytes[connection->length] = '\0';
        end = strstr(connection->bytes, "\r\n\r\n");
        if (end != NULL) {
            size_t head = (size_t)(end - connection->bytes) + 2;
            CHECK(head < sizeof(request->head));
            memcpy(request->head, connection->bytes, head);
            request->head[head] = '\0';
            const char *length = tiny_header(request, "Content-Length");
            request->body_length = length == NULL ? 0 : strtoul(length, NULL, 10);
            CHECK(request->body_length < sizeof(request->body));
            wanted = head + 2 + request->body_length;
            if (connection->length >= wanted)
                break;
        }
        ssize_t got = read(connection->fd, connection->bytes + connection->length,
                           sizeof(connection->bytes) - 1 - connection->length);
        if (got <= 0)
            return false;
        connection->length += (size_t)got;
    }
    memcpy(request->body, end + 4, request->body_length);
    request->body[request->body_length] = '\0';
    memmove(connection->bytes, connection->bytes + wanted, connection->length - wanted);
    connection->length -= wanted;
    return true;
}

static bool suits(const struct tiny_answer *answer, const struct tiny_request *request)
{
    return answer->only_for == NULL || strstr(request->head, answer->only_for) != NULL;
}

static struct tiny_answer note_request(struct connection *connection,
                                       const struct tiny_request *request)
{
    static const char plain[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    struct tiny *tiny = connection->tiny;
    struct tiny_answer answer = {.way = TINY_SAY, .text = plain};
    struct tiny_request *kept = malloc(sizeof(*kept));
    CHECK(kept != NULL);
    *kept = *request;
    kept->connection = connection->index;
    pthread_mutex_lock(&tiny->mutex);
    CHECK(tiny->request_count < TINY_REQUESTS_MAX);
    tiny->requests[tiny->request_count++] = kept;
    for (int i = 0; i < tiny->script_count; i++) {
        if (!suits(&tiny->script[i], request))
            continue;
        answer = tiny->script[i];
        tiny->script_count--;
        memmove(&tiny->script[i], &tiny->script[i + 1],
                (size_t)(tiny->script_count - i) * sizeof(tiny->script[0]));
        break;
    }
    pthread_cond_broadcast(&tiny->changed);
    pthread_mutex_unlock(&tiny->mutex);
    return answer;
}

static bool is_stopping(struct tiny *tiny)
{
    pthread_mutex_lock(&tiny->mutex);
    bool flag = tiny->is_stopping;
    pthread_mutex_unlock(&tiny->mutex);
    return flag;
}

static void say(struct connection *connection, const struct tiny_answer *answer)
{
    size_t length = answer->length == 0 ? strlen(answer->text) : answer->length;
    size_t piece = answer->piece == 0 ? length : answer->piece;
    for (size_t at = 0; at < length; at += piece) {
        size_t part = length - at < piece ? length - at : piece;
        if (send(connection->fd, answer->text + at, part, MSG_NOSIGNAL) != (ssize_t)part)
            return; /* the client has gone */
        if (answer->piece != 0)
            pause_ms(1);
    }
}

/* false: the connection ends. */
static bool do_answer(struct connection *connection, const struct tiny_answer *answer)
{
    if (answer->delay_ms > 0)
        pause_ms(answer->delay_ms);
    switch (answer->way) {
    case TINY_SAY:
        say(connection, answer);
        return true;
    case TINY_SAY_AND_CUT:
        say(connection, answer);
        return false;
    case TINY_DROP:
        return false;
    case TINY_HANG:
        while (!is_stopping(connection->tiny))
            pause_ms(2);
        return false;
    }
    return false;
}

static void *connection_run(void *argument)
{
    struct connection *connection = argument;
    struct tiny_request *request = calloc(1, sizeof(*request));
    CHECK(request != NULL);
    while (read_request(connection, request)) {
        struct tiny_answer answer = note_request(connection, request);
        if (!do_answer(connection, &answer))
            break;
    }
    shutdown(connection->fd, SHUT_RDWR);
    free(request);
    return NULL;
}

static void *accept_run(void *argument)
{
    struct tiny *tiny = argument;
    int fd;
    while ((fd = accept4(tiny->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct connection *connection = calloc(1, sizeof(*connection));
        CHECK(connection != NULL);
        pthread_mutex_lock(&tiny->mutex);
        CHECK(tiny->connection_count < TINY_CONNECTIONS_MAX);
        *connection = (struct connection){.tiny = tiny, .fd = fd, .index = tiny->connection_count};
        tiny->connections[tiny->connection_count++] = connection;
        CHECK(pthread_create(&connection->thread, NULL, connection_run, connection) == 0);
        pthread_mutex_unlock(&tiny->mutex);
    }
    return NULL;
}

struct tiny *tiny_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    struct tiny *tiny = calloc(1, sizeof(*tiny));
    CHECK(tiny != NULL);
    pthread_mutex_init(&tiny->mutex, NULL);
    pthread_cond_init(&tiny->changed, NULL);
    tiny->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(tiny->listener, (struct sockaddr *)&address, sizeof(address)) == 0);
    CHECK(listen(tiny->listener, 512) == 0);
    CHECK(getsockname(tiny->listener, (struct sockaddr *)&address, &size) == 0);
    tiny->port = ntohs(address.sin_port);
    CHECK(pthread_create(&tiny->thread, NULL, accept_run, tiny) == 0);
    return tiny;
}

void tiny_stop(struct tiny *tiny)
{
    pthread_mutex_lock(&tiny->mutex);
    tiny->is_stopping = true;
    pthread_mutex_unlock(&tiny->mutex);
    shutdown(tiny->listener, SHUT_RDWR); /* accept returns */
    pthread_join(tiny->thread, NULL);
    close(tiny->listener);
    for (int i = 0; i < tiny->connection_count; i++) {
        shutdown(tiny->connections[i]->fd, SHUT_RDWR);
        pthread_join(tiny->connections[i]->thread, NULL);
        close(tiny->connections[i]->fd);
        free(tiny->connections[i]);
    }
    for (int i = 0; i < tiny->request_count; i++)
        free(tiny->requests[i]);
    pthread_cond_destroy(&tiny->changed);
    pthread_mutex_destroy(&tiny->mutex);
    free(tiny);
}

int tiny_port(const struct tiny *tiny)
{
    return tiny->port;
}

void tiny_script(struct tiny *tiny, struct tiny_answer answer)
{
    pthread_mutex_lock(&tiny->mutex);
    CHECK(tiny->script_count < SCRIPT_MAX);
    tiny->script[tiny->script_count++] = answer;
    pthread_mutex_unlock(&tiny->mutex);
}

int tiny_count(struct tiny *tiny)
{
    pthread_mutex_lock(&tiny->mutex);
    int count = tiny->request_count;
    pthread_mutex_unlock(&tiny->mutex);
    return count;
}

const struct tiny_request *tiny_await(struct tiny *tiny, int index)
{
    pthread_mutex_lock(&tiny->mutex);
    while (tiny->request_count <= index)
        pthread_cond_wait(&tiny->changed, &tiny->mutex);
    const struct tiny_request *request = tiny->requests[index];
    pthread_mutex_unlock(&tiny->mutex);
    return request;
}

int tiny_connections(struct tiny *tiny)
{
    pthread_mutex_lock(&tiny->mutex);
    int count = tiny->connection_count;
    pthread_mutex_unlock(&tiny->mutex);
    return count;
}
