/* Fuzzes the way of a method and a path to their route, against a second reader of the patterns
 * that takes them apart segment by segment. Byte 0: which socket; then the method up to a space,
 * then the path. */
#include "handlers/route.h"

#include "fuzz.h"

#include <string.h>

#include "base/banned.h"

/* Cuts the first segment, with its slash, off the path; false: there is none. */
static bool cut_segment(struct text *path, struct text *segment)
{
    if (path->length == 0 || path->base[0] != '/')
        return false;
    size_t length = 1;
    while (length < path->length && path->base[length] != '/')
        length++;
    *segment = (struct text){path->base + 1, length - 1};
    *path = (struct text){path->base + length, path->length - length};
    return true;
}

static bool pattern_is_path(const char *pattern, struct text path, struct text *key)
{
    struct text rest = text_of(pattern), wanted, got;
    *key = (struct text){NULL, 0};
    while (rest.length > 0) {
        if (text_equal(rest, TEXT("/{topic}")))
            return path.length > 1 && path.base[0] == '/';
        CHECK(cut_segment(&rest, &wanted));
        if (!cut_segment(&path, &got))
            return false;
        if (text_equal(wanted, TEXT("{key}")))
            *key = got;
        else if (!text_equal(wanted, got))
            return false;
    }
    return path.length == 0;
}

static bool is_for(const struct route *route, bool is_local)
{
    if (route->surface == SURFACE_OPERATIONS)
        return true;
    return route->auth == AUTH_LOCAL ? is_local : !is_local;
}

static bool method_is_answered(const struct route *route, struct text method)
{
    bool is_get = strcmp(route->method, "GET") == 0;
    return text_equal(method, text_of(route->method)) ||
           (is_get && text_equal(method, TEXT("HEAD")));
}

/* What the table says, read naively. */
static enum route_finding find_naively(struct text method, struct text path, bool is_local,
                                       const struct route **route, struct text *key)
{
    enum route_finding finding = ROUTE_UNKNOWN;
    *route = NULL;
    for (int i = 0; i < route_count() && finding != ROUTE_FOUND; i++) {
        struct text its_key;
        const struct route *each = route_at(i);
        if (!is_for(each, is_local) || !pattern_is_path(each->pattern, path, &its_key))
            continue;
        finding = method_is_answered(each, method) ? ROUTE_FOUND : ROUTE_WRONG_METHOD;
        *route = each;
        *key = its_key;
    }
    return finding;
}

static void check_path(struct text method, struct text path, bool is_local)
{
    const struct route *route, *wanted_route;
    struct text key, wanted_key;
    enum route_finding wanted = find_naively(method, path, is_local, &wanted_route, &wanted_key);
    enum route_finding got = route_find(method, path, is_local, &route, &key);
    CHECK(got == wanted);
    CHECK(route == wanted_route);
    if (got == ROUTE_UNKNOWN)
        return;
    CHECK(key.length == wanted_key.length);
    CHECK(key.length == 0 ||
          (key.base == wanted_key.base && memchr(key.base, '/', key.length) == NULL));
}

/* What stands after {key}; a topic that no other pattern has. */
static void append_tail(struct text_buffer *buffer, const char *tail)
{
    const char *topic = strstr(tail, "{topic}");
    text_append(buffer, text_slice(text_of(tail), 0,
                                   topic == NULL ? strlen(tail) : (size_t)(topic - tail)));
    if (topic != NULL)
        text_append(buffer, TEXT("a/topic"));
}

/* Each route with the input as its key: found, and that key handed over, unless it has a slash. */
static void check_key(struct text key)
{
    char path[1024];
    for (int i = 0; i < route_count(); i++) {
        const struct route *route = route_at(i), *found;
        const char *brace = strchr(route->pattern, '{');
        struct text_buffer buffer;
        struct text got;
        if (brace == NULL)
            continue;
        text_buffer_init(&buffer, path, sizeof(path));
        text_append(&buffer, (struct text){route->pattern, (size_t)(brace - route->pattern)});
        text_append(&buffer, key);
        append_tail(&buffer, brace + strlen("{key}"));
        bool has_slash = key.length > 0 && memchr(key.base, '/', key.length) != NULL;
        enum route_finding finding =
            route_find(text_of(route->method), text_buffer_text(&buffer), false, &found, &got);
        CHECK(has_slash || (finding == ROUTE_FOUND && found == route && text_equal(got, key)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct text rest = {(const char *)data + 1, size - 1};
    const char *space = rest.length == 0 ? NULL : memchr(rest.base, ' ', rest.length);
    struct text method = text_slice(rest, 0, space == NULL ? 0 : (size_t)(space - rest.base));
    struct text path = space == NULL ? rest : text_slice(rest, method.length + 1, rest.length);
    check_path(method, path, (data[0] & 1) != 0);
    check_key(text_slice(path, 0, 512));
    return 0;
}
