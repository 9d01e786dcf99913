/* Asks the service for the report and has it written. */
#include "service/foreign_report.h"

#include "base/error.h"
#include "service/answer.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/banned.h"

#define PATH "/admin/foreign-orders/report"
#define BODY_MAX 1024

static struct text write_body(const struct invocation *invocation, struct text_buffer *body)
{
    static const char *const names[] = {"tenant", "from", "until"};
    struct jwrite writer;
    jwrite_init(&writer, body);
    jwrite_object_begin(&writer);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *value = command_value(invocation, names[i]);
        if (value == NULL)
            continue;
        jwrite_key(&writer, text_of(names[i]));
        jwrite_text(&writer, text_of(value));
    }
    jwrite_object_end(&writer);
    return text_buffer_text(body);
}

/* --- where to --- */

static int write_report(const struct invocation *invocation, long status,
                        const struct jread *document)
{
    const char *path = command_value(invocation, "html");
    bool is_json = invocation->wants_json || !isatty(STDOUT_FILENO);
    if (status != 200 && (path != NULL || !is_json)) {
        admin_print_refusal(document);
        return ERR_REFUSED;
    }
    if (path != NULL)
        return answer_write_page(path, foreign_page_write, document);
    if (is_json) {
        answer_write(stdout, document);
        putchar('\n');
    } else {
        foreign_text_write(stdout, document);
    }
    return status == 200 ? 0 : ERR_REFUSED;
}

static int run(struct admin_session *session, const struct invocation *invocation)
{
    char bytes[BODY_MAX];
    struct text_buffer body;
    struct jread *document;
    long status;
    text_buffer_init(&body, bytes, sizeof(bytes));
    int err = admin_session_ask(session, PATH, write_body(invocation, &body), &document, &status);
    if (err != 0)
        return err;
    err = write_report(invocation, status, document);
    jread_destroy(document);
    return err;
}

int foreign_report_run(const struct invocation *invocation, const char *socket_path)
{
    struct admin_session *session;
    if (admin_session_open(socket_path, &session) != 0)
        return EXIT_FAILURE;
    int err = run(session, invocation);
    admin_session_close(session);
    return err == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
