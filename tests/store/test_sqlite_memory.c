/*
 * SQLite in memory passes the conformance suite. ":memory:" is private to its connection, so tests
 * with readers and reopening are the file suite's.
 */
#include "tests/store/conformance.h"

#include <string.h>

static void create_memory(char location[LOCATION_MAX])
{
    static const char memory[] = ":memory:";
    memcpy(location, memory, sizeof(memory));
}

static void remove_memory(const char *location)
{
    (void)location; /* gone with its connection */
}

int main(void)
{
    static const struct conformance_backend backend = {
        .name = "sqlite :memory:", .create = create_memory, .remove = remove_memory};
    return conformance_run(&backend) + conformance_run_members(&backend);
}
