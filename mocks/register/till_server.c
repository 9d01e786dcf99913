/* Serves the till's page and /_till with libmicrohttpd. */
#include "mocks/register/till_server.h"

#include "base/error.h"
#include "mocks/register/page.h"
#include "mocks/register/places.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/banned.h"

/* A cashier's request; only recordings are longer. */
#define BODY_MAX ((size_t)256 * 1024)
/* Of all bodies that are on their way in: two recordings, and requests beside them. */
#define HELD_MAX (3 * RECORDING_BYTES_MAX)
#define IDLE_TIMEOUT_S 60 /* of a connection; a handler may take as long as it likes */
#define LISTEN_MAX 128
#define LISTEN_BACKLOG 64
#define TILL_PREFIX "/_till/"

static const char CONTENT_SECURITY_POLICY[] =
    "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; object-src 'none'";
static const char NO_PAGE[] = "This build of tillsim has no screen (web/till was empty). What it "
                              "can do is under /_till/state.\n";

struct till_server {
    struct till *till;
    struct MHD_Daemon *daemon;
    char listen[LISTEN_MAX]; /* as given */
    char url[LISTEN_MAX];
    atomic_size_t held; /* room of all bodies that are on their way in */
    struct places places;
};

/* A request on its way in. */
struct intake {
    char *body;
    size_t length, room;
    bool is_refused; /* whoever sends it may not: it is read and forgotten */
    bool is_too_long;
};

/* --- answers --------------------------------------------------------------------------------- */

static void header(struct MHD_Response *response, const char *name, const char *value)
{
    CHECK(MHD_add_response_header(response, name, value) == MHD_YES);
}

static enum MHD_Result answer_send(struct MHD_Connection *connection, int status,
                                   struct MHD_Response *response, const char *content_type)
{
    CHECK(response != NULL);
    header(response, "Content-Type", content_type);
    header(response, "X-Content-Type-Options", "nosniff");
    header(response, "Content-Security-Policy", CONTENT_SECURITY_POLICY);
    header(response, "Referrer-Policy", "no-referrer");
    header(response, "Cross-Origin-Resource-Policy", "same-origin");
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_till(struct MHD_Connection *connection, struct till_answer *answer)
{
    size_t length = answer->body.length;
    char *body = answer->body.base;
    if (body == NULL)
        CHECK((body = calloc(1, 1)) != NULL);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(length, body, MHD_RESPMEM_MUST_FREE);
    CHECK(response != NULL);
    header(response, "Cache-Control", "no-store");
    if (answer->is_last)
        header(response, "Connection", "close");
    return answer_send(connection, answer->status, response, answer->content_type);
}

static enum MHD_Result refuse(struct MHD_Connection *connection, int status, const char *word,
                              const char *message)
{
    struct till_answer answer = {.content_type = "application/json"};
    (void)till_refuse(&answer, status, word, "%s", message);
    return answer_till(connection, &answer);
}

static enum MHD_Result answer_page(struct MHD_Connection *connection, const char *path)
{
    struct page page;
    const char *known =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH);
    bool is_there = page_find(path, &page);
    if (!is_there && strcmp(path, "/") != 0)
        return refuse(connection, 404, "not_found", "There is no such page.");
    if (!is_there)
        page = (struct page){.bytes = TEXT(NO_PAGE), .content_type = "text/plain; charset=utf-8"};
    bool is_known = known != NULL && is_there && strcmp(known, page.etag) == 0;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(is_known ? 0 : page.bytes.length,
                                        (void *)(uintptr_t)page.bytes.base, MHD_RESPMEM_PERSISTENT);
    CHECK(response != NULL);
    header(response, "Cache-Control", "no-cache");
    if (is_there)
        header(response, "ETag", page.etag);
    return answer_send(connection, is_known ? 304 : 200, response, page.content_type);
}

/* --- who may ask ----------------------------------------------------------------------------- */

static struct text header_of(struct MHD_Connection *connection, const char *name)
{
    return text_of(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name));
}

static bool is_till(const char *path)
{
    return strncmp(path, TILL_PREFIX, strlen(TILL_PREFIX)) == 0;
}

static bool is_reading(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

struct refusal {
    int status; /* 0: he may */
    const char *word, *message;
};

static struct refusal check_caller(const struct till_server *server,
                                   struct MHD_Connection *connection, const char *path,
                                   const char *method)
{
    struct text host = header_of(connection, MHD_HTTP_HEADER_HOST);
    struct text origin = header_of(connection, MHD_HTTP_HEADER_ORIGIN);
    struct text type = header_of(connection, MHD_HTTP_HEADER_CONTENT_TYPE);
    if (!host_is_ours(host, text_of(server->listen)))
        return (struct refusal){403, "wrong_host",
                                "The till answers at its own address only, not at this name."};
    bool is_foreign = is_till(path) && !site_is_ours(header_of(connection, "Sec-Fetch-Site"));
    if (is_foreign || (origin.length > 0 && !origin_is_ours(origin, host)))
        return (struct refusal){403, "wrong_origin", "The till answers its own page only."};
    if (!is_reading(method) && !content_type_is_ours(type))
        return (struct refusal){415, "json_wanted", "Content-Type: application/json wanted."};
    return (struct refusal){0};
}

/* --- requests -------------------------------------------------------------------------------- */

static size_t body_max(const char *path)
{
    return strcmp(path, TILL_PREFIX "replay") == 0 ? RECORDING_BYTES_MAX + 1 : BODY_MAX;
}

/* false: with what the others hold it would be too much. */
static bool intake_make_room(struct till_server *server, struct intake *intake, size_t room)
{
    size_t more = room - intake->room;
    if (atomic_fetch_add(&server->held, more) + more > HELD_MAX) {
        atomic_fetch_sub(&server->held, more);
        return false;
    }
    char *body = realloc(intake->body, room);
    CHECK(body != NULL);
    intake->body = body;
    intake->room = room;
    return true;
}

static void intake_take(struct till_server *server, struct intake *intake, struct text bytes,
                        size_t max)
{
    size_t wanted = intake->length + bytes.length;
    if (wanted > max)
        intake->is_too_long = true;
    if (intake->is_refused || intake->is_too_long)
        return;
    size_t room = wanted * 2 < max ? wanted * 2 : max;
    if (wanted > intake->room && !intake_make_room(server, intake, room)) {
        intake->is_too_long = true;
        return;
    }
    memcpy(intake->body + intake->length, bytes.base, bytes.length);
    intake->length = wanted;
}

static enum MHD_Result answer_request(struct till_server *server, struct MHD_Connection *connection,
                                      const char *path, const char *method,
                                      const struct intake *intake)
{
    struct refusal refusal = check_caller(server, connection, path, method);
    if (refusal.status != 0)
        return refuse(connection, refusal.status, refusal.word, refusal.message);
    if (intake->is_too_long)
        return refuse(connection, 413, "too_large", "The body is too long.");
    if (!is_till(path)) {
        if (!is_reading(method))
            return refuse(connection, 405, "wrong_method", "Pages are read only.");
        return answer_page(connection, path);
    }
    struct till_answer answer;
    struct till_call call = {
        .method = strcmp(method, "HEAD") == 0 ? "GET" : method,
        .path = path + strlen(TILL_PREFIX),
        .body = {intake->body, intake->length},
        .after = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "after"),
        .before = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "before"),
        .wait_ms = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "wait_ms"),
        .products = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "products")};
    till_answer_call(server->till, &call, &answer);
    return answer_till(connection, &answer);
}

static enum MHD_Result on_header(void *context, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    int *lengths = context;
    (void)kind, (void)value;
    *lengths += text_equal_nocase(text_of(name), TEXT(MHD_HTTP_HEADER_CONTENT_LENGTH)) ||
                text_equal_nocase(text_of(name), TEXT(MHD_HTTP_HEADER_TRANSFER_ENCODING));
    return MHD_YES;
}

/* Else two readers end it at two places, and what one leaves over is a request to the other. */
static bool has_one_length(struct MHD_Connection *connection)
{
    int lengths = 0;
    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, on_header, &lengths);
    return lengths <= 1;
}

/* Before the body, which nobody can tell the end of: the connection ends with it. */
static enum MHD_Result refuse_lengths(struct MHD_Connection *connection)
{
    struct till_answer answer = {.content_type = "application/json", .is_last = true};
    (void)till_refuse(&answer, 400, "bad_length", "One Content-Length wanted, or chunks and none.");
    return answer_till(connection, &answer);
}

static struct place *place_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static enum MHD_Result answer_in_turn(struct till_server *server, struct MHD_Connection *connection,
                                      const char *path, const char *method,
                                      const struct intake *intake)
{
    struct place *place = place_of(connection);
    place_begin_answer(&server->places, place);
    enum MHD_Result result = answer_request(server, connection, path, method, intake);
    place_end_answer(&server->places, place);
    return result;
}

/* Once for the head, once for every piece of the body, once at the end. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *bytes, size_t *size, void **state)
{
    struct till_server *server = context;
    struct intake *intake = *state;
    (void)version;
    if (intake == NULL && !has_one_length(connection))
        return refuse_lengths(connection);
    if (intake == NULL) {
        intake = calloc(1, sizeof(*intake));
        CHECK(intake != NULL);
        intake->is_refused = check_caller(server, connection, path, method).status != 0;
        *state = intake;
        return MHD_YES;
    }
    if (*size > 0) {
        intake_take(server, intake, (struct text){bytes, *size}, body_max(path));
        *size = 0;
        return MHD_YES;
    }
    return answer_in_turn(server, connection, path, method, intake);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **state,
                          enum MHD_ConnectionNotificationCode code)
{
    struct till_server *server = context;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        *state = places_take(&server->places, info->connect_fd);
    else
        place_leave(&server->places, *state);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct till_server *server = context;
    struct intake *intake = *state;
    (void)connection, (void)code;
    if (intake == NULL)
        return;
    atomic_fetch_sub(&server->held, intake->room);
    free(intake->body);
    free(intake);
    *state = NULL;
}

/* A NUL would end the path there, and "/index.html%00.js" be the page before it: text with one
 * stays as it was sent, which is nothing that we have. */
static size_t on_unescape(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context, (void)connection;
    return strstr(text, "%00") == NULL ? MHD_http_unescape(text) : strlen(text);
}

/* --- listening ------------------------------------------------------------------------------- */

struct address {
    struct sockaddr_storage storage;
    socklen_t length;
};

static bool address_read(struct text listen, struct address *address)
{
    char host[LISTEN_MAX];
    struct text_buffer buffer;
    int64_t port;
    size_t colon = listen.length;
    struct sockaddr_in *four = (struct sockaddr_in *)(void *)&address->storage;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)&address->storage;
    while (colon > 0 && listen.base[colon - 1] != ':')
        colon--;
    if (colon == 0 || text_parse_int64(text_slice(listen, colon, 8), &port) != 0 || port < 0 ||
        port > UINT16_MAX)
        return false;
    struct text name = text_slice(listen, 0, colon - 1);
    bool is_bracketed = name.length > 2 && name.base[0] == '[' && name.base[name.length - 1] == ']';
    if (is_bracketed)
        name = text_slice(name, 1, name.length - 2);
    text_buffer_init(&buffer, host, sizeof(host));
    text_append(&buffer, text_equal(name, TEXT("localhost")) ? TEXT("127.0.0.1") : name);
    *address = (struct address){0};
    if (is_bracketed && inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((uint16_t)port);
        address->length = sizeof(*six);
    } else if (!is_bracketed && inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        address->length = sizeof(*four);
    }
    return address->length > 0;
}

static int listen_on(struct address *address)
{
    int on = 1;
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address->storage, address->length) == 0 &&
        listen(fd, LISTEN_BACKLOG) == 0 &&
        getsockname(fd, (struct sockaddr *)&address->storage, &address->length) == 0)
        return fd;
    int saved = errno;
    (void)close(fd);
    errno = saved;
    return -1;
}

/* The address as given, with the port that it came to. */
static void url_write(struct till_server *server, const struct address *address)
{
    struct text_buffer url;
    const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)&address->storage;
    size_t colon = strlen(server->listen);
    while (server->listen[colon - 1] != ':')
        colon--;
    text_buffer_init(&url, server->url, sizeof(server->url));
    text_append(&url, TEXT("http://"));
    text_append(&url, text_slice(text_of(server->listen), 0, colon));
    /* The port stands at the same place in both kinds of address. */
    text_append_int64(&url, ntohs(four->sin_port));
}

int till_server_create(struct till *till, const char *listen, struct till_server **server)
{
    struct address address;
    struct text_buffer kept;
    struct till_server *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    made->till = till;
    places_init(&made->places);
    text_buffer_init(&kept, made->listen, sizeof(made->listen));
    text_append(&kept, text_of(listen));
    int fd = -1;
    int err = kept.is_cut || !address_read(text_of(listen), &address) ? ERR_BAD_CONFIG : 0;
    if (err == 0 && (fd = listen_on(&address)) < 0)
        err = ERR_IO;
    if (err == 0) {
        url_write(made, &address);
        made->daemon = MHD_start_daemon(
            MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
                MHD_USE_ITC,
            0, NULL, NULL, on_request, made, MHD_OPTION_LISTEN_SOCKET, fd,
            MHD_OPTION_CONNECTION_LIMIT, (unsigned)PLACES_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
            (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL,
            MHD_OPTION_NOTIFY_COMPLETED, on_completed, made, MHD_OPTION_NOTIFY_CONNECTION,
            on_connection, made, MHD_OPTION_END);
        err = made->daemon == NULL ? ERR_NO_MEMORY : 0;
    }
    if (err == 0) {
        *server = made;
        return 0;
    }
    if (fd >= 0)
        (void)close(fd);
    places_finish(&made->places);
    free(made);
    return err;
}

void till_server_destroy(struct till_server *server)
{
    if (server == NULL)
        return;
    wire_interrupt();
    wire_log_close(&server->till->wire);
    MHD_stop_daemon(server->daemon);
    places_finish(&server->places);
    free(server);
}

const char *till_server_url(const struct till_server *server)
{
    return server->url;
}
