/* Knows the subcommands, reads their flags and prints their help. */
#include "service/command.h"

#include "base/error.h"
#include "handlers/admin_setting.h"
#include "service/config.h"
#include "service/secret_line.h"

#include <stdarg.h>
#include <string.h>

#include "base/banned.h"

static const struct subcommand subcommands[] = {
    {.noun = "serve",
     .kind = COMMAND_SERVE,
     .help = "run the service; configuration comes from the environment",
     .flags = {{"take-over", FLAG_SWITCH, false, NULL,
                "take the place of the process that serves the data folder, with its sockets; "
                "where none does, start as always"}}},
    {.noun = "hand-over",
     .kind = COMMAND_HAND_OVER,
     .help = "let the running service start its successor, after an upgrade the new program, and "
             "give it its place; no request is refused"},
    {.noun = "verify",
     .kind = COMMAND_VERIFY,
     .help = "recompute every law from the rows, beside a running service or on a stopped one; "
             "exit 1 when something differs"},
    {.noun = "backup",
     .kind = COMMAND_BACKUP,
     .help =
         "copy store and master key into a folder, beside a running service or without one, and "
         "verify the copy",
     .flags = {{"to", FLAG_TEXT, true, "FOLDER", "a new one, or an empty one"}}},
    {.noun = "restore",
     .kind = COMMAND_RESTORE,
     .help = "make a new data folder of a back-up; references of before are never given out again",
     .flags = {{"from", FLAG_TEXT, true, "FOLDER", "what counterpart backup has made"},
               {"to", FLAG_TEXT, true, "FOLDER",
                "a new one, or an empty one; then COUNTERPART_DATA"}}},
    {.noun = "move",
     .kind = COMMAND_MOVE,
     .help =
         "move a tenant with all its rows and ids from the SQLite store of the data folder into "
         "PostgreSQL: copies beside the running service, then closes that tenant for seconds and "
         "compares every row; may be broken off and begun again",
     .flags = {{"tenant", FLAG_TEXT, false, "ID", "which tenant"},
               {"all", FLAG_SWITCH, false, NULL, "all tenants of the store, one after the other"},
               {"dry-run", FLAG_SWITCH, false, NULL,
                "only say what would be moved, whether the target fits, and how long it may take"},
               {"cancel", FLAG_SWITCH, false, NULL,
                "undo a move that has not ended: the tenant is served here as before, and what was "
                "copied is deleted from the target"},
               {"to", FLAG_SECRET, true, "URL|-",
                "postgresql://..., an empty database or one that got tenants of this store only"}}},
    {.noun = "begin-anew",
     .kind = COMMAND_BEGIN_ANEW,
     .help = "tell a store that was restored otherwise, such as a PostgreSQL database, that it "
             "was, before anybody serves it; references of before are never given out again"},
    {.noun = "tenant",
     .verb = "add",
     .kind = COMMAND_POST,
     .path = "/admin/tenant/add",
     .help = "add a merchant company; prints the URLs to configure in the Back Office",
     .flags = {{"currency", FLAG_TEXT, true, "CODE", "ISO 4217, such as AUD"},
               {"timezone", FLAG_TEXT, true, "ZONE", "such as Australia/Sydney"},
               {"oseries-company", FLAG_TEXT, false, "ID",
                "O-Series company id [what its first connection says]"}},
     .takes_settings = true,
     .wanted_setting = "name"},
    {.noun = "tenant",
     .verb = "list",
     .kind = COMMAND_GET,
     .path = "/admin/tenant/list",
     .help = "list the tenants with their settings and URLs"},
    {.noun = "tenant",
     .verb = "set",
     .kind = COMMAND_POST,
     .path = "/admin/tenant/set",
     .help = "change settings of a tenant",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"}},
     .takes_settings = true},
    {.noun = "site",
     .verb = "add",
     .kind = COMMAND_POST,
     .path = "/admin/site/add",
     .help = "map an O-Series site to a tenant",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"name", FLAG_TEXT, true, "NAME", "what the site is called"},
               {"oseries-site", FLAG_TEXT, true, "ID", "O-Series site id"},
               {"timezone", FLAG_TEXT, false, "ZONE", "when it differs from the tenant's"}}},
    {.noun = "site",
     .verb = "list",
     .kind = COMMAND_GET,
     .path = "/admin/site/list",
     .help = "list the mapped sites",
     .flags = {{"tenant", FLAG_TEXT, false, "ID", "of this tenant only"}}},
    {.noun = "card",
     .verb = "issue",
     .kind = COMMAND_POST,
     .path = "/admin/card/issue",
     .help = "issue a gift card, or many",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"amount", FLAG_TEXT, false, "AMOUNT", "opening balance, such as 100.00 [0]"},
               {"number", FLAG_TEXT, false, "NUMBER",
                "4 to 64 letters and digits [generated, with a check digit]"},
               {"pin", FLAG_SECRET, false, "PIN|-",
                "4 to 12 digits; typed as NUMBER*PIN at the till"},
               {"expires", FLAG_TEXT, false, "DATE", "last day it is good for, YYYY-MM-DD"},
               {"valid-from", FLAG_TEXT, false, "DATE", "first day it is good for"},
               {"stock", FLAG_SWITCH, false,
                NULL, "printed, not sold: unknown to tills until its first top-up"},
               {"count", FLAG_TEXT, false, "N", "issue so many, at most 1000"}}},
    {.noun = "card",
     .verb = "show",
     .kind = COMMAND_POST,
     .path = "/admin/card/show",
     .help = "show a card's balance, status and history, newest first",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"number", FLAG_TEXT, true, "NUMBER", "which card"},
               {"before", FLAG_TEXT, false, "OPERATION", "only what came before that operation"},
               {"limit", FLAG_TEXT, false, "N", "operations, at most 200 [50]"}}},
    {.noun = "card",
     .verb = "disable",
     .kind = COMMAND_POST,
     .path = "/admin/card/disable",
     .help = "refuse a card from now on",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"number", FLAG_TEXT, true, "NUMBER", "which card"}}},
    {.noun = "card",
     .verb = "enable",
     .kind = COMMAND_POST,
     .path = "/admin/card/enable",
     .help = "accept a disabled card again",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"number", FLAG_TEXT, true, "NUMBER", "which card"}}},
    {.noun = "app",
     .verb = "set",
     .kind = COMMAND_POST,
     .path = "/admin/app/set",
     .help = "set our application at Lightspeed; what is not given stays as it is",
     .flags = {{"surface", FLAG_TEXT, true, "oseries", "which of Lightspeed's families"},
               {"client-id", FLAG_TEXT, false, "ID", "of the add-on's details"},
               {"client-secret", FLAG_SECRET, false, "TEXT|-", "shown once, when it was made"},
               {"signature-token", FLAG_SECRET, false, "TEXT|-",
                "serves tenants that have none of their own"},
               {"signature-token-previous", FLAG_SECRET, false, "TEXT|-",
                "still accepted during a rotation"}}},
    {.noun = "app",
     .verb = "show",
     .kind = COMMAND_GET,
     .path = "/admin/app/show",
     .help = "show the application, without its secrets, and the redirect URL to register"},
    {.noun = "oauth",
     .verb = "start",
     .kind = COMMAND_POST,
     .path = "/admin/oauth/start",
     .help = "make the link by which a merchant connects a company",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"}}},
    {.noun = "oauth",
     .verb = "exchange",
     .kind = COMMAND_POST,
     .path = "/admin/oauth/exchange",
     .help = "connect with a code, where Lightspeed's page cannot come back here",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"code", FLAG_SECRET, true, "CODE|-",
                "the code, or the whole address that the browser ended at"}}},
    {.noun = "oauth",
     .verb = "status",
     .kind = COMMAND_GET,
     .path = "/admin/oauth/status",
     .help = "show the connections: expiry, failures, alarms",
     .flags = {{"tenant", FLAG_TEXT, false, "ID", "of this tenant only"}}},
    {.noun = "oauth",
     .verb = "refresh",
     .kind = COMMAND_POST,
     .path = "/admin/oauth/refresh",
     .help = "refresh a tenant's tokens now",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"}}},
    {.noun = "oauth",
     .verb = "revoke",
     .kind = COMMAND_POST,
     .path = "/admin/oauth/revoke",
     .help = "end a tenant's connection and wipe its tokens",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"}}},
    {.noun = "oauth",
     .verb = "basic",
     .kind = COMMAND_POST,
     .path = "/admin/oauth/basic",
     .help = "connect with client id and secret: development only, your own company",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"}}},
    {.noun = "key",
     .verb = "rotate",
     .kind = COMMAND_POST,
     .path = "/admin/key/rotate",
     .help = "sign our own tokens with a new key from now on; those of the one before stay good"},
    {.noun = "work",
     .verb = "list",
     .kind = COMMAND_GET,
     .path = "/admin/work/list",
     .help = "list what is to be done at Lightspeed and what was given up, with reasons",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"}}},
    {.noun = "work",
     .verb = "retry",
     .kind = COMMAND_POST,
     .path = "/admin/work/retry",
     .help = "try again what was given up",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"work", FLAG_TEXT, true, "ID", "which work"}}},
    {.noun = "doctor",
     .kind = COMMAND_DOCTOR,
     .help = "tell what stands between a tenant and its registers, each line green or with the one "
             "thing to do; exit 1 when something is to be done, 2 when that could not be told",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"html", FLAG_TEXT, false, "FILE|-",
                "write a page that stands alone, for a browser or a printer"}}},
    {.noun = "reconcile",
     .kind = COMMAND_RECONCILE,
     .help = "compare registers and ledger: totals, and each open item with its reason; exit 1 "
             "when something is open, or cannot be proved as the merchant is not connected; 2 when "
             "that could not be told",
     .flags = {{"tenant", FLAG_TEXT, false, "ID", "of this tenant only [all of them]"},
               {"day", FLAG_TEXT, false, "DATE", "of this local day, YYYY-MM-DD [all days]"},
               {"from", FLAG_TEXT, false, "DATE", "of this day and later ones"},
               {"until", FLAG_TEXT, false, "DATE", "of this day and earlier ones"},
               {"html", FLAG_TEXT, false, "FILE|-",
                "write a page that stands alone, for a browser or a printer"}}},
    {.noun = "foreign-orders",
     .verb = "request",
     .kind = COMMAND_POST,
     .path = "/admin/foreign-orders/request",
     .help = "note that Lightspeed was asked to let us pay orders that are not ours",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"note", FLAG_TEXT, false, "TEXT", "what was asked for"},
               {"actor", FLAG_TEXT, false, "NAME", "who has asked"}}},
    {.noun = "foreign-orders",
     .verb = "record",
     .kind = COMMAND_POST,
     .path = "/admin/foreign-orders/record",
     .help = "record what Lightspeed has decided; an approval needs reference, actor, both limits "
             "and an end; when one that stands is changed, the actor, and what is not given stays",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"state", FLAG_TEXT, true, "STATE", "under_review, approved, refused or revoked"},
               {"reference", FLAG_TEXT, false, "TEXT", "Lightspeed's: a ticket, a letter"},
               {"payment-max", FLAG_TEXT, false, "AMOUNT", "of one payment; 0: no limit"},
               {"day-max", FLAG_TEXT, false, "AMOUNT", "of one day's payments; 0: no limit"},
               {"expires", FLAG_TEXT, false, "DATE|never", "last day it is good for"},
               {"actor", FLAG_TEXT, false, "NAME", "who has decided, or records it"},
               {"note", FLAG_TEXT, false, "TEXT", "what else is to be known"}}},
    {.noun = "foreign-orders",
     .verb = "report",
     .kind = COMMAND_FOREIGN_REPORT,
     .help = "tell what was paid onto orders that are not ours, under which approval, and what "
             "Lightspeed answered",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"from", FLAG_TEXT, false, "DATE", "of this day and later ones"},
               {"until", FLAG_TEXT, false, "DATE", "of this day and earlier ones"},
               {"html", FLAG_TEXT, false, "FILE|-",
                "write a page that stands alone, for a browser or a printer"}}},
    {.noun = "explain",
     .kind = COMMAND_EXPLAIN,
     .help = "tell why a card's balance is what it is, or what became of one operation",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"card", FLAG_TEXT, false, "NUMBER", "all that happened to this card, in order"},
               {"operation", FLAG_TEXT, false, "ID",
                "or this operation, with what answers it; its reference (CP1-8) will do"},
               {"before", FLAG_TEXT, false, "OPERATION", "only what came before that operation"},
               {"limit", FLAG_TEXT, false, "N", "the latest operations, at most 100 [all]"}}},
    {.noun = "tail",
     .kind = COMMAND_TAIL,
     .help = "follow operations as they come, until interrupted; replays move nothing and are not "
             "shown",
     .flags = {{"tenant", FLAG_TEXT, false, "ID", "of this tenant only"},
               {"since", FLAG_TEXT, false, "OPERATION", "begin after that operation [now]"}}},
    {.noun = "reward",
     .verb = "add",
     .kind = COMMAND_POST,
     .path = "/admin/reward/add",
     .help = "add a reward that members may have for points",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"title", FLAG_TEXT, true, "TITLE", "what cashiers and members read"},
               {"points", FLAG_TEXT, true, "N", "what it costs"},
               {"effect", FLAG_TEXT, true, "EFFECT",
                "money_off:10.00, percent_off:15, product:7302 or pay:10.00"},
               {"terms", FLAG_TEXT, false, "TEXT", "what else they should know"}}},
    {.noun = "reward",
     .verb = "list",
     .kind = COMMAND_GET,
     .path = "/admin/reward/list",
     .help = "list a tenant's rewards",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"}}},
    {.noun = "reward",
     .verb = "disable",
     .kind = COMMAND_POST,
     .path = "/admin/reward/disable",
     .help = "offer a reward no longer; what is being redeemed goes on",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"reward", FLAG_TEXT, true, "ID", "which reward"}}},
    {.noun = "reward",
     .verb = "enable",
     .kind = COMMAND_POST,
     .path = "/admin/reward/enable",
     .help = "offer a disabled reward again",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"reward", FLAG_TEXT, true, "ID", "which reward"}}},
    {.noun = "points",
     .verb = "grant",
     .kind = COMMAND_POST,
     .path = "/admin/points/grant",
     .help = "give a member points, or take some away; each call moves them anew",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"member", FLAG_TEXT, true, "CODE", "the member id that registers see"},
               {"points", FLAG_TEXT, true, "N", "how many; less than 0: take them away"},
               {"reason", FLAG_TEXT, true, "TEXT", "kept with the entry"}}},
    {.noun = "points",
     .verb = "show",
     .kind = COMMAND_POST,
     .path = "/admin/points/show",
     .help = "show a member's points, open reservations and entries, newest first",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"member", FLAG_TEXT, true, "CODE", "which member"},
               {"limit", FLAG_TEXT, false, "N", "entries, at most 200 [50]"}}},
    {.noun = "points",
     .verb = "settle",
     .kind = COMMAND_POST,
     .path = "/admin/points/settle",
     .help = "say of points that were to pay whether their payment is on the order, where nothing "
             "can tell it from others",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"reservation", FLAG_TEXT, true, "ID", "as points show tells it"},
               {"as", FLAG_TEXT, true, "paid|unpaid", "paid: spent; unpaid: the member's again"},
               {"reason", FLAG_TEXT, true, "TEXT", "kept with the reservation"}}},
    {.noun = "member",
     .verb = "add",
     .kind = COMMAND_POST,
     .path = "/admin/member/add",
     .help = "add a loyalty member",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"first-name", FLAG_TEXT, true, "NAME", "at most 80 characters"},
               {"last-name", FLAG_TEXT, false, "NAME", "at most 80 characters"},
               {"email", FLAG_TEXT, true, "ADDRESS", "such as ann@example.com"},
               {"phone", FLAG_TEXT, false, "NUMBER", "3 to 32 digits and signs"},
               {"points", FLAG_TEXT, false, "N", "opening balance [0]"},
               {"code", FLAG_TEXT, false, "CODE", "member id that registers see [M-<id>]"},
               {"card-number", FLAG_TEXT, false, "NUMBER", "of a membership card"},
               {"tier", FLAG_TEXT, false, "TIER", "shown at the register, such as Gold"},
               {"icon-url", FLAG_TEXT, false, "URL", "a picture of 300 x 300"},
               {"intro-text", FLAG_TEXT, false, "TEXT", "shown above the rewards"}}},
    {.noun = "member",
     .verb = "list",
     .kind = COMMAND_POST,
     .path = "/admin/member/list",
     .help = "list members in the order they came",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"after", FLAG_TEXT, false, "ID", "only those after that id [0]"},
               {"limit", FLAG_TEXT, false, "N", "members, at most 200 [50]"}}},
    {.noun = "member",
     .verb = "show",
     .kind = COMMAND_POST,
     .path = "/admin/member/show",
     .help = "show a member with the newest entries of the points",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"member", FLAG_TEXT, true, "CODE", "which member"}}},
    {.noun = "member",
     .verb = "set",
     .kind = COMMAND_POST,
     .path = "/admin/member/set",
     .help = "change what is known of a member; an empty value forgets it",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"member", FLAG_TEXT, true, "CODE", "which member"},
               {"first-name", FLAG_TEXT, false, "NAME", "at most 80 characters"},
               {"last-name", FLAG_TEXT, false, "NAME", "at most 80 characters"},
               {"email", FLAG_TEXT, false, "ADDRESS", "such as ann@example.com"},
               {"phone", FLAG_TEXT, false, "NUMBER", "3 to 32 digits and signs"},
               {"card-number", FLAG_TEXT, false, "NUMBER", "of a membership card"},
               {"tier", FLAG_TEXT, false, "TIER", "shown at the register, such as Gold"},
               {"icon-url", FLAG_TEXT, false, "URL", "a picture of 300 x 300"},
               {"intro-text", FLAG_TEXT, false, "TEXT", "shown above the rewards"}}},
    {.noun = "member",
     .verb = "disable",
     .kind = COMMAND_POST,
     .path = "/admin/member/disable",
     .help = "refuse a member from now on: neither found nor redeemed for",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"member", FLAG_TEXT, true, "CODE", "which member"}}},
    {.noun = "member",
     .verb = "enable",
     .kind = COMMAND_POST,
     .path = "/admin/member/enable",
     .help = "find a disabled member again",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"member", FLAG_TEXT, true, "CODE", "which member"}}},
    {.noun = "member",
     .verb = "search",
     .kind = COMMAND_POST,
     .path = "/admin/member/search",
     .help = "find members as a register would",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"keyword", FLAG_TEXT, true, "TEXT", "front of a name, address, phone or number"},
               {"limit", FLAG_TEXT, false, "N", "members, at most 20 [20]"}}},
    {.noun = "member",
     .verb = "import",
     .kind = COMMAND_MEMBER_IMPORT,
     .path = "/admin/member/import",
     .help = "import members from a CSV file with a header line; - reads standard input",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "which tenant"},
               {"skip-bad", FLAG_SWITCH, false, NULL,
                "report rows that cannot be members, and go on"},
               {"update", FLAG_SWITCH, false,
                NULL, "change members that are there already, by what is not empty"}},
     .operand = "FILE"},
    {.noun = "profile",
     .verb = "import",
     .kind = COMMAND_PROFILE_IMPORT,
     .help = "make a profile (docs/profiles.md) out of a Postman collection or example JSON: finds "
             "what requests and replies call their fields, says how, asks where it cannot tell; "
             "exit 1 with open questions; needs no running service; - reads standard input",
     .flags = {{"name", FLAG_TEXT, false, "NAME", "of the profile [the collection's]"},
               {"into", FLAG_TEXT, false, "FOLDER",
                "write NAME.json there, such as COUNTERPART_PROFILES"},
               {"out", FLAG_TEXT, false, "FILE|-", "write this file; -: the profile alone, here"},
               {"field", FLAG_MANY, false, "PLACE=FIELD",
                "what a field is called, such as checkout.amount=sum; nothing after =: there is "
                "none; as often as needed"},
               {"action", FLAG_MANY, false, "[REQUEST=]ACTION",
                "which action a request of the collection is, or none; alone: what the whole file "
                "is an example of; as often as needed"},
               {"skip", FLAG_MANY, false, "ACTION",
                "leave this action as it is; as often as needed"},
               {"update", FLAG_SWITCH, false,
                NULL, "keep what the file says that is there already"},
               {"replace", FLAG_SWITCH, false, NULL, "write over the file that is there already"}},
     .operand = "FILE"},
    {.noun = "sign",
     .kind = COMMAND_SIGN,
     .path = "/admin/sign",
     .help = "print the X-Kounta-Signature of standard input, as the tenant's registers would "
             "make it",
     .flags = {{"tenant", FLAG_TEXT, true, "ID", "whose signature token"}}},
    {.noun = "routes",
     .kind = COMMAND_ROUTES,
     .help = "list what this binary answers, as docs/openapi.yaml explains it; asks no service"},
    {.noun = "help", .kind = COMMAND_HELP, .help = "explain everything, or one subcommand"},
};

static int complain(const struct subcommand *subcommand, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Names the help that explains it: the subcommand's, when there is one. */
static int complain(const struct subcommand *subcommand, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("counterpart: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs("; try: counterpart help", stderr);
    va_end(arguments);
    if (subcommand != NULL)
        fprintf(stderr, " %s", subcommand->noun);
    if (subcommand != NULL && subcommand->verb != NULL)
        fprintf(stderr, " %s", subcommand->verb);
    fputc('\n', stderr);
    return ERR_BAD_CONFIG;
}

static bool noun_is_known(const char *noun)
{
    for (size_t i = 0; i < COUNT_OF(subcommands); i++)
        if (strcmp(subcommands[i].noun, noun) == 0)
            return true;
    return false;
}

static int complain_unknown(const char *noun, const char *verb)
{
    if (!noun_is_known(noun))
        return complain(NULL, "there is no subcommand '%s'", noun);
    const struct subcommand family = {.noun = noun};
    if (verb == NULL)
        return complain(&family, "'%s' is no subcommand alone", noun);
    return complain(&family, "there is no subcommand '%s %s'", noun, verb);
}

static const struct subcommand *find_subcommand(const char *noun, const char *verb)
{
    for (size_t i = 0; i < COUNT_OF(subcommands); i++) {
        const struct subcommand *each = &subcommands[i];
        if (strcmp(each->noun, noun) == 0 &&
            (each->verb == NULL || (verb != NULL && strcmp(each->verb, verb) == 0)))
            return each;
    }
    return NULL;
}

/* --- flags */

/* In JSON and in the settings table '_' stands for '-'. */
static bool names_are_equal(const char *name, struct text flag)
{
    size_t i = 0;
    for (; name[i] != '\0' && i < flag.length; i++) {
        char c = flag.base[i] == '_' ? '\0' : flag.base[i];
        if ((name[i] == '_' ? '-' : name[i]) != c)
            return false;
    }
    return name[i] == '\0' && i == flag.length;
}

static enum flag_kind setting_flag_kind(const struct admin_setting *setting)
{
    return setting->kind == SETTING_SECRET ? FLAG_SECRET : FLAG_TEXT;
}

static bool find_flag(const struct subcommand *subcommand, struct text word,
                      struct flag_value *value)
{
    *value = (struct flag_value){.kind = FLAG_TEXT};
    for (const struct flag *flag = subcommand->flags; flag->name != NULL; flag++)
        if (names_are_equal(flag->name, word)) {
            value->name = flag->name;
            value->kind = flag->kind;
            return true;
        }
    for (size_t i = 0; subcommand->takes_settings && i < admin_setting_count(); i++)
        if (names_are_equal(admin_setting_at(i)->name, word)) {
            value->name = admin_setting_at(i)->name;
            value->kind = setting_flag_kind(admin_setting_at(i));
            return true;
        }
    return false;
}

static int take_secret(struct invocation *invocation, struct text label, struct flag_value *value)
{
    CHECK(invocation->secret_count < COMMAND_SECRETS_MAX);
    char *line = invocation->secrets[invocation->secret_count++];
    int err = secret_line_read(label, line, COMMAND_SECRET_SIZE);
    value->value = line;
    if (err == 0)
        return 0;
    return complain(invocation->subcommand, "standard input has no usable line for --%.*s (%s)",
                    (int)label.length, label.base, error_name(err));
}

static int take_value(struct invocation *invocation, struct flag_value value, const char *word,
                      const char *inline_value, char *const **next)
{
    const struct subcommand *subcommand = invocation->subcommand;
    if (value.kind == FLAG_SWITCH && inline_value != NULL)
        return complain(subcommand, "there is no value after '%s'", word);
    if (value.kind != FLAG_SWITCH)
        value.value = inline_value != NULL ? inline_value : *(*next)++;
    if (value.kind != FLAG_SWITCH && value.value == NULL) {
        (*next)--;
        return complain(subcommand, "a value is missing after '%s'", word);
    }
    if (value.kind != FLAG_MANY && command_value(invocation, value.name) != NULL)
        return complain(subcommand, "'%s' is given twice", word);
    if (invocation->count == COMMAND_FLAGS_MAX)
        return complain(subcommand, "there are more than %d flags", COMMAND_FLAGS_MAX);
    if (value.kind == FLAG_SECRET && strcmp(value.value, "-") == 0 &&
        take_secret(invocation, (struct text){word + 2, strcspn(word, "=") - 2}, &value) != 0)
        return ERR_BAD_CONFIG;
    invocation->values[invocation->count++] = value;
    return 0;
}

static bool asks_for_help(const char *word)
{
    return word != NULL && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0);
}

static void turn_to_help(struct invocation *invocation, const char *noun, const char *verb)
{
    invocation->subcommand = find_subcommand("help", NULL);
    invocation->help_noun = noun;
    invocation->help_verb = verb;
}

static int parse_flag(struct invocation *invocation, char *const **next)
{
    const char *word = *(*next)++;
    if (asks_for_help(word)) {
        turn_to_help(invocation, invocation->subcommand->noun, invocation->subcommand->verb);
        return 0;
    }
    bool is_flag = strncmp(word, "--", 2) == 0;
    if (!is_flag && invocation->subcommand->operand != NULL && invocation->operand == NULL) {
        invocation->operand = word;
        return 0;
    }
    if (!is_flag)
        return complain(invocation->subcommand, "'%s' is no flag", word);
    const char *equals = strchr(word, '=');
    struct text name = text_of(word + 2);
    if (equals != NULL)
        name.length = (size_t)(equals - word) - 2;
    if (text_equal(name, TEXT("json")) && equals == NULL) {
        invocation->wants_json = true;
        return 0;
    }
    struct flag_value value;
    if (!find_flag(invocation->subcommand, name, &value))
        return complain(invocation->subcommand, "there is no flag '%s'", word);
    return take_value(invocation, value, word, equals == NULL ? NULL : equals + 1, next);
}

static int check_wanted(const struct invocation *invocation)
{
    const struct subcommand *subcommand = invocation->subcommand;
    const char *missing = NULL;
    for (const struct flag *flag = subcommand->flags; missing == NULL && flag->name != NULL; flag++)
        if (flag->is_wanted && command_value(invocation, flag->name) == NULL)
            missing = flag->name;
    const char *setting = subcommand->wanted_setting;
    if (missing == NULL && setting != NULL && command_value(invocation, setting) == NULL)
        missing = setting;
    if (missing != NULL)
        return complain(subcommand, "--%s is missing", missing);
    if (subcommand->operand != NULL && invocation->operand == NULL)
        return complain(subcommand, "%s is missing", subcommand->operand);
    return 0;
}

const char *command_value(const struct invocation *invocation, const char *name)
{
    for (int i = 0; i < invocation->count; i++)
        if (strcmp(invocation->values[i].name, name) == 0)
            return invocation->values[i].value == NULL ? "" : invocation->values[i].value;
    return NULL;
}

const char *command_next_value(const struct invocation *invocation, const char *name, int *at)
{
    while (*at < invocation->count) {
        const struct flag_value *value = &invocation->values[(*at)++];
        if (strcmp(value->name, name) == 0)
            return value->value;
    }
    return NULL;
}

int command_parse(int count, char *const *words, struct invocation *invocation)
{
    *invocation = (struct invocation){.wants_json = false};
    if (count < 2) {
        (void)command_print_help(stderr, NULL, NULL);
        return ERR_BAD_CONFIG;
    }
    const char *noun = words[1], *verb = count > 2 ? words[2] : NULL;
    if (asks_for_help(noun))
        noun = "help";
    invocation->subcommand = find_subcommand(noun, verb);
    if (invocation->subcommand == NULL && asks_for_help(verb) && noun_is_known(noun)) {
        turn_to_help(invocation, noun, NULL);
        return 0;
    }
    if (invocation->subcommand == NULL)
        return complain_unknown(noun, verb);
    if (invocation->subcommand->kind == COMMAND_HELP) {
        invocation->help_noun = verb;
        invocation->help_verb = count > 3 ? words[3] : NULL;
        return 0;
    }
    char *const *next = words + (invocation->subcommand->verb == NULL ? 2 : 3);
    int err = 0;
    while (err == 0 && *next != NULL && invocation->subcommand->kind != COMMAND_HELP)
        err = parse_flag(invocation, &next);
    return err != 0 ? err : check_wanted(invocation);
}

/* --- help */

#define FLAG_WIDTH 34

static void print_flag(FILE *file, const char *name, const char *value, const char *help,
                       bool is_wanted)
{
    char left[64];
    struct text_buffer buffer;
    text_buffer_init(&buffer, left, sizeof(left));
    text_append(&buffer, TEXT("--"));
    for (; *name != '\0'; name++)
        text_append_char(&buffer, *name == '_' ? '-' : *name);
    if (value != NULL)
        text_append_format(&buffer, " %s", value);
    const char *needed = is_wanted ? " (needed)" : "";
    if (buffer.length > FLAG_WIDTH)
        fprintf(file, "    %s\n    %-*s %s%s\n", left, FLAG_WIDTH, "", help, needed);
    else
        fprintf(file, "    %-*s %s%s\n", FLAG_WIDTH, left, help, needed);
}

static void print_settings(FILE *file, const char *wanted)
{
    for (size_t i = 0; i < admin_setting_count(); i++) {
        const struct admin_setting *setting = admin_setting_at(i);
        char expected[64];
        struct text_buffer buffer;
        text_buffer_init(&buffer, expected, sizeof(expected));
        if (setting->words != NULL)
            admin_setting_expectation(setting, &buffer);
        else
            text_append(&buffer, setting->kind == SETTING_AMOUNT    ? TEXT("AMOUNT")
                                 : setting->kind == SETTING_COUNT   ? TEXT("N")
                                 : setting->kind == SETTING_SECONDS ? TEXT("S")
                                 : setting->kind == SETTING_SECRET  ? TEXT("TEXT|-")
                                                                    : TEXT("TEXT"));
        print_flag(file, setting->name, expected, setting->help,
                   wanted != NULL && strcmp(setting->name, wanted) == 0);
    }
}

static bool takes_secret(const struct subcommand *subcommand)
{
    for (const struct flag *flag = subcommand->flags; flag->name != NULL; flag++)
        if (flag->kind == FLAG_SECRET)
            return true;
    return subcommand->takes_settings;
}

static void print_subcommand(FILE *file, const struct subcommand *subcommand)
{
    fprintf(file, "  counterpart %s%s%s%s%s\n      %s\n", subcommand->noun,
            subcommand->verb == NULL ? "" : " ", subcommand->verb == NULL ? "" : subcommand->verb,
            subcommand->operand == NULL ? "" : " ",
            subcommand->operand == NULL ? "" : subcommand->operand, subcommand->help);
    for (const struct flag *flag = subcommand->flags; flag->name != NULL; flag++)
        print_flag(file, flag->name, flag->value, flag->help, flag->is_wanted);
    if (subcommand->takes_settings)
        print_settings(file, subcommand->wanted_setting);
    if (takes_secret(subcommand))
        fputs(
            "    A value of - is read as one line from standard input: neither ps nor the shell's\n"
            "    history has it then.\n",
            file);
    if (subcommand->kind == COMMAND_SERVE)
        config_print_help(file);
}

static void print_overview(FILE *file)
{
    fputs("usage: counterpart SUBCOMMAND [--flag value]... [--json]\n\n", file);
    for (size_t i = 0; i < COUNT_OF(subcommands); i++) {
        const struct subcommand *each = &subcommands[i];
        char left[32];
        snprintf(left, sizeof(left), "%s%s%s", each->noun, each->verb == NULL ? "" : " ",
                 each->verb == NULL ? "" : each->verb);
        fprintf(file, "  %-22s %s\n", left, each->help);
    }
    fputs("\nAll but serve, hand-over, verify, backup, restore, begin-anew, routes and profile "
          "import "
          "ask the\nrunning service over admin.sock in COUNTERPART_DATA [./var].\nOutput is JSON "
          "with "
          "--json or when it does not go to a "
          "terminal.\nOne subcommand with its flags: counterpart help card issue\n",
          file);
}

bool command_print_help(FILE *file, const char *noun, const char *verb)
{
    bool is_known = noun == NULL;
    if (noun == NULL)
        print_overview(file);
    for (size_t i = 0; noun != NULL && i < COUNT_OF(subcommands); i++) {
        const struct subcommand *each = &subcommands[i];
        if (strcmp(each->noun, noun) != 0)
            continue;
        if (verb != NULL && (each->verb == NULL || strcmp(each->verb, verb) != 0))
            continue;
        print_subcommand(file, each);
        is_known = true;
    }
    return is_known;
}
