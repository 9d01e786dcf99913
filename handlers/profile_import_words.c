/* How well a name says what a field is, and a title which action an example is of. */
#include "handlers/profile_import_parts.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define WORDS_MAX 12 /* of one name; "remaining balance on the card after it" has 7 */
#define WORD_SIZE 32
/* What a word says that is not the whole name: "charge_amount" is most likely an amount. */
#define LOSS_NOISE 5
#define LOSS_LAST 22
#define LOSS_INSIDE 35

struct words {
    int32_t count;
    char words[WORDS_MAX][WORD_SIZE];
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_letter(char c)
{
    return lower(c) >= 'a' && lower(c) <= 'z';
}

static bool begins_word(struct text text, size_t at)
{
    char c = text.base[at], before = at == 0 ? ' ' : text.base[at - 1];
    bool is_upper = c >= 'A' && c <= 'Z', was_upper = before >= 'A' && before <= 'Z';
    bool is_last = at + 1 == text.length;
    bool is_lower_next =
        !is_last && is_letter(text.base[at + 1]) && lower(text.base[at + 1]) == text.base[at + 1];
    return is_upper && (!was_upper || is_lower_next); /* cardNumber, POSId */
}

/* "cardNumber", "card_number" and "Card number" are all card, number. */
static void words_split(struct words *words, struct text text)
{
    size_t used = 0;
    bool is_open = false;
    memset(words, 0, sizeof(*words));
    for (size_t i = 0; i < text.length; i++) {
        char c = text.base[i];
        bool is_part = is_letter(c) || (c >= '0' && c <= '9');
        if (!is_part || (is_open && begins_word(text, i)))
            is_open = false;
        if (!is_part)
            continue;
        if (!is_open && words->count == WORDS_MAX)
            return;
        if (!is_open) {
            words->count++;
            used = 0;
        }
        is_open = true;
        if (used + 1 < WORD_SIZE)
            words->words[words->count - 1][used++] = lower(c);
    }
}

static bool is_noise(const char *word)
{
    static const char *const noise[] = {"id",  "no",    "nr",    "num",   "number", "str",
                                        "the", "field", "value", "param", "is",     "has"};
    for (size_t i = 0; i < COUNT_OF(noise); i++)
        if (strcmp(word, noise[i]) == 0)
            return true;
    return false;
}

/* The words from..to together; with_noise: all of them. */
static void words_join(const struct words *words, int32_t from, int32_t to, bool with_noise,
                       char *out, size_t size)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, out, size);
    for (int32_t i = from; i < to; i++)
        if (with_noise || !is_noise(words->words[i]))
            text_append(&buffer, text_of(words->words[i]));
}

/* "amount=100 sum=95": what stands behind the word; 0: it is not there. */
static int list_find(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; length > 0 && at != NULL; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, word, length) != 0 || at[length] != '=')
            continue;
        int score = 0;
        for (const char *digit = at + length + 1; *digit >= '0' && *digit <= '9'; digit++)
            score = 10 * score + (*digit - '0');
        return score;
    }
    return 0;
}

static int at_least_zero(int score)
{
    return score > 0 ? score : 0;
}

int words_score(struct text name, const char *list)
{
    struct words words;
    char joined[WORDS_MAX * WORD_SIZE];
    words_split(&words, name);
    words_join(&words, 0, words.count, true, joined, sizeof(joined));
    int best = list_find(list, joined);
    words_join(&words, 0, words.count, false, joined, sizeof(joined));
    int score = at_least_zero(list_find(list, joined) - LOSS_NOISE);
    best = score > best ? score : best;
    for (int32_t i = 0; i < words.count && words.count > 1; i++) {
        bool is_last = i == words.count - 1;
        score = is_noise(words.words[i]) ? 0
                                         : at_least_zero(list_find(list, words.words[i]) -
                                                         (is_last ? LOSS_LAST : LOSS_INSIDE));
        best = score > best ? score : best;
    }
    return best;
}

/* --- actions --- */

/* Words and pairs of words in paths and titles; a plural counts as its singular. */
static const char *const action_words[IMPORT_ACTIONS] = {
    [IMPORT_CHECKOUT] = "checkout=10 charge=9 pay=8 payment=7 sale=6 purchase=7 spend=8 debit=8 "
                        "capture=6 transaction=3",
    [IMPORT_CHECK_BALANCE] = "balance=9 checkbalance=4 balanceinquiry=3 balanceenquiry=3 inquiry=5 "
                             "enquiry=5",
    [IMPORT_TOP_UP] = "topup=11 load=8 reload=9 recharge=9 activate=8 activation=8 addvalue=9",
    [IMPORT_REFUND] = "refund=11 giveback=9 reversal=6 reverse=6 return=5 void=5",
    [IMPORT_SEARCH] = "search=8 customersearch=5 membersearch=5 find=6 customer=3 member=3 "
                      "lookup=2 people=4",
    [IMPORT_LOOKUP] = "reward=7 lookup=4 rewardlookup=4 action=4 offer=6 coupon=4",
    [IMPORT_REDEEM] = "redeem=14 redemption=14 claim=8",
};

static int score_word(const char *word, enum import_action action)
{
    char singular[2 * WORD_SIZE];
    int score = list_find(action_words[action], word);
    size_t length = strlen(word);
    if (score > 0 || length < 4 || word[length - 1] != 's')
        return score;
    snprintf(singular, sizeof(singular), "%.*s", (int)length - 1, word);
    return list_find(action_words[action], singular);
}

void words_score_actions(struct text text, int weight, int scores[IMPORT_ACTIONS])
{
    struct words words;
    char pair[2 * WORD_SIZE];
    words_split(&words, text);
    for (int32_t i = 0; i < words.count; i++) {
        words_join(&words, i, i + 2 <= words.count ? i + 2 : i + 1, true, pair, sizeof(pair));
        bool is_pair = i + 2 <= words.count;
        for (int action = 0; action < IMPORT_ACTIONS; action++) {
            scores[action] += weight * score_word(words.words[i], (enum import_action)action);
            if (is_pair)
                scores[action] += weight * score_word(pair, (enum import_action)action);
        }
    }
}

static const char *const action_names[IMPORT_ACTIONS] = {
    [IMPORT_CHECKOUT] = "checkout", [IMPORT_CHECK_BALANCE] = "check_balance",
    [IMPORT_TOP_UP] = "top_up",     [IMPORT_REFUND] = "refund",
    [IMPORT_SEARCH] = "search",     [IMPORT_LOOKUP] = "lookup",
    [IMPORT_REDEEM] = "redeem",
};

const char *import_action_name(enum import_action action)
{
    CHECK(action < IMPORT_ACTIONS);
    return action_names[action];
}

/* "check-balance", "Check balance" and "checkbalance" are check_balance. */
bool import_find_action(struct text name, enum import_action *action)
{
    struct words words, known;
    char joined[WORDS_MAX * WORD_SIZE], wanted[WORDS_MAX * WORD_SIZE];
    words_split(&words, name);
    words_join(&words, 0, words.count, true, joined, sizeof(joined));
    for (int i = 0; i < IMPORT_ACTIONS; i++) {
        words_split(&known, text_of(action_names[i]));
        words_join(&known, 0, known.count, true, wanted, sizeof(wanted));
        *action = (enum import_action)i;
        if (strcmp(joined, wanted) == 0)
            return true;
    }
    *action = IMPORT_NONE;
    return false;
}
