/*
 * What every driver defines. It runs one input and CHECKs an invariant about it; it is called many
 * times in one process and keeps nothing from one call to the next.
 */
#ifndef COUNTERPART_TESTS_FUZZ_H
#define COUNTERPART_TESTS_FUZZ_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* returns 0 */

#endif
