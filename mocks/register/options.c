/* Reads the command line of tillsim, one table row per action and per option. */
#include "mocks/register/options.h"

#include "base/id.h"
#include "base/money.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

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
    OPTION_KEYWORD,
    OPTION_REFERENCE,
    OPTION_CUSTOMER,
    OPTION_PLACEHOLDER,
    OPTION_KEEP_PLACEHOLDER,
    OPTION_REWARD,
    OPTION_PICK,
    OPTION_API,
    OPTION_CLIENT,
    OPTION_CLOUD,
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
    {"keyword", required_argument, NULL, OPTION_KEYWORD},
    {"reference", required_argument, NULL, OPTION_REFERENCE},
    {"customer", required_argument, NULL, OPTION_CUSTOMER},
    {"placeholder", required_argument, NULL, OPTION_PLACEHOLDER},
    {"keep-placeholder", no_argument, NULL, OPTION_KEEP_PLACEHOLDER},
    {"reward", required_argument, NULL, OPTION_REWARD},
    {"pick", required_argument, NULL, OPTION_PICK},
    {"api", required_argument, NULL, OPTION_API},
    {"client", required_argument, NULL, OPTION_CLIENT},
    {"cloud", required_argument, NULL, OPTION_CLOUD},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

/* A set of options. */
#define SET(name) (UINT64_C(1) << (OPTION_##name - OPTION_URL))
#define SENDING                                                                                    \
    (SET(URL) | SET(TOKEN) | SET(SIGNATURE) | SET(COMPANY) | SET(SITE) | SET(REPEAT) |             \
     SET(CONCURRENT) | SET(TIMEOUT) | SET(DROP_REPLY) | SET(JSON) | SET(HELP))
#define PAYING                                                                                     \
    (SENDING | SET(CARD) | SET(REGISTER) | SET(ORDER) | SET(BODY) | SET(AMOUNT_TYPE) |             \
     SET(REFERENCE_ID))
#define REDEEMING                                                                                  \
    (SENDING | SET(ORDER) | SET(PLACEHOLDER) | SET(KEEP_PLACEHOLDER) | SET(API) | SET(CLIENT) |    \
     SET(CLOUD))

static const struct {
    const char *path;
    const char *title;
    uint64_t wanted;
    uint64_t allowed;
} ACTIONS[TILL_ACTIONS] = {
    [TILL_CHECKOUT] = {"checkout", "Checkout", SET(URL) | SET(CARD) | SET(AMOUNT),
                       PAYING | SET(AMOUNT)},
    [TILL_CHECK_BALANCE] = {"check-balance", "Check balance", SET(URL) | SET(CARD), PAYING},
    [TILL_TOP_UP] = {"top-up", "Top-up", SET(URL) | SET(CARD) | SET(AMOUNT), PAYING | SET(AMOUNT)},
    [TILL_REFUND] = {"refund", "Refund", SET(URL) | SET(CARD) | SET(AMOUNT), PAYING | SET(AMOUNT)},
    [TILL_CUSTOMER_SEARCH] = {"customer-search", "Customer search", SET(URL) | SET(KEYWORD),
                              SENDING | SET(KEYWORD) | SET(ORDER) | SET(PLACEHOLDER)},
    [TILL_REWARD_LOOKUP] = {"reward-lookup", "Reward look-up", SET(URL),
                            SENDING | SET(REFERENCE) | SET(CUSTOMER) | SET(ORDER) |
                                SET(PLACEHOLDER) | SET(REWARD)},
    [TILL_REDEEM] = {"redeem", "Redeem", SET(URL), REDEEMING},
    [TILL_LOYALTY] = {"loyalty", "Loyalty", SET(URL) | SET(KEYWORD) | SET(REWARD) | SET(ORDER),
                      REDEEMING | SET(KEYWORD) | SET(CUSTOMER) | SET(REWARD) | SET(PICK)},
};

static const char USAGE[] =
    "tillsim: a headless register. Asks as a register asks, and judges what comes back.\n"
    "\n"
    "  tillsim checkout|check-balance|top-up|refund --url U --token T --card N --amount A [...]\n"
    "  tillsim customer-search --url U --keyword K [--placeholder P]\n"
    "  tillsim reward-lookup --url U --reference R | --customer C [--reward N] [--placeholder P]\n"
    "  tillsim redeem --url REDEEM_URL --order O [--placeholder P]\n"
    "  tillsim loyalty --url U --keyword K --reward N --order O [--pick ID]\n"
    "  tillsim register [...]   the till with a screen; see tillsim register --help\n"
    "  tillsim replay FILE --url U [...]   a till's recording once more; see tillsim replay "
    "--help\n"
    "  tillsim check --target U [...]   tests an endpoint as registers use it; see tillsim check "
    "--help\n"
    "  tillsim cloud [...]   the cloud behind the registers; see tillsim cloud --help\n"
    "  tillsim help\n"
    "\n"
    "Every action\n"
    "  --url U            the tenant's address, http://HOST/oseries/KEY; redeem: the redeem_url\n"
    "  --company C --site S   default 5678, 923: the demo tenant's\n"
    "  --repeat N         send the same bytes N more times, one after the other\n"
    "  --concurrent N     send the same bytes N times at once\n"
    "  --drop-reply       cut the connection after the request was sent (then --repeat reads)\n"
    "  --timeout S        seconds to wait for a reply, default 15\n"
    "  --json             machine-readable output\n"
    "\n"
    "Payments\n"
    "  --token T          Signature Token of the application\n"
    "  --register R       default 9091, the demo tenant's\n"
    "  --card N           what the cashier types, scans or swipes; NUMBER*PIN with a PIN\n"
    "  --amount A         decimal currency units, such as 25.50 (not for check-balance)\n"
    "  --order O          the sale; a random one by default, none for check-balance\n"
    "  --reference-id     send the card as reference_id, as for a checked-in customer\n"
    "  --body json|form   --amount-type number|string\n"
    "  --signature none|wrong|upper|base64 instead of the hex a register sends\n"
    "\n"
    "Loyalty\n"
    "  --keyword K        what the cashier types to find a member\n"
    "  --reference R      the member's id, as the search gave it; --customer C the register's own\n"
    "  --placeholder P    stands for the sale until redemption (--order is the same in a search\n"
    "                     and a look-up); random by default, in redeem what the address holds\n"
    "  --pick ID          which of the members found; the first by default\n"
    "  --reward N         which reward, from 1; reward-lookup then prints its redeem_url alone\n"
    "  --order O          redeem, loyalty: the real sale, put in place of the placeholder\n"
    "  --keep-placeholder send the placeholder through, as where no sale is open\n"
    "  --cloud URL        show the sale before and after, as the fake cloud at URL holds it\n"
    "  --api URL --client ID:SECRET        the same, read through the API\n"
    "  --signature empty|query|path|url    sign a GET (with --token); registers are not known to\n"
    "In loyalty --repeat, --concurrent and --drop-reply are about the redemption.\n"
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

bool till_action_is_payment(enum till_action action)
{
    return (ACTIONS[action].allowed & SET(CARD)) != 0;
}

const struct dialect *options_dialect(const struct options *options)
{
    return options->dialect != NULL ? options->dialect : dialect_documented();
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

static const char *option_name(size_t index)
{
    size_t row = 0;
    while (OPTIONS[row].val != (int)(OPTION_URL + index))
        row++;
    return OPTIONS[row].name;
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
    static const char *const MODES[] = {
        [SIGN_HEX] = "hex",     [SIGN_NONE] = "none",     [SIGN_WRONG] = "wrong",
        [SIGN_UPPER] = "upper", [SIGN_BASE64] = "base64", [SIGN_EMPTY] = "empty",
        [SIGN_QUERY] = "query", [SIGN_PATH] = "path",     [SIGN_URL] = "url"};
    for (size_t i = 0; i < COUNT_OF(MODES); i++) {
        if (strcmp(value, MODES[i]) == 0) {
            *mode = (enum sign_mode)i;
            return true;
        }
    }
    return options_complain("no such --signature", value);
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
    if (id == OPTION_CUSTOMER)
        return options_read_int64("customer", value, 1, INT64_MAX, &options->customer_id);
    if (id == OPTION_REWARD)
        return options_read_int64("reward", value, 1, INT32_MAX, &options->reward_index);
    if (id == OPTION_PLACEHOLDER) {
        options->has_placeholder = true;
        return options_read_int64("placeholder", value, 0, INT64_MAX, &options->placeholder_id);
    }
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
    case OPTION_KEYWORD:
        options->keyword = value;
        return true;
    case OPTION_REFERENCE:
        options->reference = value;
        return true;
    case OPTION_PICK:
        options->pick = value;
        return true;
    case OPTION_API:
        options->api = value;
        return true;
    case OPTION_CLIENT:
        options->client = value;
        return true;
    case OPTION_CLOUD:
        options->cloud = value;
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
    case OPTION_KEEP_PLACEHOLDER:
        return options->keeps_placeholder = true;
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
    case OPTION_CUSTOMER:
    case OPTION_PLACEHOLDER:
    case OPTION_REWARD:
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
    if (options->amount == NULL || options->amount_is_string || options->body_is_form)
        return true;
    if (money_parse(text_of(options->amount), MONEY_EXPONENT_MAX, &ignored_minor) == 0)
        return true;
    return options_complain("not a plain number (try --amount-type string)", options->amount);
}

static bool options_signature_is_good(const struct options *options)
{
    bool is_of_body = options->sign_mode < SIGN_EMPTY;
    if (options->sign_mode != SIGN_NONE && options->token == NULL)
        return options_complain("--token is missing", NULL);
    if (options->sign_mode == SIGN_NONE || is_of_body == till_action_is_payment(options->action))
        return true;
    return options_complain(is_of_body
                                ? "a GET is signed with --signature empty, query, path or url"
                                : "that --signature is for a GET",
                            NULL);
}

static bool options_are_together(const struct options *options)
{
    if (options->concurrent > 1 && (options->repeats > 0 || options->drops_reply))
        return options_complain("--concurrent goes with neither --repeat nor --drop-reply", NULL);
    if (options->action == TILL_REWARD_LOOKUP && options->reference == NULL &&
        options->customer_id == 0)
        return options_complain("--reference or --customer is missing", NULL);
    if (options->action == TILL_REDEEM && !options->has_order && !options->keeps_placeholder)
        return options_complain("--order is missing", NULL);
    if ((options->api == NULL) != (options->client == NULL))
        return options_complain("--api and --client go together", NULL);
    if (options->api != NULL && options->cloud != NULL)
        return options_complain("--api or --cloud, not both", NULL);
    return options_amount_is_good(options) && options_signature_is_good(options);
}

static bool options_are_complete(const struct options *options, uint64_t given)
{
    uint64_t missing = ACTIONS[options->action].wanted & ~given;
    uint64_t beyond = given & ~ACTIONS[options->action].allowed;
    for (size_t i = 0; i <= OPTION_HELP - OPTION_URL; i++) {
        if ((missing >> i & 1) != 0) {
            fprintf(stderr, "tillsim: --%s is missing (see tillsim --help)\n", option_name(i));
            return false;
        }
        if ((beyond >> i & 1) != 0) {
            fprintf(stderr, "tillsim: --%s does not go with %s (see tillsim --help)\n",
                    option_name(i), till_action_path(options->action));
            return false;
        }
    }
    return options_are_together(options);
}

/* Sales of real registers are beyond 2^31 (protocol o-series 2.1), so a random one is too. */
static int64_t random_order(void)
{
    struct id_source source = id_source_system();
    uint64_t random;
    source.fill(source.context, (uint8_t *)&random, sizeof(random));
    return INT64_C(2200000000) + (int64_t)(random % UINT64_C(7700000000));
}

/* protocol o-series 3.1: until redemption a random number stands for the sale. */
static void options_choose_orders(struct options *options)
{
    bool asks = options->action == TILL_CUSTOMER_SEARCH || options->action == TILL_REWARD_LOOKUP;
    if (asks && options->has_order && !options->has_placeholder) {
        options->placeholder_id = options->order_id;
        options->has_placeholder = true;
    }
    if ((asks || options->action == TILL_LOYALTY) && !options->has_placeholder) {
        options->placeholder_id = random_order();
        options->has_placeholder = true;
    }
    if (!options->has_order && till_action_is_payment(options->action) &&
        options->action != TILL_CHECK_BALANCE) {
        options->order_id = random_order();
        options->has_order = true;
    }
}

bool options_parse(struct options *options, int argc, char **argv)
{
    *options = (struct options){.company_id = 5678,
                                .site_id = 923,
                                .register_id = 9091,
                                .concurrent = 1,
                                .timeout_s = TIMEOUT_S_DEFAULT};
    uint64_t given = 0;
    int id;
    while ((id = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        if (id == '?' || !options_set(options, (enum option_id)id, optarg))
            return false;
        given |= UINT64_C(1) << (id - OPTION_URL);
    }
    if (options->wants_help)
        return true;
    if (optind != argc - 1)
        return options_complain("exactly one action wanted", NULL);
    options->wants_help = strcmp(argv[optind], "help") == 0;
    if (options->wants_help)
        return true;
    if (!options_read_action(options, argv[optind]))
        return false;
    if ((given & SET(SIGNATURE)) == 0)
        options->sign_mode = till_action_is_payment(options->action) ? SIGN_HEX : SIGN_NONE;
    if (!options_are_complete(options, given))
        return false;
    options_choose_orders(options);
    return true;
}
