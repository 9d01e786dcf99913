/* Judges a reply's body before anything in it is looked at: can a register read it at all? */
#include "mocks/register/verdict.h"

#include "base/error.h"
#include "mocks/register/made.h"

#include <string.h>

#include "base/banned.h"

#define ESCAPE_LENGTH 6 /* \uXXXX */
#define ESCAPE_NONE (-1)
#define HIGH_FIRST 0xD800 /* of a pair that stands for one character (RFC 8259 section 7) */
#define HIGH_LAST 0xDBFF
#define LOW_FIRST 0xDC00
#define LOW_LAST 0xDFFF

static int hex_digit(char digit)
{
    static const char DIGITS[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = memchr(DIGITS, digit, sizeof(DIGITS) - 1);
    return found == NULL ? ESCAPE_NONE : (int)(found - DIGITS) % 16;
}

/* What the \uXXXX at this place stands for; ESCAPE_NONE: there is none. */
static int escape_read(struct text body, size_t at)
{
    int code = 0;
    if (at + ESCAPE_LENGTH > body.length || body.base[at] != '\\' || body.base[at + 1] != 'u')
        return ESCAPE_NONE;
    for (size_t i = at + 2; i < at + ESCAPE_LENGTH; i++) {
        int digit = hex_digit(body.base[i]);
        if (digit == ESCAPE_NONE)
            return ESCAPE_NONE;
        code = code * 16 + digit;
    }
    return code;
}

static bool is_between(int code, int first, int last)
{
    return code >= first && code <= last;
}

/* A browser takes half of a pair, and NUL; our reader does not. Both become U+FFFD, which is as
 * long. true: there were some. */
static bool escapes_mend(struct made *body)
{
    bool has_mended = false;
    for (size_t at = 0; at < body->length; at++) {
        int code = escape_read(made_text(body), at);
        if (is_between(code, HIGH_FIRST, HIGH_LAST) &&
            is_between(escape_read(made_text(body), at + ESCAPE_LENGTH), LOW_FIRST, LOW_LAST)) {
            at += 2 * ESCAPE_LENGTH - 1;
        } else if (code == 0 || is_between(code, HIGH_FIRST, LOW_LAST)) {
            memcpy(body->base + at, "\\ufffd", ESCAPE_LENGTH);
            has_mended = true;
        } else if (body->base[at] == '\\') {
            at++; /* what is escaped may be another backslash */
        }
    }
    return has_mended;
}

static int body_read(const struct reply *reply, struct judgement *judgement)
{
    struct made body = {0};
    if (reply->is_cut)
        return ERR_TOO_LARGE;
    made_copy(&body, (struct text){reply->body, reply->body_length});
    bool has_mended = escapes_mend(&body);
    int err = jread_parse_deep(made_text(&body), JREAD_FILE_DEPTH_MAX, &judgement->body);
    if (err == 0)
        judgement->verdicts[RULE_TEXTS] = verdict_of(!has_mended);
    made_destroy(&body);
    return err;
}

bool judge_body(const struct reply *reply, struct judgement *judgement)
{
    enum verdict *verdicts = judgement->verdicts;
    int err = body_read(reply, judgement);
    /* Where we gave up nobody knows whether the rest is JSON: our limits are no register's. */
    if (err == ERR_TOO_LARGE || err == ERR_JSON_DEPTH) {
        verdicts[RULE_READABLE] = VERDICT_FAILED;
        return false;
    }
    verdicts[RULE_PARSES] = verdict_of(err == 0 || err == ERR_JSON_DUPLICATE);
    if (verdicts[RULE_PARSES] == VERDICT_FAILED)
        return false;
    verdicts[RULE_READABLE] = VERDICT_PASSED;
    verdicts[RULE_NAMES] = verdict_of(err == 0);
    return err == 0;
}
