/*
 * An HTTP server that does exactly what a test tells it, on a real port of this machine: answers,
 * hangs, cuts, drops, says its words in pieces. One thread per connection. Answers are taken from a
 * script, the first that suits, over all connections; without one it says 200 and {}.
 */
#ifndef COUNTERPART_TESTS_TINY_HTTP_H
#define COUNTERPART_TESTS_TINY_HTTP_H

#include "base/text.h"

#include <pthread.h>

#define TINY_REQUESTS_MAX 2048
#define TINY_CONNECTIONS_MAX 2048
#define TINY_HEAD_MAX 4096
#define TINY_BODY_MAX 4096

enum tiny_way {
    TINY_SAY,         /* text, and the connection stays open */
    TINY_SAY_AND_CUT, /* text, and the connection ends */
    TINY_DROP,        /* reads the request, says nothing, ends the connection */
    TINY_HANG,        /* reads the request and says nothing until tiny_stop */
};

struct tiny_answer {
    enum tiny_way way;
    const char *text;     /* a whole reply, head and body; must outlive the server */
    size_t length;        /* 0: up to its NUL */
    size_t piece;         /* bytes at a time, a millisecond apart; 0: all at once */
    int delay_ms;         /* before it */
    const char *only_for; /* a request whose head contains this; NULL: any */
};

struct tiny_request {
    char head[TINY_HEAD_MAX]; /* request line and headers */
    char body[TINY_BODY_MAX];
    size_t body_length;
    int connection; /* counted from 0 */
};

struct tiny;
struct tiny *tiny_start(void);
void tiny_stop(struct tiny *tiny); /* ends its connections, and frees it */
int tiny_port(const struct tiny *tiny);
void tiny_script(struct tiny *tiny, struct tiny_answer answer);
int tiny_count(struct tiny *tiny); /* requests read so far */
/* Request index, waiting until it has come. Good until tiny_stop. */
const struct tiny_request *tiny_await(struct tiny *tiny, int index);
int tiny_connections(struct tiny *tiny); /* accepted so far */
/* The value of a header of the request, or NULL; name in any case. Good until the next call. */
const char *tiny_header(const struct tiny_request *request, const char *name);

#endif
