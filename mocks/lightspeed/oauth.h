/*
 * The OAuth server: consent page and token endpoint (protocol o-series 6), with the statuses and
 * sentences of the library that the real one behaves like (oauth2-server-php).
 */
#ifndef COUNTERPART_MOCKS_LIGHTSPEED_OAUTH_H
#define COUNTERPART_MOCKS_LIGHTSPEED_OAUTH_H

#include "mocks/lightspeed/cloud.h"

void oauth_authorize_get(struct cloud *cloud, struct call *call, struct answer *answer);
void oauth_authorize_post(struct cloud *cloud, struct call *call, struct answer *answer);
void oauth_token(struct cloud *cloud, struct call *call, struct answer *answer);

/* The grant of an application on a company, made when there is none; NULL: no room. */
struct grant *oauth_grant(struct cloud *cloud, int64_t application_id, int64_t company_id);
/* A fresh code for it, to be exchanged with the same redirect_uri; NULL: no room. */
struct token *oauth_issue_code(struct cloud *cloud, struct grant *grant, const char *redirect_uri);

/*
 * A refresh counts as running from its arrival until its reply is sent, whatever delays it: the
 * server calls these around cloud_answer. begin gives the grant, 0 for all other requests.
 */
int64_t oauth_refresh_begin(struct cloud *cloud, struct call *call);
void oauth_refresh_end(struct cloud *cloud, int64_t grant_id);

/* What a form may carry, and where it goes: PARAMETER_MAX bytes each, cut to them. */
#define PARAMETER_MAX 1024
struct oauth_parameter {
    const char *name;
    char *place;
};
/* The value to its place; what has none is ignored. */
void oauth_take_parameter(const struct oauth_parameter *parameters, size_t count, struct text name,
                          struct text value);

#endif
