/* Follows live operations: asks again and again for what came after the last one. */
#include "service/tail.h"

#include "base/error.h"
#include "service/answer.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"

#define PATH "/admin/tail"
#define BODY_MAX 512
#define PAUSE_MS 250

struct tail {
    const struct invocation *invocation;
    struct admin_session *session;
    bool is_json;
    bool has_begun;  /* since is known */
    bool is_waiting; /* for the service to come back */
    int64_t since;
    int64_t style_tenant; /* whose style it is; 0: nobody's yet */
    struct answer_style style;
};

/* --- lines */

static void append_place(struct text_buffer *words, const struct jread *operation)
{
    struct text site = answer_text(operation, "site");
    int64_t site_id = answer_int64(operation, "site_id");
    int64_t register_id = answer_int64(operation, "register_id");
    if (site.length > 0)
        text_append_printable(words, site, TEXT("?"));
    else if (site_id != 0)
        text_append_format(words, "site %lld", (long long)site_id);
    if (register_id != 0)
        text_append_format(words, "%sregister %lld", site.length > 0 || site_id != 0 ? ", " : "",
                           (long long)register_id);
}

/* What moved; of a refusal, what was asked for. */
static void append_amount(struct text_buffer *words, const struct answer_style *style,
                          const struct jread *operation)
{
    bool is_done = text_equal(answer_text(operation, "result"), TEXT("ok"));
    answer_append_money(words, style, answer_text(operation, is_done ? "moved" : "asked"), is_done);
}

/* Widths that most of what comes fits into; what does not moves its own line only. */
static void print_padded(struct text text, int width, bool is_number)
{
    int padding = width - answer_width(text);
    if (is_number && padding > 0)
        printf("%*s", padding, "");
    fwrite(text.base, 1, text.length, stdout);
    if (!is_number && padding > 0)
        printf("%*s", padding, "");
    fputs("  ", stdout);
}

static void print_words(struct text_buffer *words, int width, bool is_number)
{
    print_padded(text_buffer_text(words), width, is_number);
    words->length = 0;
    words->base[0] = '\0';
}

static void print_line(const struct answer_style *style, const struct jread *operation)
{
    char bytes[ANSWER_CELL_MAX];
    struct text_buffer words;
    text_buffer_init(&words, bytes, sizeof(bytes));
    answer_append_time(&words, style, answer_time_us(operation, "at"), true);
    print_words(&words, 19, false);
    print_padded(answer_text(operation, "operation_id"), 8, true);
    text_append_format(&words, "tenant %lld", (long long)answer_int64(operation, "tenant"));
    print_words(&words, 9, false);
    print_padded(answer_text(operation, "action"), 9, false);
    print_padded(answer_text(operation, "result"), 9, false);
    append_amount(&words, style, operation);
    print_words(&words, 12, true);
    text_append(&words, TEXT("..."));
    text_append(&words, answer_text(operation, "card_last4"));
    print_words(&words, 7, false);
    answer_append_money(&words, style, answer_text(operation, "balance_after"), false);
    print_words(&words, 12, true);
    if (answer_int64(operation, "order_id") != 0)
        text_append_format(&words, "order %lld", (long long)answer_int64(operation, "order_id"));
    print_words(&words, 16, false);
    append_place(&words, operation);
    printf("%s\n", bytes);
}

static void tell(struct tail *tail, const struct jread *operation)
{
    int64_t tenant = answer_int64(operation, "tenant");
    if (tail->is_json) {
        answer_write(stdout, operation);
        putchar('\n');
        return;
    }
    if (tail->style_tenant != tenant) {
        answer_style_finish(&tail->style);
        answer_style_init(&tail->style, operation);
        tail->style_tenant = tenant;
    }
    print_line(&tail->style, operation);
}

/* --- asking */

static void write_body(const struct tail *tail, struct text_buffer *body)
{
    const char *tenant = command_value(tail->invocation, "tenant");
    const char *since = command_value(tail->invocation, "since");
    struct jwrite writer;
    jwrite_init(&writer, body);
    jwrite_object_begin(&writer);
    if (tenant != NULL) {
        jwrite_key(&writer, TEXT("tenant"));
        jwrite_text(&writer, text_of(tenant));
    }
    if (tail->has_begun || since != NULL)
        jwrite_key(&writer, TEXT("since"));
    if (tail->has_begun)
        jwrite_int64(&writer, tail->since);
    else if (since != NULL)
        jwrite_text(&writer, text_of(since));
    jwrite_object_end(&writer);
}

static void take(struct tail *tail, const struct jread *document)
{
    const struct jread *operations = jread_member(document, "operations");
    for (size_t i = 0; i < jread_count(operations); i++)
        tell(tail, jread_element(operations, i));
    tail->since = answer_int64(document, "since");
    tail->has_begun = true;
    fflush(stdout);
}

/* A service that has not answered yet, or is just going, is waited for once it has been seen. */
static int await(struct tail *tail, int err)
{
    if (!tail->has_begun)
        return err;
    if (!tail->is_waiting)
        fprintf(stderr, "counterpart: the service does not answer; waiting for it\n");
    tail->is_waiting = true;
    return 0;
}

static int take_answer(struct tail *tail, const struct jread *document, long status, bool *has_more)
{
    if (status == 503)
        return await(tail, ERR_REFUSED);
    if (status != 200) {
        admin_print_refusal(document);
        return ERR_REFUSED;
    }
    if (tail->is_waiting)
        fprintf(stderr, "counterpart: the service answers again; going on after operation %lld\n",
                (long long)tail->since);
    tail->is_waiting = false;
    take(tail, document);
    admin_session_hush(tail->session, true);
    *has_more = answer_bool(document, "has_more");
    return 0;
}

static int look(struct tail *tail, bool *has_more)
{
    char bytes[BODY_MAX];
    struct text_buffer body;
    struct jread *document;
    long status;
    *has_more = false;
    text_buffer_init(&body, bytes, sizeof(bytes));
    write_body(tail, &body);
    int err = admin_session_ask(tail->session, PATH, text_buffer_text(&body), &document, &status);
    if (err != 0)
        return await(tail, err);
    err = take_answer(tail, document, status, has_more);
    jread_destroy(document);
    return err;
}

int tail_run(const struct invocation *invocation, const char *socket_path)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    struct tail tail = {
        .invocation = invocation,
        .is_json = invocation->wants_json || !isatty(STDOUT_FILENO),
    };
    bool has_more = false;
    if (admin_session_open(socket_path, &tail.session) != 0)
        return EXIT_FAILURE;
    while (look(&tail, &has_more) == 0 && ferror(stdout) == 0)
        if (!has_more)
            (void)nanosleep(&pause, NULL);
    answer_style_finish(&tail.style);
    admin_session_close(tail.session);
    return EXIT_FAILURE;
}
