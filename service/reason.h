/*
 * Why the process cannot do its work, as one sentence for people. Whoever finds out gives it; it is
 * printed at the very end, because a log line after it would push it out of sight.
 */
#ifndef COUNTERPART_SERVICE_REASON_H
#define COUNTERPART_SERVICE_REASON_H

/* The first one counts: it is nearest to the cause. Main thread only. Returns err. */
int reason_give(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What was given was no failure after all. */
void reason_forget(void);
const char *reason_given(void); /* empty: none */

#endif
