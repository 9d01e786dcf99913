/*
 * What is asked, as plain data, and its bytes: a whole HTTP request, signed. Cases say what differs
 * from an ordinary request of a register; zero means ordinary.
 */
#ifndef COUNTERPART_MOCKS_CHECK_ASK_H
#define COUNTERPART_MOCKS_CHECK_ASK_H

#include "mocks/check/settings.h"
#include "mocks/register/request.h"

#define ASK_BODY_MAX (300 * 1024) /* the longest body a case sends is 256 KiB */
#define ASK_URL_MAX (16 * 1024)
#define ASK_BYTES_MAX (ASK_BODY_MAX + 2 * ASK_URL_MAX)

struct ask {
    enum till_action action;
    const char *title;        /* NULL: "checkout 0.10" */
    const char *method;       /* NULL: POST for payments, GET for loyalty */
    const char *url;          /* NULL: where the action is asked */
    const char *query;        /* loyalty: encoded already, without its '?'; NULL */
    const char *card;         /* sent as keyword; NULL: no such field */
    const char *reference;    /* sent as reference_id; NULL: no such field */
    int64_t order_id;         /* 0: no such field */
    int64_t register_id;      /* 0: the configured one */
    const char *amount;       /* a JSON value; NULL: no such field */
    const char *more;         /* further members, such as ",\"tip\":1"; NULL */
    struct text body;         /* instead of all these fields */
    bool has_body;            /* body is meant, even when it is empty */
    const char *content_type; /* NULL: that of the body */
    const char *signature;    /* NULL: the right one; "": no such header; else as it stands */
    int64_t placeholder_id;   /* loyalty: what stands for the sale */
    size_t placeholders;      /* redeem: how often the address named it */
    bool ids_are_strings;
    bool is_form;
    bool is_chunked;   /* the body in chunks of seven bytes */
    bool is_repeat;    /* of an earlier one: what it says was counted already */
    bool is_clean_up;  /* gives back what the case has taken */
    bool says_expect;  /* Expect: 100-continue */
    bool leaves_reply; /* the connection is cut as soon as the request is out */
};

#define ASK_SIGNATURE_MAX (REQUEST_SIGNATURE_MAX)
/* Lower-case hex, as a register signs (protocol o-series 4). */
void ask_sign(const char *token, struct text message, char out[ASK_SIGNATURE_MAX]);

struct ask_bytes {
    char memory[ASK_BYTES_MAX];
    char body_memory[ASK_BODY_MAX];
    char url[ASK_URL_MAX];
    struct text body; /* before chunking */
    struct text whole;
    size_t head_length;
};

/* false: there is no address to ask, or it is none. */
bool ask_write(const struct settings *settings, const struct ask *ask, struct ask_bytes *bytes);

#endif
