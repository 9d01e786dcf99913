/* Finds embedded files and says what they are. */
#include "mocks/register/page.h"

#include <inttypes.h>
#include <string.h>

#include "base/banned.h"

static const char *content_type_of(const char *path)
{
    static const struct {
        const char *end, *type;
    } TYPES[] = {{".html", "text/html; charset=utf-8"},
                 {".js", "text/javascript; charset=utf-8"},
                 {".css", "text/css; charset=utf-8"},
                 {".svg", "image/svg+xml"},
                 {".png", "image/png"},
                 {".ico", "image/x-icon"},
                 {".json", "application/json"},
                 {".webmanifest", "application/manifest+json"},
                 {".txt", "text/plain; charset=utf-8"}};
    const char *end = strrchr(path, '.');
    for (size_t i = 0; end != NULL && i < COUNT_OF(TYPES); i++)
        if (strcmp(end, TYPES[i].end) == 0)
            return TYPES[i].type;
    return "application/octet-stream";
}

bool page_find(const char *path, struct page *page)
{
    struct text_buffer etag;
    const char *wanted = strcmp(path, "/") == 0 ? "/index.html" : path;
    const struct page_file *file = PAGE_FILES;
    while (file->path != NULL && strcmp(file->path, wanted) != 0)
        file++;
    if (file->path == NULL)
        return false;
    page->bytes = (struct text){(const char *)file->bytes, *file->size};
    page->content_type = content_type_of(file->path);
    text_buffer_init(&etag, page->etag, sizeof(page->etag));
    text_append_format(&etag, "\"%016" PRIx64 "\"", text_hash(page->bytes));
    return true;
}
