/*
 * Members, rewards and points as rows.
 */
#ifndef COUNTERPART_STORE_MEMBER_H
#define COUNTERPART_STORE_MEMBER_H

#include "ledger/points.h"
#include "store/store.h"

#define MEMBER_CODE_MAX 64
#define MEMBER_NAME_MAX 80
#define MEMBER_EMAIL_MAX 254 /* RFC 5321 */
#define MEMBER_PHONE_MAX 32
#define MEMBER_CARD_MAX 64
#define MEMBER_URL_MAX 300
#define MEMBER_INTRO_MAX 200
#define MEMBER_TIER_MAX 40

/* All text is UTF-8, NUL-terminated; empty: not known. */
struct member {
    int64_t id;
    int64_t tenant_id;
    char code[MEMBER_CODE_MAX +
              1]; /* the member id that registers see; unique per tenant. Empty when
                                       adding: "M-<id>" */
    char first_name[MEMBER_NAME_MAX + 1];
    char last_name[MEMBER_NAME_MAX + 1];
    char email[MEMBER_EMAIL_MAX + 1];
    char phone[MEMBER_PHONE_MAX + 1];
    char card_number[MEMBER_CARD_MAX + 1]; /* of a membership card: no money is on it */
    char icon_url[MEMBER_URL_MAX + 1];
    char intro_text[MEMBER_INTRO_MAX + 1];
    char tier[MEMBER_TIER_MAX + 1];
    int64_t created_at_us;
    struct points_account account; /* is_active included */
};

/* ids and code are filled in, is_active and created_at_us taken as given; points start at 0 (grant
 * them by store_run_points).
 * errors  ERR_ALREADY_EXISTS: the code is taken. */
MUST_CHECK int store_add_member(struct store *store, struct member *member);
/* Everything but id, tenant, code and account; is_active is taken from account. */
MUST_CHECK int store_update_member(struct store *store, const struct member *member);
MUST_CHECK int store_read_member(struct store *store, int64_t tenant_id, int64_t member_id,
                                 struct member *member);
MUST_CHECK int store_read_member_by_code(struct store *store, int64_t tenant_id, struct text code,
                                         struct member *member);
/* A member who is like in all but spelling: names, and the e-mail address, or when like has none,
 * the phone; one who is active before one who is not. So an import without codes knows whom it has
 * brought before, and does not bring back who was switched off since.
 * errors  ERR_NOT_FOUND; also for like without address and phone. */
MUST_CHECK int store_find_same_member(struct store *store, const struct member *like,
                                      struct member *member);
typedef void (*store_member_fn)(void *context, const struct member *member);
/* In id order from after_id on. */
MUST_CHECK int store_each_member(struct store *store, int64_t tenant_id, int64_t after_id,
                                 int32_t limit, store_member_fn each, void *context);

/*
 * Members by what a cashier typed: each word is a prefix of a word of the name, of the e-mail
 * address (whole or after a dot), phone (digits only), code or card number; all words must match.
 * When nothing does, words of names and addresses of at least SEARCH_TYPO_MIN characters may differ
 * by one edit (insert, delete, replace, swap neighbours); numbers and codes are never guessed.
 * Case, accents and punctuation do not matter (base/fold.h). Active members only; exact words
 * first, then by id; at most limit.
 *
 * Bounded work: at most SEARCH_SCAN_MAX rows are looked at for one query, so of two very short
 * words not everybody may be found.
 */
#define SEARCH_TYPO_MIN 4
#define SEARCH_WORDS_MAX 6
#define SEARCH_KEYWORD_MAX 200 /* characters that count; the rest is cut */
#define SEARCH_SCAN_MAX 2000
#define SEARCH_RESULTS_MAX 20
MUST_CHECK int store_search_members(struct store *store, int64_t tenant_id, struct text keyword,
                                    int32_t limit, store_member_fn each, void *context);

/* --- rewards --- */

#define REWARD_TITLE_MAX 80
#define REWARD_TERMS_MAX 200
#define REWARDS_MAX 100 /* of one tenant; a register shows a handful */

/* Stored as these numbers. */
enum reward_effect {
    REWARD_MONEY_OFF = 1,   /* amount_minor off the order */
    REWARD_PERCENT_OFF = 2, /* percent_bp / 100 percent off the order */
    REWARD_PRODUCT = 3,     /* one product_id, free of charge */
    REWARD_PAY = 4,         /* amount_minor is paid onto the order: needs an approval
                               (ledger/foreign.h), and cannot be taken off again */
};
struct reward {
    int64_t id;
    int64_t tenant_id;
    char title[REWARD_TITLE_MAX + 1];
    char terms[REWARD_TERMS_MAX + 1];
    int64_t points;
    enum reward_effect effect;
    int64_t amount_minor;
    int32_t percent_bp; /* 1..10000 */
    int64_t product_id;
    bool is_active;
};
/* id is filled in. errors  ERR_TOO_LARGE: the tenant has REWARDS_MAX; ERR_NOT_FOUND: no such
 * tenant. */
MUST_CHECK int store_add_reward(struct store *store, struct reward *reward);
/* Everything but id and tenant. errors: ERR_NOT_FOUND. */
MUST_CHECK int store_update_reward(struct store *store, const struct reward *reward);
MUST_CHECK int store_read_reward(struct store *store, int64_t tenant_id, int64_t reward_id,
                                 struct reward *reward);
typedef void (*store_reward_fn)(void *context, const struct reward *reward);
/* In id order, those switched off included. */
MUST_CHECK int store_each_reward(struct store *store, int64_t tenant_id, store_reward_fn each,
                                 void *context);

/* --- points --- */

/*
 * Fetch, points_decide, commit: one command in a transaction of its own (or in the group's).
 * Safe to repeat: what was done answers POINTS_ALREADY_DONE or POINTS_UNDER_WAY.
 *
 * errors     the store's; *outcome is then untouched, but for ERR_COMMIT_UNKNOWN: what has
 *            happened if it has; run the same command again to see. GRANT alone has no identity:
 *            the caller must not repeat it blindly.
 *            ERR_BUG: an id that the action needs is not positive, or its token is empty.
 */
MUST_CHECK int store_run_points(struct store *store, const struct points_command *command,
                                int64_t now_us, struct points_outcome *outcome);

MUST_CHECK int store_read_reservation(struct store *store, int64_t reservation_id,
                                      struct reservation *reservation);
typedef void (*store_reservation_fn)(void *context, const struct reservation *reservation);
/* Those in this state, RESERVED or APPLIED, not changed since changed_before_us, oldest first. */
MUST_CHECK int store_each_open_reservation(struct store *store, enum reservation_state state,
                                           int64_t changed_before_us, int32_t limit,
                                           store_reservation_fn each, void *context);
/* RESERVED and APPLIED ones of a member, oldest first. */
MUST_CHECK int store_each_member_reservation(struct store *store, int64_t tenant_id,
                                             int64_t member_id, store_reservation_fn each,
                                             void *context);
/* All of one order, oldest first. */
MUST_CHECK int store_each_order_reservation(struct store *store, int64_t tenant_id,
                                            int64_t order_id, store_reservation_fn each,
                                            void *context);
/* The entry of this cause, BURN or RETURN, that answers a reservation: there is one at most.
 * errors: ERR_NOT_FOUND. */
MUST_CHECK int store_read_points_answer(struct store *store, int64_t reservation_id,
                                        enum points_cause cause, struct points_entry *entry);
typedef void (*store_points_entry_fn)(void *context, const struct points_entry *entry);
/* Newest first. errors: ERR_NOT_FOUND: no such member of the tenant. */
MUST_CHECK int store_each_points_entry(struct store *store, int64_t tenant_id, int64_t member_id,
                                       int32_t limit, store_points_entry_fn each, void *context);
/* Members of a tenant with points beyond what is held that were last active before
 * inactive_since_us; the longest idle first. */
MUST_CHECK int store_each_idle_member(struct store *store, int64_t tenant_id,
                                      int64_t inactive_since_us, int32_t limit,
                                      store_member_fn each, void *context);

#endif
