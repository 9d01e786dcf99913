/*
 * The command line's side of the admin API: HTTP over the Unix socket in the data folder.
 */
#ifndef COUNTERPART_SERVICE_ADMIN_CLIENT_H
#define COUNTERPART_SERVICE_ADMIN_CLIENT_H

#include "base/json.h"
#include "service/command.h"

/* One connection for many requests. What is wrong with it was written to stderr. */
struct admin_session;
MUST_CHECK int admin_session_open(const char *socket_path, struct admin_session **session);
void admin_session_close(struct admin_session *session); /* accepts NULL */

struct admin_reply {
    char *bytes; /* NUL-terminated; NULL: none. Begins as all zeroes; the caller frees it */
    size_t length;
    long status;
};
/* body is JSON. errors: ERR_IO: no whole answer came. */
MUST_CHECK int admin_session_post(struct admin_session *session, const char *path, struct text body,
                                  struct admin_reply *reply);
/* The same with the answer read: *document is the caller's, jread_destroy. */
MUST_CHECK int admin_session_ask(struct admin_session *session, const char *path, struct text body,
                                 struct jread **document, long *status);
/* From now on nothing is written to stderr when no answer comes: who calls waits for one. */
void admin_session_hush(struct admin_session *session, bool is_hushed);
/* A refusal's sentence and code, to stderr. */
void admin_print_refusal(const struct jread *document);

/* Asks the service, prints its answer, returns the exit code. */
int admin_client_run(const struct invocation *invocation, const char *socket_path);

#endif
