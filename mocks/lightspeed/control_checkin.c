/* Customers check in and leave, over the control address: the API's own rules, without a caller. */
#include "mocks/lightspeed/api.h"
#include "mocks/lightspeed/control.h"

#include "base/banned.h"

/* What the API takes from the path's scopes. ids[0] is the site here, and the customer there. */
static bool enter_site(struct cloud *cloud, struct call *call, struct answer *answer)
{
    const struct site *site = table_find(&cloud->sites, call->ids[0]);
    if (site == NULL) {
        answer_not_found(answer, "site");
        return false;
    }
    call->company = cloud_company(cloud, site->company_id);
    call->site_id = site->id;
    call->ids[0] = call->ids[1];
    return true;
}

void control_checkins_get(struct cloud *cloud, struct call *call, struct answer *answer)
{
    if (enter_site(cloud, call, answer))
        checkins_write(cloud, call->site_id, &answer->writer);
}

void control_checkins_post(struct cloud *cloud, struct call *call, struct answer *answer)
{
    if (enter_site(cloud, call, answer))
        api_checkin_post(cloud, call, answer);
}

void control_checkins_delete(struct cloud *cloud, struct call *call, struct answer *answer)
{
    if (enter_site(cloud, call, answer))
        api_checkin_delete(cloud, call, answer);
}
