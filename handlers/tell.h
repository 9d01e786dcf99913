/*
 * Telling what happened: operations, proofs and work as sentences that a merchant can read, and as
 * JSON. For reports; what a cashier reads is worded by handlers/oseries_reply.c.
 */
#ifndef COUNTERPART_HANDLERS_TELL_H
#define COUNTERPART_HANDLERS_TELL_H

#include "base/json.h"
#include "runtime/directory.h"
#include "store/proof.h"
#include "store/work.h"

/* Room for any of the sentences: some 300 bytes of ours, a site's name, five numbers. */
#define TELL_SENTENCE_MAX 768

/* --- sentences: pure; without a full stop at the end --- */

/* site: its name; NULL: not mapped, then its number is told. */
void tell_operation(struct text_buffer *sentence, const struct operation *operation,
                    const struct currency *currency, const char *site);
void tell_proof(struct text_buffer *sentence, const struct proof *proof);
/* What confirmed it before, where something did (was_confirmed_at_us). */
void tell_lost_proof(struct text_buffer *sentence, const struct proof *proof);
/* What the same request would get at now_us; empty for what nobody can ask for again. */
void tell_replay(struct text_buffer *sentence, const struct operation *operation,
                 const struct policy *policy, int64_t now_us);

const char *tell_status_name(enum card_status status); /* "active" */
/* What the card gained by it, or lost: below 0. */
int64_t tell_moved_minor(const struct operation *operation);

/* --- JSON --- */

/* Whose rows are told. On a worker's thread: take the snapshot there (directory_acquire). */
struct teller {
    const struct directory_snapshot *snapshot;
    const struct directory_tenant *tenant;
    int64_t generation; /* of the store; part of the references */
};

/* tell_operation with what the teller knows. */
void tell_of(const struct teller *teller, const struct operation *operation,
             struct text_buffer *sentence);
/* "site_id", "site" (null: not mapped) and "register_id". */
void tell_write_place(struct jwrite *writer, const struct teller *teller, int64_t site_id,
                      int64_t register_id);
/* "reference": "CP1-8", what register and receipt have of the operation. */
void tell_write_reference(struct jwrite *writer, const struct teller *teller, int64_t operation_id);
/* Members of an object that the caller begins and ends. */
void tell_write_operation(struct jwrite *writer, const struct teller *teller,
                          const struct operation *operation);
/* "proof": an object; proof NULL: null. */
void tell_write_proof(struct jwrite *writer, const struct proof *proof);
/* One object each. */
void tell_write_transfer(struct jwrite *writer, const struct transfer *transfer, int exponent);
void tell_write_work(struct jwrite *writer, const struct work *work);
/* time_us 0: null. */
void tell_write_time(struct jwrite *writer, const char *key, int64_t time_us);
/* date 0: null. */
void tell_write_date(struct jwrite *writer, const char *key, int32_t date);

#endif
