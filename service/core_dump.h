/*
 * Keeps secrets out of core files: the master key, the client secret and every pair of tokens are
 * in this process's memory, and a CHECK that fails ends it by SIGABRT.
 */
#ifndef COUNTERPART_SERVICE_CORE_DUMP_H
#define COUNTERPART_SERVICE_CORE_DUMP_H

/* From now on no core is written, and neither debuggers nor other processes of the same user can
 * read this one's memory. Before the first secret is read. */
void core_dump_forbid(void);

#endif
