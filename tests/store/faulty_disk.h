/*
 * A disk under SQLite that fails on request: a VFS that forwards everything to the system's and
 * counts down to a fault.
 */
#ifndef COUNTERPART_TESTS_STORE_FAULTY_DISK_H
#define COUNTERPART_TESTS_STORE_FAULTY_DISK_H

#include <stdbool.h>

/* Becomes the default VFS of the process. */
void faulty_disk_install(void);

enum disk_call {
    DISK_READ,
    DISK_WRITE, /* the log only; half of the bytes are written before it fails */
    DISK_SYNC,  /* the log only; the bytes are there, the fsync is not */
};

/* The nth such call from now on fails with code, and if is_final all later ones too. */
void faulty_disk_arm(enum disk_call call, int nth, int code, bool is_final);
/* No more faults. true: one has happened since it was armed. */
bool faulty_disk_disarm(void);

#endif
