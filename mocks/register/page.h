/*
 * The files of the till's screen (web/till), embedded when the program is built.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_PAGE_H
#define COUNTERPART_MOCKS_REGISTER_PAGE_H

#include "base/text.h"

#define PAGE_ETAG_MAX 20 /* 16 hex digits in quotes, and a NUL */

struct page_file {
    const char *path; /* "/index.html" */
    const unsigned char *bytes;
    const size_t *size;
};
/* Generated; ends with a path that is NULL. */
extern const struct page_file PAGE_FILES[];

struct page {
    struct text bytes;
    const char *content_type;
    char etag[PAGE_ETAG_MAX];
};

/* "/" is "/index.html". false: there is no such file. */
MUST_CHECK bool page_find(const char *path, struct page *page);

#endif
