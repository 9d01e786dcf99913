/* What happens when a CHECK fails: the test's hook, else a line on standard error and abort. */
#include "base/check.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

check_hook_fn check_hook;

void check_failed(const char *expression, const char *file, int line)
{
    if (check_hook != NULL)
        check_hook(expression, file, line); /* cmocka's mock_assert leaves by longjmp */
    /* Not through the log: its thread and locks may be what is broken. */
    log_await_written();
    fprintf(stderr, "CHECK failed: %s (%s:%d)\n", expression, file, line);
    abort();
}
