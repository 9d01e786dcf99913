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

struct reply {
    char *bytes;
    size_t length;
    long status;
};

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

static size_t on_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct reply *reply = context;
    char *grown = realloc(reply->bytes, reply->length + size * count + 1);
    if (grown == NULL)
        return 0;
    memcpy(grown + reply->length, bytes, size * count);
    reply->bytes = grown;
    reply->length += size * count;
    reply->bytes[reply->length] = '\0';
    return size * count;
}

static int perform(CURL *curl, const char *socket_path, struct reply *reply)
{
    CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_OK) {
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply->status);
        return 0;
    }
    if (code == CURLE_COULDNT_CONNECT)
        fprintf(stderr,
                "counterpart: the service is not running: nobody answers on %s. Start it with "
                "'counterpart serve', or set COUNTERPART_DATA to its data folder\n",
                socket_path);
    else
        fprintf(stderr, "counterpart: %s: %s\n", socket_path, curl_easy_strerror(code));
    return ERR_IO;
}

static int ask(CURL *curl, const struct invocation *invocation, const char *socket_path,
               struct reply *reply)
{
    static char body[REQUEST_MAX + 1], url[4096];
    const struct subcommand *subcommand = invocation->subcommand;
    struct text_buffer buffer;
    text_buffer_init(&buffer, url, sizeof(url));
    text_append_format(&buffer, "http://counterpart%s", subcommand->path);
    if (subcommand->kind != COMMAND_POST)
        append_query(&buffer, invocation, curl);
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
    curl_easy_setopt(curl, CURLOPT_URL, url);
    if (subcommand->kind != COMMAND_GET) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)length);
    }
    return perform(curl, socket_path, reply);
}

static int ask_over_socket(const struct invocation *invocation, const char *socket_path,
                           struct reply *reply)
{
    char path[64];
    int folder_fd;
    int err = listener_short_path(socket_path, &folder_fd, path, sizeof(path));
    if (err != 0) {
        fprintf(stderr,
                "counterpart: there is no data folder at %s; set COUNTERPART_DATA to the "
                "service's\n",
                socket_path);
        return err;
    }
    CURL *curl = curl_easy_init();
    if (curl == NULL) {
        close(folder_fd);
        return ERR_NO_MEMORY;
    }
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, path);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply);
    err = ask(curl, invocation, socket_path, reply);
    curl_easy_cleanup(curl);
    close(folder_fd);
    return err;
}

/* --- the answer */

static void print_member(FILE *file, const struct jread *document, const char *name)
{
    struct text text;
    if (jread_scalar(jread_member(document, name), &text) == 0)
        fprintf(file, "%.*s", (int)text.length, text.base);
}

static void print_for_people(const struct reply *reply, const struct jread *document)
{
    if (reply->status == 200) {
        render_value(stdout, document);
        return;
    }
    fputs("counterpart: ", stderr);
    print_member(stderr, document, "error");
    fputs(" (", stderr);
    print_member(stderr, document, "code");
    fputs(")\n", stderr);
}

/* A bare signature can stand in a shell's $(...). */
static void print_reply(const struct invocation *invocation, const struct reply *reply)
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
    struct reply reply = {NULL, 0, 0};
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int err = ask_over_socket(invocation, socket_path, &reply);
    if (err == 0 && reply.bytes != NULL)
        print_reply(invocation, &reply);
    free(reply.bytes);
    curl_global_cleanup();
    return err == 0 && reply.status == 200 ? EXIT_SUCCESS : EXIT_FAILURE;
}
