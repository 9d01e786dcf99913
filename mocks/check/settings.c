/* Reads the command line of `tillsim check`. */
#include "mocks/check/settings.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

enum setting_id {
    SETTING_TARGET = 256, /* beyond every short option */
    SETTING_CHECKOUT_URL, /* six of them, in the order of enum till_action */
    SETTING_CHECK_BALANCE_URL,
    SETTING_TOP_UP_URL,
    SETTING_REFUND_URL,
    SETTING_CUSTOMER_SEARCH_URL,
    SETTING_REWARD_LOOKUP_URL,
    SETTING_WITHOUT,
    SETTING_TOKEN,
    SETTING_CARD,
    SETTING_EMPTY_CARD,
    SETTING_PIN_CARD,
    SETTING_STOCK_CARD,
    SETTING_UNKNOWN_CARD,
    SETTING_KEYWORD,
    SETTING_CLOUD,
    SETTING_COMPANY,
    SETTING_SITE,
    SETTING_REGISTER,
    SETTING_OTHER_REGISTER,
    SETTING_TIMEOUT,
    SETTING_DEADLINE,
    SETTING_SURFACE,
    SETTING_PROFILE,
    SETTING_ONLY,
    SETTING_SKIP,
    SETTING_REPORT_HTML,
    SETTING_REPORT_JUNIT,
    SETTING_REPORT_JSON,
    SETTING_LIST,
    SETTING_HELP,
};

static const struct option SETTINGS[] = {
    {"target", required_argument, NULL, SETTING_TARGET},
    {"checkout-url", required_argument, NULL, SETTING_CHECKOUT_URL},
    {"check-balance-url", required_argument, NULL, SETTING_CHECK_BALANCE_URL},
    {"top-up-url", required_argument, NULL, SETTING_TOP_UP_URL},
    {"refund-url", required_argument, NULL, SETTING_REFUND_URL},
    {"customer-search-url", required_argument, NULL, SETTING_CUSTOMER_SEARCH_URL},
    {"reward-lookup-url", required_argument, NULL, SETTING_REWARD_LOOKUP_URL},
    {"without", required_argument, NULL, SETTING_WITHOUT},
    {"token", required_argument, NULL, SETTING_TOKEN},
    {"card", required_argument, NULL, SETTING_CARD},
    {"empty-card", required_argument, NULL, SETTING_EMPTY_CARD},
    {"pin-card", required_argument, NULL, SETTING_PIN_CARD},
    {"stock-card", required_argument, NULL, SETTING_STOCK_CARD},
    {"unknown-card", required_argument, NULL, SETTING_UNKNOWN_CARD},
    {"keyword", required_argument, NULL, SETTING_KEYWORD},
    {"cloud", required_argument, NULL, SETTING_CLOUD},
    {"company", required_argument, NULL, SETTING_COMPANY},
    {"site", required_argument, NULL, SETTING_SITE},
    {"register", required_argument, NULL, SETTING_REGISTER},
    {"other-register", required_argument, NULL, SETTING_OTHER_REGISTER},
    {"timeout", required_argument, NULL, SETTING_TIMEOUT},
    {"deadline", required_argument, NULL, SETTING_DEADLINE},
    {"surface", required_argument, NULL, SETTING_SURFACE},
    {"profile", required_argument, NULL, SETTING_PROFILE},
    {"only", required_argument, NULL, SETTING_ONLY},
    {"skip", required_argument, NULL, SETTING_SKIP},
    {"report-html", required_argument, NULL, SETTING_REPORT_HTML},
    {"report-junit", required_argument, NULL, SETTING_REPORT_JUNIT},
    {"report-json", required_argument, NULL, SETTING_REPORT_JSON},
    {"list", no_argument, NULL, SETTING_LIST},
    {"help", no_argument, NULL, SETTING_HELP},
    {NULL, 0, NULL, 0},
};

static const char USAGE[] =
    "tillsim check: asks an endpoint what a register asks, and says what a register would make of\n"
    "the answers.\n"
    "\n"
    "  tillsim check --target URL [--token T] [--card N] [--keyword K] [...]\n"
    "  tillsim check --list\n"
    "\n"
    "Where\n"
    "  --target URL       base; /checkout, /check-balance, /top-up, /refund, /customer-search and\n"
    "                     /reward-lookup are appended to it\n"
    "  --checkout-url U   the address of one action; likewise --check-balance-url, --top-up-url,\n"
    "                     --refund-url, --customer-search-url, --reward-lookup-url\n"
    "  --without ACTION   one that is not offered, such as top-up; may be repeated\n"
    "  --surface payments|loyalty|all   --profile strict|lenient\n"
    "\n"
    "With what\n"
    "  --token T          Signature Token; without it nothing is signed\n"
    "  --card N           a card with 5.00 or more on it; charged in cents, and given back\n"
    "  --empty-card N     one with nothing on it; loaded with at most 1.00, and emptied again\n"
    "  --pin-card N*P     a card with its PIN       --stock-card N   printed, not sold yet\n"
    "  --unknown-card N   a number nobody has; made up by default\n"
    "  --keyword K        finds at least one member\n"
    "  --cloud URL        of a `tillsim cloud` the target is connected to: rewards are redeemed\n"
    "  --company C --site S --register R --other-register R   default 5678, 923, 9091, 9092\n"
    "\n"
    "How\n"
    "  --only ID...       these cases, or groups such as `once`; --skip ID...   all but these\n"
    "  --timeout S        of one request, default 5; --deadline S   of the run, default 300\n"
    "  --report-html F    --report-junit F   --report-json F\n"
    "\n"
    "Exit code: 0 all passed (or skipped), 1 something failed, 2 usage, 3 target not reachable.\n";

const char *surface_name(enum surface surface)
{
    return surface == SURFACE_PAYMENTS ? "payments" : "loyalty";
}

void settings_print_usage(void)
{
    fputs(USAGE, stdout);
}

static bool complain(const char *what, const char *value)
{
    fprintf(stderr, "tillsim check: %s%s%s (see tillsim check --help)\n", what,
            value != NULL ? ": " : "", value != NULL ? value : "");
    return false;
}

static bool read_number(int64_t *number, int64_t min, const char *value)
{
    int err = text_parse_int64(text_of(value), number);
    return (err == 0 && *number >= min) || complain("not a number that makes sense here", value);
}

static bool read_profile(struct settings *settings, const char *value)
{
    settings->profile = strcmp(value, "lenient") == 0 ? PROFILE_LENIENT : PROFILE_STRICT;
    return settings->profile == PROFILE_LENIENT || strcmp(value, "strict") == 0 ||
           complain("strict or lenient wanted", value);
}

static bool read_surface(struct settings *settings, const char *value)
{
    settings->surfaces = strcmp(value, "payments") == 0  ? SURFACE_PAYMENTS
                         : strcmp(value, "loyalty") == 0 ? SURFACE_LOYALTY
                         : strcmp(value, "all") == 0     ? SURFACE_PAYMENTS | SURFACE_LOYALTY
                                                         : 0;
    return settings->surfaces != 0 || complain("payments, loyalty or all wanted", value);
}

static bool read_without(struct settings *settings, const char *value)
{
    for (size_t i = 0; i < TILL_LOYALTY; i++) {
        if (strcmp(value, till_action_path((enum till_action)i)) == 0)
            return settings->is_without[i] = true;
    }
    return complain("no such action", value);
}

static bool picks_add(struct picks *picks, const char *id)
{
    if (picks->count == PICKS_MAX)
        return complain("too many ids", id);
    picks->id[picks->count++] = id;
    return true;
}

/* The settings that are plain text. */
static const char **text_slot(struct settings *settings, enum setting_id id)
{
    if (id >= SETTING_CHECKOUT_URL && id <= SETTING_REWARD_LOOKUP_URL)
        return &settings->url[id - SETTING_CHECKOUT_URL];
    const struct {
        enum setting_id id;
        const char **slot;
    } slots[] = {{SETTING_TARGET, &settings->target},
                 {SETTING_TOKEN, &settings->token},
                 {SETTING_CARD, &settings->card},
                 {SETTING_EMPTY_CARD, &settings->empty_card},
                 {SETTING_PIN_CARD, &settings->pin_card},
                 {SETTING_STOCK_CARD, &settings->stock_card},
                 {SETTING_UNKNOWN_CARD, &settings->unknown_card},
                 {SETTING_KEYWORD, &settings->keyword},
                 {SETTING_CLOUD, &settings->cloud},
                 {SETTING_REPORT_HTML, &settings->report_html},
                 {SETTING_REPORT_JUNIT, &settings->report_junit},
                 {SETTING_REPORT_JSON, &settings->report_json}};
    for (size_t i = 0; i < COUNT_OF(slots); i++) {
        if (slots[i].id == id)
            return slots[i].slot;
    }
    return NULL;
}

static int64_t *number_slot(struct settings *settings, enum setting_id id, int64_t *min)
{
    const struct {
        enum setting_id id;
        int64_t *slot;
        int64_t min;
    } slots[] = {{SETTING_COMPANY, &settings->company_id, 0},
                 {SETTING_SITE, &settings->site_id, 0},
                 {SETTING_REGISTER, &settings->register_id, 0},
                 {SETTING_OTHER_REGISTER, &settings->other_register_id, 1},
                 {SETTING_TIMEOUT, &settings->timeout_s, 1},
                 {SETTING_DEADLINE, &settings->deadline_s, 1}};
    for (size_t i = 0; i < COUNT_OF(slots); i++) {
        if (slots[i].id == id) {
            *min = slots[i].min;
            return slots[i].slot;
        }
    }
    return NULL;
}

static bool settings_set(struct settings *settings, enum setting_id id, const char *value)
{
    int64_t min = 0;
    const char **text = text_slot(settings, id);
    int64_t *number = number_slot(settings, id, &min);
    if (text != NULL) {
        *text = value;
        return true;
    }
    if (number != NULL)
        return read_number(number, min, value);
    if (id == SETTING_WITHOUT)
        return read_without(settings, value);
    if (id == SETTING_SURFACE)
        return read_surface(settings, value);
    if (id == SETTING_PROFILE)
        return read_profile(settings, value);
    if (id == SETTING_LIST)
        return settings->wants_list = true;
    return settings->wants_help = true;
}

static bool is_address(const char *url)
{
    return text_starts_with(text_of(url), TEXT("http://")) ||
           text_starts_with(text_of(url), TEXT("https://"));
}

static bool settings_are_complete(const struct settings *settings)
{
    bool has_url = settings->target != NULL;
    if (settings->target != NULL && !is_address(settings->target))
        return complain("--target is no http(s) address", settings->target);
    if (settings->cloud != NULL && !is_address(settings->cloud))
        return complain("--cloud is no http(s) address", settings->cloud);
    for (size_t i = 0; i < TILL_LOYALTY; i++) {
        has_url = has_url || settings->url[i] != NULL;
        if (settings->url[i] != NULL && !is_address(settings->url[i]))
            return complain("no http(s) address", settings->url[i]);
    }
    if (settings->timeout_s > TIMEOUT_S_MAX || settings->deadline_s > TIMEOUT_S_MAX)
        return complain("--timeout and --deadline are at most an hour", NULL);
    return has_url || complain("--target is missing", NULL);
}

/* What stands alone belongs to the --only or --skip before it: `--only a b c`. */
static bool settings_parse_words(struct settings *settings, int argc, char **argv)
{
    struct picks *picks = NULL;
    int id;
    while ((id = getopt_long(argc, argv, "-", SETTINGS, NULL)) != -1) {
        if (id == '?')
            return false;
        if (id == 1 && picks == NULL)
            return complain("what is this", optarg);
        if (id == SETTING_ONLY || id == SETTING_SKIP)
            picks = id == SETTING_ONLY ? &settings->only : &settings->skip;
        else if (id != 1)
            picks = NULL;
        if (picks != NULL ? !picks_add(picks, optarg)
                          : !settings_set(settings, (enum setting_id)id, optarg))
            return false;
    }
    return optind == argc || complain("what is this", argv[optind]);
}

bool settings_parse(struct settings *settings, int argc, char **argv)
{
    *settings = (struct settings){.company_id = 5678,
                                  .site_id = 923,
                                  .register_id = 9091,
                                  .timeout_s = CHECK_TIMEOUT_S_DEFAULT,
                                  .deadline_s = CHECK_DEADLINE_S_DEFAULT,
                                  .surfaces = SURFACE_PAYMENTS | SURFACE_LOYALTY,
                                  .profile = PROFILE_STRICT};
    if (!settings_parse_words(settings, argc, argv))
        return false;
    if (settings->other_register_id == 0)
        settings->other_register_id = settings->register_id + 1;
    return settings->wants_help || settings->wants_list || settings_are_complete(settings);
}

bool settings_have_action(const struct settings *settings, enum till_action action)
{
    if (settings->is_without[action])
        return false;
    return settings->target != NULL || settings->url[action] != NULL;
}

bool settings_write_url(const struct settings *settings, enum till_action action,
                        struct text_buffer *url)
{
    if (settings->url[action] != NULL)
        text_append(url, text_of(settings->url[action]));
    if (settings->url[action] != NULL || settings->target == NULL)
        return settings->url[action] != NULL;
    struct text base = text_of(settings->target);
    struct text path = text_slice(base, 0, strcspn(settings->target, "?"));
    struct text query = text_slice(base, path.length, base.length);
    while (path.length > 0 && path.base[path.length - 1] == '/')
        path.length--;
    text_append(url, path);
    text_append_char(url, '/');
    text_append(url, text_of(till_action_path(action)));
    text_append(url, query);
    return !url->is_cut;
}
