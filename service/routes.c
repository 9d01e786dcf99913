/* Prints the routes: what this binary answers, where, and who may ask. */
#include "service/routes.h"

#include "base/json.h"
#include "handlers/route.h"
#include "service/render.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/banned.h"

#define ROUTE_JSON_MAX 256 /* three names, two words, two booleans */

static const char *auth_name(enum route_auth auth)
{
    switch (auth) {
    case AUTH_NONE:
        return "none";
    case AUTH_TENANT_SIGNED:
        return "tenant_signed";
    case AUTH_TENANT:
        return "tenant";
    case AUTH_LOCAL:
        return "local";
    }
    return "unknown";
}

/* As the router itself finds it: a pattern matches itself. */
static bool is_served(const struct route *route, bool is_local)
{
    const struct route *found;
    struct text key;
    return route_find(text_of(route->method), text_of(route->pattern), is_local, &found, &key) ==
               ROUTE_FOUND &&
           found == route;
}

static void write_text(struct jwrite *writer, struct text key, const char *value)
{
    jwrite_key(writer, key);
    jwrite_text(writer, text_of(value));
}

static void write_route(struct jwrite *writer, const struct route *route)
{
    jwrite_object_begin(writer);
    write_text(writer, TEXT("operation"), route->name);
    write_text(writer, TEXT("method"), route->method);
    write_text(writer, TEXT("path"), route->pattern);
    write_text(writer, TEXT("surface"), surface_name(route->surface));
    write_text(writer, TEXT("auth"), auth_name(route->auth));
    jwrite_key(writer, TEXT("is_public"));
    jwrite_bool(writer, is_served(route, false));
    jwrite_key(writer, TEXT("is_local"));
    jwrite_bool(writer, is_served(route, true));
    jwrite_object_end(writer);
}

static void write_routes(struct text_buffer *buffer)
{
    struct jwrite writer;
    jwrite_init(&writer, buffer);
    jwrite_object_begin(&writer);
    jwrite_key(&writer, TEXT("routes"));
    jwrite_array_begin(&writer);
    for (int i = 0; i < route_count(); i++)
        write_route(&writer, route_at(i));
    jwrite_array_end(&writer);
    jwrite_object_end(&writer);
    CHECK(!buffer->is_cut);
}

static int print_for_people(struct text json)
{
    struct jread *document;
    int err = jread_parse(json, &document);
    if (err != 0)
        return EXIT_FAILURE;
    render_value(stdout, document);
    jread_destroy(document);
    return EXIT_SUCCESS;
}

int routes_run(bool wants_json)
{
    size_t capacity = (size_t)(route_count() + 1) * ROUTE_JSON_MAX;
    char *bytes = malloc(capacity);
    struct text_buffer buffer;
    int code = EXIT_SUCCESS;
    if (bytes == NULL)
        return EXIT_FAILURE;
    text_buffer_init(&buffer, bytes, capacity);
    write_routes(&buffer);
    if (wants_json || !isatty(STDOUT_FILENO))
        puts(bytes);
    else
        code = print_for_people(text_buffer_text(&buffer));
    free(bytes);
    return code;
}
