/*
 * `counterpart doctor`: what stands between a tenant and its registers, line by line: green, or
 * with the one thing to do; as text, as JSON, or as a page that stands alone. A service that does
 * not run is a line too.
 */
#ifndef COUNTERPART_SERVICE_DOCTOR_H
#define COUNTERPART_SERVICE_DOCTOR_H

#include "service/admin_client.h"
#include "service/html.h"

#define DOCTOR_NOT_TOLD 2
/* Returns the exit code: 0 when all is green; 1 when something is to be done; DOCTOR_NOT_TOLD when
 * there is no such tenant, or the report could not be written. */
int doctor_run(const struct invocation *invocation, const char *socket_path);

/* The report for people; is_coloured: for a terminal that shows colours. */
void doctor_text_write(FILE *file, const struct jread *report, bool is_coloured);
/* The same as a page. */
void doctor_page_write(FILE *file, const struct jread *report);

/* How a line's state is shown, on terminals and on the page. */
struct doctor_look {
    struct text state; /* the service's name for it */
    const char *sign, *colour;
    enum html_tone tone;
    struct text word;
};
const struct doctor_look *doctor_look_of(const struct jread *line);
/* "Payments, Checkout URL": of a line's paste, or a field of the Back Office. */
void doctor_append_place(struct text_buffer *buffer, const struct jread *field);

/* How many lines are in this state. */
int64_t doctor_count(const struct jread *report, struct text state);
/* "Everything is green", "3 things to do" */
void doctor_append_verdict(struct text_buffer *buffer, const struct jread *report);
/* The first line that is to be done; NULL: none. */
const struct jread *doctor_first(const struct jread *report);

#endif
