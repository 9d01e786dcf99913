/* Turns a command line into a request on the admin socket and prints the answer. */
#include "service/admin_client.h"

#include "base/error.h"
#include "base/json.h"
#include "service/listener.h"
#include "service/render.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define REQUEST_MAX (64 * 1024)
#define TIMEOUT_S 30L

/* --- the request */

static void append_name(struct text_buffer *buffer, const char *name)
{
    for (; *name != '\0'; name++)
        text_append_char(buffer, *name == '-' ? '_' : *name);
}

static void append_json(struct text_buffer *buffer, const struct invocation *invocation)
{
    struct jwrite writer;
    jwrite_init(&writer, buffer);
    jwrite_object_begin(&writer);
    for (int i = 0; i < invocation->count; i++) {
        const struct flag_value *each = &invocation->values[i];
        char bytes[64];
        struct text_buffer name;
        text_buffer_init(&name, bytes, sizeof(bytes));
        append_name(&name, each->name);
        jwrite_key(&writer, text_buffer_text(&name));
        if (each->kind == FLAG_SWITCH)
            jwrite_bool(&writer, true);
        else
            jwrite_text(&writer, text_of(each->value));
    }
    jwrite_object_end(&writer);
}

static void append_query(struct text_buffer *buffer, const struct invocation *invocation,
                         CURL *curl)
{
    for (int i = 0; i < invocation->count; i++) {
        const struct flag_value *each = &invocation->values[i];
        char *value = curl_easy_escape(curl, each->value, 0);
        text_append_char(buffer, i == 0 ? '?' : '&');
        append_name(buffer, each->name);
        text_append_char(buffer, '=');
        text_append(buffer, text_of(value));
        curl_free(value);
    }
}

static int read_standard_input(char *bytes, size_t capacity, size_t *length)
{
    *length = 0;
    for (;;) {
        ssize_t got = read(STDIN_FILENO, bytes + *length, capacity - *length);
        if (got < 0)
            return ERR_IO;
        *length += (size_t)got;
        if (got == 0)
            return 0;
        if (*length == capacity) {
            fputs("counterpart: standard input is longer than 64 KiB\n", stderr);
            return ERR_TOO_LARGE;
        }
    }
}

/* --- the exchange */

struct admin_session {
    CURL *curl;
    int folder_fd;
    const char *socket_path; /* for people */
    bool is_hushed;
};

static size_t on_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct admin_reply *reply = context;
    char *grown = realloc(reply->bytes, reply->length + size * count + 1);
    if (grown == NULL)
        return 0;
    memcpy(grown + reply->length, bytes, size * count);
    reply->bytes = grown;
    reply->length += size * count;
    reply->bytes[reply->length] = '\0';
    return size * count;
}

static int perform(struct admin_session *session, struct admin_reply *reply)
{
    curl_easy_setopt(session->curl, CURLOPT_WRITEDATA, reply);
    CURLcode code = curl_easy_perform(session->curl);
    if (code == CURLE_OK) {
        curl_easy_getinfo(session->curl, CURLINFO_RESPONSE_CODE, &reply->status);
        return 0;
    }
    if (session->is_hushed)
        return ERR_IO;
    if (code == CURLE_COULDNT_CONNECT)
        fprintf(stderr,
                "counterpart: the service is not running: nobody answers on %s. Start it with "
                "'counterpart serve', or set COUNTERPART_DATA to its data folder\n",
                session->socket_path);
    else
        fprintf(stderr, "counterpart: %s: %s\n", session->socket_path, curl_easy_strerror(code));
    return ERR_IO;
}

static int ask(struct admin_session *session, const struct invocation *invocation,
               struct admin_reply *reply)
{
    static char body[REQUEST_MAX + 1], url[4096];
    const struct subcommand *subcommand = invocation->subcommand;
    struct text_buffer buffer;
    text_buffer_init(&buffer, url, sizeof(url));
    text_append_format(&buffer, "http://counterpart%s", subcommand->path);
    if (subcommand->kind != COMMAND_POST)
        append_query(&buffer, invocation, session->curl);
    size_t length = 0;
    if (subcommand->kind == COMMAND_SIGN) {
        int err = read_standard_input(body, sizeof(body), &length);
        if (err != 0)
            return err;
    } else if (subcommand->kind == COMMAND_POST) {
        text_buffer_init(&buffer, body, sizeof(body));
        append_json(&buffer, invocation);
        length = buffer.length;
    }
    curl_easy_setopt(session->curl, CURLOPT_URL, url);
    if (subcommand->kind != COMMAND_GET) {
        curl_easy_setopt(session->curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(session->curl, CURLOPT_POSTFIELDSIZE, (long)length);
    }
    return perform(session, reply);
}

int admin_session_post(struct admin_session *session, const char *path, struct text body,
                       struct admin_reply *reply)
{
    char url[256];
    struct text_buffer buffer;
    text_buffer_init(&buffer, url, sizeof(url));
    text_append_format(&buffer, "http://counterpart%s", path);
    CHECK(!buffer.is_cut);
    curl_easy_setopt(session->curl, CURLOPT_URL, url);
    curl_easy_setopt(session->curl, CURLOPT_POSTFIELDS, body.base);
    curl_easy_setopt(session->curl, CURLOPT_POSTFIELDSIZE, (long)body.length);
    return perform(session, reply);
}

int admin_session_ask(struct admin_session *session, const char *path, struct text body,
                      struct jread **document, long *status)
{
    struct admin_reply reply = {NULL, 0, 0};
    int err = admin_session_post(session, path, body, &reply);
    if (err == 0)
        err = jread_parse((struct text){reply.bytes, reply.length}, document);
    if (err != 0 && err != ERR_IO && !session->is_hushed)
        fprintf(stderr, "counterpart: %s: the answer cannot be read\n", session->socket_path);
    *status = reply.status;
    free(reply.bytes);
    return err;
}

void admin_session_hush(struct admin_session *session, bool is_hushed)
{
    session->is_hushed = is_hushed;
}

static int session_create(const char *socket_path, struct admin_session *session)
{
    char path[64];
    int err = listener_short_path(socket_path, &session->folder_fd, path, sizeof(path));
    if (err != 0) {
        fprintf(stderr,
                "counterpart: there is no data folder at %s; set COUNTERPART_DATA to the "
                "service's\n",
                socket_path);
        return err;
    }
    session->curl = curl_easy_init();
    if (session->curl == NULL) {
        close(session->folder_fd);
        return ERR_NO_MEMORY;
    }
    session->socket_path = socket_path;
    curl_easy_setopt(session->curl, CURLOPT_UNIX_SOCKET_PATH, path);
    curl_easy_setopt(session->curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(session->curl, CURLOPT_TIMEOUT, TIMEOUT_S);
    curl_easy_setopt(session->curl, CURLOPT_WRITEFUNCTION, on_bytes);
    return 0;
}

int admin_session_open(const char *socket_path, struct admin_session **session)
{
    struct admin_session *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int err = session_create(socket_path, made);
    if (err != 0) {
        curl_global_cleanup();
        free(made);
        return err;
    }
    *session = made;
    return 0;
}

void admin_session_close(struct admin_session *session)
{
    if (session == NULL)
        return;
    curl_easy_cleanup(session->curl);
    close(session->folder_fd);
    curl_global_cleanup();
    free(session);
}

/* --- the answer */

static void print_member(FILE *file, const struct jread *document, const char *name)
{
    struct text text;
    if (jread_scalar(jread_member(document, name), &text) == 0)
        fprintf(file, "%.*s", (int)text.length, text.base);
}

void admin_print_refusal(const struct jread *document)
{
    fputs("counterpart: ", stderr);
    print_member(stderr, document, "error");
    fputs(" (", stderr);
    print_member(stderr, document, "code");
    fputs(")\n", stderr);
}

static void print_for_people(const struct admin_reply *reply, const struct jread *document)
{
    if (reply->status == 200)
        render_value(stdout, document);
    else
        admin_print_refusal(document);
}

/* A bare signature can stand in a shell's $(...). */
static void print_reply(const struct invocation *invocation, const struct admin_reply *reply)
{
    struct jread *document = NULL;
    bool is_bare = invocation->subcommand->kind == COMMAND_SIGN && reply->status == 200;
    bool is_json = invocation->wants_json || (!isatty(STDOUT_FILENO) && !is_bare);
    if (is_json || jread_parse((struct text){reply->bytes, reply->length}, &document) != 0) {
        printf("%s\n", reply->bytes);
        return;
    }
    if (is_bare) {
        print_member(stdout, document, "signature");
        putchar('\n');
    } else {
        print_for_people(reply, document);
    }
    jread_destroy(document);
}

int admin_client_run(const struct invocation *invocation, const char *socket_path)
{
    struct admin_reply reply = {NULL, 0, 0};
    struct admin_session *session;
    int err = admin_session_open(socket_path, &session);
    if (err != 0)
        return EXIT_FAILURE;
    err = ask(session, invocation, &reply);
    if (err == 0 && reply.bytes != NULL)
        print_reply(invocation, &reply);
    free(reply.bytes);
    admin_session_close(session);
    return err == 0 && reply.status == 200 ? EXIT_SUCCESS : EXIT_FAILURE;
}
