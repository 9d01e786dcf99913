/*
 * The admin API: what the command line asks the running service over the Unix socket in its data
 * directory. JSON in, JSON out; amounts are decimal strings; refusals are
 * {"success":false,"error":"sentence","code":"word"} with status 400, 404, 409 or 503.
 */
#ifndef COUNTERPART_HANDLERS_ADMIN_H
#define COUNTERPART_HANDLERS_ADMIN_H

#include "handlers/exchange.h"

void admin_tenant_add(struct exchange *exchange);
void admin_tenant_list(struct exchange *exchange);
void admin_tenant_reload(struct exchange *exchange);
void admin_tenant_set(struct exchange *exchange);
void admin_site_add(struct exchange *exchange);
void admin_site_list(struct exchange *exchange);
void admin_card_issue(struct exchange *exchange);
void admin_card_show(struct exchange *exchange);
void admin_card_disable(struct exchange *exchange);
void admin_card_enable(struct exchange *exchange);
void admin_app_set(struct exchange *exchange);
void admin_app_show(struct exchange *exchange);
void admin_oauth_start(struct exchange *exchange);
void admin_oauth_exchange(struct exchange *exchange);
void admin_oauth_status(struct exchange *exchange);
void admin_oauth_refresh(struct exchange *exchange);
void admin_oauth_revoke(struct exchange *exchange);
void admin_oauth_basic(struct exchange *exchange);
void admin_key_rotate(struct exchange *exchange);
void admin_reward_add(struct exchange *exchange);
void admin_reward_list(struct exchange *exchange);
void admin_reward_disable(struct exchange *exchange);
void admin_reward_enable(struct exchange *exchange);
void admin_points_grant(struct exchange *exchange);
void admin_points_show(struct exchange *exchange);
void admin_points_settle(struct exchange *exchange);
void admin_member_add(struct exchange *exchange);
void admin_member_list(struct exchange *exchange);
void admin_member_show(struct exchange *exchange);
void admin_member_set(struct exchange *exchange);
void admin_member_disable(struct exchange *exchange);
void admin_member_enable(struct exchange *exchange);
void admin_member_search(struct exchange *exchange);
void admin_member_import(struct exchange *exchange);
void admin_work_list(struct exchange *exchange);
void admin_work_retry(struct exchange *exchange);
void admin_reconcile(struct exchange *exchange);
void admin_explain(struct exchange *exchange);
void admin_tail(struct exchange *exchange);
void admin_doctor(struct exchange *exchange);
void admin_foreign_request(struct exchange *exchange);
void admin_foreign_record(struct exchange *exchange);
void admin_foreign_report(struct exchange *exchange);
/* The body is signed as it stands, byte for byte; ?tenant=ID. */
void admin_sign(struct exchange *exchange);

#endif
