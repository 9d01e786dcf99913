/*
 * Connecting a merchant: GET /oauth/start sends the browser to Lightspeed's consent page, GET
 * /oauth/callback takes it back. Both answer people, with a page of their own, and programs that
 * say Accept: application/json with the same as JSON.
 */
#ifndef COUNTERPART_HANDLERS_OAUTH_H
#define COUNTERPART_HANDLERS_OAUTH_H

#include "handlers/exchange.h"

void oauth_start(struct exchange *exchange);
void oauth_callback(struct exchange *exchange);

#endif
