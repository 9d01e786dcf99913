/* Forbids core dumps, and with them debuggers. */
#include "service/core_dump.h"

#include "base/check.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/banned.h"

/* The limit alone is not enough: a core that is piped to a program, as systemd does, ignores it. */
void core_dump_forbid(void)
{
    const struct rlimit none = {0, 0};
    CHECK(setrlimit(RLIMIT_CORE, &none) == 0);
#ifndef __SANITIZE_ADDRESS__ /* its search for leaks is a debugger */
    CHECK(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
#endif
}
