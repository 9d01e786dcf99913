/* Addresses of http and https, read so strictly that nobody else can read them otherwise. */
#include "base/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/banned.h"

static size_t find_any(struct text text, const char *characters)
{
    size_t at = 0;
    while (at < text.length && strchr(characters, text.base[at]) == NULL)
        at++;
    return at;
}

static bool take_scheme(struct text *url, struct text *scheme, struct text *port)
{
    static const struct {
        struct text scheme, port;
    } known[] = {{{"https://", 8}, {":443", 4}}, {{"http://", 7}, {":80", 3}}};
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        *scheme = known[i].scheme;
        *port = known[i].port;
        if (!text_equal_nocase(text_slice(*url, 0, scheme->length), *scheme))
            continue;
        *url = text_slice(*url, scheme->length, url->length);
        return true;
    }
    return false;
}

/* A name that another reader of the same bytes could end elsewhere: https://api.kounta.com\@evil */
static bool is_plain_authority(struct text authority)
{
    for (size_t i = 0; i < authority.length; i++) {
        char c = authority.base[i];
        bool is_fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       strchr(".-_:[]", c) != NULL;
        if (c == '\0' || !is_fine)
            return false;
    }
    return authority.length > 0;
}

/* Without its port. */
static struct text host_of(struct text authority)
{
    size_t end = find_any(authority, "]");
    size_t name = end < authority.length ? end + 1 : 0; /* colons in brackets are no port's */
    size_t port = find_any(text_slice(authority, name, authority.length), ":");
    return text_slice(authority, 0, name + port);
}

static bool is_port(struct text port)
{
    int64_t number;
    return port.length <= 5 && text_is_digits(port) && text_parse_int64(port, &number) == 0 &&
           number > 0 && number <= UINT16_MAX;
}

static bool is_bracketed(struct text host)
{
    char bytes[INET6_ADDRSTRLEN];
    struct in6_addr address;
    struct text_buffer buffer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    if (host.length < 2 || host.base[host.length - 1] != ']')
        return false;
    text_append(&buffer, text_slice(host, 1, host.length - 2));
    return !buffer.is_cut && inet_pton(AF_INET6, bytes, &address) == 1;
}

static bool is_host_and_port(struct text authority)
{
    struct text host = host_of(authority);
    struct text port = text_slice(authority, host.length, authority.length);
    if (port.length > 0 && !is_port(text_slice(port, 1, port.length)))
        return false;
    if (host.length > 0 && host.base[0] == '[')
        return is_bracketed(host);
    return host.length > 0 && find_any(host, "[]") == host.length;
}

bool url_origin(struct text url, struct text_buffer *origin)
{
    struct text scheme, port;
    if (!take_scheme(&url, &scheme, &port))
        return false;
    struct text authority = text_slice(url, 0, find_any(url, "/?#"));
    if (!is_plain_authority(authority) || !is_host_and_port(authority))
        return false;
    size_t kept = authority.length;
    if (kept > port.length && text_equal(text_slice(authority, kept - port.length, kept), port))
        kept -= port.length;
    text_append(origin, scheme);
    text_append(origin, text_slice(authority, 0, kept));
    return !origin->is_cut;
}

bool url_is_same_origin(struct text a, struct text b)
{
    char bytes[2][URL_ORIGIN_MAX + 1];
    struct text_buffer origins[2];
    text_buffer_init(&origins[0], bytes[0], sizeof(bytes[0]));
    text_buffer_init(&origins[1], bytes[1], sizeof(bytes[1]));
    return url_origin(a, &origins[0]) && url_origin(b, &origins[1]) &&
           text_equal_nocase(text_buffer_text(&origins[0]), text_buffer_text(&origins[1]));
}

/* Nothing but the four numbers of 127.0.0.0/8: "127.0.0.1.evil.example" is a name. */
static bool is_loopback(struct text host)
{
    char bytes[INET_ADDRSTRLEN];
    struct in_addr address;
    struct text_buffer buffer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    text_append(&buffer, host);
    if (!buffer.is_cut && inet_pton(AF_INET, bytes, &address) == 1)
        return ntohl(address.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
    return text_equal(host, TEXT("[::1]")) || text_equal_nocase(host, TEXT("localhost"));
}

bool url_is_loopback(struct text url)
{
    char bytes[URL_ORIGIN_MAX + 1];
    struct text_buffer origin;
    struct text scheme, port;
    text_buffer_init(&origin, bytes, sizeof(bytes));
    if (!url_origin(url, &origin))
        return false;
    struct text authority = text_buffer_text(&origin);
    return take_scheme(&authority, &scheme, &port) && is_loopback(host_of(authority));
}

int64_t url_last_number(struct text url)
{
    struct text path = text_slice(url, 0, find_any(url, "?#"));
    while (path.length > 0 && path.base[path.length - 1] == '/')
        path.length--;
    if (path.length > 5 && text_equal(text_slice(path, path.length - 5, 5), TEXT(".json")))
        path.length -= 5;
    size_t begin = path.length;
    while (begin > 0 && path.base[begin - 1] != '/')
        begin--;
    int64_t number;
    struct text last = text_slice(path, begin, path.length);
    if (begin == 0 || !text_is_digits(last) || text_parse_int64(last, &number) != 0)
        return 0;
    return number;
}
