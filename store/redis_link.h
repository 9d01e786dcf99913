/*
 * One connection to a Redis: commands out, answers in, in order. Never waits and knows no event
 * loop: its owner watches the socket and calls. The only file behind it that sees hiredis.
 *
 * Of hiredis 0.14 we take the reader of the protocol, not its asynchronous connection: that one has
 * no time-outs, and an answer that nobody asked for ends in its assert(), so a confused server
 * could abort us. The objects it would allocate for each answer are built in place here.
 */
#ifndef COUNTERPART_STORE_REDIS_LINK_H
#define COUNTERPART_STORE_REDIS_LINK_H

#include "base/text.h"

#include <sys/socket.h>

/* Commands sent and not yet answered: 50,000 a second for the 20 ms that a look-up waits are 1,000.
 */
#define LINK_UNANSWERED_MAX 4096
#define LINK_OUTPUT_MAX (512 * 1024) /* as many commands of 130 bytes */
#define LINK_WORDS_MAX 24

/* A command: its name and arguments, as bytes. */
struct words {
    struct text word[LINK_WORDS_MAX];
    int32_t count;
};

enum answer_kind {
    ANSWER_NIL,
    ANSWER_TEXT, /* a string or a status */
    ANSWER_INTEGER,
    ANSWER_ERROR,
    ANSWER_LIST,
};

struct answer {
    enum answer_kind kind;
    struct text text; /* of TEXT and ERROR; good during the call only */
    int64_t integer;
    const struct answer *items; /* of LIST: count of them */
    int32_t count;
};

/* Where a server listens: an address, never a name (names are looked up by who may wait). */
struct place {
    struct sockaddr_storage address;
    socklen_t length;
};

struct link;
typedef void (*link_answer_fn)(void *context, uint64_t ticket, const struct answer *answer);

void words_add(struct words *words, struct text word); /* CHECKs that there is room */

/* Begins to connect; commands may be sent at once. errors: ERR_UNREACHABLE, ERR_NO_MEMORY. */
MUST_CHECK int link_open(const struct place *place, struct link **link);
void link_close(struct link *link); /* accepts NULL; what was not answered never will be */
int link_fd(const struct link *link);
/* The socket is full, or not connected yet: link_flush when it can be written to. */
bool link_is_stuck(const struct link *link);
int32_t link_unanswered(const struct link *link);

/* Puts a command into the output; ticket comes back with its answer. errors: ERR_QUEUE_FULL. */
MUST_CHECK int link_send(struct link *link, const struct words *words, uint64_t ticket);
/* Writes what there is, as one piece where possible. errors: ERR_UNREACHABLE (did not connect),
 * ERR_CONNECTION_LOST. */
MUST_CHECK int link_flush(struct link *link);
/* Reads what there is; on_answer may send, and must not close the link. errors:
 * ERR_CONNECTION_LOST, ERR_BAD_REPLY (no Redis protocol, too long, or an answer nobody asked for):
 * close it. */
MUST_CHECK int link_read(struct link *link, link_answer_fn on_answer, void *context);

#endif
