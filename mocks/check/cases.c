/* The table of all cases. */
#include "mocks/check/cases.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define PAYING (NEED_CARD | NEED_CHECKOUT)
#define COUNTING (NEED_CARD | NEED_CHECKOUT | NEED_CHECK_BALANCE)
#define LOOKING (NEED_CARD | NEED_CHECK_BALANCE)
#define EMPTYING (NEED_EMPTY_CARD | NEED_CHECKOUT | NEED_CHECK_BALANCE | NEED_TOP_UP)
#define LOADING (NEED_CARD | NEED_CHECK_BALANCE | NEED_TOP_UP)

#define CRASHES                                                                                    \
    "The till crashes: its screens expect a JSON object. The cashier restarts it in front of the " \
    "customer, not knowing whether the card was charged."
#define MISBOOKS "The till books what the reply says: the sale and the card no longer agree."
#define TWICE "The customer pays twice: a reply was lost, the cashier pressed again."
#define FORGED                                                                                     \
    "Anybody who knows the address charges cards and refunds himself, without being the till."
#define STRANDED                                                                                   \
    "The cashier sees an error although the card is good, and the customer pays in another way."

static const struct check_case CASES[] = {
    {"shape-status", SURFACE_PAYMENTS, "DOC, choice for refusals", false, PAYING,
     "every answer has status 200, refusals too",
     "The till may show \"failed\" without the sentence that says what to do.", 0, shape_status},
    {"shape-content-type", SURFACE_PAYMENTS, "DOC", true, PAYING,
     "every answer is application/json",
     "A till that goes by the content type shows an error, or crashes, although the answer is "
     "good.",
     0, shape_content_type},
    {"shape-object", SURFACE_PAYMENTS, "DOC", true, PAYING, "every answer is one JSON object",
     CRASHES, ABOUT(WRONG_NO_OBJECT), shape_object},
    {"shape-success", SURFACE_PAYMENTS, "DOC-OLD", true, PAYING,
     "every answer says \"success\", true or false",
     "The till cannot tell yes from no: the sale stays open although the card was charged.",
     ABOUT(WRONG_UNDECIDED), shape_success},
    {"shape-error", SURFACE_PAYMENTS, "DOC-OLD", false, PAYING,
     "a refusal says why in \"error\", one plain sentence; an approval has none",
     "The cashier sees an empty dialog, or one full of markup, and does not know what to do.", 0,
     shape_error},
    {"shape-amount", SURFACE_PAYMENTS, "DOC, INFER", true, PAYING,
     "an approval says the amount, an amount in cents, at most what was asked", MISBOOKS, 0,
     shape_amount},
    {"shape-balance", SURFACE_PAYMENTS, "DOC", true, LOOKING,
     "check-balance says the balance, an amount in cents",
     "The till shows no balance, or an empty one, to a customer who asks what is left.", 0,
     shape_balance},
    {"shape-length", SURFACE_PAYMENTS, "choice", false, PAYING,
     "every answer tells its length, or comes in chunks",
     "The till cannot know where the answer ends, and waits until the connection times out.", 0,
     shape_length},

    {"json-unknown-path", SURFACE_PAYMENTS, "DOC", true, NEED_BASE | NEED_CHECKOUT,
     "a path nobody serves is answered in JSON", CRASHES, ABOUT(WRONG_NO_OBJECT),
     json_unknown_path},
    {"json-wrong-method", SURFACE_PAYMENTS, "DOC", true, NEED_CHECKOUT,
     "GET, PUT and DELETE are answered in JSON", CRASHES, ABOUT(WRONG_NO_OBJECT),
     json_wrong_method},
    {"json-empty-body", SURFACE_PAYMENTS, "DOC", true, NEED_CHECKOUT,
     "an empty body is answered in JSON", CRASHES, ABOUT(WRONG_NO_OBJECT), json_empty_body},
    {"json-broken-body", SURFACE_PAYMENTS, "DOC", true, NEED_CHECKOUT,
     "a body that cannot be read is answered in JSON", CRASHES, ABOUT(WRONG_NO_OBJECT),
     json_broken_body},
    {"json-array-body", SURFACE_PAYMENTS, "DOC", true, NEED_CHECKOUT,
     "a body that is JSON but no sale is answered in JSON", CRASHES, ABOUT(WRONG_NO_OBJECT),
     json_array_body},
    {"json-too-large", SURFACE_PAYMENTS, "DOC", true, LOOKING,
     "a body of 200 KiB is answered in JSON", CRASHES, ABOUT(WRONG_NO_OBJECT), json_too_large},
    {"json-unknown-card", SURFACE_PAYMENTS, "DOC", true, NEED_CHECKOUT,
     "a card nobody has is refused, in JSON", CRASHES, 0, json_unknown_card},
    {"json-missing-fields", SURFACE_PAYMENTS, "DOC", true, PAYING,
     "a missing field is answered in JSON", CRASHES, ABOUT(WRONG_NO_OBJECT), json_missing_fields},
    {"json-null-fields", SURFACE_PAYMENTS, "DOC", true, PAYING,
     "a field that is null is answered in JSON", CRASHES, ABOUT(WRONG_NO_OBJECT), json_null_fields},

    {"signature-right", SURFACE_PAYMENTS, "DOC", false, COUNTING | NEED_TOKEN,
     "a request that is signed as registers sign is served", STRANDED, ABOUT(WRONG_REFUSED),
     signature_right},
    {"signature-missing", SURFACE_PAYMENTS, "DOC", false, COUNTING | NEED_TOKEN,
     "a request without a signature is refused", FORGED, ABOUT(WRONG_APPROVED) | ABOUT(WRONG_LESS),
     signature_missing},
    {"signature-wrong", SURFACE_PAYMENTS, "DOC", false, COUNTING | NEED_TOKEN,
     "a request with a wrong signature is refused", FORGED,
     ABOUT(WRONG_APPROVED) | ABOUT(WRONG_LESS), signature_wrong},
    {"signature-other-body", SURFACE_PAYMENTS, "DOC", false, COUNTING | NEED_TOKEN,
     "a signature counts for its own body only",
     "Who has seen one request of the till changes its amount and card, and sends it again.",
     ABOUT(WRONG_APPROVED) | ABOUT(WRONG_LESS), signature_other_body},
    {"signature-odd-spacing", SURFACE_PAYMENTS, "DOC", false, COUNTING | NEED_TOKEN,
     "the signature is over the bytes as they came, however they are spaced",
     "Every charge is refused as soon as the till writes its JSON in another way than expected.",
     ABOUT(WRONG_REFUSED), signature_odd_spacing},

    {"amount-exact", SURFACE_PAYMENTS, "CODE", false, COUNTING,
     "what is asked, what is answered and what leaves the card is the same cent", MISBOOKS, 0,
     amount_exact},
    {"amount-string", SURFACE_PAYMENTS, "choice", false, COUNTING,
     "an amount may come as text, such as \"0.25\"", STRANDED, ABOUT(WRONG_REFUSED), amount_string},
    {"amount-zero", SURFACE_PAYMENTS, "choice", false, COUNTING, "a charge of nothing is refused",
     "The till adds a payment of 0.00 to the sale, and the cashier reads that the card was "
     "charged.",
     0, amount_zero},
    {"amount-negative", SURFACE_PAYMENTS, "choice", false, COUNTING, "a negative charge is refused",
     "A charge of -10.00 loads the card: the till's keyboard prints money.", ABOUT(WRONG_MORE),
     amount_negative},
    {"amount-three-decimals", SURFACE_PAYMENTS, "choice", false, COUNTING,
     "parts of a cent are refused, never rounded",
     "The sale stays open by a fraction that nobody can pay, or the card loses it.",
     ABOUT(WRONG_APPROVED), amount_three_decimals},
    {"amount-huge", SURFACE_PAYMENTS, "choice", false, EMPTYING,
     "an amount beyond 64 bits does not wrap around",
     "A sale of any size is paid by a card with five cents on it.", 0, amount_huge},
    {"amount-not-a-number", SURFACE_PAYMENTS, "choice", false, COUNTING,
     "what is no plain decimal is refused",
     "The card is charged for what a guess made of \"0,10\", or of true.",
     ABOUT(WRONG_APPROVED) | ABOUT(WRONG_LESS), amount_not_a_number},
    {"amount-cents", SURFACE_PAYMENTS, "CODE", false, COUNTING,
     "1 means one unit of the currency, not a cent", MISBOOKS, 0, amount_cents},

    {"balance-after-charge", SURFACE_PAYMENTS, "INFER", false, COUNTING,
     "the balance is what is left, right after a charge",
     "The cashier tells the customer another balance than his sales leave; the next charge is "
     "refused, or the shop has lost the money.",
     ABOUT(WRONG_LESS) | ABOUT(WRONG_MORE), balance_after_charge},
    {"balance-in-reply", SURFACE_PAYMENTS, "choice", false, COUNTING,
     "the balance in the answer to a charge is the one that check-balance tells",
     "The receipt tells the customer one balance, the next look another.", 0, balance_in_reply},
    {"balance-only-looks", SURFACE_PAYMENTS, "DOC", false, LOOKING,
     "looking at a balance moves nothing", "Customers lose money by asking how much they have.",
     ABOUT(WRONG_LESS), balance_only_looks},
    {"balance-after-refusal", SURFACE_PAYMENTS, "choice", false, COUNTING,
     "a refused charge moves nothing",
     "The till says \"refused\", the customer pays in cash, and the card is charged as well.",
     ABOUT(WRONG_LESS), balance_after_refusal},
    {"partial-at-most-asked", SURFACE_PAYMENTS, "3P, choice", false, EMPTYING,
     "a card that has too little is charged what it has, or nothing", MISBOOKS, 0,
     partial_at_most_asked},
    {"partial-rest", SURFACE_PAYMENTS, "3P", false, EMPTYING | NEED_CARD,
     "the rest of a sale is paid by another card",
     "The till stays on the checkout screen with money due that no card will pay.",
     ABOUT(WRONG_REFUSED), partial_rest},
    {"partial-empty-card", SURFACE_PAYMENTS, "choice", false,
     NEED_EMPTY_CARD | NEED_CHECKOUT | NEED_CHECK_BALANCE,
     "a card without money is refused, not approved with 0.00",
     "The till adds a payment of 0.00 and says \"successful\"; the sale stays open.", 0,
     partial_empty_card},

    {"once-retry", SURFACE_PAYMENTS, "CODE, choice", false, COUNTING,
     "the same charge again gets the same answer, and moves nothing", TWICE, ABOUT(WRONG_LESS),
     once_retry},
    {"once-retry-later", SURFACE_PAYMENTS, "CODE, choice", false, COUNTING,
     "so it is four seconds and another sale later", TWICE, ABOUT(WRONG_LESS), once_retry_later},
    {"once-concurrent", SURFACE_PAYMENTS, "CODE, choice", false, COUNTING,
     "the same charge six times at once is made once", TWICE, ABOUT(WRONG_LESS), once_concurrent},
    {"once-other-amount", SURFACE_PAYMENTS, "choice", false, COUNTING,
     "another amount on the same sale is a new question", MISBOOKS, 0, once_other_amount},
    {"once-other-order", SURFACE_PAYMENTS, "choice", false, COUNTING,
     "the same amount on another sale is a new charge",
     "The second of two equal sales is never paid: the shop gives its goods away.",
     ABOUT(WRONG_MORE), once_other_order},
    {"once-decline-then-funds", SURFACE_PAYMENTS, "choice", false, EMPTYING,
     "a refusal is not repeated once the card has money",
     "The customer tops up, the cashier presses again, and the old refusal comes back.",
     ABOUT(WRONG_REFUSED), once_decline_then_funds},
    {"once-other-register", SURFACE_PAYMENTS, "choice", false, COUNTING,
     "the same sale opened on another register is the same charge",
     "The customer pays twice: the sale was opened again on the till beside.", ABOUT(WRONG_LESS),
     once_other_register},
    {"once-refund-retry", SURFACE_PAYMENTS, "choice", false, COUNTING | NEED_REFUND,
     "the same refund again is given once",
     "The shop pays twice: each lost reply of a refund is money given away.", ABOUT(WRONG_MORE),
     once_refund_retry},
    {"once-top-up-retry", SURFACE_PAYMENTS, "choice", false, LOADING,
     "the same top-up again loads once", "The customer pays for one load and gets two.",
     ABOUT(WRONG_MORE), once_top_up_retry},

    {"refund-gives-back", SURFACE_PAYMENTS, "DOC", false, COUNTING | NEED_REFUND,
     "a refund puts back exactly what it says",
     "The till books a refund that never reaches the customer's card.", ABOUT(WRONG_LESS),
     refund_gives_back},
    {"refund-at-most", SURFACE_PAYMENTS, "choice", false, COUNTING | NEED_REFUND,
     "no more is refunded than was charged", "Staff turn a sale of 1.00 into a card of 100.00.", 0,
     refund_at_most},
    {"refund-no-charge", SURFACE_PAYMENTS, "choice", false, LOOKING | NEED_REFUND,
     "a refund without any charge has a limit, and no card nobody has is credited",
     "Staff load cards from nothing: no sale, no payment.",
     ABOUT(WRONG_APPROVED) | ABOUT(WRONG_MORE), refund_no_charge},
    {"top-up-adds", SURFACE_PAYMENTS, "DOC", false, LOADING, "a top-up loads exactly what it says",
     "The customer has paid for another amount than the card has.",
     ABOUT(WRONG_LESS) | ABOUT(WRONG_MORE), top_up_adds},
    {"top-up-then-spend", SURFACE_PAYMENTS, "DOC, choice", false, LOADING | NEED_CHECKOUT,
     "what was loaded can be spent", "The customer has paid for value that cannot be spent.", 0,
     top_up_then_spend},

    {"card-dashes", SURFACE_PAYMENTS, "3P", false, LOOKING,
     "a number typed with dashes or spaces is the same card", STRANDED, 0, card_dashes},
    {"card-swipe", SURFACE_PAYMENTS, "DOC, choice", false, LOOKING | NEED_DIGITS,
     "a swiped card is the card of its stripe", STRANDED, 0, card_swipe},
    {"card-reference-id", SURFACE_PAYMENTS, "DOC", false, LOOKING,
     "a card may come as reference_id, which counts before keyword", STRANDED, 0,
     card_reference_id},
    /* Before what is guessed wildly: a budget of guesses that is spent says the same to all. */
    {"card-pin", SURFACE_PAYMENTS, "choice", false, NEED_PIN_CARD | NEED_CHECK_BALANCE,
     "a card with a PIN is told with its PIN only",
     "Who has read a card number from a receipt spends the card.", ABOUT(WRONG_APPROVED), card_pin},
    {"card-stock", SURFACE_PAYMENTS, "choice", false, NEED_STOCK_CARD | NEED_CHECKOUT,
     "a printed card that is not sold pays nothing, and looks like an unknown one",
     "Cards taken from the rack can be told from worthless numbers before they are paid for.", 0,
     card_stock},
    {"card-unicode", SURFACE_PAYMENTS, "choice", false, NEED_CHECKOUT,
     "letters, emoji and foreign digits are refused, in JSON", CRASHES, ABOUT(WRONG_NO_OBJECT),
     card_unicode},
    {"card-quotes", SURFACE_PAYMENTS, "choice", false, NEED_CHECKOUT,
     "quotes, SQL and markup are refused, in JSON",
     "A cashier who types a name with an apostrophe crashes the till, or charges a stranger.",
     ABOUT(WRONG_NO_OBJECT) | ABOUT(WRONG_APPROVED), card_quotes},
    {"card-long", SURFACE_PAYMENTS, "choice", false, NEED_CHECKOUT,
     "a number of any length is refused, in JSON", CRASHES, ABOUT(WRONG_NO_OBJECT), card_long},
    {"fields-unknown", SURFACE_PAYMENTS, "choice", false, LOOKING,
     "fields nobody knows are ignored",
     "The next version of the till's software stops every payment.", 0, fields_unknown},
    {"fields-id-strings", SURFACE_PAYMENTS, "DOC", false, LOOKING, "ids may come as text", STRANDED,
     0, fields_id_strings},
    {"fields-escapes", SURFACE_PAYMENTS, "DOC", false, LOOKING,
     "JSON escapes mean the character they stand for", STRANDED, 0, fields_escapes},
    {"fields-form", SURFACE_PAYMENTS, "choice", false, LOOKING | NEED_CHECKOUT,
     "a form is read as well as JSON",
     "Nothing public says which of both registers send: if it is forms, no payment works.",
     ABOUT(WRONG_REFUSED), fields_form},

    {"race-one-card", SURFACE_PAYMENTS, "choice", false, COUNTING,
     "eight sales at once on one card: what is approved has left it",
     "A charge is approved that the card never paid, or lost money for nothing.", 0, race_one_card},
    {"race-last-cents", SURFACE_PAYMENTS, "choice", false, EMPTYING,
     "eight tills want a card's last money: it is spent once",
     "The shop gives away goods for money that several tills have spent at once.", 0,
     race_last_cents},

    {"client-slow-body", SURFACE_PAYMENTS, "choice", false, PAYING,
     "a body that comes in pieces is served", STRANDED, 0, client_slow_body},
    {"client-split-head", SURFACE_PAYMENTS, "choice", false, PAYING,
     "a head that comes in pieces is served", STRANDED, 0, client_split_head},
    {"client-cut-body", SURFACE_PAYMENTS, "choice", false, COUNTING, "half a body charges nothing",
     "The card is charged for a request the till never finished.", ABOUT(WRONG_LESS),
     client_cut_body},
    {"client-keep-alive", SURFACE_PAYMENTS, "choice", false, LOOKING,
     "a second request on the same connection is answered, or the first says \"close\"",
     "Every second press of the button ends in a connection error.", 0, client_keep_alive},
    {"client-gone-before-reply", SURFACE_PAYMENTS, "CODE, choice", false, COUNTING,
     "a charge whose reply was lost is made once, and told on the next press", TWICE,
     ABOUT(WRONG_LESS), client_gone_before_reply},
    {"client-chunked", SURFACE_PAYMENTS, "choice", false, PAYING, "a chunked body is served",
     STRANDED, 0, client_chunked},
    {"client-expect-continue", SURFACE_PAYMENTS, "choice", false, PAYING,
     "Expect: 100-continue is served", STRANDED, 0, client_expect_continue},

    {"latency-check-balance", SURFACE_PAYMENTS, "choice", false, LOOKING,
     "a balance is told within a second, at worst four",
     "The cashier thinks the till hangs and presses again.", 0, latency_check_balance},
    {"latency-checkout", SURFACE_PAYMENTS, "choice", false, PAYING,
     "a charge is answered within a second, at worst four",
     "The cashier thinks the till hangs, presses again, and the customer pays twice.", 0,
     latency_checkout},

    {"search-shape", SURFACE_LOYALTY, "DOC", true, NEED_SEARCH | NEED_KEYWORD,
     "a search gives members, each under its id, with id, first_name and email_address",
     "The till's search screen crashes.", ABOUT(WRONG_NO_OBJECT), search_shape},
    {"search-nobody", SURFACE_LOYALTY, "choice", false, NEED_SEARCH,
     "nobody found is an empty object, with status 200",
     "The till's search screen crashes, or shows an error for a customer who is just new.",
     ABOUT(WRONG_NO_OBJECT), search_nobody},
    {"search-odd-keywords", SURFACE_LOYALTY, "DOC", true, NEED_SEARCH,
     "whatever is typed is answered in JSON", "The till's search screen crashes.",
     ABOUT(WRONG_NO_OBJECT), search_odd_keywords},
    {"search-fields", SURFACE_LOYALTY, "DOC", false, NEED_SEARCH | NEED_KEYWORD,
     "fields of members have their types, and none is null",
     "The member panel shows \"null\", or the screen crashes.", 0, search_fields},
    {"search-order-id", SURFACE_LOYALTY, "DOC", false, NEED_SEARCH | NEED_KEYWORD,
     "the order_id of a search is a placeholder, whatever it is",
     "Members are found on some sales and not on others.", 0, search_order_id},
    {"lookup-shape", SURFACE_LOYALTY, "DOC-OLD", true, NEED_SEARCH | NEED_LOOKUP | NEED_KEYWORD,
     "a look-up gives the member and a list of rewards",
     "The member panel stays empty, or the screen crashes.", 0, lookup_shape},
    {"lookup-placeholder", SURFACE_LOYALTY, "DOC-OLD", false,
     NEED_SEARCH | NEED_LOOKUP | NEED_KEYWORD,
     "a redeem_url holds order_id=PLACEHOLDER, exactly, once, last",
     "The platform cannot put the real sale in: rewards are redeemed on no sale, or a wrong one.",
     0, lookup_placeholder},
    {"lookup-unknown", SURFACE_LOYALTY, "DOC-OLD", false, NEED_LOOKUP,
     "a member nobody knows gets an error or no rewards, in JSON",
     "A stranger's points are shown, and spent.", 0, lookup_unknown},
    {"redeem-changes-order", SURFACE_LOYALTY, "DOC, DOC-OLD", false,
     NEED_SEARCH | NEED_LOOKUP | NEED_KEYWORD | NEED_CLOUD,
     "\"success\":true means the sale is cheaper, or has the product",
     "The customer's points are gone and the price is the same.", 0, redeem_changes_order},
    {"redeem-once", SURFACE_LOYALTY, "choice", false,
     NEED_SEARCH | NEED_LOOKUP | NEED_KEYWORD | NEED_CLOUD,
     "the same reward is put on one sale, once",
     "Two taps give two discounts, or one reward pays two sales.", ABOUT(WRONG_APPROVED),
     redeem_once},
    {"redeem-unknown-order", SURFACE_LOYALTY, "choice", false,
     NEED_SEARCH | NEED_LOOKUP | NEED_KEYWORD, "a reward on a sale that is not there is refused",
     "The till says \"redeemed\", the points are gone, and no sale is cheaper.",
     ABOUT(WRONG_APPROVED), redeem_unknown_order},
};

const struct check_case *cases_all(size_t *count)
{
    *count = COUNT_OF(CASES);
    return CASES;
}

static bool is_id(const char *word)
{
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        if (strcmp(CASES[i].id, word) == 0)
            return true;
    }
    return false;
}

bool picks_hold(const struct picks *picks, const char *id)
{
    for (size_t i = 0; i < picks->count; i++) {
        size_t length = strlen(picks->id[i]);
        bool is_start = strncmp(picks->id[i], id, length) == 0;
        if (is_start && (id[length] == '\0' || (id[length] == '-' && !is_id(picks->id[i]))))
            return true;
    }
    return false;
}

static bool is_missing(char *why, const char *what)
{
    (void)snprintf(why, SENTENCE_MAX, "%s", what);
    return false;
}

static bool data_is_there(const struct check_case *check, const struct settings *settings,
                          char *why)
{
    const struct {
        unsigned need;
        const char *value;
        const char *missing;
    } rows[] = {{NEED_CARD, settings->card, "needs a card with money on it: --card"},
                {NEED_EMPTY_CARD, settings->empty_card, "needs a card without money: --empty-card"},
                {NEED_PIN_CARD, settings->pin_card, "needs a card with its PIN: --pin-card N*PIN"},
                {NEED_STOCK_CARD, settings->stock_card,
                 "needs a printed card that is not sold: --stock-card"},
                {NEED_TOKEN, settings->token, "needs the Signature Token: --token"},
                {NEED_KEYWORD, settings->keyword, "needs a word that finds a member: --keyword"},
                {NEED_CLOUD, settings->cloud,
                 "needs the fake cloud that the target is connected to: --cloud"},
                {NEED_BASE, settings->target, "needs a base address: --target"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if ((check->needs & rows[i].need) != 0 && rows[i].value == NULL)
            return is_missing(why, rows[i].missing);
    }
    if ((check->needs & NEED_DIGITS) != 0 && !text_is_digits(text_of(settings->card)))
        return is_missing(why, "needs a card whose number is digits alone");
    return true;
}

static bool actions_are_there(const struct check_case *check, const struct settings *settings,
                              char *why)
{
    static const struct {
        unsigned need;
        enum till_action action;
    } ROWS[] = {{NEED_CHECKOUT, TILL_CHECKOUT},      {NEED_CHECK_BALANCE, TILL_CHECK_BALANCE},
                {NEED_TOP_UP, TILL_TOP_UP},          {NEED_REFUND, TILL_REFUND},
                {NEED_SEARCH, TILL_CUSTOMER_SEARCH}, {NEED_LOOKUP, TILL_REWARD_LOOKUP}};
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        const char *path = till_action_path(ROWS[i].action);
        if ((check->needs & ROWS[i].need) != 0 && !settings_have_action(settings, ROWS[i].action)) {
            (void)snprintf(why, SENTENCE_MAX, "needs %s: --target, or --%s-url", path, path);
            return false;
        }
    }
    return true;
}

bool case_is_possible(const struct check_case *check, const struct settings *settings, char *why)
{
    if (settings->profile == PROFILE_LENIENT && !check->is_lenient)
        return is_missing(why, "asked in the strict profile only: --profile strict");
    return actions_are_there(check, settings, why) && data_is_there(check, settings, why);
}
