/*
 * Profiles: the names a register dialect gives to the fields of requests and replies, as data. The
 * vendor's public text does not confirm most of them, so a correction must be an edit of a JSON
 * file, read at start and on SIGHUP, never a rebuild (protocol o-series 2.6). "default" is built
 * in (handlers/profiles/default.json); COUNTERPART_PROFILES names a folder of NAME.json. A file
 * need only hold what differs from the built-in default.
 *
 * A profile is compiled when it is loaded: a request walks arrays and never sees the JSON.
 */
#ifndef COUNTERPART_HANDLERS_PROFILE_H
#define COUNTERPART_HANDLERS_PROFILE_H

#include "base/text.h"

#define PROFILE_NAME_MAX 64 /* of a field; the longest known one has 14 */
#define PROFILE_ALIASES_MAX 8
#define PROFILE_PAIRS_MAX 16         /* fields of one reply; the default has 6 */
#define PROFILES_MAX 64              /* files in the folder */
#define PROFILE_FILE_MAX (64 * 1024) /* the default has 3 KiB */
#define PROFILE_TITLE_MAX 32         /* NAME of NAME.json; as in struct tenant */

enum profile_action {
    PROFILE_CHECKOUT,
    PROFILE_CHECK_BALANCE,
    PROFILE_TOP_UP,
    PROFILE_REFUND,
    PROFILE_ACTIONS,
};

/* What a request says, whatever its dialect calls it. */
enum profile_field {
    PROFILE_COMPANY,
    PROFILE_SITE,
    PROFILE_REGISTER,
    PROFILE_ORDER,
    PROFILE_KEYWORD,
    PROFILE_REFERENCE,
    PROFILE_AMOUNT,
    PROFILE_REFUSED, /* names that only another action's body carries: such a body is refused */
    PROFILE_FIELDS,
};

/* What a reply can say. X(symbol, name in the file, the kinds of list it may stand in). */
#define PROFILE_IN_SUCCESS 1
#define PROFILE_IN_FAILURE 2
#define PROFILE_IN_REFUSAL 4
#define PROFILE_IN_MEMBER 8
#define PROFILE_IN_PARAMS 16
#define PROFILE_IN_REWARD 32
#define PROFILE_IN_REDEEMED 64
#define PROFILE_VALUE_LIST(X)                                                                      \
    X(PROFILE_VALUE_SUCCESS, "success", 71)    /* true or false */                                 \
    X(PROFILE_VALUE_AMOUNT, "amount", 3)       /* moved; 0 on failure */                           \
    X(PROFILE_VALUE_ASKED, "asked", 3)         /* the amount of the request */                     \
    X(PROFILE_VALUE_DUE, "due", 3)             /* asked less moved */                              \
    X(PROFILE_VALUE_BALANCE, "balance", 3)     /* on the card now */                               \
    X(PROFILE_VALUE_REFERENCE, "reference", 3) /* "CP1-42"; left out when nothing was recorded */  \
    X(PROFILE_VALUE_LAST4, "last4", 3)         /* left out when the card is not known */           \
    X(PROFILE_VALUE_CURRENCY, "currency", 3)   /* "AUD" */                                         \
    X(PROFILE_VALUE_MESSAGE, "message", 71)    /* the sentence, also on failure */                 \
    X(PROFILE_VALUE_ERROR, "error", 6)         /* the sentence; only on failure */                 \
    X(PROFILE_VALUE_CODE, "code", 71)          /* "ok", "no_funds", "not_found" ... */             \
    /* of a member */                                                                              \
    X(PROFILE_VALUE_MEMBER, "member", 24)         /* the member id that registers see */           \
    X(PROFILE_VALUE_FIRST_NAME, "first_name", 24) /* never empty */                                \
    X(PROFILE_VALUE_LAST_NAME, "last_name", 24)                                                    \
    X(PROFILE_VALUE_EMAIL, "email", 24) /* never empty */                                          \
    X(PROFILE_VALUE_PHONE, "phone", 24) /* these: left out when not known */                       \
    X(PROFILE_VALUE_CARD, "card", 24)                                                              \
    X(PROFILE_VALUE_TIER, "tier", 24)                                                              \
    X(PROFILE_VALUE_ICON_URL, "icon_url", 24)                                                      \
    X(PROFILE_VALUE_INTRO_TEXT, "intro_text", 24)                                                  \
    X(PROFILE_VALUE_POINTS, "points", 24)             /* that can be spent */                      \
    X(PROFILE_VALUE_POINTS_LABEL, "points_label", 24) /* a tenant setting */                       \
    X(PROFILE_VALUE_PARAMS, "params", 8)              /* an object of its own */                   \
    /* of a reward */                                                                              \
    X(PROFILE_VALUE_REWARD, "reward", 32) /* its id, "R7" */                                       \
    X(PROFILE_VALUE_TITLE, "title", 32)                                                            \
    X(PROFILE_VALUE_TERMS, "terms", 32)                                                            \
    X(PROFILE_VALUE_POINTS_REQUIRED, "points_required", 32)                                        \
    X(PROFILE_VALUE_REDEEM_URL, "redeem_url", 32)

enum profile_value {
#define X(symbol, name, lists) symbol,
    PROFILE_VALUE_LIST(X)
#undef X
        PROFILE_VALUES,
};

struct profile_names {
    int32_t count;
    char names[PROFILE_ALIASES_MAX][PROFILE_NAME_MAX + 1]; /* in order: the first hit wins */
    uint8_t lengths[PROFILE_ALIASES_MAX];                  /* of names */
};

/* "name": with every character of the name escaped, and a NUL. */
#define PROFILE_KEY_BYTES (2 * PROFILE_NAME_MAX + 4)

struct profile_pair {
    char name[PROFILE_NAME_MAX + 1];
    char key[PROFILE_KEY_BYTES]; /* as it stands in a reply */
    uint8_t key_length;
    enum profile_value value;
};

struct profile_reply {
    int32_t count;
    struct profile_pair pairs[PROFILE_PAIRS_MAX]; /* in the order of the reply */
};

/* Loyalty: what the requests of search, look-up and redeem may say. */
enum loyalty_field {
    LOYALTY_COMPANY,
    LOYALTY_SITE,
    LOYALTY_ORDER,
    LOYALTY_KEYWORD,
    LOYALTY_REFERENCE,
    LOYALTY_CUSTOMER,
    LOYALTY_FIELDS,
};

/* One of the two replies that tell members: search tells several, look-up one. */
struct profile_members {
    char wrapper[PROFILE_NAME_MAX + 1];
    bool points_are_strings;
    struct profile_reply member;
    struct profile_reply params; /* labels that a register shows as they are */
};

struct profile_loyalty {
    struct profile_names request[LOYALTY_FIELDS];
    struct profile_members search, lookup;
    char rewards_wrapper[PROFILE_NAME_MAX + 1];
    struct profile_reply reward;
    struct profile_reply redeemed, not_redeemed;
    struct profile_reply error; /* of search and look-up */
};

struct profile_set;

/* One dialect; immutable. */
struct profile {
    char title[PROFILE_TITLE_MAX + 1];
    struct profile_names request[PROFILE_ACTIONS][PROFILE_FIELDS];
    struct profile_reply success[PROFILE_ACTIONS];
    struct profile_reply failure[PROFILE_ACTIONS];
    struct profile_reply refusal; /* what is refused before or outside a decision: 400, 401, 503 */
    struct profile_loyalty loyalty;
    struct profile_set *set; /* keeps it alive; profile.c's own */
};

struct profiles; /* the set; swapped whole on reload */

/* folder NULL: the built-in default only. errors: ERR_BAD_CONFIG; which file and what is wrong with
 * it was logged. */
MUST_CHECK int profiles_create(const char *folder, struct profiles **profiles);
void profiles_destroy(struct profiles *profiles); /* accepts NULL */
/* On error the old set stays in force. */
MUST_CHECK int profiles_reload(struct profiles *profiles);
/* A held reference; name unknown: the default. Any thread; one lock, one counter. */
const struct profile *profile_acquire(struct profiles *profiles, const char *name);
void profile_release(const struct profile *profile); /* accepts NULL; also after a reload */

/* Another dialect of the set that held belongs to, good for as long as held is; name unknown: the
 * default. A loop holds one dialect for all its requests: taking a reference for each of them cost
 * 0.2 us with two loops. */
const struct profile *profile_beside(const struct profile *held, const char *name);

static inline struct text profile_name(const struct profile_names *names, int32_t index)
{
    return (struct text){names->names[index], names->lengths[index]};
}
static inline struct text profile_key(const struct profile_pair *pair)
{
    return (struct text){pair->key, pair->key_length};
}

/* Is there one of this name, or would the default stand in for it? */
bool profiles_know(struct profiles *profiles, const char *name);

/* The refusal of a dialect, such as {"success":false,"error":"sentence","code":"wire_name"}. */
void profile_append_refusal(const struct profile *profile, struct text_buffer *buffer,
                            const char *code, const char *sentence);

/* As in the files: "check_balance", "company_id", "reference". */
const char *profile_action_name(enum profile_action action);
const char *profile_field_name(enum profile_field field);
const char *profile_value_name(enum profile_value value);
const char *profile_loyalty_field_name(enum loyalty_field field);

/*
 * Compile one profile file over a copy of base (NULL: nothing is inherited).
 *
 * errors     ERR_BAD_CONFIG: problem says where and what; ERR_NO_MEMORY.
 */
MUST_CHECK int profile_compile(struct text json, const struct profile *base,
                               struct profile *profile, struct text_buffer *problem);

#endif
