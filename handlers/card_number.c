/* Card numbers as people and scanners give them, brought to one spelling. */
#include "handlers/card_number.h"

#include <inttypes.h>
#include <string.h>

#include "base/banned.h"

static bool find_char(struct text text, char wanted, size_t *at)
{
    const char *found = text.length == 0 ? NULL : memchr(text.base, wanted, text.length);
    if (found == NULL)
        return false;
    *at = (size_t)(found - text.base);
    return true;
}

static struct text cut_at(struct text text, char end)
{
    size_t at;
    return find_char(text, end, &at) ? text_slice(text, 0, at) : text;
}

static struct text rest_from(struct text text, size_t from)
{
    return text_slice(text, from, text.length - from);
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool card_number_normalise(struct text typed, char out[CARD_NUMBER_MAX + 1])
{
    struct text trimmed = text_trim(typed);
    size_t length = 0;
    bool is_good = true;
    for (size_t i = 0; i < trimmed.length && is_good; i++) {
        char c = upper(trimmed.base[i]);
        if (c == ' ' || c == '-')
            continue;
        is_good = length < CARD_NUMBER_MAX && (is_digit(c) || (c >= 'A' && c <= 'Z'));
        if (is_good)
            out[length++] = c;
    }
    is_good = is_good && length >= CARD_NUMBER_MIN;
    out[is_good ? length : 0] = '\0';
    return is_good;
}

bool card_pin_is_valid(struct text pin)
{
    return pin.length <= CARD_PIN_MAX && text_is_digits(pin);
}

/* Track 1 is %B<number>^name^data?, track 2 ;<number>=data?; gift cards often carry the bare number
 * between the sentinels. A reader that could not read track 1 sends "%E?". */
static struct text stripe_account(struct text stripe)
{
    size_t at;
    if (stripe.base[0] == '%') {
        struct text account = cut_at(cut_at(rest_from(stripe, 1), '?'), '^');
        if (account.length > 1 && upper(account.base[0]) == 'B' && is_digit(account.base[1]))
            account = rest_from(account, 1);
        if (account.length >= CARD_NUMBER_MIN)
            return account;
    }
    if (!find_char(stripe, ';', &at))
        return (struct text){NULL, 0};
    return cut_at(cut_at(rest_from(stripe, at + 1), '?'), '=');
}

/* Where the PIN's star is: behind the stripe's last end sentinel, or the first star of what was
 * typed. */
static bool find_star(struct text typed, bool is_stripe, size_t *star)
{
    size_t from = 0;
    for (size_t i = 0; is_stripe && i < typed.length; i++)
        if (typed.base[i] == '?')
            from = i;
    if (!find_char(rest_from(typed, from), '*', star))
        return false;
    *star += from;
    return true;
}

static bool read_parts(struct text typed, struct card_number *card)
{
    if (typed.length == 0)
        return false;
    bool is_stripe = typed.base[0] == '%' || typed.base[0] == ';';
    struct text number = typed;
    size_t star;
    if (find_star(typed, is_stripe, &star)) {
        struct text pin = text_trim(rest_from(typed, star + 1));
        if (!card_pin_is_valid(pin))
            return false;
        memcpy(card->pin, pin.base, pin.length);
        number = text_slice(typed, 0, star);
    }
    if (number.length == 0)
        return false;
    return card_number_normalise(is_stripe ? stripe_account(number) : number, card->number);
}

void card_number_read(struct text typed, struct card_number *card)
{
    memset(card, 0, sizeof(*card));
    struct text trimmed = text_trim(typed);
    card->is_usable = read_parts(trimmed, card);
    if (card->is_usable)
        return;
    memset(card, 0, sizeof(*card));
    struct text_buffer stand_in; /* '#' is in no card number */
    text_buffer_init(&stand_in, card->number, sizeof(card->number));
    text_append_format(&stand_in, "#%016" PRIx64, text_hash(trimmed));
}
