/* Reads the command line of tillsim, one table row per option. */
#include "mocks/register/options.h"

#include "base/id.h"
#include "base/money.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

static const struct {
    const char *path;
    const char *title;
} ACTIONS[TILL_ACTIONS] = {
    [TILL_CHECKOUT] = {"checkout", "Checkout"},
    [TILL_CHECK_BALANCE] = {"check-balance", "Check balance"},
    [TILL_TOP_UP] = {"top-up", "Top-up"},
    [TILL_REFUND] = {"refund", "Refund"},
};

enum option_id {
    OPTION_URL = 256, /* beyond every short option */
    OPTION_TOKEN,
    OPTION_CARD,
    OPTION_AMOUNT,
    OPTION_COMPANY,
    OPTION_SITE,
    OPTION_REGISTER,
    OPTION_ORDER,
    OPTION_REPEAT,
    OPTION_CONCURRENT,
    OPTION_TIMEOUT,
    OPTION_BODY,
    OPTION_AMOUNT_TYPE,
    OPTION_SIGNATURE,
    OPTION_REFERENCE_ID,
    OPTION_DROP_REPLY,
    OPTION_JSON,
    OPTION_HELP,
};

static const struct option OPTIONS[] = {
    {"url", required_argument, NULL, OPTION_URL},
    {"token", required_argument, NULL, OPTION_TOKEN},
    {"card", required_argument, NULL, OPTION_CARD},
    {"amount", required_argument, NULL, OPTION_AMOUNT},
    {"company", required_argument, NULL, OPTION_COMPANY},
    {"site", required_argument, NULL, OPTION_SITE},
    {"register", required_argument, NULL, OPTION_REGISTER},
    {"order", required_argument, NULL, OPTION_ORDER},
    {"repeat", required_argument, NULL, OPTION_REPEAT},
    {"concurrent", required_argument, NULL, OPTION_CONCURRENT},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"body", required_argument, NULL, OPTION_BODY},
    {"amount-type", required_argument, NULL, OPTION_AMOUNT_TYPE},
    {"signature", required_argument, NULL, OPTION_SIGNATURE},
    {"reference-id", no_argument, NULL, OPTION_REFERENCE_ID},
    {"drop-reply", no_argument, NULL, OPTION_DROP_REPLY},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static const char USAGE[] =
    "tillsim: a headless register. Signs, sends, and judges what comes back.\n"
    "\n"
    "  tillsim checkout|check-balance|top-up|refund --url U --token T --card N --amount A [...]\n"
    "  tillsim help\n"
    "\n"
    "  --url U            the tenant's address, http://HOST/oseries/KEY\n"
    "  --token T          Signature Token of the application\n"
    "  --card N           what the cashier types, scans or swipes; NUMBER*PIN with a PIN\n"
    "  --amount A         decimal currency units, such as 25.50 (not for check-balance)\n"
    "  --order O          the sale; a random one by default, none for check-balance\n"
    "  --company C --site S --register R   default 5678, 923, 9091: the demo tenant's\n"
    "  --reference-id     send the card as reference_id, as for a checked-in customer\n"
    "  --body json|form   --amount-type number|string\n"
    "  --signature none|wrong|upper|base64 instead of the hex a register sends\n"
    "  --repeat N         send the same bytes N more times, one after the other\n"
    "  --concurrent N     send the same bytes N times at once\n"
    "  --drop-reply       cut the connection after the request was sent (then --repeat reads)\n"
    "  --timeout S        seconds to wait for a reply, default 15\n"
    "  --json             machine-readable output\n"
    "\n"
    "Exit code: 0 approved (or, with --drop-reply alone, sent), 1 refused, 2 usage,\n"
    "3 no answer or one that a register could not use.\n";

const char *till_action_path(enum till_action action)
{
    return ACTIONS[action].path;
}

const char *till_action_title(enum till_action action)
{
    return ACTIONS[action].title;
}

void options_print_usage(void)
{
    fputs(USAGE, stdout);
}

static bool options_complain(const char *what, const char *value)
{
    fprintf(stderr, "tillsim: %s%s%s (see tillsim --help)\n", what, value != NULL ? ": " : "",
            value != NULL ? value : "");
    return false;
}

static bool options_read_int64(const char *name, const char *value, int64_t min, int64_t max,
                               int64_t *number)
{
    int err = text_parse_int64(text_of(value), number);
    if (err == 0 && *number >= min && *number <= max)
        return true;
    fprintf(stderr, "tillsim: --%s wants a whole number from %lld to %lld, not \"%s\"\n", name,
            (long long)min, (long long)max, value);
    return false;
}

static bool options_read_flag(const char *value, const char *when_false, const char *when_true,
                              bool *flag)
{
    *flag = strcmp(value, when_true) == 0;
    if (*flag || strcmp(value, when_false) == 0)
        return true;
    fprintf(stderr, "tillsim: %s or %s wanted, not \"%s\"\n", when_false, when_true, value);
    return false;
}

static bool options_read_sign_mode(const char *value, enum sign_mode *mode)
{
    static const struct {
        const char *name;
        enum sign_mode mode;
    } MODES[] = {{"hex", SIGN_HEX},
                 {"none", SIGN_NONE},
                 {"wrong", SIGN_WRONG},
                 {"upper", SIGN_UPPER},
                 {"base64", SIGN_BASE64}};
    for (size_t i = 0; i < COUNT_OF(MODES); i++) {
        if (strcmp(value, MODES[i].name) == 0) {
            *mode = MODES[i].mode;
            return true;
        }
    }
    return options_complain("--signature is none, wrong, upper or base64", value);
}

/* The options with a number in them. */
static bool options_set_number(struct options *options, enum option_id id, const char *value)
{
    if (id == OPTION_COMPANY)
        return options_read_int64("company", value, 0, INT64_MAX, &options->company_id);
    if (id == OPTION_SITE)
        return options_read_int64("site", value, 0, INT64_MAX, &options->site_id);
    if (id == OPTION_REGISTER)
        return options_read_int64("register", value, 0, INT64_MAX, &options->register_id);
    if (id == OPTION_REPEAT)
        return options_read_int64("repeat", value, 0, SENDS_MAX - 1, &options->repeats);
    if (id == OPTION_CONCURRENT)
        return options_read_int64("concurrent", value, 1, SENDS_MAX, &options->concurrent);
    if (id == OPTION_TIMEOUT)
        return options_read_int64("timeout", value, 1, TIMEOUT_S_MAX, &options->timeout_s);
    options->has_order = true;
    return options_read_int64("order", value, 0, INT64_MAX, &options->order_id);
}

static bool options_set(struct options *options, enum option_id id, const char *value)
{
    switch (id) {
    case OPTION_URL:
        options->url = value;
        return true;
    case OPTION_TOKEN:
        options->token = value;
        return true;
    case OPTION_CARD:
        options->card = value;
        return true;
    case OPTION_AMOUNT:
        options->amount = value;
        return true;
    case OPTION_BODY:
        return options_read_flag(value, "json", "form", &options->body_is_form);
    case OPTION_AMOUNT_TYPE:
        return options_read_flag(value, "number", "string", &options->amount_is_string);
    case OPTION_SIGNATURE:
        return options_read_sign_mode(value, &options->sign_mode);
    case OPTION_REFERENCE_ID:
        return options->card_is_reference_id = true;
    case OPTION_DROP_REPLY:
        return options->drops_reply = true;
    case OPTION_JSON:
        return options->wants_json = true;
    case OPTION_HELP:
        return options->wants_help = true;
    case OPTION_COMPANY:
    case OPTION_SITE:
    case OPTION_REGISTER:
    case OPTION_ORDER:
    case OPTION_REPEAT:
    case OPTION_CONCURRENT:
    case OPTION_TIMEOUT:
        return options_set_number(options, id, value);
    }
    return false;
}

static bool options_read_action(struct options *options, const char *word)
{
    for (size_t i = 0; i < TILL_ACTIONS; i++) {
        if (strcmp(word, ACTIONS[i].path) == 0) {
            options->action = (enum till_action)i;
            return true;
        }
    }
    return options_complain("unknown action", word);
}

/* An unquoted amount must be a JSON number, or the whole body is none; a quoted one may be
 * anything. The exponent is the widest there is: the currency is the service's to know. */
static bool options_amount_is_good(const struct options *options)
{
    int64_t ignored_minor;
    if (options->action == TILL_CHECK_BALANCE)
        return options->amount == NULL || options_complain("check-balance asks no --amount", NULL);
    if (options->amount == NULL)
        return options_complain("--amount is missing", NULL);
    if (options->amount_is_string || options->body_is_form)
        return true;
    if (money_parse(text_of(options->amount), MONEY_EXPONENT_MAX, &ignored_minor) == 0)
        return true;
    return options_complain("not a plain number (try --amount-type string)", options->amount);
}

static bool options_are_complete(const struct options *options)
{
    if (options->url == NULL)
        return options_complain("--url is missing", NULL);
    if (options->card == NULL)
        return options_complain("--card is missing", NULL);
    if (options->token == NULL && options->sign_mode != SIGN_NONE)
        return options_complain("--token is missing", NULL);
    if (options->concurrent > 1 && (options->repeats > 0 || options->drops_reply))
        return options_complain("--concurrent goes with neither --repeat nor --drop-reply", NULL);
    return options_amount_is_good(options);
}

/* Sales of real registers are beyond 2^31 (protocol o-series 2.1), so a random one is too. */
static void options_choose_order(struct options *options)
{
    struct id_source source = id_source_system();
    uint64_t random;
    source.fill(source.context, (uint8_t *)&random, sizeof(random));
    options->order_id = INT64_C(2200000000) + (int64_t)(random % UINT64_C(7700000000));
    options->has_order = true;
}

bool options_parse(struct options *options, int argc, char **argv)
{
    *options = (struct options){.company_id = 5678,
                                .site_id = 923,
                                .register_id = 9091,
                                .concurrent = 1,
                                .timeout_s = TIMEOUT_S_DEFAULT};
    int id;
    while ((id = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        if (id == '?' || !options_set(options, (enum option_id)id, optarg))
            return false;
    }
    if (options->wants_help)
        return true;
    if (optind != argc - 1)
        return options_complain("exactly one action wanted", NULL);
    options->wants_help = strcmp(argv[optind], "help") == 0;
    if (options->wants_help)
        return true;
    if (!options_read_action(options, argv[optind]) || !options_are_complete(options))
        return false;
    if (!options->has_order && options->action != TILL_CHECK_BALANCE)
        options_choose_order(options);
    return true;
}
