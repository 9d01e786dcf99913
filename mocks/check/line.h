/*
 * A connection as bytes, and an HTTP/1.1 reply as it came: what slow and broken clients need, and
 * what shows both sides byte for byte. Bounded in time and memory whatever the other side does.
 * TLS is libcurl's.
 */
#ifndef COUNTERPART_MOCKS_CHECK_LINE_H
#define COUNTERPART_MOCKS_CHECK_LINE_H

#include "mocks/register/wire.h"

/* The longest body a case looks at; no public text says what a register takes. */
#define READING_BODY_MAX (64 * 1024)
/* And a head that no honest server exceeds, and what chunked framing adds. */
#define READING_MAX (READING_BODY_MAX + 64 * 1024)

struct line {
    void *curl;          /* NULL: closed */
    const char *failure; /* NULL: connected. Static text */
    int64_t until_us;    /* of the monotonic clock: nothing here takes longer */
};

/* One reply. */
struct reading {
    char *bytes; /* as they came, READING_MAX of room */
    size_t length;
    size_t head_length; /* 0: no whole head came */
    char *body;         /* without framing: into bytes, or decoded in place behind the head */
    size_t body_length;
    int status;
    size_t declared_length; /* Content-Length */
    bool has_declared_length;
    bool is_chunked;
    bool says_close; /* Connection: close, or HTTP/1.0 */
    bool is_whole;
    bool is_too_long;
    bool has_more; /* bytes behind the end of the reply */
    char content_type[REPLY_HEADER_MAX];
    const char *failure; /* NULL: whole. Static text */
};

/* false: line->failure says why. ownership: line_close, whatever is returned. */
bool line_open(struct line *line, const char *url, int64_t until_us);
void line_close(struct line *line); /* accepts a zeroed one */
/* false: the other side does not take it; a reply may wait all the same. */
bool line_send(struct line *line, struct text bytes);
void line_pause(const struct line *line, int64_t pause_us);

/* errors: ERR_NO_MEMORY. */
MUST_CHECK int reading_init(struct reading *reading);
void reading_finish(struct reading *reading); /* accepts a zeroed one */
void line_read(struct line *line, struct reading *reading, bool has_no_body);

/* "POST", host and target of an address, for the first lines of a request; false: it is none. */
#define LINE_HOST_MAX 300
bool line_split_url(const char *url, struct text_buffer *host, struct text_buffer *target);

#endif
