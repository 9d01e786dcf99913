/*
 * Has the committer raise the store's hot generation, when the Redis tier asks for a new one.
 */
#ifndef COUNTERPART_RUNTIME_HOT_RAISE_H
#define COUNTERPART_RUNTIME_HOT_RAISE_H

#include "runtime/committer.h"

struct hot_raise {
    struct committer *committer;
    struct hot *hot;
};

/* A hot_raise_fn (store/hot_redis.h); context: a struct hot_raise that outlives the committer.
 * Waits for nothing; what does not work is asked for again. */
void hot_raise(void *context);

#endif
