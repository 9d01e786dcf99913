/*
 * `counterpart foreign-orders report`: what this application has paid onto orders that it did not
 * create, under which approval, and what Lightspeed answered; as text, as JSON, or as a page that
 * somebody who knows nothing of it can read alone.
 */
#ifndef COUNTERPART_SERVICE_FOREIGN_REPORT_H
#define COUNTERPART_SERVICE_FOREIGN_REPORT_H

#include "base/json.h"
#include "service/admin_client.h"

/* Returns the exit code. */
int foreign_report_run(const struct invocation *invocation, const char *socket_path);

/* foreign_page.c: the page, from the service's answer; who opened the file asks ferror(). */
void foreign_page_write(FILE *file, const struct jread *report);
/* foreign_text.c: the same for a terminal. */
void foreign_text_write(FILE *file, const struct jread *report);

#endif
