/* Decimal text to minor units and back, and what is known about each currency. */
#include "base/money.h"

#include "base/error.h"

#include <string.h>

#include "base/banned.h"

/* --- amounts --------------------------------------------------------------------------------- */

static size_t digits_at(struct text text, size_t from)
{
    size_t count = 0;
    while (from + count < text.length && text.base[from + count] >= '0' &&
           text.base[from + count] <= '9')
        count++;
    return count;
}

/* Cut "[-]digits[.digits]" into its parts; false for any other form. */
static bool split_decimal(struct text text, struct text *whole, struct text *fraction)
{
    size_t whole_digits = digits_at(text, 0);
    *whole = text_slice(text, 0, whole_digits);
    *fraction = (struct text){NULL, 0};
    if (whole_digits == 0)
        return false;
    if (whole_digits == text.length)
        return true;
    size_t fraction_digits = digits_at(text, whole_digits + 1);
    *fraction = text_slice(text, whole_digits + 1, fraction_digits);
    return text.base[whole_digits] == '.' && fraction_digits > 0 &&
           whole_digits + 1 + fraction_digits == text.length;
}

static bool is_all_zeroes(struct text digits)
{
    for (size_t i = 0; i < digits.length; i++) {
        if (digits.base[i] != '0')
            return false;
    }
    return true;
}

/* amount = amount * 10 + each digit, never beyond MONEY_MAX_MINOR: the text may be 60 KB long. */
static bool accumulate(struct text digits, int64_t *amount_minor)
{
    for (size_t i = 0; i < digits.length; i++) {
        *amount_minor = *amount_minor * 10 + (digits.base[i] - '0');
        if (*amount_minor > MONEY_MAX_MINOR)
            return false;
    }
    return true;
}

int money_parse(struct text text, int exponent, int64_t *amount_minor)
{
    CHECK(exponent >= 0 && exponent <= MONEY_EXPONENT_MAX);
    if (text.length == 0)
        return ERR_MISSING;
    bool is_negative = text.base[0] == '-';
    struct text whole;
    struct text fraction;
    if (!split_decimal(text_slice(text, is_negative ? 1 : 0, text.length), &whole, &fraction))
        return ERR_NOT_A_NUMBER;
    size_t decimals = (size_t)exponent;
    if (!is_all_zeroes(text_slice(fraction, decimals, fraction.length)))
        return ERR_TOO_PRECISE;

    struct text kept = text_slice(fraction, 0, decimals);
    struct text padding = text_slice(TEXT("000"), 0, decimals - kept.length);
    int64_t amount = 0;
    if (!accumulate(whole, &amount) || !accumulate(kept, &amount) || !accumulate(padding, &amount))
        return ERR_TOO_LARGE;
    *amount_minor = is_negative ? -amount : amount;
    return 0;
}

void money_append(struct text_buffer *buffer, int64_t amount_minor, int exponent)
{
    CHECK(exponent >= 0 && exponent <= MONEY_EXPONENT_MAX);
    char digits[MONEY_TEXT_MAX];
    size_t at = sizeof(digits);
    uint64_t left = amount_minor < 0 ? -(uint64_t)amount_minor : (uint64_t)amount_minor;
    for (int place = 0; place <= exponent || left > 0; place++) {
        if (place == exponent && exponent > 0)
            digits[--at] = '.';
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    }
    if (amount_minor < 0)
        digits[--at] = '-';
    text_append(buffer, (struct text){digits + at, sizeof(digits) - at});
}

bool money_add(int64_t a_minor, int64_t b_minor, int64_t *sum_minor)
{
    int64_t sum;
    if (__builtin_add_overflow(a_minor, b_minor, &sum))
        return false;
    *sum_minor = sum;
    return true;
}

/* --- currencies ------------------------------------------------------------------------------ */

/*
 * ISO 4217 list one (current currencies and funds), ordered by code for the binary search. Left
 * out: codes with four decimals (CLF, UYW), metals, test codes and units of account between banks
 * (X..).
 */
static const struct currency_row {
    char code[4];
    int exponent;
    const char *symbol;
} currencies[] = {
    {"AED", 2, "AED "}, {"AFN", 2, "AFN "}, {"ALL", 2, "ALL "}, {"AMD", 2, "AMD "},
    {"AOA", 2, "AOA "}, {"ARS", 2, "ARS "}, {"AUD", 2, "$"},    {"AWG", 2, "AWG "},
    {"AZN", 2, "AZN "}, {"BAM", 2, "BAM "}, {"BBD", 2, "BBD "}, {"BDT", 2, "BDT "},
    {"BHD", 3, "BHD "}, {"BIF", 0, "BIF "}, {"BMD", 2, "BMD "}, {"BND", 2, "BND "},
    {"BOB", 2, "BOB "}, {"BOV", 2, "BOV "}, {"BRL", 2, "R$"},   {"BSD", 2, "BSD "},
    {"BTN", 2, "BTN "}, {"BWP", 2, "BWP "}, {"BYN", 2, "BYN "}, {"BZD", 2, "BZD "},
    {"CAD", 2, "$"},    {"CDF", 2, "CDF "}, {"CHE", 2, "CHE "}, {"CHF", 2, "CHF "},
    {"CHW", 2, "CHW "}, {"CLP", 0, "CLP "}, {"CNY", 2, "CNY "}, {"COP", 2, "COP "},
    {"COU", 2, "COU "}, {"CRC", 2, "CRC "}, {"CUP", 2, "CUP "}, {"CVE", 2, "CVE "},
    {"CZK", 2, "CZK "}, {"DJF", 0, "DJF "}, {"DKK", 2, "DKK "}, {"DOP", 2, "DOP "},
    {"DZD", 2, "DZD "}, {"EGP", 2, "EGP "}, {"ERN", 2, "ERN "}, {"ETB", 2, "ETB "},
    {"EUR", 2, "€"},    {"FJD", 2, "FJD "}, {"FKP", 2, "FKP "}, {"GBP", 2, "£"},
    {"GEL", 2, "GEL "}, {"GHS", 2, "GHS "}, {"GIP", 2, "£"},    {"GMD", 2, "GMD "},
    {"GNF", 0, "GNF "}, {"GTQ", 2, "GTQ "}, {"GYD", 2, "GYD "}, {"HKD", 2, "$"},
    {"HNL", 2, "HNL "}, {"HTG", 2, "HTG "}, {"HUF", 2, "HUF "}, {"IDR", 2, "IDR "},
    {"ILS", 2, "₪"},    {"INR", 2, "₹"},    {"IQD", 3, "IQD "}, {"IRR", 2, "IRR "},
    {"ISK", 0, "ISK "}, {"JMD", 2, "JMD "}, {"JOD", 3, "JOD "}, {"JPY", 0, "¥"},
    {"KES", 2, "KES "}, {"KGS", 2, "KGS "}, {"KHR", 2, "KHR "}, {"KMF", 0, "KMF "},
    {"KPW", 2, "KPW "}, {"KRW", 0, "₩"},    {"KWD", 3, "KWD "}, {"KYD", 2, "KYD "},
    {"KZT", 2, "KZT "}, {"LAK", 2, "LAK "}, {"LBP", 2, "LBP "}, {"LKR", 2, "LKR "},
    {"LRD", 2, "LRD "}, {"LSL", 2, "LSL "}, {"LYD", 3, "LYD "}, {"MAD", 2, "MAD "},
    {"MDL", 2, "MDL "}, {"MGA", 2, "MGA "}, {"MKD", 2, "MKD "}, {"MMK", 2, "MMK "},
    {"MNT", 2, "MNT "}, {"MOP", 2, "MOP "}, {"MRU", 2, "MRU "}, {"MUR", 2, "MUR "},
    {"MVR", 2, "MVR "}, {"MWK", 2, "MWK "}, {"MXN", 2, "MXN "}, {"MXV", 2, "MXV "},
    {"MYR", 2, "RM"},   {"MZN", 2, "MZN "}, {"NAD", 2, "NAD "}, {"NGN", 2, "₦"},
    {"NIO", 2, "NIO "}, {"NOK", 2, "NOK "}, {"NPR", 2, "NPR "}, {"NZD", 2, "$"},
    {"OMR", 3, "OMR "}, {"PAB", 2, "PAB "}, {"PEN", 2, "PEN "}, {"PGK", 2, "PGK "},
    {"PHP", 2, "₱"},    {"PKR", 2, "PKR "}, {"PLN", 2, "PLN "}, {"PYG", 0, "PYG "},
    {"QAR", 2, "QAR "}, {"RON", 2, "RON "}, {"RSD", 2, "RSD "}, {"RUB", 2, "RUB "},
    {"RWF", 0, "RWF "}, {"SAR", 2, "SAR "}, {"SBD", 2, "SBD "}, {"SCR", 2, "SCR "},
    {"SDG", 2, "SDG "}, {"SEK", 2, "SEK "}, {"SGD", 2, "$"},    {"SHP", 2, "SHP "},
    {"SLE", 2, "SLE "}, {"SOS", 2, "SOS "}, {"SRD", 2, "SRD "}, {"SSP", 2, "SSP "},
    {"STN", 2, "STN "}, {"SVC", 2, "SVC "}, {"SYP", 2, "SYP "}, {"SZL", 2, "SZL "},
    {"THB", 2, "฿"},    {"TJS", 2, "TJS "}, {"TMT", 2, "TMT "}, {"TND", 3, "TND "},
    {"TOP", 2, "TOP "}, {"TRY", 2, "₺"},    {"TTD", 2, "TTD "}, {"TWD", 2, "TWD "},
    {"TZS", 2, "TZS "}, {"UAH", 2, "₴"},    {"UGX", 0, "UGX "}, {"USD", 2, "$"},
    {"USN", 2, "USN "}, {"UYI", 0, "UYI "}, {"UYU", 2, "UYU "}, {"UZS", 2, "UZS "},
    {"VED", 2, "VED "}, {"VES", 2, "VES "}, {"VND", 0, "₫"},    {"VUV", 0, "VUV "},
    {"WST", 2, "WST "}, {"XAF", 0, "XAF "}, {"XCD", 2, "XCD "}, {"XCG", 2, "XCG "},
    {"XOF", 0, "XOF "}, {"XPF", 0, "XPF "}, {"YER", 2, "YER "}, {"ZAR", 2, "R"},
    {"ZMW", 2, "ZMW "}, {"ZWG", 2, "ZWG "},
};

static const struct currency_row *find_row(struct text code)
{
    size_t low = 0;
    size_t high = COUNT_OF(currencies);
    if (code.length != sizeof(currencies[0].code) - 1)
        return NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(code.base, currencies[middle].code, code.length);
        if (order == 0)
            return &currencies[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

int currency_find(struct text code, struct currency *currency)
{
    const struct currency_row *row = find_row(code);
    if (row == NULL)
        return ERR_NOT_FOUND;
    memcpy(currency->code, row->code, sizeof(currency->code));
    currency->exponent = row->exponent;
    return 0;
}

const char *currency_symbol(const struct currency *currency)
{
    const struct currency_row *row = find_row(text_of(currency->code));
    return row != NULL ? row->symbol : "";
}
