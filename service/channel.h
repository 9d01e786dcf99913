/*
 * A channel: messages between two processes of this machine, each a text with descriptors, over a
 * Unix socket that keeps their bounds (SOCK_SEQPACKET). Whoever may open its file may use it.
 */
#ifndef COUNTERPART_SERVICE_CHANNEL_H
#define COUNTERPART_SERVICE_CHANNEL_H

#include "base/text.h"

#define CHANNEL_TEXT_MAX (40 * 1024) /* a word, and what a parcel holds */
#define CHANNEL_FDS_MAX 24           /* all listening sockets and a few more */

struct channel_message {
    char text[CHANNEL_TEXT_MAX]; /* "word" or "word\nrest" */
    size_t length;
    int fds[CHANNEL_FDS_MAX]; /* received: the reader's to close */
    int fd_count;
};

/* errors  ERR_NOT_FOUND: nobody listens there; ERR_IO. */
MUST_CHECK int channel_connect(const char *path, int *channel);
/* A socket file that is left over is replaced. Mode 0600, not blocking. errors: ERR_IO. */
MUST_CHECK int channel_listen(const char *path, int *listener);
/* errors: ERR_NOT_FOUND: nobody waits after all; ERR_IO. */
MUST_CHECK int channel_accept(int listener, int *channel);

/* The descriptors stay the caller's. errors: ERR_CONNECTION_LOST; ERR_TIMED_OUT. */
MUST_CHECK int channel_send(int channel, const char *word, struct text rest, const int *fds,
                            int fd_count);
/* Waits. errors: ERR_CONNECTION_LOST: the other side has gone; ERR_TIMED_OUT; ERR_BAD_REPLY. */
MUST_CHECK int channel_receive(int channel, int64_t patience_ms, struct channel_message *message);

/* Is this the word? *rest is what follows it. */
bool channel_says(const struct channel_message *message, const char *word, struct text *rest);
void channel_message_close(struct channel_message *message); /* the descriptors in it */
int64_t channel_peer(int channel);                           /* process id of the other side */

#endif
