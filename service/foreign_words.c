/* Puts the service's names and numbers into words. */
#include "service/foreign_words.h"

#include "base/banned.h"

static const struct foreign_wording states[] = {
    {"not_requested", "Not requested", HTML_NOTICE},
    {"requested", "Requested", HTML_NOTICE},
    {"under_review", "Under review", HTML_NOTICE},
    {"approved", "Approved", HTML_GOOD},
    {"refused", "Refused", HTML_BAD},
    {"revoked", "Revoked", HTML_BAD},
};
static const struct foreign_wording outcomes[] = {
    {"paid", "Paid", HTML_GOOD},
    {"refused_by_us", "Stopped", HTML_PLAIN},
    {"refused_by_api", "Refused", HTML_BAD},
    {"not_made", "Not made", HTML_PLAIN},
    {"open", "Open", HTML_NOTICE},
};
static const struct foreign_wording verdicts[] = {
    {"not_approved", "No call was made: there was no approval", HTML_PLAIN},
    {"expired", "No call was made: the approval had run out", HTML_PLAIN},
    {"over_payment_max", "No call was made: above the largest payment", HTML_PLAIN},
    {"over_day_max", "No call was made: above the day's limit", HTML_PLAIN},
    {"suspended", "No call was made: Lightspeed had refused another payment", HTML_PLAIN},
};

/* What came instead of an answer, by the name of the error. */
static const struct foreign_wording silences[] = {
    {"timed_out", "No reply in time", HTML_PLAIN},
    {"connection_lost", "The connection ended without a reply", HTML_PLAIN},
    {"bad_reply", "A reply that is no answer", HTML_PLAIN},
    {"rate_limited", "Too many requests: sent again later", HTML_PLAIN},
    {"refused", "Refused, without a reason", HTML_PLAIN},
    {"not_found", "No such order, without a reason", HTML_PLAIN},
};

static const struct foreign_wording *find_wording(const struct foreign_wording *list, size_t count,
                                                  struct text name)
{
    static const struct foreign_wording unknown = {"", "?", HTML_NOTICE};
    for (size_t i = 0; i < count; i++)
        if (text_equal(text_of(list[i].name), name))
            return &list[i];
    return &unknown;
}

const struct foreign_wording *foreign_state_wording(struct text state)
{
    return find_wording(states, COUNT_OF(states), state);
}

const struct foreign_wording *foreign_outcome_wording(struct text outcome)
{
    return find_wording(outcomes, COUNT_OF(outcomes), outcome);
}

const char *foreign_verdict_words(struct text verdict)
{
    return find_wording(verdicts, COUNT_OF(verdicts), verdict)->words;
}

static struct text silence_words(struct text answer)
{
    for (size_t i = 0; i < COUNT_OF(silences); i++)
        if (text_equal(text_of(silences[i].name), answer))
            return text_of(silences[i].words);
    return answer;
}

void foreign_append_answer(struct text_buffer *buffer, const struct jread *attempt)
{
    bool is_paid = text_equal(answer_text(attempt, "outcome"), TEXT("paid"));
    bool is_told = answer_int64(attempt, "api_status") / 100 == 2;
    struct text answer = answer_text(attempt, "api_answer");
    if (is_paid && !is_told && answer.length == 0)
        answer = TEXT("No reply");
    text_append(buffer, silence_words(answer));
    if (is_paid && !is_told)
        text_append(buffer, TEXT("; found on the order when it was read"));
}

void foreign_append_limit(struct text_buffer *buffer, const struct answer_style *style,
                          struct text limit)
{
    if (limit.length == 0)
        text_append(buffer, TEXT("no limit"));
    else
        answer_append_money(buffer, style, limit, false);
}

static void append_maximum(struct text_buffer *buffer, const struct answer_style *style,
                           struct text limit, struct text of)
{
    if (limit.length == 0)
        return;
    answer_append_money(buffer, style, limit, false);
    text_append(buffer, of);
}

void foreign_append_terms(struct text_buffer *buffer, const struct answer_style *style,
                          const struct jread *approval)
{
    struct text payment_max = answer_text(approval, "payment_max");
    struct text day_max = answer_text(approval, "day_max");
    struct text expires = answer_text(approval, "expires");
    bool has_both = payment_max.length != 0 && day_max.length != 0;
    bool has_none = payment_max.length == 0 && day_max.length == 0;
    text_append(buffer, has_none ? TEXT("any amount") : TEXT("at most "));
    append_maximum(buffer, style, payment_max, TEXT(" a payment"));
    text_append(buffer, has_both ? TEXT(" and ") : TEXT(""));
    append_maximum(buffer, style, day_max, TEXT(" a day"));
    text_append(buffer, expires.length == 0 ? TEXT(", until revoked") : TEXT(", until "));
    text_append(buffer, expires);
}

void foreign_append_days(struct text_buffer *buffer, const struct jread *report)
{
    struct text from = answer_text(report, "from"), until = answer_text(report, "until");
    if (from.length == 0 && until.length == 0) {
        text_append(buffer, TEXT(", all days"));
        return;
    }
    text_append(buffer, TEXT(","));
    text_append(buffer, from.length == 0 ? TEXT("") : TEXT(" from "));
    text_append(buffer, from);
    text_append(buffer, until.length == 0 ? TEXT("") : TEXT(" until "));
    text_append(buffer, until);
}

/* What was let through while an approval stood, and what became of it. */
static void append_earlier(struct text_buffer *buffer, const struct jread *totals)
{
    static const struct {
        const char *name, *one, *several;
    } ends[] = {
        {"paid", "payment was made", "payments were made"},
        {"open", "has no known end yet", "have no known end yet"},
        {"refused_by_api", "was refused by Lightspeed's API", "were refused by Lightspeed's API"},
        {"not_made", "was not sent", "were not sent"},
    };
    bool is_first = true;
    text_append(buffer, TEXT("From now on no payment is sent onto an order that this application "
                             "did not create. Under the earlier approval "));
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        int64_t count = answer_int64(totals, ends[i].name);
        if (count == 0 && i > 0)
            continue;
        text_append(buffer, is_first ? TEXT("") : TEXT(", "));
        answer_append_count(buffer, count, ends[i].one, ends[i].several);
        is_first = false;
    }
    text_append(buffer, TEXT("; each other one that was wanted was stopped here."));
}

static void summarize_no(struct foreign_summary *summary, struct text state,
                         const struct jread *report)
{
    const struct foreign_wording *wording = foreign_state_wording(state);
    bool is_asked = !text_equal(state, TEXT("not_requested"));
    summary->tone = wording->tone;
    summary->heading = wording->tone == HTML_BAD ? (text_equal(state, TEXT("revoked"))
                                                        ? "Lightspeed's approval was revoked"
                                                        : "Lightspeed has refused approval")
                       : is_asked                ? "Not approved yet"
                                                 : "No approval was asked for yet";
    const struct jread *totals = jread_member(report, "totals");
    int64_t attempts = answer_int64(totals, "attempts");
    if (attempts != answer_int64(totals, "refused_by_us")) {
        append_earlier(&summary->sentence, totals);
        return;
    }
    text_append(&summary->sentence,
                TEXT("No payment is sent onto an order that this application did not create."));
    if (attempts > 0)
        text_append(&summary->sentence,
                    TEXT(" Each one that was wanted is listed below, and was stopped here."));
}

static void summarize_approved(struct foreign_summary *summary, const struct answer_style *style,
                               const struct jread *report)
{
    struct text reference = answer_text(report, "reference");
    summary->tone = HTML_GOOD;
    summary->heading = "Approved by Lightspeed";
    text_append(&summary->sentence, TEXT("These payments may be "));
    foreign_append_terms(&summary->sentence, style, jread_member(report, "approval"));
    text_append(&summary->sentence, TEXT("."));
    if (reference.length != 0) {
        text_append(&summary->sentence, TEXT(" Lightspeed's reference: "));
        text_append(&summary->sentence, reference);
    }
}

void foreign_summarize(struct foreign_summary *summary, const struct answer_style *style,
                       const struct jread *report)
{
    struct text state = answer_text(jread_member(report, "approval"), "state");
    text_buffer_init(&summary->sentence, summary->bytes, sizeof(summary->bytes));
    if (!text_equal(state, TEXT("approved"))) {
        summarize_no(summary, state, report);
    } else if (answer_bool(report, "is_expired")) {
        summary->tone = HTML_NOTICE;
        summary->heading = "The approval has run out";
        text_append(&summary->sentence,
                    TEXT("No payment is sent any more until it is approved anew."));
    } else if (answer_bool(report, "is_suspended")) {
        summary->tone = HTML_BAD;
        summary->heading = "Recorded here as approved, and refused by Lightspeed's API";
        text_append(
            &summary->sentence,
            TEXT("The API has answered \"forbidden\" (403) since the approval was recorded: it may "
                 "not be switched on for this application. No payment is sent any more until the "
                 "approval is recorded again."));
    } else {
        summarize_approved(summary, style, report);
    }
}
