/* Judges the application at Lightspeed, the merchant's grant, and what his company has there. */
#include "handlers/doctor_line.h"

#include "ledger/foreign.h"

#include <string.h>

#include "base/banned.h"

#define BACK_OFFICE "Back Office, Integrations, your application, tab "

static long long id_of(const struct judging *judging)
{
    return (long long)judging->facts->tenant->id;
}

/* --- the application */

void judge_app(const struct judging *judging, struct doctor_line *line)
{
    if (judging->facts->rows.has_client) {
        line_find(line, DOCTOR_OK, "Both are known");
        return;
    }
    const struct doctor_field redirect = {.tab = "Details", .field = "Redirect URL"};
    struct text_buffer paste;
    text_buffer_init(&paste, line->paste, sizeof(line->paste));
    doctor_append_address(judging->facts, &redirect, &paste);
    line->tab = redirect.tab;
    line->field = redirect.field;
    line_find(line, DOCTOR_TODO, "No application is set");
    line_advise(line, BACK_OFFICE "Details: paste the Redirect URL, save, and give us its Client "
                                  "ID and Client Secret (keep the secret: nobody can show it to "
                                  "you again)");
    line_command(line, "counterpart app set --surface oseries --client-id ID --client-secret -");
}

void judge_token(const struct judging *judging, struct doctor_line *line)
{
    const struct doctor_facts *facts = judging->facts;
    if (facts->has_token) {
        line_find(line, DOCTOR_OK, "%s",
                  facts->tenant->signature_token[0] != '\0' ? "The tenant has one of its own"
                                                            : "The application's");
        return;
    }
    line_find(line, DOCTOR_TODO, "None is set: no request of a register can be checked");
    line_advise(line, "Copy it from " BACK_OFFICE "Details, Signature Token; the command reads it "
                      "from its standard input");
    line_command(line, "counterpart app set --surface oseries --signature-token -");
}

/* --- the grant */

static void advise_consent(const struct judging *judging, struct doctor_line *line)
{
    line_advise(line, "Open the address that this prints, choose the company, press Grant Access");
    line_command(line, "counterpart oauth start --tenant %lld", id_of(judging));
}

static void find_unrefreshed(const struct doctor_facts *facts, struct doctor_line *line)
{
    const struct oauth_status *grant = &facts->grant;
    struct span ago = span_of(facts->now_us - grant->failed_at_us);
    if (grant->failures == 0)
        line_find(line, DOCTOR_TODO, "It should have been refreshed by now");
    else if (grant->failures == 1)
        line_find(line, DOCTOR_TODO, "Refreshing it has failed once, %s ago: %s", ago.text,
                  grant->reason);
    else
        line_find(line, DOCTOR_TODO, "Refreshing it has failed %d times, last %s ago: %s",
                  (int)grant->failures, ago.text, grant->reason);
}

static void judge_connected(const struct judging *judging, struct doctor_line *line)
{
    const struct doctor_facts *facts = judging->facts;
    const struct oauth_status *grant = &facts->grant;
    if (grant->kind == GRANT_BASIC) {
        line_find(line, DOCTOR_TODO,
                  "Connected with client id and secret: registers switch our "
                  "features on for a registered refresh token only");
        advise_consent(judging, line);
    } else if (grant->is_alarming || grant->failures > 0) {
        find_unrefreshed(facts, line);
        line_advise(line, "Try it now");
        line_command(line, "counterpart oauth refresh --tenant %lld", id_of(judging));
    } else {
        line_find(line, DOCTOR_OK, "Registered; refreshed %s ago, again in %s",
                  span_of(facts->now_us - grant->refreshed_at_us).text,
                  span_of(facts->next_refresh_us - facts->now_us).text);
    }
}

void judge_grant(const struct judging *judging, struct doctor_line *line)
{
    const struct oauth_status *grant = &judging->facts->grant;
    if (line_waits_for(judging, line, DOCTOR_APP))
        return;
    if (grant->tenant_id == 0) {
        line_find(line, DOCTOR_TODO,
                  "None is registered: registers keep our features switched "
                  "off");
        advise_consent(judging, line);
    } else if (grant->status == GRANT_CONNECTED) {
        judge_connected(judging, line);
    } else {
        line_find(line, DOCTOR_TODO, "It is no longer good%s%s",
                  grant->reason[0] == '\0' ? "" : ": ", grant->reason);
        advise_consent(judging, line);
    }
}

/* --- the company */

/* false: the API did not answer, and what is said of it stands in the line. */
static bool api_has_answered(const struct judging *judging, const struct api_result *result,
                             struct doctor_line *line)
{
    if (line_waits_for(judging, line, DOCTOR_GRANT))
        return false;
    if (judging->facts->probes.api_was_asked && result->error == 0)
        return true;
    if (result->status == 401 || result->status == 403 || result->status == 404) {
        line_find(line, DOCTOR_TODO, "Lightspeed refuses to show it (%d%s%s)", result->status,
                  result->sentence[0] == '\0' ? "" : ": ", result->sentence);
        line_advise(line, "Whoever pressed Grant Access must be allowed to see all of the company: "
                          "let the owner grant it again");
        line_command(line, "counterpart oauth start --tenant %lld", id_of(judging));
    } else {
        line_find(line, DOCTOR_UNKNOWN, "Lightspeed did not answer this time");
    }
    return false;
}

void judge_company(const struct judging *judging, struct doctor_line *line)
{
    const struct doctor_facts *facts = judging->facts;
    const struct oseries_company *company = &facts->probes.company;
    const struct tenant *tenant = facts->tenant;
    if (!api_has_answered(judging, &facts->probes.company_result, line))
        return;
    line_find(line, DOCTOR_OK, "%s (%lld), %s, %s", company->name, (long long)company->id,
              company->currency, company->zone);
    if (company->id != tenant->oseries_company) {
        line_find(line, DOCTOR_TODO, "The grant is for company %lld, the tenant is company %lld",
                  (long long)company->id, (long long)tenant->oseries_company);
        advise_consent(judging, line);
    } else if (company->currency[0] != '\0' &&
               strcmp(company->currency, tenant->currency.code) != 0) {
        line_find(line, DOCTOR_TODO, "The company's money is %s, the tenant's %s",
                  company->currency, tenant->currency.code);
        line_advise(line, "A tenant's currency never changes: add one in the company's");
        line_command(line, "counterpart tenant add --name %s --currency %s --timezone %s",
                     quoted_of(tenant->name).text, company->currency, tenant->zone);
    }
}

/* --- sites */

static bool site_is_mapped(const struct doctor_facts *facts, int64_t site)
{
    for (int32_t i = 0; i < facts->site_count; i++)
        if (facts->sites[i] == site)
            return true;
    return false;
}

static bool site_is_theirs(const struct api_names *names, int64_t site)
{
    for (int32_t i = 0; i < names->count; i++)
        if (names->items[i].id == site)
            return true;
    return names->is_cut;
}

/* A site of ours that the company does not have: 0: none. */
static int64_t find_stray_site(const struct doctor_facts *facts)
{
    for (int32_t i = 0; i < facts->site_count; i++)
        if (!site_is_theirs(&facts->probes.sites, facts->sites[i]))
            return facts->sites[i];
    return 0;
}

static void find_unmapped(const struct judging *judging, int32_t missing,
                          const struct api_name *first, struct doctor_line *line)
{
    int64_t stray = find_stray_site(judging->facts);
    if (stray == 0)
        line_find(line, DOCTOR_TODO, "%d of %d are not mapped", (int)missing,
                  (int)judging->facts->probes.sites.count);
    else
        line_find(line, DOCTOR_TODO, "%d of %d are not mapped, and site %lld is not the company's",
                  (int)missing, (int)judging->facts->probes.sites.count, (long long)stray);
    line_advise(line, "Add %s: its local days and its name in reports depend on it", first->name);
    line_command(line, "counterpart site add --tenant %lld --name %s --oseries-site %lld",
                 id_of(judging), quoted_of(first->name).text, (long long)first->id);
}

void judge_sites(const struct judging *judging, struct doctor_line *line)
{
    const struct doctor_facts *facts = judging->facts;
    const struct api_names *names = &facts->probes.sites;
    const struct api_name *first = NULL;
    int32_t missing = 0;
    if (!api_has_answered(judging, &facts->probes.sites_result, line))
        return;
    for (int32_t i = names->count; i-- > 0;)
        if (!site_is_mapped(facts, names->items[i].id)) {
            first = &names->items[i];
            missing++;
        }
    if (missing > 0)
        find_unmapped(judging, missing, first, line);
    else
        line_find(line, DOCTOR_OK, "All of the company's are mapped: %d", (int)names->count);
}

/* --- the payment method */

/* The only one that speaks of gifts, cards or us; NULL: nobody can tell. */
static const struct api_name *guess_method(const struct doctor_facts *facts)
{
    const struct api_name *found = NULL;
    for (int32_t i = 0; i < facts->probes.methods.count; i++) {
        const struct api_name *each = &facts->probes.methods.items[i];
        if (strcasestr(each->name, "gift") == NULL)
            continue;
        if (found != NULL)
            return NULL;
        found = each;
    }
    return found;
}

static void append_methods(const struct api_names *names, struct text_buffer *list)
{
    for (int32_t i = 0; i < names->count && list->length < DOCTOR_TEXT_MAX; i++)
        text_append_format(list, "%s%s %lld", i == 0 ? "" : ", ", names->items[i].name,
                           (long long)names->items[i].id);
}

/* What there is instead: the one that looks like ours, or else all of them. */
static void append_choice(const struct api_names *names, const struct api_name *guess,
                          struct text_buffer *choice)
{
    if (guess != NULL) {
        text_append_format(choice, "\"%s\" (%lld) looks like it", guess->name,
                           (long long)guess->id);
    } else if (names->count == 0) {
        text_append(choice, TEXT("the company has none"));
    } else {
        text_append(choice, TEXT("the company has: "));
        append_methods(names, choice);
    }
}

static void advise_method(const struct judging *judging, const struct api_name *guess,
                          struct doctor_line *line)
{
    if (judging->facts->probes.methods.count == 0) {
        line_advise(line, "Save " BACK_OFFICE "Payments, on the register Sync, then look again");
        line_command(line, "counterpart doctor --tenant %lld", id_of(judging));
    } else if (guess != NULL) {
        line_advise(line, "If it has the name that stands in tab Payments, tell that it is ours: "
                          "lost replies settle by themselves then");
        line_command(line, "counterpart tenant set --tenant %lld --payment-method %lld",
                     id_of(judging), (long long)guess->id);
    } else {
        line_advise(line, "For ID put the number of the one that has the name of tab Payments; if "
                          "none has, save the tab, on the register Sync, then look again");
        line_command(line, "counterpart tenant set --tenant %lld --payment-method ID",
                     id_of(judging));
    }
}

static void find_no_method(const struct judging *judging, struct doctor_line *line)
{
    const struct doctor_facts *facts = judging->facts;
    const struct api_name *guess = guess_method(facts);
    int32_t told = facts->tenant->payment_method;
    char bytes[2 * DOCTOR_TEXT_MAX];
    struct text_buffer choice;
    text_buffer_init(&choice, bytes, sizeof(bytes));
    append_choice(&facts->probes.methods, guess, &choice);
    if (told != 0)
        line_find(line, DOCTOR_TODO, "Lightspeed has no payment method %d; %s", (int)told, bytes);
    else
        line_find(line, DOCTOR_TODO, "Which one is ours is not told; %s", bytes);
    advise_method(judging, guess, line);
}

void judge_method(const struct judging *judging, struct doctor_line *line)
{
    const struct doctor_facts *facts = judging->facts;
    const struct api_names *names = &facts->probes.methods;
    if (!api_has_answered(judging, &facts->probes.methods_result, line))
        return;
    for (int32_t i = 0; i < names->count; i++)
        if (names->items[i].id == facts->tenant->payment_method) {
            line_find(line, DOCTOR_OK, "%s (%lld)", names->items[i].name,
                      (long long)names->items[i].id);
            return;
        }
    find_no_method(judging, line);
}

/* --- orders that are not ours */

static void advise_foreign(const struct judging *judging, struct doctor_line *line)
{
    enum foreign_state state = judging->facts->tenant->approval.state;
    if (state == FOREIGN_REQUESTED || state == FOREIGN_UNDER_REVIEW) {
        line_find(line, DOCTOR_WAITS, "Lightspeed has been asked (%s); record what it decides",
                  foreign_state_name(state));
        line_command(line, "counterpart foreign-orders record --tenant %lld --state approved ...",
                     id_of(judging));
        return;
    }
    if (state == FOREIGN_APPROVED) {
        line_advise(line, "Ask Lightspeed's partnerships team whether the flag is on and until "
                          "when, then record what they say");
        line_command(line, "counterpart foreign-orders record --tenant %lld --state approved ...",
                     id_of(judging));
        return;
    }
    line_advise(line, "Ask Lightspeed's partnerships team for the flag that lets this application "
                      "pay orders it did not create, and note that you did");
    line_command(line, "counterpart foreign-orders request --tenant %lld --note TEXT --actor NAME",
                 id_of(judging));
}

void judge_foreign(const struct judging *judging, struct doctor_line *line)
{
    const struct doctor_facts *facts = judging->facts;
    const struct foreign_approval *approval = &facts->tenant->approval;
    bool is_wanted = facts->tenant->payment_is_ours || facts->rows.paying_rewards > 0;
    enum foreign_verdict verdict = foreign_judge(approval, 1, facts->local_date, 0);
    if (verdict == FOREIGN_ALLOWED) {
        line_find(line, DOCTOR_OK, "Approved");
    } else if (!is_wanted) {
        line_find(line, DOCTOR_OFF, "Not wanted: registers add the payments, and no reward pays");
    } else {
        line_find(line, DOCTOR_TODO,
                  "Payments onto orders of registers are wanted, and stopped here (%s)",
                  foreign_verdict_name(verdict));
        advise_foreign(judging, line);
    }
}
