/*
 * The only file here that knows libcurl: sends the request over real HTTP and keeps what came back,
 * as it came back. Judges nothing.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_WIRE_H
#define COUNTERPART_MOCKS_REGISTER_WIRE_H

#include "mocks/register/request.h"

/* No public text says how long a reply may be, and a browser takes any: thousands of members fit.
 * More is cut and said. */
#define REPLY_BODY_MAX (4 * 1024 * 1024)
#define REPLY_HEADER_MAX 128
#define HEAD_KEPT_MAX 8192 /* of the headers of either side, kept for the eye; more is left out */

/* Where a connection is cut on purpose. */
enum wire_cut {
    WIRE_CUT_AFTER_REQUEST, /* before the reply is read */
    WIRE_CUT_AFTER_TIMEOUT, /* the same, after waiting for as long as a till waits */
    WIRE_CUT_MID_REPLY,     /* reset, with some bytes of the reply read */
};

struct reply {
    const char *failure; /* NULL: an HTTP reply came. Else why none did; static text */
    bool was_dropped;    /* the connection was cut on purpose; nothing below is set */
    bool is_cut;         /* the body was longer than REPLY_BODY_MAX */
    int status;
    int64_t time_us; /* from the first byte of connecting to the last byte of the reply */
    char content_type[REPLY_HEADER_MAX];
    char content_length[REPLY_HEADER_MAX];
    char request_id[REPLY_HEADER_MAX];
    char *body; /* not NUL-terminated */
    size_t body_length, body_room;
    /* The header lines that were sent and received, "Name: value" with a line feed each. */
    char *sent_head, *head; /* HEAD_KEPT_MAX bytes each, NUL-terminated */
};

void wire_start(void);
void wire_finish(void);

/* What is under way ends as soon as it can, and nothing begins any more. From any thread. */
void wire_interrupt(void);
/* Sleeps, unless interrupted. */
void wire_wait(int64_t wait_us);

/* Gives the replies their memory / takes it back. errors: ERR_NO_MEMORY. */
MUST_CHECK int reply_init(struct reply *reply);
void reply_finish(struct reply *reply); /* accepts a zeroed one */

/* Send once and read the reply. Failures are told in reply->failure. */
void wire_send(const struct request *request, int64_t timeout_s, struct reply *reply);
/* Send count times at once, each on a connection of its own. */
void wire_send_at_once(const struct request *request, int64_t timeout_s, struct reply *replies,
                       size_t count);
/* Send, then cut the connection. After a time-out that is a failure, else the reply was dropped. */
void wire_send_and_cut(const struct request *request, int64_t timeout_s, enum wire_cut how,
                       struct reply *reply);

#endif
