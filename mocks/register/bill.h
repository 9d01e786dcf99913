/*
 * An order of the cloud as the till's screen needs it: read from the cloud's JSON, written as the
 * contract of /_till says. Money is exact minor units. Pure.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_BILL_H
#define COUNTERPART_MOCKS_REGISTER_BILL_H

#include "mocks/register/made.h"

/* Products that stand on orders for what is none. */
#define BILL_TOP_UP_CODE "TILL-TOP-UP"
#define BILL_REFUND_CODE "TILL-REFUND"

struct bill {
    int64_t id, site_id;
    int64_t total_minor, paid_minor, due_minor;
    int64_t subtotal_minor; /* of the lines, before what varies the whole order */
    bool is_complete, is_deleted, is_refund;
    const struct jread *order; /* borrowed */
    int exponent;
};

/* false: this is no order. */
MUST_CHECK bool bill_read(const struct jread *order, int exponent, struct bill *bill);
bool bill_is_open(const struct bill *bill);
/* Whether a payment of that method with that ref is on it. */
bool bill_has_payment(const struct bill *bill, const char *method, const char *ref);
/* Whether a line has these notes. */
bool bill_has_line_noted(const struct bill *bill, const char *notes);
/* A payment by its number; number 0: the newest of that method that gave something. NULL: none. */
const struct jread *bill_payment(const struct bill *bill, int64_t number, const char *method);

/* The whole one; reference_id is the customer's. */
void bill_write(const struct bill *bill, const char *partner_method, struct text reference_id,
                struct jwrite *writer);
/* As in the lists of open and closed ones. */
void bill_write_open(const struct bill *bill, struct jwrite *writer);
void bill_write_closed(const struct bill *bill, const char *partner_method, struct jwrite *writer);

/* Helpers of the same kind. */
bool bill_money(const struct jread *json, const char *name, int exponent, int64_t *amount_minor);
int64_t bill_id(const struct jread *json, const char *name); /* 0: none */
struct text bill_text(const struct jread *json, const char *name);
/* A payment method of the merchant's own: it has a ledger code; an application's has none. */
bool bill_method_is_plain(const struct jread *method, int64_t company_id);

#endif
