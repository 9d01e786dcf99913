/* What this till offers: as configured, and only while the application's token is registered. */
#include "mocks/register/till.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

static bool has_grant(const struct config *config, const struct jread *grants)
{
    for (size_t i = 0; i < jread_count(grants); i++) {
        bool is_registered = false;
        const struct jread *grant = jread_element(grants, i);
        if (bill_id(grant, "company_id") == config->company_id &&
            text_equal(bill_text(grant, "client_id"), text_of(config->client_id)) &&
            jread_bool(jread_member(grant, "is_registered"), &is_registered) == 0 && is_registered)
            return true;
    }
    return false;
}

static void explain(char why[256], const char *what)
{
    (void)snprintf(why, 256, "%s", what);
}

/* Empty: the add-on is switched on at Lightspeed. */
static void grant_explain(const struct config *config, bool is_unregistered,
                          const struct jread *grants, char why[256])
{
    why[0] = '\0';
    if (is_unregistered)
        explain(why, "A fault pretends that no refresh token is registered.");
    else if (!config->needs_grant)
        return;
    else if (grants == NULL)
        explain(why, "The cloud does not answer, so nobody knows whether a refresh token is "
                     "registered.");
    else if (!has_grant(config, grants))
        (void)snprintf(why, 256,
                       "No refresh token of the application %s is registered for company %lld: "
                       "connect it by OAuth, or switch off \"needs a registered token\".",
                       config->client_id, (long long)config->company_id);
}

void offer_make(const struct config *config, bool is_unregistered, const struct jread *grants,
                struct offer *offer)
{
    *offer = (struct offer){0};
    grant_explain(config, is_unregistered, grants, offer->why);
    memcpy(offer->loyalty_why, offer->why, sizeof(offer->loyalty_why));
    bool has_token = offer->why[0] == '\0';
    for (int i = 0; i < CONFIG_URLS; i++) {
        bool is_on = till_action_is_payment((enum till_action)i) ? config->has_payments
                                                                 : config->has_loyalty;
        offer->actions[i] = has_token && is_on && config->urls[i][0] != '\0';
    }
    offer->is_active = offer->actions[TILL_CHECKOUT];
    if (!config->has_loyalty)
        explain(offer->loyalty_why, "Loyalty is switched off in the back office.");
    if (!config->has_payments)
        explain(offer->why, "Payments are switched off in the back office.");
    else if (has_token && config->urls[TILL_CHECKOUT][0] == '\0')
        explain(offer->why, "The back office has no checkout URL; save one, then sync.");
}

bool offer_has(struct till *till, const struct config *config, enum till_action action,
               struct till_answer *answer)
{
    struct offer offer;
    struct shop_answer grants = {0};
    till_lock(till);
    bool is_unregistered = till->faults.next.is_unregistered;
    till_unlock(till);
    if (config->needs_grant && shop_ask(till->shop, "GET", "/grants", NULL, &grants) != 0) {
        jread_destroy(grants.json);
        grants.json = NULL;
    }
    offer_make(config, is_unregistered, grants.json, &offer);
    shop_answer_finish(&grants);
    if (offer.actions[action])
        return true;
    const char *why = till_action_is_payment(action) ? offer.why : offer.loyalty_why;
    if (why[0] == '\0')
        return till_refuse(answer, 409, "not_offered", "The back office has no URL for %s.",
                           till_action_path(action));
    return till_refuse(answer, 409, "not_offered", "%s", why);
}
