/* Writes operations as JSON, with the names of their sites and a sentence. */
#include "handlers/tell.h"

#include "handlers/admin_request.h"
#include "lightspeed/booking.h"

#include "base/banned.h"

static const char *site_name(const struct teller *teller, int64_t site_id)
{
    const struct directory_site *site =
        directory_find_site(teller->snapshot, teller->tenant->tenant.id, site_id);
    return site == NULL ? NULL : site->site.name;
}

void tell_write_place(struct jwrite *writer, const struct teller *teller, int64_t site_id,
                      int64_t register_id)
{
    const char *site = site_name(teller, site_id);
    admin_write_int64(writer, "site_id", site_id);
    jwrite_key(writer, TEXT("site"));
    if (site == NULL)
        jwrite_null(writer);
    else
        jwrite_text(writer, text_of(site));
    admin_write_int64(writer, "register_id", register_id);
}

void tell_of(const struct teller *teller, const struct operation *operation,
             struct text_buffer *sentence)
{
    tell_operation(sentence, operation, &teller->tenant->tenant.currency,
                   site_name(teller, operation->site_id));
}

void tell_write_reference(struct jwrite *writer, const struct teller *teller, int64_t operation_id)
{
    char ref[ORDER_REF_MAX + 1];
    payment_ref_make(teller->generation, operation_id, ref);
    admin_write_text(writer, "reference", ref);
}

void tell_write_operation(struct jwrite *writer, const struct teller *teller,
                          const struct operation *operation)
{
    const struct currency *currency = &teller->tenant->tenant.currency;
    char bytes[TELL_SENTENCE_MAX];
    struct text_buffer sentence;
    admin_write_int64(writer, "operation_id", operation->id);
    tell_write_reference(writer, teller, operation->id);
    admin_write_time(writer, "at", operation->created_at_us);
    admin_write_text(writer, "action", action_name(operation->action));
    admin_write_text(writer, "result", result_name(operation->result));
    admin_write_amount(writer, TEXT("asked"), operation->asked_minor, currency->exponent);
    admin_write_amount(writer, TEXT("moved"), tell_moved_minor(operation), currency->exponent);
    admin_write_amount(writer, TEXT("balance_after"), operation->balance_minor_after,
                       currency->exponent);
    admin_write_amount(writer, TEXT("given_back"), operation->given_back_minor, currency->exponent);
    admin_write_int64(writer, "order_id", operation->order_id);
    admin_write_int64(writer, "answers_operation_id", operation->answers_operation_id);
    tell_write_place(writer, teller, operation->site_id, operation->register_id);
    text_buffer_init(&sentence, bytes, sizeof(bytes));
    tell_of(teller, operation, &sentence);
    jwrite_key(writer, TEXT("sentence"));
    jwrite_text(writer, text_buffer_text(&sentence));
}
