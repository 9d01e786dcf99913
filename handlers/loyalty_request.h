/*
 * The tolerant reader of O-Series loyalty: query string and body, in any dialect, become one plain
 * struct (protocol o-series 3). GET is what is documented; POST carries the same names in a form or
 * in JSON, and what its body says goes before the query.
 *
 * Knows nothing of tenants or the network. Keywords are personal data: nothing here is logged.
 */
#ifndef COUNTERPART_HANDLERS_LOYALTY_REQUEST_H
#define COUNTERPART_HANDLERS_LOYALTY_REQUEST_H

#include "handlers/profile.h"
#include "store/tenant.h"

#define LOYALTY_FAULT_MAX 160  /* a sentence about a field of up to PROFILE_NAME_MAX characters */
#define LOYALTY_ORDER_MAX 64   /* of a placeholder: a UUID has 36 */
#define LOYALTY_TOKEN_NAME "t" /* ours: we make the URL that carries it */

struct loyalty_input {
    struct text query;
    struct text body; /* empty for GET */
    enum body_format body_format;
};

/* What was asked; texts point into the memory given to the reader: trimmed, empty when absent. */
struct loyalty_request {
    int64_t company_id; /* these three: 0 when not given */
    int64_t site_id;
    int64_t customer_id;
    struct text keyword;
    struct text reference;
    struct text token;
    struct text order; /* as it was given: a placeholder must go back unchanged */
    int64_t order_id;  /* the same as a number; 0: not given, or no plain positive number */
};

/* Memory that suffices for one request. */
size_t loyalty_request_memory(const struct loyalty_input *input);
/*
 * errors     the request cannot be understood, fault says why in one sentence: ERR_FORM_SYNTAX,
 *            ERR_JSON_*, ERR_NOT_A_NUMBER, ERR_TOO_LARGE (ids), ERR_JSON_DUPLICATE (one name twice
 *            in the query or in the body); or ERR_NO_MEMORY.
 */
MUST_CHECK int loyalty_request_read(const struct profile_loyalty *profile,
                                    const struct loyalty_input *input, char *memory,
                                    struct loyalty_request *request, struct text_buffer *fault);

/* Can it stand in a URL as the placeholder that the platform replaces? Letters, digits, - and _,
 * and not too many: nothing that a URL would have to escape, for the text is replaced as it is. */
bool loyalty_order_is_placeholder(struct text order);

#endif
