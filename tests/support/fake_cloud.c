/* Starts the fake cloud and talks to it, as plainly as possible. */
#include "tests/support/fake_cloud.h"

#include "base/check.h"

#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/banned.h"

#define REDIRECT "http://127.0.0.1:8080/oauth/callback"

extern char **environ;

static char reply[FAKE_REPLY_MAX];

/* Copies the text behind "name":" up to the next quote. */
static void copy_member(const char *json, const char *name, char *out, size_t size)
{
    char key[64];
    snprintf(key, sizeof(key), "\"%s\":\"", name);
    const char *at = strstr(json, key);
    CHECK(at != NULL);
    at += strlen(key);
    snprintf(out, size, "%.*s", (int)strcspn(at, "\""), at);
}

int64_t fake_cloud_number(const char *json, const char *name)
{
    char key[64];
    snprintf(key, sizeof(key), "\"%s\":", name);
    const char *at = strstr(json, key);
    CHECK(at != NULL);
    return strtoll(at + strlen(key), NULL, 10);
}

/* "http://127.0.0.1:PORT/path" */
static int port_of(const char *url)
{
    const char *colon = strrchr(url, ':');
    CHECK(colon != NULL);
    return (int)strtol(colon + 1, NULL, 10);
}

static const char *path_of(const char *url)
{
    const char *path = strchr(url + strlen("http://"), '/');
    CHECK(path != NULL);
    return path;
}

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

/* One request over a connection of its own; the whole reply, head and body, into reply. header: one
 * more line of the head with its end, or "". */
static void ask_with(const char *header, const char *url, const char *rest, const char *method,
                     const char *type, const char *body)
{
    char head[1024];
    size_t length = body == NULL ? 0 : strlen(body), got = 0;
    ssize_t part;
    int fd = connect_to(port_of(url));
    int head_length = snprintf(head, sizeof(head),
                               "%s %s%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                               "Accept: application/json\r\nContent-Type: %s\r\n"
                               "%sContent-Length: %zu\r\n\r\n",
                               method, path_of(url), rest, type, header, length);
    CHECK(write(fd, head, (size_t)head_length) == head_length);
    CHECK(length == 0 || write(fd, body, length) == (ssize_t)length);
    while ((part = read(fd, reply + got, sizeof(reply) - 1 - got)) > 0)
        got += (size_t)part;
    reply[got] = '\0';
    close(fd);
}

static void ask(const char *url, const char *rest, const char *method, const char *type,
                const char *body)
{
    ask_with("", url, rest, method, type, body);
}

static const char *body_of_success(const char *method, const char *path)
{
    if (strncmp(reply, "HTTP/1.1 2", 10) != 0)
        fprintf(stderr, "%s %s: %s\n", method, path, reply);
    CHECK(strncmp(reply, "HTTP/1.1 2", 10) == 0);
    const char *end = strstr(reply, "\r\n\r\n");
    return end == NULL ? "" : end + 4;
}

const char *fake_cloud_control(struct fake_cloud *cloud, const char *method, const char *path,
                               const char *body)
{
    ask(cloud->control_url, path, method, "application/json", body);
    return body_of_success(method, path);
}

const char *fake_cloud_call(struct fake_cloud *cloud, const char *method, const char *path,
                            const char *body)
{
    char header[128];
    snprintf(header, sizeof(header), "Authorization: Bearer %s\r\n", cloud->access_token);
    ask_with(header, cloud->api_url, path, method, "application/json", body);
    return body_of_success(method, path);
}

void fake_cloud_connect(struct fake_cloud *cloud)
{
    char form[512], code[128];
    ask(cloud->authorize_url, "", "POST", "application/x-www-form-urlencoded",
        "client_id=" FAKE_CLIENT "&redirect_uri=" REDIRECT
        "&response_type=code&state=s&company_id=5678&decision=grant");
    const char *at = strstr(reply, "code=");
    CHECK(at != NULL);
    snprintf(code, sizeof(code), "%.*s", (int)strcspn(at + 5, "&\r\n"), at + 5);
    snprintf(form, sizeof(form),
             "grant_type=authorization_code&client_id=" FAKE_CLIENT "&client_secret=" FAKE_SECRET
             "&redirect_uri=" REDIRECT "&code=%s",
             code);
    ask(cloud->token_url, "", "POST", "application/x-www-form-urlencoded", form);
    copy_member(reply, "access_token", cloud->access_token, sizeof(cloud->access_token));
    copy_member(reply, "refresh_token", cloud->refresh_token, sizeof(cloud->refresh_token));
}

static void read_urls(struct fake_cloud *cloud)
{
    char line[1024];
    size_t got = 0;
    while (got < sizeof(line) - 1 && (got == 0 || line[got - 1] != '\n')) {
        ssize_t part = read(cloud->out, line + got, 1);
        CHECK(part == 1);
        got++;
    }
    line[got] = '\0';
    copy_member(line, "api_url", cloud->api_url, sizeof(cloud->api_url));
    copy_member(line, "token_url", cloud->token_url, sizeof(cloud->token_url));
    copy_member(line, "authorize_url", cloud->authorize_url, sizeof(cloud->authorize_url));
    copy_member(line, "control_url", cloud->control_url, sizeof(cloud->control_url));
}

void fake_cloud_start(struct fake_cloud *cloud, int64_t seed)
{
    char number[24];
    int ends[2];
    posix_spawn_file_actions_t actions;
    memset(cloud, 0, sizeof(*cloud));
    snprintf(number, sizeof(number), "%lld", (long long)seed);
    char *const arguments[] = {"tillsim", "cloud", "--seed", number, NULL};
    CHECK(pipe(ends) == 0);
    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    CHECK(posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO) == 0);
    CHECK(posix_spawn_file_actions_addclose(&actions, ends[0]) == 0);
    CHECK(posix_spawn_file_actions_addclose(&actions, ends[1]) == 0);
    CHECK(posix_spawn(&cloud->pid, TILLSIM, &actions, NULL, arguments, environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    cloud->out = ends[0];
    read_urls(cloud);
}

void fake_cloud_stop(struct fake_cloud *cloud)
{
    int status;
    CHECK(kill(cloud->pid, SIGTERM) == 0);
    CHECK(waitpid(cloud->pid, &status, 0) == cloud->pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(cloud->out);
}
