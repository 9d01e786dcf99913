/*
 * All cases in one table: what each asks, what it needs, and what the till would do with a wrong
 * answer. A case is a function over a scene; it is independent of all others. Every id has a page,
 * docs/conformance/ID.md.
 */
#ifndef COUNTERPART_MOCKS_CHECK_CASES_H
#define COUNTERPART_MOCKS_CHECK_CASES_H

#include "mocks/check/scene.h"

enum need {
    NEED_CARD = 1 << 0,
    NEED_EMPTY_CARD = 1 << 1,
    NEED_PIN_CARD = 1 << 2,
    NEED_STOCK_CARD = 1 << 3,
    NEED_TOKEN = 1 << 4,
    NEED_KEYWORD = 1 << 5,
    NEED_CLOUD = 1 << 6,
    NEED_BASE = 1 << 7,     /* --target: paths beside the actions */
    NEED_DIGITS = 1 << 8,   /* the card's number is digits alone */
    NEED_CHECKOUT = 1 << 9, /* the actions it asks */
    NEED_CHECK_BALANCE = 1 << 10,
    NEED_TOP_UP = 1 << 11,
    NEED_REFUND = 1 << 12,
    NEED_SEARCH = 1 << 13,
    NEED_LOOKUP = 1 << 14,
};

struct check_case {
    const char *id;
    enum surface surface;
    const char *evidence; /* as in the protocol notes: "DOC", "INFER", "3P", "choice" */
    bool is_lenient;      /* asked in the lenient profile too */
    unsigned needs;
    const char *title;       /* what is right, as a sentence */
    const char *consequence; /* what the till would do with the wrong answer that it is about */
    unsigned about;          /* ABOUT(...): besides WRONG_OWN */
    void (*run)(struct scene *scene);
};

#define CASES_MAX 128
const struct check_case *cases_all(size_t *count);
/* "once" stands for every "once-...", an id for itself. */
bool picks_hold(const struct picks *picks, const char *id);
/* false: *why (SENTENCE_MAX bytes) says what is missing and which option gives it. */
bool case_is_possible(const struct check_case *check, const struct settings *settings, char *why);

/* --- the cases, by file ----------------------------------------------------------------------- */

void shape_status(struct scene *scene);
void shape_content_type(struct scene *scene);
void shape_object(struct scene *scene);
void shape_success(struct scene *scene);
void shape_error(struct scene *scene);
void shape_amount(struct scene *scene);
void shape_balance(struct scene *scene);
void shape_length(struct scene *scene);

void json_unknown_path(struct scene *scene);
void json_wrong_method(struct scene *scene);
void json_empty_body(struct scene *scene);
void json_broken_body(struct scene *scene);
void json_array_body(struct scene *scene);
void json_too_large(struct scene *scene);
void json_unknown_card(struct scene *scene);
void json_missing_fields(struct scene *scene);
void json_null_fields(struct scene *scene);

void signature_right(struct scene *scene);
void signature_missing(struct scene *scene);
void signature_wrong(struct scene *scene);
void signature_other_body(struct scene *scene);
void signature_odd_spacing(struct scene *scene);

void amount_exact(struct scene *scene);
void amount_string(struct scene *scene);
void amount_zero(struct scene *scene);
void amount_negative(struct scene *scene);
void amount_three_decimals(struct scene *scene);
void amount_huge(struct scene *scene);
void amount_not_a_number(struct scene *scene);
void amount_cents(struct scene *scene);

void balance_after_charge(struct scene *scene);
void balance_in_reply(struct scene *scene);
void balance_only_looks(struct scene *scene);
void balance_after_refusal(struct scene *scene);
void partial_at_most_asked(struct scene *scene);
void partial_rest(struct scene *scene);
void partial_empty_card(struct scene *scene);

void once_retry(struct scene *scene);
void once_retry_later(struct scene *scene);
void once_concurrent(struct scene *scene);
void once_other_amount(struct scene *scene);
void once_other_order(struct scene *scene);
void once_decline_then_funds(struct scene *scene);
void once_other_register(struct scene *scene);
void once_refund_retry(struct scene *scene);
void once_top_up_retry(struct scene *scene);

void refund_gives_back(struct scene *scene);
void refund_at_most(struct scene *scene);
void refund_no_charge(struct scene *scene);
void top_up_adds(struct scene *scene);
void top_up_then_spend(struct scene *scene);

void card_dashes(struct scene *scene);
void card_swipe(struct scene *scene);
void card_reference_id(struct scene *scene);
void card_unicode(struct scene *scene);
void card_quotes(struct scene *scene);
void card_long(struct scene *scene);
void card_pin(struct scene *scene);
void card_stock(struct scene *scene);
void fields_unknown(struct scene *scene);
void fields_id_strings(struct scene *scene);
void fields_escapes(struct scene *scene);
void fields_form(struct scene *scene);

void race_one_card(struct scene *scene);
void race_last_cents(struct scene *scene);

void client_slow_body(struct scene *scene);
void client_split_head(struct scene *scene);
void client_cut_body(struct scene *scene);
void client_keep_alive(struct scene *scene);
void client_gone_before_reply(struct scene *scene);
void client_chunked(struct scene *scene);
void client_expect_continue(struct scene *scene);

void latency_check_balance(struct scene *scene);
void latency_checkout(struct scene *scene);

void search_shape(struct scene *scene);
void search_nobody(struct scene *scene);
void search_odd_keywords(struct scene *scene);
void search_fields(struct scene *scene);
void search_order_id(struct scene *scene);
void lookup_shape(struct scene *scene);
void lookup_placeholder(struct scene *scene);
void lookup_unknown(struct scene *scene);

void redeem_changes_order(struct scene *scene);
void redeem_once(struct scene *scene);
void redeem_unknown_order(struct scene *scene);

#endif
