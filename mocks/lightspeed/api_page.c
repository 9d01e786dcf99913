/*
 * Lists, 25 records at a time, with the headers of both ways of paging. Who follows addresses is
 * not told how many pages there are: counting them each time would make a long walk quadratic.
 */
#include "mocks/lightspeed/api.h"

#include "base/error.h"

#include <string.h>

#include "base/banned.h"

struct page {
    size_t first;    /* of the listed records */
    size_t listed;   /* all that the filter lets through */
    size_t written;  /* on this page */
    int64_t next_id; /* 0: this is the last page */
};

/* Which page: the old way by X-Page (from 0), the new way by the id it starts with. */
static bool page_choose(const struct call *call, size_t *number, int64_t *start_id,
                        struct answer *answer)
{
    char digits[32];
    int64_t value = 0;
    *number = 0;
    *start_id = 0;
    if (call->page.length > 0) {
        if (text_parse_int64(text_trim(call->page), &value) != 0 || value < 0 ||
            value > INT32_MAX) {
            answer_bad(answer, "X-Page: a page from 0 on wanted.");
            return false;
        }
        *number = (size_t)value;
    } else if (call_query(call, "start", digits, sizeof(digits))) {
        if (text_parse_int64(text_of(digits), start_id) != 0 || *start_id < 0) {
            answer_bad(answer, "start: an id wanted.");
            return false;
        }
    }
    return true;
}

static int64_t record_id(const void *record)
{
    int64_t id;
    memcpy(&id, record, sizeof(id));
    return id;
}

/* By id: looks at what it shows and one more. */
static void page_write_from(const struct cloud *cloud, const struct call *call,
                            struct answer *answer, const struct page_source *source,
                            int64_t start_id, struct page *page)
{
    jwrite_array_begin(&answer->writer);
    for (size_t i = table_lower_bound(source->table, start_id);
         i < source->table->count && page->next_id == 0; i++) {
        const void *record = source->table->records[i];
        if (!source->is_listed(cloud, call, record, source->context))
            continue;
        if (page->written < PAGE_RECORDS) {
            source->write(cloud, call, record, &answer->writer);
            page->written++;
        } else {
            page->next_id = record_id(record);
        }
    }
    jwrite_array_end(&answer->writer);
}

static void page_write(const struct cloud *cloud, const struct call *call, struct answer *answer,
                       const struct page_source *source, struct page *page)
{
    jwrite_array_begin(&answer->writer);
    for (size_t i = 0; i < source->table->count; i++) {
        const void *record = source->table->records[i];
        if (!source->is_listed(cloud, call, record, source->context))
            continue;
        page->listed++;
        if (page->listed <= page->first)
            continue;
        if (page->written < PAGE_RECORDS) {
            source->write(cloud, call, record, &answer->writer);
            page->written++;
        } else if (page->next_id == 0) {
            page->next_id = record_id(record);
        }
    }
    jwrite_array_end(&answer->writer);
}

/* The whole address to follow: everything as it was asked, but for the start. */
static void append_next_page(struct text_buffer *buffer, const struct call *call, int64_t next_id)
{
    struct text rest = call->query;
    size_t path_length = call->target.length - (rest.length > 0 ? rest.length + 1 : 0);
    text_append_format(buffer, "http://%.*s", (int)call->authority.length, call->authority.base);
    struct text path = text_slice(call->target, 0, path_length);
    if (path.length > 0 && path.base[path.length - 1] == '?')
        path.length--;
    text_append(buffer, path);
    text_append_format(buffer, "?start=%lld", (long long)next_id);
    while (rest.length > 0) {
        const char *end = memchr(rest.base, '&', rest.length);
        size_t length = end == NULL ? rest.length : (size_t)(end - rest.base);
        struct text pair = text_slice(rest, 0, length);
        if (pair.length > 0 && !text_starts_with(pair, TEXT("start="))) {
            text_append_char(buffer, '&');
            text_append(buffer, pair);
        }
        rest = text_slice(rest, length + 1, rest.length);
    }
}

void api_answer_page(const struct cloud *cloud, const struct call *call, struct answer *answer,
                     const struct page_source *source)
{
    size_t number;
    int64_t start_id;
    if (!page_choose(call, &number, &start_id, answer))
        return;
    struct page page = {.first = number * PAGE_RECORDS};
    if (start_id != 0) {
        page_write_from(cloud, call, answer, source, start_id, &page);
    } else {
        page_write(cloud, call, answer, source, &page);
        size_t pages = (page.listed + PAGE_RECORDS - 1) / PAGE_RECORDS;
        answer_header_int(answer, "x-page", (int64_t)number);
        answer_header_int(answer, "x-pages", (int64_t)pages);
    }
    if (page.next_id == 0)
        return;
    char next[ANSWER_HEADER_MAX];
    struct text_buffer buffer;
    text_buffer_init(&buffer, next, sizeof(next));
    append_next_page(&buffer, call, page.next_id);
    answer_header(answer, "x-next-page", text_buffer_text(&buffer));
}
