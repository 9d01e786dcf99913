/*
 * SQLite, in memory and in a file, passes the conformance suite of rewards and points.
 */
#include "tests/store/conformance_points.h"
#include "tests/store/files.h"

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
    int failed = conformance_points_run(&(struct conformance_backend){
        .name = "sqlite :memory:", .create = create_memory, .remove = remove_memory});
    failed += conformance_points_run(&(struct conformance_backend){
        .name = "sqlite file", .is_shared = true, .create = files_create, .remove = files_remove});
    return failed;
}
