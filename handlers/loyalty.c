/* O-Series loyalty: customer-search, reward-lookup, redeem: from URL to the register's answer. */
#include "handlers/loyalty.h"

#include "base/clock.h"
#include "base/log.h"
#include "handlers/loyalty_reply.h"
#include "handlers/loyalty_request.h"
#include "handlers/route.h"
#include "lightspeed/customer.h"
#include "lightspeed/redeem.h"
#include "oauth/jwt.h"

#include <stddef.h>
#include <string.h>

#include "base/banned.h"

#define KEYWORD_MAX (4 * SEARCH_KEYWORD_MAX) /* bytes; of UTF-8 */
/* Kept for the store after the API has told who a customer is, and for the answer. */
#define AFTER_CUSTOMER_US (JOB_RESERVE_US + INT64_C(200) * 1000)
/* Kept for the answer after a redemption has ended. */
#define AFTER_REDEEM_US (INT64_C(100) * 1000)
/* A clock that is set back a little must not make a token one of the future. */
#define TOKEN_SLACK_US (INT64_C(300) * CLOCK_US_PER_S)
/* "/oseries/", "/redeem?t=", "&" and "=", besides public URL, key, token, names and placeholder. */
#define URL_EXTRA_MAX 32

#define SENTENCE_COMPANY "This URL belongs to another company. Check the URLs in Back Office"
#define SENTENCE_SITE "This site is not set up for rewards. Ask the manager"
#define SENTENCE_DOWN "Members are not available right now. Try again shortly"
#define SENTENCE_NOBODY "No member was chosen. Search for the customer first"
#define SENTENCE_UNKNOWN "This customer is not a member yet"
#define SENTENCE_INACTIVE "This membership is switched off. Ask the manager"
#define SENTENCE_TOKEN "This reward link is not valid. Look the member up again"
#define SENTENCE_EXPIRED "This reward link has expired. Look the member up again"
#define SENTENCE_NO_SALE "No sale is open. Start a sale, then redeem"
#define SENTENCE_UNSURE "Not confirmed yet. Wait a minute, then try again"
#define SENTENCE_BUSY "Not done: the system is busy. Try again"
#define SENTENCE_NOT_REDEEMED "Rewards are not available right now. Nothing was redeemed. Try again"

enum call_kind {
    CALL_SEARCH,
    CALL_LOOKUP,
    CALL_REDEEM,
    CALL_KINDS,
};

static const struct {
    size_t switch_offset; /* of the tenant's switch for it */
    const char *off;
} kinds[CALL_KINDS] = {
    [CALL_SEARCH] = {offsetof(struct tenant, search_is_on), "Member search is switched off here"},
    [CALL_LOOKUP] = {offsetof(struct tenant, rewards_is_on), "Rewards are switched off here"},
    [CALL_REDEEM] = {offsetof(struct tenant, redeem_is_on),
                     "Redeeming rewards is switched off here"},
};

/* One request under way; in its pool. */
struct call {
    enum call_kind kind;
    struct loyalty_style style;
    struct loyalty_request request;
    bool is_customer_asked;
};

/* --- telling --- */

static void reply_init(struct exchange *exchange, struct text_buffer *reply)
{
    text_buffer_init(reply, exchange_allocate(exchange, LOYALTY_REPLY_MAX), LOYALTY_REPLY_MAX);
}

static void tell_problem(struct exchange *exchange, const char *code, const char *sentence)
{
    const struct call *call = exchange->data;
    struct text_buffer reply;
    reply_init(exchange, &reply);
    if (call->kind == CALL_REDEEM)
        loyalty_reply_redeem(&call->style, false, code, sentence, &reply);
    else
        loyalty_reply_error(&call->style, code, sentence, &reply);
    exchange_reply_json(exchange, exchange->tenant->tenant.refusal_status,
                        text_buffer_text(&reply));
}

static void log_failure(const struct exchange *exchange, int err)
{
    log_event(LOG_WARNING, "loyalty_failed", LOG_INT("request_id", exchange->request_id),
              LOG_INT("tenant_id", exchange->tenant->tenant.id),
              LOG_TEXT("route", exchange->route->name), LOG_TEXT("error", error_name(err)));
}

static void tell_down(struct exchange *exchange, int err)
{
    log_failure(exchange, err);
    if (err == ERR_BUG)
        exchange_fail_bug(exchange, "a look-up broke a rule");
    else
        tell_problem(exchange, error_name(err), SENTENCE_DOWN);
}

/* --- reading and checking, the same for all three --- */

static bool read_request(struct exchange *exchange, struct call *call)
{
    h2o_iovec_t method = exchange->req->input.method;
    bool is_post = h2o_memis(method.base, method.len, H2O_STRLIT("POST"));
    const struct loyalty_input input = {.query = exchange->query,
                                        .body = is_post ? exchange->body : TEXT(""),
                                        .body_format = exchange->tenant->tenant.body_format};
    char *memory = exchange_allocate(exchange, loyalty_request_memory(&input));
    char text[LOYALTY_FAULT_MAX];
    struct text_buffer fault;
    text_buffer_init(&fault, text, sizeof(text));
    int err = loyalty_request_read(call->style.profile, &input, memory, &call->request, &fault);
    if (err == 0)
        return true;
    log_event(LOG_INFO, "request_refused", LOG_INT("request_id", exchange->request_id),
              LOG_INT("tenant_id", exchange->tenant->tenant.id),
              LOG_TEXT("error", error_name(err)));
    if (err == ERR_NO_MEMORY)
        exchange_refuse(exchange, 503, error_name(err), text);
    else if (call->kind == CALL_REDEEM)
        exchange_refuse(exchange, 400, error_name(err), text);
    else /* the search screen knows one kind of refusal only */
        tell_problem(exchange, error_name(err), text);
    return false;
}

/* To a stranger nothing else is told. A redeem_url names no site: its order does, and is checked by
 * the one who reads it. */
static bool check_request(struct exchange *exchange, const struct call *call)
{
    const struct tenant *tenant = &exchange->tenant->tenant;
    int64_t company_id = call->request.company_id, site_id = call->request.site_id;
    bool is_site_wanted =
        tenant->sites_must_be_mapped && (call->kind != CALL_REDEEM || site_id != 0);
    if (company_id != 0 && company_id != tenant->oseries_company) {
        exchange_refuse(exchange, 403, "wrong_company", SENTENCE_COMPANY);
        return false;
    }
    if (!*(const bool *)((const char *)tenant + kinds[call->kind].switch_offset)) {
        tell_problem(exchange, "switched_off", kinds[call->kind].off);
        return false;
    }
    if (is_site_wanted && directory_find_site(exchange->snapshot, tenant->id, site_id) == NULL) {
        tell_problem(exchange, "unknown_site", SENTENCE_SITE);
        return false;
    }
    return true;
}

/* NULL: the exchange is answered. */
static struct call *call_begin(struct exchange *exchange, enum call_kind kind)
{
    struct call *call = exchange_allocate(exchange, sizeof(*call));
    const struct profile *profile =
        profile_beside(exchange->dialect, exchange->tenant->tenant.profile);
    call->kind = kind;
    call->style.profile = &profile->loyalty;
    call->style.points_label = exchange->tenant->tenant.points_label;
    exchange->data = call;
    return read_request(exchange, call) && check_request(exchange, call) ? call : NULL;
}

/* --- customer-search --- */

/* The extra bytes of its job. */
struct search {
    int64_t tenant_id;
    size_t keyword_length;
    char keyword[KEYWORD_MAX];
    int32_t count;
    struct member found[SEARCH_RESULTS_MAX];
};

static void on_found(void *context, const struct member *member)
{
    struct search *search = context;
    if (search->count < SEARCH_RESULTS_MAX)
        search->found[search->count++] = *member;
}

static int task_search(struct job *job, struct store *store)
{
    struct search *search = (struct search *)(job + 1);
    return store_search_members(store, search->tenant_id,
                                (struct text){search->keyword, search->keyword_length},
                                SEARCH_RESULTS_MAX, on_found, search);
}

static void tell_members(struct exchange *exchange, const struct member *members, int32_t count)
{
    const struct call *call = exchange->data;
    struct text_buffer reply;
    reply_init(exchange, &reply);
    char *scratch = exchange_allocate(exchange, LOYALTY_PART_MAX);
    int32_t told = loyalty_reply_members(&call->style, members, count, scratch, &reply);
    log_event(LOG_DEBUG, "customer_search", LOG_INT("request_id", exchange->request_id),
              LOG_INT("tenant_id", exchange->tenant->tenant.id), LOG_INT("found", count),
              LOG_INT("told", told),
              LOG_INT("duration_us", clock_monotonic_us() - exchange->received_monotonic_us));
    exchange_reply_json(exchange, 200, text_buffer_text(&reply));
}

static void on_searched(struct exchange *exchange, const struct job *job)
{
    const struct search *search = (const struct search *)(job + 1);
    if (job->error != 0)
        tell_down(exchange, job->error);
    else
        tell_members(exchange, search->found, search->count);
}

/* Whole characters of UTF-8. */
static struct text cut_keyword(struct text keyword)
{
    size_t length = keyword.length < KEYWORD_MAX ? keyword.length : KEYWORD_MAX;
    while (length > 0 && length < keyword.length &&
           ((unsigned char)keyword.base[length] & 0xC0) == 0x80)
        length--;
    return text_slice(keyword, 0, length);
}

/* Nothing typed finds nobody: the screen that cannot bear a surprise gets no error for it. */
void loyalty_customer_search(struct exchange *exchange)
{
    const struct call *call = call_begin(exchange, CALL_SEARCH);
    if (call == NULL)
        return;
    struct text keyword = cut_keyword(call->request.keyword);
    if (keyword.length == 0) {
        tell_members(exchange, NULL, 0);
        return;
    }
    struct job *job = exchange_job(exchange, sizeof(struct search));
    struct search *search = (struct search *)(job + 1);
    search->tenant_id = exchange->tenant->tenant.id;
    search->keyword_length = keyword.length;
    memcpy(search->keyword, keyword.base, keyword.length);
    job->task = task_search;
    job->is_long = true;
    exchange_submit_read(exchange, job, on_searched);
}

/* --- reward-lookup --- */

/* The extra bytes of its job. */
struct look {
    int64_t tenant_id;
    char reference[MEMBER_CODE_MAX + 1];
    char email[MEMBER_EMAIL_MAX + 1];
    int32_t email_matches;
    bool is_found;
    struct member member;
    int32_t reward_count;
    struct reward rewards[REWARDS_MAX];
};

static void on_email_match(void *context, const struct member *member)
{
    struct look *look = context;
    if (!text_equal_nocase(text_of(member->email), text_of(look->email)))
        return;
    look->email_matches++;
    look->member = *member;
}

/* What the register calls the reference is our code; it may also have kept the number. */
static int look_by_reference(struct look *look, struct store *store)
{
    int64_t member_id;
    struct text reference = text_of(look->reference);
    if (reference.length == 0)
        return 0;
    int err = store_read_member_by_code(store, look->tenant_id, reference, &look->member);
    if (err == ERR_NOT_FOUND && text_is_digits(reference) &&
        text_parse_int64(reference, &member_id) == 0)
        err = store_read_member(store, look->tenant_id, member_id, &look->member);
    look->is_found = err == 0;
    return err == ERR_NOT_FOUND ? 0 : err;
}

/* An address that two members share says nothing about who stands there. */
static int look_by_email(struct look *look, struct store *store)
{
    if (look->email[0] == '\0' || look->is_found)
        return 0;
    int err = store_search_members(store, look->tenant_id, text_of(look->email), SEARCH_RESULTS_MAX,
                                   on_email_match, look);
    look->is_found = err == 0 && look->email_matches == 1;
    return err;
}

static void on_reward(void *context, const struct reward *reward)
{
    struct look *look = context;
    if (reward->is_active && look->reward_count < REWARDS_MAX)
        look->rewards[look->reward_count++] = *reward;
}

static int task_look(struct job *job, struct store *store)
{
    struct look *look = (struct look *)(job + 1);
    int err = store_begin_read(store);
    if (err != 0)
        return err;
    err = look_by_reference(look, store);
    if (err == 0)
        err = look_by_email(look, store);
    if (err == 0 && look->is_found)
        err = store_each_reward(store, look->tenant_id, on_reward, look);
    store_end_read(store);
    return err;
}

static void copy_text(struct text text, char *out, size_t size)
{
    if (text.length > 0 && text.length < size)
        memcpy(out, text.base, text.length); /* longer is nobody's code; out is zeroed */
}

static void on_looked(struct exchange *exchange, const struct job *job);

static void submit_look(struct exchange *exchange, struct text reference, struct text email)
{
    struct job *job = exchange_job(exchange, sizeof(struct look));
    struct look *look = (struct look *)(job + 1);
    look->tenant_id = exchange->tenant->tenant.id;
    copy_text(reference, look->reference, sizeof(look->reference));
    copy_text(email, look->email, sizeof(look->email));
    job->task = task_look;
    exchange_submit_read(exchange, job, on_looked);
}

static void on_customer(struct exchange *exchange, const struct job *job)
{
    const struct customer_look *look = (const struct customer_look *)(job + 1);
    if (job->error != 0)
        tell_down(exchange, job->error);
    else if (!look->is_found)
        tell_problem(exchange, "unknown_member", SENTENCE_UNKNOWN);
    else
        submit_look(exchange, text_of(look->customer.reference_id), text_of(look->customer.email));
}

static void submit_customer(struct exchange *exchange)
{
    struct call *call = exchange->data;
    struct job *job = exchange_job(exchange, sizeof(struct customer_look));
    struct customer_look *look = (struct customer_look *)(job + 1);
    look->api = exchange->handlers->api;
    look->tenant_id = exchange->tenant->tenant.id;
    look->customer_id = call->request.customer_id;
    look->deadline_us = exchange_deadline_us(exchange) - AFTER_CUSTOMER_US;
    job->begin = customer_look_begin;
    call->is_customer_asked = true;
    exchange_submit_outbound(exchange, job, on_customer);
}

/*
 * The platform replaces the text "order_id=<placeholder>" of this URL by the real order's: it
 * stands there once, at the end. Neither key (hex) nor token (base64url and dots) can hold a '=',
 * and no other parameter follows or goes before them.
 */
static int write_url(struct exchange *exchange, const struct member *member,
                     const struct reward *reward, struct text_buffer *url)
{
    const struct call *call = exchange->data;
    const struct tenant *tenant = &exchange->tenant->tenant;
    struct handlers *handlers = exchange->handlers;
    struct token_claims claims = {.audience = TOKEN_REDEEM,
                                  .tenant_id = tenant->id,
                                  .member_id = member->id,
                                  .reward_id = reward->id,
                                  .not_before_us = exchange->received_wall_us - TOKEN_SLACK_US,
                                  .expires_at_us =
                                      exchange->received_wall_us + tenant->redeem_token_us};
    text_append(url, text_of(handlers->public_url));
    text_append(url, TEXT("/oseries/"));
    text_append(url, text_of(tenant->key));
    text_append(url, TEXT("/redeem?" LOYALTY_TOKEN_NAME "="));
    int err = token_sign(handlers->token_keys, handlers->random, &claims, url);
    text_append_char(url, '&');
    text_append(url, profile_name(&call->style.profile->request[LOYALTY_ORDER], 0));
    text_append_char(url, '=');
    text_append(url, loyalty_order_is_placeholder(call->request.order) ? call->request.order
                                                                       : TEXT("0"));
    CHECK(!url->is_cut);
    return err;
}

static int make_offers(struct exchange *exchange, const struct look *look,
                       struct loyalty_offer *offers)
{
    size_t capacity = strlen(exchange->handlers->public_url) + ID_KEY_CHARS + JWT_TEXT_MAX +
                      PROFILE_NAME_MAX + LOYALTY_ORDER_MAX + URL_EXTRA_MAX;
    for (int32_t i = 0; i < look->reward_count; i++) {
        struct text_buffer url;
        text_buffer_init(&url, exchange_allocate(exchange, capacity), capacity);
        int err = write_url(exchange, &look->member, &look->rewards[i], &url);
        if (err != 0)
            return err;
        offers[i] = (struct loyalty_offer){&look->rewards[i], text_buffer_text(&url)};
    }
    return 0;
}

/* Without it no reward of this look-up can be redeemed: the register learns of no real order. */
static void log_placeholder(const struct exchange *exchange, struct text order)
{
    if (!loyalty_order_is_placeholder(order))
        log_event(LOG_WARNING, "placeholder_refused", LOG_INT("request_id", exchange->request_id),
                  LOG_INT("tenant_id", exchange->tenant->tenant.id),
                  LOG_INT("length", order.length));
}

/* All that the member could have one day: the register shows what each costs beside the points. */
static void tell_rewards(struct exchange *exchange, const struct look *look)
{
    const struct call *call = exchange->data;
    struct loyalty_offer offers[REWARDS_MAX];
    struct text_buffer reply;
    log_placeholder(exchange, call->request.order);
    reply_init(exchange, &reply);
    int err = make_offers(exchange, look, offers);
    if (err != 0) {
        tell_down(exchange, err);
        return;
    }
    char *scratch = exchange_allocate(exchange, LOYALTY_PART_MAX);
    int32_t told = loyalty_reply_rewards(&call->style, &look->member, offers, look->reward_count,
                                         scratch, &reply);
    log_event(LOG_DEBUG, "reward_lookup", LOG_INT("request_id", exchange->request_id),
              LOG_INT("tenant_id", exchange->tenant->tenant.id),
              LOG_INT("member_id", look->member.id), LOG_INT("rewards", look->reward_count),
              LOG_INT("told", told));
    exchange_reply_json(exchange, 200, text_buffer_text(&reply));
}

static void on_looked(struct exchange *exchange, const struct job *job)
{
    const struct call *call = exchange->data;
    const struct look *look = (const struct look *)(job + 1);
    if (job->error != 0)
        tell_down(exchange, job->error);
    else if (look->is_found && !look->member.account.is_active)
        tell_problem(exchange, "inactive", SENTENCE_INACTIVE);
    else if (look->is_found)
        tell_rewards(exchange, look);
    else if (call->request.customer_id != 0 && !call->is_customer_asked)
        submit_customer(exchange);
    else
        tell_problem(exchange, "unknown_member", SENTENCE_UNKNOWN);
}

void loyalty_reward_lookup(struct exchange *exchange)
{
    const struct call *call = call_begin(exchange, CALL_LOOKUP);
    if (call == NULL)
        return;
    if (call->request.reference.length > 0)
        submit_look(exchange, call->request.reference, TEXT(""));
    else if (call->request.customer_id != 0)
        submit_customer(exchange);
    else
        tell_problem(exchange, "missing", SENTENCE_NOBODY);
}

/* --- redeem --- */

static void tell_not_redeemed(struct exchange *exchange, int err)
{
    bool is_unknown = err == ERR_UNCONFIRMED || err == ERR_COMMIT_UNKNOWN;
    log_failure(exchange, err);
    if (err == ERR_BUG || err == ERR_STORE_CONSTRAINT)
        exchange_refuse(exchange, 500, error_name(err), SENTENCE_UNSURE);
    else if (is_unknown)
        tell_problem(exchange, error_name(err), SENTENCE_UNSURE);
    else if (err == ERR_CANCELLED || err == ERR_QUEUE_FULL)
        tell_problem(exchange, error_name(err), SENTENCE_BUSY);
    else
        tell_problem(exchange, error_name(err), SENTENCE_NOT_REDEEMED);
}

/* What the points said is no word for a refusal where they said yes. */
static const char *code_of_refusal(const struct redemption *redemption)
{
    if (redemption->is_left_open)
        return "not_confirmed";
    if (redemption->result == POINTS_OK || redemption->result == POINTS_UNDER_WAY)
        return "not_redeemed";
    return points_result_name(redemption->result);
}

static void on_redeemed(struct exchange *exchange, const struct job *job)
{
    const struct call *call = exchange->data;
    const struct redemption *redemption = (const struct redemption *)(job + 1);
    struct text_buffer reply;
    if (job->error != 0) {
        tell_not_redeemed(exchange, job->error);
        return;
    }
    if (!redemption->is_redeemed) {
        tell_problem(exchange, code_of_refusal(redemption), redemption->sentence);
        return;
    }
    reply_init(exchange, &reply);
    loyalty_reply_redeem(&call->style, true, "ok", "Redeemed", &reply);
    exchange_reply_json(exchange, 200, text_buffer_text(&reply));
}

/* Forged, expired, another tenant's: nothing moves, and who forges learns nothing. */
static bool read_token(struct exchange *exchange, struct text token, struct token_claims *claims)
{
    int err = token_verify(exchange->handlers->token_keys, TOKEN_REDEEM, token,
                           exchange->received_wall_us, claims);
    if (err == 0 && claims->tenant_id == exchange->tenant->tenant.id)
        return true;
    log_event(LOG_INFO, "redeem_token_refused", LOG_INT("request_id", exchange->request_id),
              LOG_INT("tenant_id", exchange->tenant->tenant.id),
              LOG_TEXT("error", err == 0 ? "other_tenant" : error_name(err)));
    if (err == ERR_NO_MEMORY)
        tell_not_redeemed(exchange, err);
    else if (err == ERR_EXPIRED)
        tell_problem(exchange, error_name(err), SENTENCE_EXPIRED);
    else
        tell_problem(exchange, error_name(ERR_BAD_TOKEN), SENTENCE_TOKEN);
    return false;
}

static int32_t date_of(const struct exchange *exchange, int64_t site_id)
{
    const struct directory_site *site =
        directory_find_site(exchange->snapshot, exchange->tenant->tenant.id, site_id);
    return clock_local_date(site != NULL ? site->zone : exchange->tenant->zone,
                            exchange->received_wall_us);
}

static void submit_redemption(struct exchange *exchange, const struct token_claims *claims)
{
    const struct call *call = exchange->data;
    struct job *job = exchange_job(exchange, sizeof(struct redemption));
    struct redemption *redemption = (struct redemption *)(job + 1);
    redemption->redeem = exchange->handlers->redeem;
    redemption->tenant_id = claims->tenant_id;
    redemption->member_id = claims->member_id;
    redemption->reward_id = claims->reward_id;
    _Static_assert(sizeof(redemption->token_id) == sizeof(claims->id), "the same id");
    memcpy(redemption->token_id, claims->id, sizeof(redemption->token_id));
    redemption->order_id = call->request.order_id;
    redemption->site_id = call->request.site_id;
    redemption->local_date = date_of(exchange, call->request.site_id);
    redemption->request_id = exchange->request_id;
    redemption->deadline_us = exchange_deadline_us(exchange) - AFTER_REDEEM_US;
    job->begin = redeem_begin;
    exchange_submit_outbound(exchange, job, on_redeemed);
}

void loyalty_redeem(struct exchange *exchange)
{
    h2o_iovec_t method = exchange->req->input.method;
    struct token_claims claims;
    if (h2o_memis(method.base, method.len, H2O_STRLIT("HEAD"))) {
        exchange_add_header(exchange, "allow", TEXT("GET, POST"));
        exchange_refuse(exchange, 405, "method_not_allowed", "HEAD does not redeem");
        return;
    }
    const struct call *call = call_begin(exchange, CALL_REDEEM);
    if (call == NULL || !read_token(exchange, call->request.token, &claims))
        return;
    if (call->request.order_id == 0)
        tell_problem(exchange, "no_order", SENTENCE_NO_SALE);
    else
        submit_redemption(exchange, &claims);
}
