/* Asks the service for the tenants' totals and open items, and has them written. */
#include "service/reconcile.h"

#include "base/error.h"
#include "service/reconcile_report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define PATH "/admin/reconcile"
#define PAGE_ITEMS 200
#define BODY_MAX 1024

/* --- asking */

static void write_member(struct jwrite *writer, const struct invocation *invocation,
                         const char *name)
{
    const char *value = command_value(invocation, name);
    if (value == NULL)
        return;
    jwrite_key(writer, text_of(name));
    jwrite_text(writer, text_of(value));
}

/* tenant_id 0: what the invocation names, else the next after after_id. */
static void write_body(struct text_buffer *body, const struct reconcile *reconcile,
                       int64_t tenant_id, int64_t after_id, int64_t limit, struct text after)
{
    struct jwrite writer;
    jwrite_init(&writer, body);
    jwrite_object_begin(&writer);
    if (tenant_id == 0 && !reconcile->is_all) {
        write_member(&writer, reconcile->invocation, "tenant");
    } else {
        jwrite_key(&writer, tenant_id == 0 ? TEXT("after_tenant") : TEXT("tenant"));
        jwrite_int64(&writer, tenant_id == 0 ? after_id : tenant_id);
    }
    write_member(&writer, reconcile->invocation, "day");
    write_member(&writer, reconcile->invocation, "from");
    write_member(&writer, reconcile->invocation, "until");
    jwrite_key(&writer, TEXT("limit"));
    jwrite_int64(&writer, limit);
    jwrite_key(&writer, TEXT("after"));
    jwrite_text(&writer, after);
    jwrite_object_end(&writer);
}

static int ask(struct reconcile *reconcile, struct text body, struct jread **document, bool *is_end)
{
    long status;
    int err = admin_session_ask(reconcile->session, PATH, body, document, &status);
    if (err != 0 || status == 200)
        return err;
    *is_end = text_equal(answer_text(*document, "code"), TEXT("no_more_tenants"));
    if (!*is_end)
        admin_print_refusal(*document);
    jread_destroy(*document);
    *document = NULL;
    return *is_end ? 0 : ERR_REFUSED;
}

static const struct jread *not_looked_of(const struct tenant_answer *answer)
{
    return jread_member(answer->document, "not_looked_at");
}

int reconcile_ask_tenant(struct reconcile *reconcile, int64_t after_id, int64_t limit,
                         struct tenant_answer *answer, bool *is_end)
{
    char bytes[BODY_MAX];
    struct text_buffer body;
    *answer = (struct tenant_answer){.document = NULL};
    *is_end = false;
    text_buffer_init(&body, bytes, sizeof(bytes));
    write_body(&body, reconcile, 0, after_id, limit, TEXT(""));
    int err = ask(reconcile, text_buffer_text(&body), &answer->document, is_end);
    if (err != 0 || *is_end)
        return err;
    answer_style_init(&answer->style, answer->document);
    answer->tenant_id = answer_int64(answer->document, "tenant");
    answer->counts[GROUP_LISTED] = answer_int64(answer->document, "listed");
    answer->counts[GROUP_UNCLAIMED] = answer_int64(answer->document, "unclaimed_payments");
    answer->counts[GROUP_OPEN] =
        answer_int64(answer->document, "open") + answer_int64(answer->document, "changed");
    for (int i = 0; i < GROUP_COUNT; i++)
        answer->open_items += answer->counts[i];
    answer->not_looked = answer_int64(not_looked_of(answer), "operations");
    if (reconcile_is_connected(answer))
        answer->open_items += answer->not_looked;
    return 0;
}

void reconcile_free_tenant(struct tenant_answer *answer)
{
    jread_destroy(answer->document);
    answer_style_finish(&answer->style);
    answer->document = NULL;
}

bool reconcile_is_connected(const struct tenant_answer *answer)
{
    return text_equal(answer_text(answer->document, "connection"), TEXT("connected"));
}

bool reconcile_is_unknown(const struct tenant_answer *answer)
{
    return !reconcile_is_connected(answer) && answer->open_items == 0 &&
           answer_int64(answer->document, "operations") == 0;
}

bool reconcile_is_blind(const struct tenant_answer *answer)
{
    bool was_connected = !text_equal(answer_text(answer->document, "connection"), TEXT("none"));
    return !reconcile_is_connected(answer) && (was_connected || !reconcile_is_unknown(answer));
}

bool reconcile_is_unread(const struct tenant_answer *answer)
{
    return !reconcile_is_connected(answer) && answer->open_items == 0 &&
           answer_int64(answer->document, "operations") == answer->not_looked;
}

int reconcile_each_page(struct reconcile *reconcile, const struct tenant_answer *answer,
                        reconcile_page_fn each, void *context)
{
    char bytes[BODY_MAX];
    struct text_buffer body;
    struct jread *page = NULL;
    const struct jread *current = answer->document;
    int err = 0;
    for (;;) {
        struct text next = answer_text(current, "next");
        bool is_end = false;
        each(context, jread_member(current, "items"));
        if (next.length == 0)
            break;
        text_buffer_init(&body, bytes, sizeof(bytes));
        write_body(&body, reconcile, answer->tenant_id, 0, PAGE_ITEMS, next);
        jread_destroy(page);
        page = NULL;
        err = ask(reconcile, text_buffer_text(&body), &page, &is_end);
        if (err != 0)
            break;
        current = page;
    }
    jread_destroy(page);
    return err;
}

int reconcile_each_tenant(struct reconcile *reconcile, int64_t limit, reconcile_tenant_fn each,
                          void *context)
{
    int64_t after_id = 0;
    bool is_end = false;
    int err = 0;
    reconcile->tenants = reconcile->unconnected = reconcile->open_items = 0;
    reconcile->blind = 0;
    do {
        struct tenant_answer answer;
        err = reconcile_ask_tenant(reconcile, after_id, limit, &answer, &is_end);
        if (err != 0 || is_end)
            break;
        after_id = answer.tenant_id;
        reconcile->tenants++;
        reconcile->open_items += answer.open_items;
        reconcile->unconnected += !reconcile_is_connected(&answer);
        reconcile->blind += reconcile_is_blind(&answer);
        err = each(context, reconcile, &answer);
        reconcile_free_tenant(&answer);
    } while (err == 0 && reconcile->is_all);
    return err;
}

/* --- items */

enum group reconcile_group_of(const struct jread *item)
{
    struct text state = answer_text(item, "state");
    if (text_equal(state, TEXT("unclaimed")))
        return GROUP_UNCLAIMED;
    return text_equal(state, TEXT("listed")) ? GROUP_LISTED : GROUP_OPEN;
}

struct sum {
    int exponent;
    int64_t minor;
    bool is_sound;
};

static void on_sum_page(void *context, const struct jread *items)
{
    struct sum *sum = context;
    for (size_t i = 0; i < jread_count(items); i++) {
        int64_t minor;
        struct text text = answer_text(jread_element(items, i), "difference");
        sum->is_sound = sum->is_sound && money_parse(text, sum->exponent, &minor) == 0 &&
                        money_add(sum->minor, minor, &sum->minor);
    }
}

int reconcile_check_sum(struct reconcile *reconcile, const struct tenant_answer *answer,
                        bool *is_consistent)
{
    struct sum sum = {.exponent = answer->style.currency.exponent, .is_sound = true};
    int64_t whole_minor;
    struct text not_looked = answer_text(not_looked_of(answer), "difference");
    if (money_parse(not_looked, sum.exponent, &sum.minor) != 0)
        sum.is_sound = false;
    int err = reconcile_each_page(reconcile, answer, on_sum_page, &sum);
    struct text difference = answer_text(answer->document, "difference");
    *is_consistent = sum.is_sound && money_parse(difference, sum.exponent, &whole_minor) == 0 &&
                     whole_minor == sum.minor;
    return err;
}

/* --- words */

void reconcile_append_days(struct text_buffer *buffer, const struct jread *document)
{
    struct text from = answer_text(document, "from"), until = answer_text(document, "until");
    bool is_day = from.length > 0 && text_equal(from, until);
    if (from.length == 0 && until.length == 0)
        text_append(buffer, TEXT("all days"));
    if (from.length > 0 && until.length == 0)
        text_append(buffer, TEXT("since "));
    text_append(buffer, from);
    if (until.length > 0 && !is_day)
        text_append(buffer, from.length > 0 ? TEXT(" to ") : TEXT("until "));
    if (!is_day)
        text_append(buffer, until);
}

void reconcile_append_connection(struct text_buffer *buffer, const struct jread *document)
{
    struct text connection = answer_text(document, "connection");
    if (text_equal(connection, TEXT("connected")))
        return;
    if (text_equal(connection, TEXT("reconnect_required")))
        text_append(buffer, TEXT("The connection with Lightspeed is broken, so no order can be "
                                 "read and nothing new can be proved. The merchant has to connect "
                                 "again"));
    else if (text_equal(connection, TEXT("revoked")))
        text_append(buffer, TEXT("The connection with Lightspeed was ended, so no order can be "
                                 "read and nothing new can be proved"));
    else
        text_append(buffer, TEXT("This merchant is not connected with Lightspeed, so no order can "
                                 "be read and nothing can be proved"));
    text_append_format(buffer, ": counterpart oauth start --tenant %lld",
                       (long long)answer_int64(document, "tenant"));
}

static void append_kind(struct text_buffer *buffer, const struct tenant_answer *answer,
                        const char *name, const char *one, const char *several, const char *sum)
{
    const struct jread *not_looked = not_looked_of(answer);
    if (answer_int64(not_looked, name) == 0)
        return;
    if (buffer->length > 0)
        text_append(buffer, TEXT(", "));
    answer_append_count(buffer, answer_int64(not_looked, name), one, several);
    if (sum == NULL)
        return;
    text_append(buffer, TEXT(" of "));
    answer_append_money(buffer, &answer->style, answer_text(not_looked, sum), false);
}

void reconcile_append_not_looked(struct text_buffer *buffer, const struct tenant_answer *answer)
{
    if (answer->not_looked == 0)
        return;
    append_kind(buffer, answer, "charges", "charge", "charges", "charged");
    append_kind(buffer, answer, "refunds", "refund", "refunds", "refunded");
    append_kind(buffer, answer, "top_ups", "top-up", "top-ups", NULL);
    text_append(buffer, TEXT(" since "));
    answer_append_time(buffer, &answer->style, answer_time_us(not_looked_of(answer), "since"),
                       false);
    text_append(buffer, reconcile_is_connected(answer)
                            ? TEXT(": not looked at yet, in a moment without anybody's help")
                            : TEXT(": nobody has looked at them, and nobody can"));
}

static void begin_note(struct text_buffer *buffer)
{
    if (buffer->length > 0)
        text_append(buffer, TEXT(". "));
}

/* What to go on with: counterpart explain --operation, or the register's own records. */
static void append_handle(struct text_buffer *buffer, const struct jread *item)
{
    int64_t operation_id = answer_int64(item, "operation_id");
    if (operation_id == 0)
        return;
    begin_note(buffer);
    text_append_format(buffer, "Operation %lld, reference ", (long long)operation_id);
    text_append(buffer, answer_text(item, "reference"));
}

void reconcile_append_notes(struct text_buffer *buffer, const struct answer_style *style,
                            const struct jread *item)
{
    int64_t missing_us = answer_time_us(item, "missing_since");
    int64_t next_us = answer_time_us(item, "next_look_at");
    struct text look = answer_text(item, "look_reason");
    int64_t since_us = answer_time_us(item, "since");
    if (since_us != 0)
        text_append(buffer, reconcile_group_of(item) == GROUP_UNCLAIMED ? TEXT("Seen ")
                                                                        : TEXT("So since "));
    answer_append_time(buffer, style, since_us, false);
    if (answer_bool(item, "is_suspect")) {
        begin_note(buffer);
        text_append(buffer, TEXT("The register may never have got the answer"));
    }
    if (missing_us != 0) {
        begin_note(buffer);
        text_append(buffer, TEXT("Missing since "));
        answer_append_time(buffer, style, missing_us, false);
    }
    if (look.length > 0) {
        begin_note(buffer);
        text_append(buffer, TEXT("Latest look: "));
        text_append(buffer, look);
    }
    if (next_us != 0) {
        begin_note(buffer);
        text_append(buffer, TEXT("Next look "));
        answer_append_time(buffer, style, next_us, false);
    }
    append_handle(buffer, item);
}

/* --- the command */

int reconcile_run(const struct invocation *invocation, const char *socket_path)
{
    struct reconcile reconcile = {
        .invocation = invocation,
        .is_all = command_value(invocation, "tenant") == NULL,
    };
    const char *path = command_value(invocation, "html");
    if (admin_session_open(socket_path, &reconcile.session) != 0)
        return RECONCILE_NOT_TOLD;
    int err;
    if (path != NULL)
        err = reconcile_write_page(&reconcile, path);
    else if (invocation->wants_json || !isatty(STDOUT_FILENO))
        err = reconcile_print_json(&reconcile);
    else
        err = reconcile_print_text(&reconcile);
    admin_session_close(reconcile.session);
    if (err != 0)
        return RECONCILE_NOT_TOLD;
    return reconcile.open_items == 0 && reconcile.blind == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
