/*
 * The tolerant reader of O-Series payments: a body in any dialect becomes one plain struct. What
 * the vendor's public text does not confirm is accepted in several forms (protocol o-series 2.1);
 * what could move money wrongly is not.
 *
 * Knows nothing of tenants, cards or the network: the same bytes always give the same answer.
 */
#ifndef COUNTERPART_HANDLERS_OSERIES_REQUEST_H
#define COUNTERPART_HANDLERS_OSERIES_REQUEST_H

#include "handlers/card_number.h"
#include "handlers/profile.h"
#include "ledger/operation.h"
#include "store/tenant.h"

/* A sentence about a field of up to PROFILE_NAME_MAX characters. */
#define REQUEST_FAULT_MAX 160

/* How to read: the tenant's side of the bargain. */
struct payment_dialect {
    const struct profile *profile;
    enum profile_action action;
    int exponent;           /* of the tenant's currency */
    bool last4_is_accepted; /* a keyword of four digits is the end of a number, not a number */
    uint64_t request_id;    /* for the logs */
    enum body_format body_format;
};

/* What was asked. Holds a card number and a PIN: wipe it when the card's index is known. */
struct payment_request {
    int64_t company_id;
    int64_t site_id; /* these three: 0 when not given */
    int64_t register_id;
    int64_t order_id;
    bool has_card; /* false: neither keyword nor reference_id says anything */
    struct card_number card;
    bool is_last4;             /* card.number is the last four digits */
    bool is_misdirected;       /* carries what only another action's body carries: a URL was pasted
                                  into the wrong field of the Back Office */
    enum result amount_result; /* RESULT_OK or RESULT_AMOUNT_*: told only of a card that exists */
    int64_t asked_minor;       /* a refund's is never negative */
};

/* Is a body JSON, or a form? BODY_ANY: JSON when its first visible byte is '{', whatever the
 * content type says. visible: the body, trimmed. */
bool oseries_body_is_json(enum body_format format, struct text visible);

/*
 * Read one body: as body_format says; BODY_ANY: JSON when its first visible byte is '{', else a
 * form, whatever the content type says.
 *
 * ownership  borrows all; *request is the caller's, holds no pointers.
 * errors     the request cannot be understood, fault says why in one sentence (naming the field):
 *            ERR_JSON_*, ERR_FORM_SYNTAX, ERR_MISSING (company_id), ERR_NOT_A_NUMBER, ERR_TOO_LARGE
 *            (ids), ERR_JSON_TYPE (a field is true, a list or an object); or ERR_NO_MEMORY.
 * source     protocol o-series 2.1; design section 4 on mis-pasted URLs.
 */
MUST_CHECK int oseries_request_read(const struct payment_dialect *dialect, struct text body,
                                    struct payment_request *request, struct text_buffer *fault);

#endif
