/*
 * One request that went over the wire and what came back: as the wire shows it, as a line of a
 * recording, and as a line to paste into a shell. Borrows everything; pure.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_EXCHANGE_H
#define COUNTERPART_MOCKS_REGISTER_EXCHANGE_H

#include "mocks/register/made.h"
#include "mocks/register/till_faults.h"
#include "mocks/register/verdict.h"

enum cut_kind {
    CUT_NONE,
    CUT_AFTER_REQUEST,
    CUT_AFTER_TIMEOUT,
    CUT_MID_REPLY,
    CUT_KINDS,
};
const char *cut_name(enum cut_kind cut); /* "none", "after_request" ... */
MUST_CHECK bool cut_find(struct text name, enum cut_kind *cut);

const char *sign_mode_name(enum sign_mode mode); /* "hex", "none", "wrong" ... */
MUST_CHECK bool sign_mode_find(struct text name, enum sign_mode *mode);

/* Of a reply's body on the wire's screen: 500 exchanges are kept. A recording has all of it. */
#define EXCHANGE_SHOWN_MAX (64 * 1024)

struct exchange {
    int64_t number, press, send, sends;
    int64_t resend_of; /* 0: it is none */
    bool is_replay;
    int64_t started_us; /* the till's clock */
    int64_t offset_us;  /* since a recording began */
    const struct options *options;
    const struct request *request;
    const struct reply *reply;
    const struct judgement *judgement;
    const struct fault_set *faults;
    enum cut_kind cut;
    struct text order_before, order_after; /* JSON; empty: none */
};

void exchange_write(const struct exchange *exchange, struct jwrite *writer);
void exchange_write_record(const struct exchange *exchange, struct jwrite *writer);
/* For sh: sends the same bytes. */
void exchange_write_curl(const struct exchange *exchange, struct text_buffer *line);
/* Walks "Name: value" lines; false at the end. */
bool head_next(struct text *rest, struct text *name, struct text *value);
bool header_is_ours(struct text name); /* set by whoever sends: Host, Content-Length ... */

#endif
