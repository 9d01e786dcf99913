/* Random identifiers and card-number arithmetic, over whatever source of bytes is handed in. */
#include "base/id.h"

#include <openssl/rand.h>
#include <string.h>

#include "base/banned.h"

static void fill_system(void *context, uint8_t *out, size_t size)
{
    (void)context;
    CHECK(size <= INT32_MAX);
    CHECK(RAND_bytes(out, (int)size) == 1);
}

struct id_source id_source_system(void)
{
    return (struct id_source){.fill = fill_system};
}

/* splitmix64 (Steele, Lea and Flood 2014): any 64-bit state is a good seed. */
static uint64_t splitmix_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void fill_seeded(void *context, uint8_t *out, size_t size)
{
    uint64_t *state = context;
    while (size > 0) {
        uint64_t word = splitmix_next(state);
        size_t part = size < sizeof(word) ? size : sizeof(word);
        memcpy(out, &word, part);
        out += part;
        size -= part;
    }
}

struct id_source id_source_seeded(uint64_t *state)
{
    return (struct id_source){.fill = fill_seeded, .context = state};
}

void id_key_generate(struct id_source source, char out[ID_KEY_CHARS + 1])
{
    uint8_t bytes[ID_KEY_BYTES];
    source.fill(source.context, bytes, sizeof(bytes));
    text_hex_encode(out, bytes, sizeof(bytes));
}

/* Bytes from 250 on are thrown away: with them 0..5 would come up more often than 6..9. */
static char random_digit(struct id_source source)
{
    uint8_t byte;
    do
        source.fill(source.context, &byte, 1);
    while (byte >= 250);
    return (char)('0' + byte % 10);
}

/* ISO/IEC 7812-1 annex B: from the right, every second digit counts double, and a double above 9
 * counts the sum of its digits. is_doubled says whether the rightmost of these digits is doubled.
 */
static int luhn_sum(struct text digits, bool is_doubled)
{
    int sum = 0;
    for (size_t i = digits.length; i > 0; i--) {
        int digit = digits.base[i - 1] - '0';
        int weighted = is_doubled ? digit * 2 : digit;
        sum += weighted > 9 ? weighted - 9 : weighted;
        is_doubled = !is_doubled;
    }
    return sum;
}

void id_card_number_generate(struct id_source source, struct text prefix, size_t length, char *out)
{
    CHECK(prefix.length < length);
    CHECK(prefix.length == 0 || text_is_digits(prefix));
    if (prefix.length > 0)
        memcpy(out, prefix.base, prefix.length);
    for (size_t i = prefix.length; i < length - 1; i++)
        out[i] = random_digit(source);
    int sum = luhn_sum((struct text){out, length - 1}, true);
    out[length - 1] = (char)('0' + (10 - sum % 10) % 10);
    out[length] = '\0';
}

bool id_luhn_is_valid(struct text digits)
{
    return text_is_digits(digits) && luhn_sum(digits, false) % 10 == 0;
}
