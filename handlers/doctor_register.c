/* Judges what registers have called, how they sign, and what became of their operations. */
#include "handlers/doctor_line.h"

#include "handlers/signature.h"

#include "base/banned.h"

#define OPEN_MAX_US (CLOCK_S_PER_DAY * CLOCK_US_PER_S) /* longer is listed, or nobody looks */

/* --- what their fields are called */

void judge_profile(const struct judging *judging, struct doctor_line *line)
{
    const char *name = judging->facts->tenant->profile;
    if (judging->facts->profile_is_loaded) {
        line_find(line, DOCTOR_OK, "Profile \"%s\"", name);
        return;
    }
    line_find(line, DOCTOR_TODO,
              "Profile \"%s\" is not loaded: registers are spoken to in the default one", name);
    line_advise(line,
                "Put %s.json into the folder that COUNTERPART_PROFILES names and send the "
                "service a SIGHUP, or go back to the default names",
                name);
    line_command(line, "counterpart tenant set --tenant %lld --profile default",
                 (long long)judging->facts->tenant->id);
}

/* --- where addresses are pasted */

#define PAYMENTS "Payments"
#define LOYALTY "Loyalty"

/* How a call is brought about: what follows "save, on the register Sync, then". */
static const struct call {
    enum doctor_line_id line;
    const char *tab, *field, *path;
    const char *deed;
    const char *setting; /* of the tenant: switches it off; NULL: none */
    bool leaves_rows;
} calls[DOCTOR_CALLS] = {
    [DOCTOR_CALL_CHECKOUT] = {DOCTOR_CHECKOUT, PAYMENTS, "Checkout URL", "checkout",
                              "pay an order: Checkout, the payment type by its name, a card's "
                              "number",
                              "charge", true},
    [DOCTOR_CALL_CHECK_BALANCE] = {DOCTOR_CHECK_BALANCE, PAYMENTS, "Check Balance URL",
                                   "check-balance",
                                   "Menu, Add-Ons, Gift Card, the payment type, Check Balance",
                                   "check-balance", false},
    [DOCTOR_CALL_TOP_UP] = {DOCTOR_TOP_UP, PAYMENTS, "Top-Up URL", "top-up",
                            "Menu, Add-Ons, Gift Card, the payment type, Top-Up", "top-up", true},
    [DOCTOR_CALL_REFUND] = {DOCTOR_REFUND, PAYMENTS, "Refund URL", "refund",
                            "refund the order that you have paid", "refund", true},
    [DOCTOR_CALL_CUSTOMER_SEARCH] = {DOCTOR_CUSTOMER_SEARCH, LOYALTY, "Customer Search URL",
                                     "customer-search",
                                     "tap Customer, type a member's name, press our search button",
                                     "customer-search", false},
    [DOCTOR_CALL_REWARD_LOOKUP] = {DOCTOR_REWARD_LOOKUP, LOYALTY, "Actions/Rewards URL",
                                   "reward-lookup", "pick the member that was found",
                                   "reward-lookup", false},
    [DOCTOR_CALL_REDEEM] = {DOCTOR_REDEEM, NULL, NULL, "redeem",
                            "tap a reward of the member, on an open order", "redeem", false},
    [DOCTOR_CALL_WEBHOOK] = {DOCTOR_WEBHOOK, NULL, NULL, "webhooks/orders/completed",
                             "complete an order", NULL, false},
};

static bool call_is_on(const struct doctor_facts *facts, enum doctor_call call)
{
    const struct tenant *tenant = facts->tenant;
    switch (call) {
    case DOCTOR_CALL_CHECKOUT:
        return tenant->charge_is_on;
    case DOCTOR_CALL_CHECK_BALANCE:
        return tenant->balance_is_on;
    case DOCTOR_CALL_TOP_UP:
        return tenant->top_up_is_on;
    case DOCTOR_CALL_REFUND:
        return tenant->refund_is_on;
    case DOCTOR_CALL_CUSTOMER_SEARCH:
        return tenant->search_is_on;
    case DOCTOR_CALL_REWARD_LOOKUP:
        return tenant->rewards_is_on;
    case DOCTOR_CALL_REDEEM:
        return tenant->redeem_is_on;
    case DOCTOR_CALL_WEBHOOK:
        return tenant->webhook_topics[0] != '\0';
    case DOCTOR_CALLS:
        break;
    }
    return false;
}

bool doctor_field_at(const struct doctor_facts *facts, int index, struct doctor_field *field)
{
    if (index == 0) {
        *field = (struct doctor_field){"Details", "Redirect URL", NULL, true};
        return true;
    }
    int at = 0;
    for (int call = 0; call < DOCTOR_CALLS; call++) {
        if (calls[call].field == NULL || ++at != index)
            continue;
        *field = (struct doctor_field){calls[call].tab, calls[call].field, calls[call].path,
                                       call_is_on(facts, (enum doctor_call)call)};
        return true;
    }
    return false;
}

void doctor_append_address(const struct doctor_facts *facts, const struct doctor_field *field,
                           struct text_buffer *address)
{
    text_append(address, text_of(facts->public_url));
    if (field->path == NULL)
        text_append(address, TEXT("/oauth/callback"));
    else
        text_append_format(address, "/oseries/%s/%s", facts->tenant->key, field->path);
}

/* --- calls */

static enum doctor_call call_of(const struct doctor_line *line, const struct doctor_report *report)
{
    enum doctor_line_id id = (enum doctor_line_id)(line - report->lines);
    enum doctor_call call = DOCTOR_CALL_CHECKOUT;
    while (calls[call].line != id)
        call++;
    return call;
}

/* The later of what the process remembers and what the store does. */
static struct doctor_seen last_seen(const struct doctor_facts *facts, enum doctor_call call)
{
    const struct doctor_seen *here = &facts->seen[call], *stored = &facts->rows.seen[call];
    return here->at_us > stored->at_us + CLOCK_US_PER_S ? *here
           : stored->at_us != 0                         ? *stored
                                                        : *here;
}

/* Calls that were made before the process began may be forgotten: those that leave no rows, and
 * those that left theirs before what was looked at. */
static bool may_be_forgotten(const struct doctor_facts *facts, enum doctor_call call)
{
    const struct doctor_rows *rows = &facts->rows;
    bool has_older =
        rows->oldest_operation_us != 0 && rows->oldest_operation_us < facts->about->started_at_us;
    return calls[call].leaves_rows ? rows->operations_are_cut : has_older;
}

static void find_seen(const struct doctor_facts *facts, const struct doctor_seen *seen,
                      struct doctor_line *line)
{
    const char *ago = "ago";
    struct span span = span_of(facts->now_us - seen->at_us);
    if (seen->site_id == 0)
        line_find(line, DOCTOR_OK, "Seen %s %s", span.text, ago);
    else
        line_find(line, DOCTOR_OK, "Seen %s %s, from site %lld, register %lld", span.text, ago,
                  (long long)seen->site_id, (long long)seen->register_id);
}

static void advise_call(const struct doctor_facts *facts, enum doctor_call at,
                        struct doctor_line *line)
{
    const struct call *call = &calls[at];
    if (call->field == NULL) {
        line_advise(line, "On the register: %s", call->deed);
    } else {
        const struct doctor_field field = {call->tab, call->field, call->path, true};
        struct text_buffer paste;
        text_buffer_init(&paste, line->paste, sizeof(line->paste));
        doctor_append_address(facts, &field, &paste);
        line->tab = call->tab;
        line->field = call->field;
        line_advise(line,
                    "Paste the address into tab %s, %s, and save; on the register: Sync, "
                    "then %s",
                    call->tab, call->field, call->deed);
    }
    if (call->setting != NULL && at != DOCTOR_CALL_CHECKOUT)
        line_offer(line, "counterpart tenant set --tenant %lld --%s off",
                   (long long)facts->tenant->id, call->setting);
}

/* What has to be right before it is worth while to try. */
static bool call_waits(const struct judging *judging, enum doctor_call call,
                       struct doctor_line *line)
{
    return line_waits_for(judging, line, DOCTOR_REACHABLE) ||
           line_waits_for(judging, line, DOCTOR_TOKEN) ||
           line_waits_for(judging, line, DOCTOR_GRANT) ||
           (judging->report->lines[DOCTOR_SIGNATURES].state == DOCTOR_TODO &&
            line_waits_for(judging, line, DOCTOR_SIGNATURES)) ||
           (call == DOCTOR_CALL_REWARD_LOOKUP &&
            line_waits_for(judging, line, DOCTOR_CUSTOMER_SEARCH)) ||
           (call == DOCTOR_CALL_REDEEM && line_waits_for(judging, line, DOCTOR_REWARD_LOOKUP));
}

void judge_call(const struct judging *judging, struct doctor_line *line)
{
    const struct doctor_facts *facts = judging->facts;
    enum doctor_call call = call_of(line, judging->report);
    struct doctor_seen seen = last_seen(facts, call);
    if (!call_is_on(facts, call)) {
        line_find(line, DOCTOR_OFF, "Switched off for this tenant");
    } else if (seen.at_us != 0) {
        find_seen(facts, &seen, line);
    } else if (call == DOCTOR_CALL_REDEEM && facts->rows.rewards == 0) {
        line_find(line, DOCTOR_OFF, "No reward is offered: counterpart reward add");
    } else if (call_waits(judging, call, line)) {
        return;
    } else if (may_be_forgotten(facts, call)) {
        line_find(line, DOCTOR_UNKNOWN,
                  "Not since the service started, %s ago; before that is "
                  "not known",
                  span_of(facts->now_us - facts->about->started_at_us).text);
    } else {
        line_find(line, DOCTOR_TODO, "Never seen");
        advise_call(facts, call, line);
    }
}

/* --- signatures */

struct tally {
    uint64_t good, bad;
    int64_t good_us, bad_us;
    enum signature_verdict verdict; /* of the latest bad one */
};

static struct tally tally_of(const struct metrics_tenant *callers)
{
    struct tally tally = {.good = callers->signatures[SIGNATURE_VALID],
                          .good_us = callers->signed_us[SIGNATURE_VALID]};
    for (int verdict = SIGNATURE_VALID + 1; verdict < METRICS_VERDICTS; verdict++) {
        tally.bad += callers->signatures[verdict];
        if (callers->signed_us[verdict] <= tally.bad_us)
            continue;
        tally.bad_us = callers->signed_us[verdict];
        tally.verdict = (enum signature_verdict)verdict;
    }
    return tally;
}

static void advise_token(const struct judging *judging, struct doctor_line *line)
{
    const struct tenant *tenant = judging->facts->tenant;
    line_advise(line, "Copy the Signature Token once more from Back Office, Integrations, your "
                      "application, tab Details; the command reads it from its standard input");
    if (tenant->signature_token[0] != '\0')
        line_command(line, "counterpart tenant set --tenant %lld --signature-token -",
                     (long long)tenant->id);
    else
        line_command(line, "counterpart app set --surface oseries --signature-token -");
}

/* Why, most likely; a proxy that changes bodies has a line of its own, which comes first. */
static void advise_signature(const struct judging *judging, const struct tally *tally,
                             struct doctor_line *line)
{
    if (judging->report->lines[DOCTOR_UNCHANGED].state == DOCTOR_TODO)
        line_advise(line, "See to '%s' first: that alone makes every signature wrong",
                    judging->report->lines[DOCTOR_UNCHANGED].title);
    else if (tally->verdict == SIGNATURE_MISSING)
        line_advise(line, "The latest had none: no register has sent it, or a proxy drops "
                          "X-Kounta-Signature; the log's lines \"signature\" name the client");
    else if (tally->verdict == SIGNATURE_MALFORMED)
        line_advise(line, "The latest is no SHA-256 in hex: look at the log's lines \"signature\"; "
                          "base64 is taken with counterpart tenant set --signature-base64 on");
    else
        advise_token(judging, line);
}

static void judge_tally(const struct judging *judging, const struct tally *tally,
                        struct doctor_line *line)
{
    bool is_well = tally->bad == 0 || tally->good_us > tally->bad_us;
    line_find(line, is_well ? DOCTOR_OK : DOCTOR_TODO,
              "%llu right, %llu wrong since the service started%s", (unsigned long long)tally->good,
              (unsigned long long)tally->bad,
              !is_well         ? "; the latest is wrong"
              : tally->bad > 0 ? "; right since then"
                               : "");
    if (!is_well)
        advise_signature(judging, tally, line);
}

void judge_signatures(const struct judging *judging, struct doctor_line *line)
{
    const struct doctor_facts *facts = judging->facts;
    struct tally tally = tally_of(&facts->callers);
    if (facts->tenant->oseries_signature_mode != SIGNATURE_ENFORCE) {
        line_find(line, DOCTOR_TODO, "They are not enforced: whoever has the address may charge");
        line_advise(line, "Enforce them");
        line_command(line, "counterpart tenant set --tenant %lld --signature-mode enforce",
                     (long long)facts->tenant->id);
    } else if (tally.good + tally.bad > 0) {
        judge_tally(judging, &tally, line);
    } else if (facts->rows.oldest_operation_us != 0) {
        line_find(line, DOCTOR_UNKNOWN, "None since the service started");
    } else {
        line_find(line, DOCTOR_WAITS, "After: the first call of a register");
    }
}

/* --- afterwards */

void judge_replies(const struct judging *judging, struct doctor_line *line)
{
    const struct doctor_facts *facts = judging->facts;
    if (facts->rows.suspects == 0) {
        line_find(line, DOCTOR_OK, "No operation is open whose reply reached nobody");
        return;
    }
    line_find(line, DOCTOR_TODO, "%d %s open whose reply the register did not fetch in time",
              (int)facts->rows.suspects,
              facts->rows.suspects == 1 ? "operation is" : "operations are");
    line_advise(line, "See what they wait for; when many are so, the shop's network or a proxy is "
                      "slower than its registers wait");
    line_command(line, "counterpart reconcile --tenant %lld", (long long)facts->tenant->id);
}

static const char *is_or_are(int32_t count)
{
    return count == 1 ? "is" : "are";
}

void judge_proofs(const struct judging *judging, struct doctor_line *line)
{
    const struct doctor_facts *facts = judging->facts;
    const struct doctor_rows *rows = &facts->rows;
    int64_t age_us = rows->oldest_open_us == 0 ? 0 : facts->now_us - rows->oldest_open_us;
    if (rows->listed > 0 || age_us > OPEN_MAX_US) {
        line_find(line, DOCTOR_TODO,
                  "%d %s listed for people, %d open; the oldest, operation "
                  "%lld, for %s",
                  (int)rows->listed, is_or_are(rows->listed), (int)rows->open,
                  (long long)rows->oldest_open_id, span_of(age_us).text);
        line_advise(line, "Look at them");
        line_command(line, "counterpart reconcile --tenant %lld", (long long)facts->tenant->id);
    } else if (rows->open > 0) {
        line_find(line, DOCTOR_OK, "%d %s still open, the oldest for %s, and looked at again",
                  (int)rows->open, is_or_are(rows->open), span_of(age_us).text);
    } else {
        line_find(line, DOCTOR_OK, "None is open");
    }
}

void judge_work(const struct judging *judging, struct doctor_line *line)
{
    const struct doctor_facts *facts = judging->facts;
    if (facts->rows.given_up == 0) {
        line_find(line, DOCTOR_OK, "Nothing was given up");
        return;
    }
    line_find(line, DOCTOR_TODO, "%d %s given up", (int)facts->rows.given_up,
              facts->rows.given_up == 1 ? "thing was" : "things were");
    line_advise(line, "See why, and try them again");
    line_command(line, "counterpart work list --tenant %lld", (long long)facts->tenant->id);
}
