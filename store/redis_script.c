/* The scripts that run inside Redis, and the first words on a connection. */
#include "store/redis_script.h"

#include "base/error.h"

#include <string.h>

#include "base/banned.h"

/*
 * An entry is 64 bytes (store/hot_entry.c): format, state (1 entry, 2 tombstone), 6 more, version
 * and fill time, big-endian, 40 more. What is there counts unless it is older than the time to live
 * or from the future by more than a second: bytes that nobody of ours has written, with whatever
 * version, hold up nobody for longer. Of two entries the greater version stays; of equal ones the
 * one that was read later. A tombstone replaces everything, and keeps the greatest version and time
 * seen. The key lives a second longer than the entry, for clocks that differ. What is there and is
 * no string is overwritten like an entry that is too old, and the answer is what GET said of it: a
 * key of the wrong type has no end of its own.
 */
static const char script_put[] =
    "local function head(v) return struct.unpack('>I8I8', v, 9) end\n"
    "local new, now, ttl = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])\n"
    "local version, filled = head(new)\n"
    "if now - filled >= ttl or filled - now > 1000000 then return 0 end\n"
    "local old = redis.pcall('GET', KEYS[1])\n"
    "local trouble = type(old) == 'table' and old.err\n"
    "if type(old) == 'string' and #old == 64 then\n"
    "  local old_version, old_filled = head(old)\n"
    "  if now - old_filled < ttl and old_filled - now <= 1000000 then\n"
    "    if string.byte(new, 2) == 2 then\n"
    "      if old_version > version then\n"
    "        new = string.sub(new, 1, 8) .. string.sub(old, 9, 16) .. string.sub(new, 17)\n"
    "      end\n"
    "      if old_filled > filled then\n"
    "        new = string.sub(new, 1, 16) .. string.sub(old, 17, 24) .. string.sub(new, 25)\n"
    "      end\n"
    "    elseif version < old_version or (version == old_version and filled < old_filled) then\n"
    "      return 0\n"
    "    end\n"
    "  end\n"
    "end\n"
    "redis.call('SET', KEYS[1], new, 'PX', string.format('%.0f', ttl / 1000 + 1000))\n"
    "return trouble or 1\n";

static const char script_drop[] =
    "local old = redis.pcall('GET', KEYS[1])\n"
    "if old == ARGV[1] or type(old) == 'table' then return redis.call('DEL', KEYS[1]) end\n"
    "return 0\n";

/*
 * The buckets of store/budget.c, by this server's clock: a bucket is the moment at which it will be
 * full again, in microseconds, and never owes more than it holds.
 */
static const char script_budget[] =
    "local time = redis.call('TIME')\n"
    "local now = tonumber(time[1]) * 1000000 + tonumber(time[2])\n"
    "local misses, debts = tonumber(ARGV[1]), {}\n"
    "for i, key in ipairs(KEYS) do\n"
    "  local tokens, period = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])\n"
    "  local full = redis.pcall('GET', key)\n"
    "  local debt = (type(full) == 'string' and tonumber(full) or 0) - now\n"
    "  if debt < 0 or debt ~= debt then debt = 0 end\n"
    "  debt = math.min(debt + misses * period, tokens * period)\n"
    "  if misses > 0 then\n"
    "    redis.call('SET', key, string.format('%.0f', now + debt), 'PX',\n"
    "      string.format('%.0f', debt / 1000 + 1000))\n"
    "  end\n"
    "  debts[i] = debt\n"
    "end\n"
    "return debts\n";

static const struct text scripts[SCRIPTS] = {
    [SCRIPT_PUT] = {script_put, sizeof(script_put) - 1},
    [SCRIPT_DROP] = {script_drop, sizeof(script_drop) - 1},
    [SCRIPT_BUDGET] = {script_budget, sizeof(script_budget) - 1},
};

enum step {
    STEP_AUTH,
    STEP_SELECT,
    STEP_ROLE,
    STEP_SCRIPTS,
};

bool greeting_words(const struct greeting *greeting, int32_t step, struct words *words)
{
    const struct target *target = greeting->target;
    CHECK(step >= 0 && step < GREETING_STEPS);
    *words = (struct words){0};
    switch (step) {
    case STEP_AUTH:
        words_add(words, TEXT("AUTH"));
        if (target->user[0] != '\0')
            words_add(words, text_of(target->user));
        words_add(words, text_of(target->password));
        return target->password[0] != '\0';
    case STEP_SELECT:
        words_add(words, TEXT("SELECT"));
        words_add(words, text_of(target->database));
        return strcmp(target->database, "0") != 0;
    case STEP_ROLE:
        words_add(words, TEXT("ROLE"));
        return true;
    default:
        words_add(words, TEXT("SCRIPT"));
        words_add(words, TEXT("LOAD"));
        words_add(words, scripts[step - STEP_SCRIPTS]);
        return true;
    }
}

static bool is_primary(const struct greeting *greeting, const struct answer *answer)
{
    /* Who may not ask learns it from the first write: READONLY. A sentinel's word wants proof. */
    if (answer->kind == ANSWER_ERROR)
        return !greeting->target->is_sentinel;
    return answer->kind == ANSWER_LIST && answer->count > 0 &&
           answer->items[0].kind == ANSWER_TEXT &&
           text_equal(answer->items[0].text, TEXT("master"));
}

static bool take_sha(char sha[SCRIPT_SHA_CHARS + 1], const struct answer *answer)
{
    if (answer->kind != ANSWER_TEXT || answer->text.length != SCRIPT_SHA_CHARS)
        return false;
    memcpy(sha, answer->text.base, SCRIPT_SHA_CHARS);
    sha[SCRIPT_SHA_CHARS] = '\0';
    return true;
}

int greeting_take(struct greeting *greeting, int32_t step, const struct answer *answer)
{
    bool is_fine;
    if (step == STEP_ROLE)
        is_fine = !answer_is_fatal(answer) && is_primary(greeting, answer);
    else if (step >= STEP_SCRIPTS)
        is_fine = take_sha(greeting->sha[step - STEP_SCRIPTS], answer);
    else
        is_fine = answer->kind == ANSWER_TEXT && text_equal(answer->text, TEXT("OK"));
    return is_fine ? 0 : ERR_REFUSED;
}

void script_words(const struct greeting *greeting, enum script script, int32_t keys,
                  struct words *words)
{
    static const char digits[] = "0123456789";
    CHECK(keys > 0 && keys < 10);
    *words = (struct words){0};
    words_add(words, TEXT("EVALSHA"));
    words_add(words, text_of(greeting->sha[script]));
    words_add(words, (struct text){digits + keys, 1});
}

bool answer_is_no_script(const struct answer *answer)
{
    return answer->kind == ANSWER_ERROR && text_starts_with(answer->text, TEXT("NOSCRIPT"));
}

bool answer_is_wrong_type(const struct answer *answer)
{
    return answer->kind == ANSWER_ERROR && text_starts_with(answer->text, TEXT("WRONGTYPE"));
}

bool answer_is_fatal(const struct answer *answer)
{
    static const struct text fatal[] = {TEXT("NOAUTH"),     TEXT("WRONGPASS"), TEXT("READONLY"),
                                        TEXT("MASTERDOWN"), TEXT("LOADING"),   TEXT("NOREPLICAS")};
    if (answer->kind != ANSWER_ERROR)
        return false;
    for (size_t i = 0; i < COUNT_OF(fatal); i++)
        if (text_starts_with(answer->text, fatal[i]))
            return true;
    return false;
}
