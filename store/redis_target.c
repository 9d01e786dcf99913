/* Takes the URL of a Redis apart; what two readers could understand differently is refused. */
#include "store/redis_target.h"

#include "base/error.h"

#include <string.h>

#include "base/banned.h"

#define DATABASE_MAX 1023 /* redis.conf may have more than its 16 */

struct parser {
    struct text rest;
    const char *fault;
};

static int refuse(struct parser *parser, const char *fault)
{
    parser->fault = fault;
    return ERR_BAD_CONFIG;
}

/* Up to the first c, or all; *found: c was there, and is consumed. */
static struct text take_until(struct text *rest, char c, bool *found)
{
    const char *at = rest->length == 0 ? NULL : memchr(rest->base, c, rest->length);
    struct text front = {rest->base, at == NULL ? rest->length : (size_t)(at - rest->base)};
    *found = at != NULL;
    size_t taken = front.length + (at != NULL);
    *rest = (struct text){rest->base + taken, rest->length - taken};
    return front;
}

static bool take_prefix(struct text *rest, struct text prefix)
{
    if (!text_starts_with(*rest, prefix))
        return false;
    *rest = text_slice(*rest, prefix.length, rest->length);
    return true;
}

/* %XX; '+' is itself here. */
static bool decode(struct text from, char *out, size_t capacity)
{
    size_t length = 0;
    for (size_t i = 0; i < from.length; i++) {
        uint8_t byte = (uint8_t)from.base[i];
        if (byte == '%') {
            if (!text_hex_decode(&byte, 1, text_slice(from, i + 1, 2)))
                return false;
            i += 2;
        }
        if (byte < ' ' || byte == 0x7f || length + 1 >= capacity)
            return false;
        out[length++] = (char)byte;
    }
    out[length] = '\0';
    return true;
}

/* The last '@' ends the credentials: a password pasted in unescaped may hold one. */
static int parse_credentials(struct parser *parser, struct target *target)
{
    size_t end = parser->rest.length;
    while (end > 0 && parser->rest.base[end - 1] != '@')
        end--;
    if (end == 0)
        return 0;
    struct text user = text_slice(parser->rest, 0, end - 1);
    parser->rest = text_slice(parser->rest, end, parser->rest.length);
    bool has_password;
    struct text name = take_until(&user, ':', &has_password);
    if (!has_password)
        return refuse(parser, "needs user:password@ or :password@ before the host");
    if (!decode(name, target->user, sizeof(target->user)) ||
        !decode(user, target->password, sizeof(target->password)))
        return refuse(parser, "has a user or password that is too long, or a broken %XX in one");
    if (target->password[0] == '\0')
        return refuse(parser, "has an empty password before the '@'");
    return 0;
}

static bool parse_port(struct text text, uint16_t *port)
{
    int64_t number;
    if (!text_is_digits(text) || text_parse_int64(text, &number) != 0 || number < 1 ||
        number > 65535)
        return false;
    *port = (uint16_t)number;
    return true;
}

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
}

static bool is_address_char(char c)
{
    return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' ||
           c == '.';
}

static bool copy_host(struct text text, bool (*is_allowed)(char), struct target_host *host)
{
    if (text.length == 0 || text.length >= sizeof(host->name))
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (!is_allowed(text.base[i]))
            return false;
    memcpy(host->name, text.base, text.length);
    host->name[text.length] = '\0';
    return true;
}

static int parse_host(struct parser *parser, struct text text, struct target *target)
{
    if (target->host_count == TARGET_HOSTS_MAX)
        return refuse(parser, "names more than 8 hosts");
    struct target_host *host = &target->hosts[target->host_count++];
    host->port = target->is_sentinel ? TARGET_SENTINEL_PORT_DEFAULT : TARGET_PORT_DEFAULT;
    bool has_port = false, has_end = true;
    bool is_v6 = take_prefix(&text, TEXT("["));
    struct text name = take_until(&text, is_v6 ? ']' : ':', is_v6 ? &has_end : &has_port);
    if (is_v6 && has_end && text.length > 0)
        has_port = has_end = take_prefix(&text, TEXT(":"));
    if (!has_end || !copy_host(name, is_v6 ? is_address_char : is_host_char, host))
        return refuse(parser, "needs a host name or address; IPv6 addresses stand in brackets");
    if (has_port && !parse_port(text, &host->port))
        return refuse(parser, "has a port that is no number from 1 to 65535");
    return 0;
}

static int parse_hosts(struct parser *parser, struct text hosts, struct target *target)
{
    bool has_more = true;
    int err = 0;
    while (err == 0 && has_more) {
        struct text host = take_until(&hosts, ',', &has_more);
        err = parse_host(parser, host, target);
    }
    if (err == 0 && !target->is_sentinel && target->host_count > 1)
        return refuse(parser, "names several hosts: that is for redis+sentinel://");
    return err;
}

static int parse_database(struct parser *parser, struct text text, struct target *target)
{
    int64_t number = 0;
    if (text.length > 0 &&
        (!text_is_digits(text) || text_parse_int64(text, &number) != 0 || number > DATABASE_MAX))
        return refuse(parser, "has a database that is no number from 0 to 1023");
    struct text_buffer buffer;
    text_buffer_init(&buffer, target->database, sizeof(target->database));
    text_append_int64(&buffer, number);
    return 0;
}

static int parse_network(struct parser *parser, struct target *target)
{
    bool has_path;
    struct text hosts = take_until(&parser->rest, '/', &has_path);
    int err = parse_hosts(parser, hosts, target);
    if (err != 0)
        return err;
    if (target->is_sentinel) {
        struct text name = take_until(&parser->rest, '/', &has_path);
        if (name.length == 0 || !decode(name, target->name, sizeof(target->name)))
            return refuse(parser, "needs the name that the sentinels know the primary by: "
                                  "redis+sentinel://host,host/name");
    }
    return parse_database(parser, parser->rest, target);
}

static int parse_socket(struct parser *parser, struct target *target)
{
    bool has_query;
    struct text path = take_until(&parser->rest, '?', &has_query);
    if (!text_starts_with(path, TEXT("/")) || !decode(path, target->path, sizeof(target->path)))
        return refuse(parser, "needs the absolute path of a socket of at most 107 characters");
    if (has_query && !take_prefix(&parser->rest, TEXT("db=")))
        return refuse(parser, "knows no option but ?db=number");
    return parse_database(parser, parser->rest, target);
}

static int parse(struct parser *parser, struct target *target)
{
    bool is_socket = take_prefix(&parser->rest, TEXT("redis+unix://"));
    if (!is_socket)
        target->is_sentinel = take_prefix(&parser->rest, TEXT("redis+sentinel://"));
    if (!is_socket && !target->is_sentinel && !take_prefix(&parser->rest, TEXT("redis://"))) {
        bool wants_tls = text_starts_with(parser->rest, TEXT("rediss:"));
        return refuse(parser, wants_tls ? "asks for TLS, which is not served towards Redis: use a "
                                          "network of your own, or a tunnel"
                                        : "must begin with redis://, redis+unix:// or "
                                          "redis+sentinel://");
    }
    int err = parse_credentials(parser, target);
    if (err != 0)
        return err;
    return is_socket ? parse_socket(parser, target) : parse_network(parser, target);
}

int target_parse(struct text url, struct target *target, const char **fault)
{
    struct parser parser = {.rest = url};
    *target = (struct target){0};
    int err = parse(&parser, target);
    if (err != 0)
        *fault = parser.fault;
    return err;
}
