/* Who may ask the till: it sends requests wherever it is told, so no foreign page may tell it. */
#include "mocks/register/till_server.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/banned.h"

#define HOST_MAX 256

/* "[::1]:80" is "::1", "localhost:80" is "localhost". */
static bool host_name(struct text host, char out[HOST_MAX])
{
    struct text_buffer buffer;
    size_t end = 0;
    text_buffer_init(&buffer, out, HOST_MAX);
    if (host.length > 0 && host.base[0] == '[') {
        while (end < host.length && host.base[end] != ']')
            end++;
        text_append(&buffer, text_slice(host, 1, end - 1));
        end += end < host.length;
    } else {
        while (end < host.length && host.base[end] != ':')
            end++;
        text_append(&buffer, text_slice(host, 0, end));
    }
    struct text port = text_slice(host, end, host.length);
    return !buffer.is_cut && buffer.length > 0 &&
           (port.length == 0 ||
            (port.base[0] == ':' && text_is_digits(text_slice(port, 1, 8)) && port.length <= 6));
}

static bool is_literal(const char *name)
{
    struct in6_addr address;
    return inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1;
}

static bool is_loopback(const char *name)
{
    struct in_addr address;
    return strcmp(name, "::1") == 0 ||
           (inet_pton(AF_INET, name, &address) == 1 && ntohl(address.s_addr) >> 24 == 127);
}

/* A name that somebody else's DNS points at us is what must not get in; a literal address is in
 * nobody's DNS. */
bool host_is_ours(struct text host, struct text listen_host)
{
    char name[HOST_MAX], ours[HOST_MAX];
    if (!host_name(host, name) || !host_name(listen_host, ours))
        return false;
    if (text_equal_nocase(text_of(name), TEXT("localhost")) || is_loopback(name))
        return true;
    bool is_everywhere = strcmp(ours, "0.0.0.0") == 0 || strcmp(ours, "::") == 0;
    return is_everywhere ? is_literal(name) : is_literal(name) && strcmp(name, ours) == 0;
}

bool origin_is_ours(struct text origin, struct text host)
{
    static const char *const SCHEMES[] = {"http://", "https://"};
    for (size_t i = 0; i < COUNT_OF(SCHEMES); i++) {
        struct text scheme = text_of(SCHEMES[i]);
        if (text_starts_with(origin, scheme) &&
            text_equal_nocase(text_slice(origin, scheme.length, origin.length), host))
            return true;
    }
    return false;
}

bool content_type_is_ours(struct text content_type)
{
    for (size_t i = 0; i < content_type.length; i++) {
        if (content_type.base[i] == ';')
            content_type.length = i;
    }
    return text_equal_nocase(text_trim(content_type), TEXT("application/json"));
}
