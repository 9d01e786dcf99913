/*
 * The field names a register speaks: what it writes into requests and looks for in replies. Of the
 * vendor's replies none is documented, so names are data, in the form of docs/profiles.md; a
 * register writes the first name of a list and reads the first field of a value.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_DIALECT_H
#define COUNTERPART_MOCKS_REGISTER_DIALECT_H

#include "base/json.h"

#define DIALECT_NAME_MAX 64
#define DIALECT_PAYMENTS 4 /* checkout, check balance, top-up, refund: as enum till_action begins */

enum dialect_field {
    FIELD_COMPANY_ID,
    FIELD_SITE_ID,
    FIELD_REGISTER_ID,
    FIELD_ORDER_ID,
    FIELD_KEYWORD,
    FIELD_REFERENCE_ID,
    FIELD_AMOUNT,
    DIALECT_FIELDS,
};

enum dialect_query {
    QUERY_COMPANY_ID,
    QUERY_SITE_ID,
    QUERY_ORDER_ID,
    QUERY_KEYWORD,
    QUERY_REFERENCE_ID,
    QUERY_CUSTOMER_ID,
    DIALECT_QUERIES,
};

enum dialect_value {
    VALUE_SUCCESS,
    VALUE_AMOUNT,
    VALUE_BALANCE,
    VALUE_REFERENCE,
    VALUE_MESSAGE,
    VALUE_ERROR,
    DIALECT_VALUES,
};

enum dialect_member {
    MEMBER_ID,
    MEMBER_FIRST_NAME,
    MEMBER_LAST_NAME,
    MEMBER_EMAIL,
    MEMBER_POINTS,
    MEMBER_POINTS_LABEL,
    MEMBER_ICON_URL,
    MEMBER_INTRO_TEXT,
    MEMBER_PARAMS,
    DIALECT_MEMBERS,
};

enum dialect_reward {
    REWARD_ID,
    REWARD_TITLE,
    REWARD_TERMS,
    REWARD_POINTS_REQUIRED,
    REWARD_REDEEM_URL,
    DIALECT_REWARDS,
};

enum dialect_look {
    LOOK_SEARCH,
    LOOK_LOOKUP,
    DIALECT_LOOKS,
};

/* Names are NUL-terminated; an empty one is not written and not read. */
struct dialect {
    char request[DIALECT_PAYMENTS][DIALECT_FIELDS][DIALECT_NAME_MAX];
    char reply[DIALECT_PAYMENTS][DIALECT_VALUES][DIALECT_NAME_MAX];
    /* Of what is refused before it is known to be an action. */
    char refusal_error[DIALECT_NAME_MAX];
    char query[DIALECT_QUERIES][DIALECT_NAME_MAX];
    char wrapper[DIALECT_LOOKS][DIALECT_NAME_MAX];
    char member[DIALECT_LOOKS][DIALECT_MEMBERS][DIALECT_NAME_MAX];
    char rewards[DIALECT_NAME_MAX]; /* the list's own name */
    char reward[DIALECT_REWARDS][DIALECT_NAME_MAX];
    char redeem_success[DIALECT_NAME_MAX];
    char redeem_error[DIALECT_NAME_MAX];
    char loyalty_error[DIALECT_NAME_MAX];
};

const struct dialect *dialect_documented(void); /* static */
void dialect_init(struct dialect *dialect);     /* a copy of the documented one */

/*
 * Changes what names (an object; NULL: nothing) gives. false: *why says what is wrong with it, and
 * the dialect is half changed.
 */
MUST_CHECK bool dialect_read(struct dialect *dialect, const struct jread *names,
                             struct text_buffer *why);
void dialect_write(const struct dialect *dialect, struct jwrite *writer);

#endif
