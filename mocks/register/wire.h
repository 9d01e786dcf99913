/*
 * The only file here that knows libcurl: sends the request over real HTTP and keeps what came back,
 * as it came back. Judges nothing.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_WIRE_H
#define COUNTERPART_MOCKS_REGISTER_WIRE_H

#include "mocks/register/request.h"

/* The longest reply a partner may give is 64 KiB (protocol o-series 3.1); more is cut and said. */
#define REPLY_BODY_MAX (64 * 1024)
#define REPLY_HEADER_MAX 128

struct reply {
    const char *failure; /* NULL: an HTTP reply came. Else why none did; static text */
    bool was_dropped;    /* the connection was cut on purpose; nothing below is set */
    bool is_cut;         /* the body was longer than REPLY_BODY_MAX */
    int status;
    int64_t time_us; /* from the first byte of connecting to the last byte of the reply */
    char content_type[REPLY_HEADER_MAX];
    char content_length[REPLY_HEADER_MAX];
    char request_id[REPLY_HEADER_MAX];
    char *body; /* REPLY_BODY_MAX bytes; not NUL-terminated */
    size_t body_length;
};

void wire_start(void);
void wire_finish(void);

/* Gives the replies their memory / takes it back. errors: ERR_NO_MEMORY. */
MUST_CHECK int reply_init(struct reply *reply);
void reply_finish(struct reply *reply); /* accepts a zeroed one */

/* Send once and read the reply. Failures are told in reply->failure. */
void wire_send(const struct request *request, int64_t timeout_s, struct reply *reply);
/* Send count times at once, each on a connection of its own. */
void wire_send_at_once(const struct request *request, int64_t timeout_s, struct reply *replies,
                       size_t count);
/* Send, then cut the connection before the reply is read. */
void wire_send_and_drop(const struct request *request, int64_t timeout_s, struct reply *reply);

#endif
