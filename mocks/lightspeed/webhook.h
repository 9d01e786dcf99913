/*
 * Webhook subscriptions of an application on a company, and the events that set them off.
 */
#ifndef COUNTERPART_MOCKS_LIGHTSPEED_WEBHOOK_H
#define COUNTERPART_MOCKS_LIGHTSPEED_WEBHOOK_H

#include "mocks/lightspeed/order.h"

#define WEBHOOK_SITES_MAX 32

struct webhook {
    int64_t id;
    int64_t company_id;
    int64_t application_id;
    char topic[DELIVERY_TOPIC_MAX];
    char address[DELIVERY_URL_MAX];
    char format[8];
    bool has_filter;
    int64_t site_ids[WEBHOOK_SITES_MAX];
    size_t site_count;
    struct {
        char name[64];
        char value[DELIVERY_HEADER_MAX - 80];
    } headers[DELIVERY_HEADERS_MAX];
    size_t header_count;
    int64_t created_us;
    int64_t updated_us;
};

/* Something has happened: everybody who subscribed gets the complete object. */
void webhook_fire_order(struct cloud *cloud, const char *topic, const struct order *order);
void webhook_fire_customer(struct cloud *cloud, const char *topic, const struct customer *customer);
void webhook_fire_site(struct cloud *cloud, const char *topic, const struct site *site);
void webhook_fire_till(struct cloud *cloud, const char *topic, const struct till *till);
/* The order's own callback_uri, when it has one. */
void webhook_fire_callback(struct cloud *cloud, const struct order *order);
/* Once more, to one webhook: true when it is of the order's company. */
bool webhook_send_order(struct cloud *cloud, const struct webhook *webhook,
                        const struct order *order);

/* The /v1 resource. */
void api_webhook_list(struct cloud *cloud, struct call *call, struct answer *answer);
void api_webhook_get(struct cloud *cloud, struct call *call, struct answer *answer);
void api_webhook_post(struct cloud *cloud, struct call *call, struct answer *answer);
void api_webhook_put(struct cloud *cloud, struct call *call, struct answer *answer);
void api_webhook_delete(struct cloud *cloud, struct call *call, struct answer *answer);

#endif
