/*
 * The queue of the committers. Each takes what waits, and while it has commands of a card the rest
 * of that card waits for it: nothing of a card overtakes itself, and no two committers of a process
 * wait for each other's rows. Tasks are all the first committer's.
 *
 * Who commands wait for is decided by what pays: a free committer begins when no other is at work,
 * when half of the commands that are usually under way wait, or COMMIT_QUEUE_WORTH of them, or when
 * one has waited for longer than it takes to decide on them and to write: then the other waits
 * for a replica or a slow disk.
 */
#ifndef COUNTERPART_RUNTIME_COMMIT_QUEUE_H
#define COUNTERPART_RUNTIME_COMMIT_QUEUE_H

#include "ledger/ledger.h"
#include "runtime/job.h"

#include <pthread.h>

#define COMMIT_QUEUE_TAKERS_MAX 16
/* As many commands as one transaction of PostgreSQL costs by itself (0.3 ms of processor time,
 * and 0.02 ms for each command): from here on a second one beside the first costs less than half
 * of what it does. */
#define COMMIT_QUEUE_WORTH 16
/* Of fewer than twice as many, half is worth it: else one half of the tills would always wait
 * for the other half, and no batch would be larger for it. Less than this is not: a transaction
 * for each that comes beside another costs most. */
#define COMMIT_QUEUE_WORTH_MIN 4
/* What is usual is told by the last so many batches. */
#define COMMIT_QUEUE_USUAL_BATCHES 16
/* So long a command waits beside another batch: some times what a fetch has taken lately, which is
 * processor time where a commit's is waiting. So a busy machine is not given more to do, and a
 * replica holds up nobody. Not less than a batch of so many takes on a machine of its own; not more
 * than a till would notice. */
#define COMMIT_QUEUE_WAIT_FETCHES 4
#define COMMIT_QUEUE_WAIT_MIN_US (INT64_C(2) * 1000)
#define COMMIT_QUEUE_WAIT_MAX_US (INT64_C(50) * 1000)
/* Cards are told apart by so many bits of their index: a full batch keeps one in eight of the
 * others waiting besides its own. */
#define COMMIT_QUEUE_SLOTS 4096
/* A full queue is looked through for what was cancelled this often at most: 4,096 jobs that are not
 * in the cache take some 0.4 ms, and everybody waits. */
#define COMMIT_QUEUE_DROP_EVERY_US (INT64_C(10) * 1000)

struct commit_queue_taker {
    pthread_cond_t called;
    bool is_idle;
    uint16_t slots[BATCH_MAX]; /* of the commands that it has */
    int32_t slot_count;
};

struct commit_queue {
    pthread_mutex_t mutex; /* guards everything */
    struct job *oldest;
    struct job **end; /* where the next is put */
    int32_t depth, depth_max;
    int32_t task_count;    /* that wait */
    int32_t free_count;    /* commands that wait, of cards that nobody has */
    int64_t free_since_us; /* how long the first of them may have waited */
    int64_t fetch_us;      /* how long fetches have taken lately */
    int32_t busy_count;    /* takers that have commands */
    int32_t taken_count;   /* commands that they have */
    int32_t usual_sum;     /* COMMIT_QUEUE_USUAL_BATCHES times what is usually under way */
    int32_t called;        /* the taker that looks after them; or COMMIT_QUEUE_NOBODY */
    bool is_watching;      /* it waits until enough have come, or for long enough */
    bool is_closed;
    int64_t dropped_at_us; /* when the list was last looked through for what is cancelled */
    int32_t taker_count;
    struct commit_queue_taker takers[COMMIT_QUEUE_TAKERS_MAX];
    struct {
        int16_t taker; /* whose it is while held is not 0 */
        int16_t held;  /* commands that the taker has */
        int32_t waiting;
    } slots[COMMIT_QUEUE_SLOTS];
};
#define COMMIT_QUEUE_NOBODY (-1)

void commit_queue_init(struct commit_queue *queue, int32_t depth_max, int32_t taker_count);
void commit_queue_finish(struct commit_queue *queue); /* CHECKs that it is empty */

/* errors  ERR_QUEUE_FULL, ERR_SHUTTING_DOWN: the job stays the caller's. */
MUST_CHECK int commit_queue_push(struct commit_queue *queue, struct job *job);
/* Takes out what was cancelled, also behind cards that somebody has: with the queue full it would
 * keep out others. A list by job->next; NULL: nothing, or it was looked for a moment ago. */
struct job *commit_queue_drop_cancelled(struct commit_queue *queue);
/*
 * The taker is done with what it took before. Waits; takes up to count_max of the oldest jobs that
 * it may have, as a list by job->next; a task that does not join is the last of its list. NULL:
 * closed, and nothing is left for it.
 */
struct job *commit_queue_take(struct commit_queue *queue, int32_t taker, int32_t count_max);
/* Of the commands that the taker took, it has these left: the cards of the others are free. */
void commit_queue_keep(struct commit_queue *queue, int32_t taker, struct job *const jobs[],
                       int32_t count);
/* Commands that the taker has wait again, in their order and before all others: anybody's, once it
 * has done with their cards. */
void commit_queue_put_back(struct commit_queue *queue, struct job *const jobs[], int32_t count);
/* What else waits of the cards that the taker has; NULL: nothing. Does not wait. */
struct job *commit_queue_take_more(struct commit_queue *queue, int32_t taker, int32_t count_max);
/* How long a taker's fetch has taken. */
void commit_queue_note_fetch(struct commit_queue *queue, int64_t fetch_us);
/* Is what waits enough for a further taker, at once? Else it waits for so long at most. */
bool commit_queue_is_worth_it(const struct commit_queue *queue);
int64_t commit_queue_wait_us(const struct commit_queue *queue);
/* No more pushes; takers get what is left, then NULL. */
void commit_queue_close(struct commit_queue *queue);
int32_t commit_queue_depth(struct commit_queue *queue);

#endif
