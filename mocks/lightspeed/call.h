/*
 * One HTTP request and its answer as plain data: what the fake decides on, free of sockets, so that
 * a test can make both by hand. Text of a call is borrowed from whoever made it.
 */
#ifndef COUNTERPART_MOCKS_LIGHTSPEED_CALL_H
#define COUNTERPART_MOCKS_LIGHTSPEED_CALL_H

#include "base/json.h"

#define CALL_PATH_MAX 2048
#define CALL_QUERY_MAX 8192
#define CALL_BODY_MAX (1024 * 1024) /* the largest order with 100 lines has some 100 KiB */
#define CALL_SEGMENTS_MAX 16
#define CALL_IDS_MAX 2
#define ANSWER_HEADERS_MAX 10
#define ANSWER_HEADER_MAX 4096 /* a next-page address repeats the whole query */
#define ANSWER_ERROR_MAX 512

struct application;
struct company;
struct grant;

struct call {
    /* as it came */
    struct text method;
    struct text target; /* path and query */
    struct text authority;
    struct text accept;
    struct text content_type;
    struct text authorization;
    struct text page; /* X-Page */
    struct text body;
    /* call_read fills these */
    struct text path;  /* decoded, without query and ".json" */
    struct text query; /* as it came, without '?' */
    bool has_json_suffix;
    struct text segments[CALL_SEGMENTS_MAX];
    size_t segment_count;
    char decoded[CALL_PATH_MAX];
    /* who asks, and about what; found on the way */
    struct application *application;
    struct company *company;
    struct grant *grant; /* NULL with Basic */
    int64_t site_id;     /* scopes of the path; 0: none */
    int64_t register_id;
    int64_t staff_id;
    int64_t customer_id;
    size_t resource; /* segment where the resource begins, behind the scopes */
    int64_t ids[CALL_IDS_MAX];
    size_t id_count;
    struct jread *json; /* call_json; call_finish frees it */
};

struct answer_header {
    const char *name; /* lower-case, static */
    char value[ANSWER_HEADER_MAX];
};

struct answer {
    int status;
    const char *content_type;
    struct text_buffer body;
    struct jwrite writer; /* over body */
    struct answer_header headers[ANSWER_HEADERS_MAX];
    size_t header_count;
};

/* Splits and decodes the target. false: it cannot be (too long, a broken %XX). */
MUST_CHECK bool call_read(struct call *call);
void call_finish(struct call *call); /* accepts a zeroed one */
bool call_method_is(const struct call *call, const char *method);
bool call_segment_is(const struct call *call, size_t index, const char *word);
/* A whole number from 1 on in the path; 0: it is none. */
int64_t call_segment_id(const struct call *call, size_t index);
/* The first value of a query parameter, decoded into memory (NUL-terminated). false: not there. */
bool call_query(const struct call *call, const char *name, char *memory, size_t size);
/* The body as JSON object; NULL: it is none, and the answer says so. */
const struct jread *call_json(struct call *call, struct answer *answer);
/* The same for what may be an array too. */
const struct jread *call_json_any(struct call *call, struct answer *answer);

void answer_begin(struct answer *answer, char *memory, size_t size);
void answer_header(struct answer *answer, const char *name_lower, struct text value);
void answer_header_int(struct answer *answer, const char *name_lower, int64_t value);
/* {"error":error,"error_description":...}; whatever body was written before is dropped,
 * the headers stay. */
void answer_error(struct answer *answer, int status, const char *error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool answer_is_error(const struct answer *answer);
/* The two most frequent ones. */
void answer_not_found(struct answer *answer, const char *what);
void answer_bad(struct answer *answer, const char *description);
/* 201, Location and the four bytes "null" (protocol o-series 7.1). The location is a path, such as
 * "/v1/companies/5678/orders/7"; the authority of the call goes in front. */
void answer_created(struct answer *answer, const struct call *call, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* 200 and "null": what a PUT says is not known beyond its status. */
void answer_updated(struct answer *answer);
void answer_empty(struct answer *answer, int status);

/* Percent-encodes what may not stand in a query value. */
void text_append_encoded(struct text_buffer *buffer, struct text text);
/* A copy of a JSON value, as this folder keeps what it only hands back. */
void jwrite_copy(struct jwrite *writer, const struct jread *value);
void jwrite_named_text(struct jwrite *writer, const char *name, const char *value);
void jwrite_named_int(struct jwrite *writer, const char *name, int64_t value);
void jwrite_named_bool(struct jwrite *writer, const char *name, bool value);
void jwrite_named_id(struct jwrite *writer, const char *name, int64_t id); /* 0 is null */

#endif
