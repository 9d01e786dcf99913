/* Asks the service what stands between a tenant and its registers, and has it written. */
#include "service/doctor.h"

#include "base/error.h"
#include "service/answer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define PATH "/admin/doctor"
#define BODY_MAX 256

static const char not_running[] =
    "{\"is_green\":false,\"lines\":[{\"id\":\"service\",\"group\":\"This machine\","
    "\"title\":\"Service\",\"state\":\"todo\",\"found\":\"It is not running, or its data folder "
    "is not the one in COUNTERPART_DATA\",\"todo\":\"Start it, or set COUNTERPART_DATA to its "
    "data folder\",\"command\":\"counterpart serve\",\"instead\":null,\"paste\":null}],"
    "\"back_office\":[]}";

/* --- words */

static const struct doctor_look looks[] = {
    {{"ok", 2}, "\xe2\x9c\x94", "\033[32m", HTML_GOOD, {"green", 5}},
    {{"todo", 4}, "\xe2\x9c\x98", "\033[1;31m", HTML_BAD, {"to do", 5}},
    {{"waits", 5}, "\xe2\x80\xa6", "\033[2m", HTML_NOTICE, {"waits", 5}},
    {{"unknown", 7}, "?", "\033[33m", HTML_PLAIN, {"not known", 9}},
    {{"off", 3}, "-", "\033[2m", HTML_PLAIN, {"not used here", 13}},
};

const struct doctor_look *doctor_look_of(const struct jread *line)
{
    struct text state = answer_text(line, "state");
    size_t i = 0;
    while (i + 1 < COUNT_OF(looks) && !text_equal(looks[i].state, state))
        i++;
    return &looks[i];
}

void doctor_append_place(struct text_buffer *buffer, const struct jread *field)
{
    text_append(buffer, answer_text(field, "tab"));
    text_append(buffer, TEXT(", "));
    text_append(buffer, answer_text(field, "field"));
}

int64_t doctor_count(const struct jread *report, struct text state)
{
    const struct jread *lines = jread_member(report, "lines");
    int64_t count = 0;
    for (size_t i = 0; i < jread_count(lines); i++)
        count += text_equal(answer_text(jread_element(lines, i), "state"), state);
    return count;
}

const struct jread *doctor_first(const struct jread *report)
{
    const struct jread *lines = jread_member(report, "lines");
    for (size_t i = 0; i < jread_count(lines); i++)
        if (text_equal(answer_text(jread_element(lines, i), "state"), TEXT("todo")))
            return jread_element(lines, i);
    return NULL;
}

void doctor_append_verdict(struct text_buffer *buffer, const struct jread *report)
{
    int64_t todo = doctor_count(report, TEXT("todo"));
    int64_t waits = doctor_count(report, TEXT("waits"));
    if (todo == 0 && waits == 0) {
        text_append(buffer, TEXT("Everything is green"));
        return;
    }
    answer_append_count(buffer, todo, "thing to do", "things to do");
    if (waits > 0) {
        text_append(buffer, TEXT(", and "));
        answer_append_count(buffer, waits, "line waits", "lines wait");
    }
}

/* --- where to */

static bool shows_colours(void)
{
    const char *terminal = getenv("TERM"), *without = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && (without == NULL || without[0] == '\0') && terminal != NULL &&
           strcmp(terminal, "dumb") != 0;
}

/* What came of it is said here as well: who made the page has not opened it yet. */
static int write_page(const char *path, const struct jread *report)
{
    char bytes[128];
    struct text_buffer verdict;
    int err = answer_write_page(path, doctor_page_write, report);
    text_buffer_init(&verdict, bytes, sizeof(bytes));
    doctor_append_verdict(&verdict, report);
    if (err == 0 && isatty(STDOUT_FILENO))
        printf("%s: %s\n", path, bytes);
    return err;
}

static int write_report(const struct invocation *invocation, const struct jread *report)
{
    const char *path = command_value(invocation, "html");
    if (path != NULL)
        return write_page(path, report);
    if (invocation->wants_json || !isatty(STDOUT_FILENO)) {
        answer_write(stdout, report);
        putchar('\n');
    } else {
        doctor_text_write(stdout, report, shows_colours());
    }
    return 0;
}

/* --- asking */

static struct text write_body(const struct invocation *invocation, struct text_buffer *body)
{
    struct jwrite writer;
    jwrite_init(&writer, body);
    jwrite_object_begin(&writer);
    jwrite_key(&writer, TEXT("tenant"));
    jwrite_text(&writer, text_of(command_value(invocation, "tenant")));
    jwrite_object_end(&writer);
    return text_buffer_text(body);
}

/* *report NULL: nobody answers. errors: what is wrong was written to stderr. */
static int ask(const struct invocation *invocation, const char *socket_path, struct jread **report)
{
    char bytes[BODY_MAX];
    struct text_buffer body;
    struct admin_session *session;
    long status;
    *report = NULL;
    if (admin_session_open(socket_path, &session) != 0)
        return 0;
    text_buffer_init(&body, bytes, sizeof(bytes));
    int err = admin_session_ask(session, PATH, write_body(invocation, &body), report, &status);
    admin_session_close(session);
    if (err != 0 || status == 200)
        return 0;
    admin_print_refusal(*report);
    jread_destroy(*report);
    *report = NULL;
    return ERR_REFUSED;
}

int doctor_run(const struct invocation *invocation, const char *socket_path)
{
    struct jread *report;
    int err = ask(invocation, socket_path, &report);
    if (err == 0 && report == NULL)
        err = jread_parse(text_of(not_running), &report);
    if (err != 0)
        return DOCTOR_NOT_TOLD;
    err = write_report(invocation, report);
    bool is_green = answer_bool(report, "is_green");
    jread_destroy(report);
    if (err != 0)
        return DOCTOR_NOT_TOLD;
    return is_green ? EXIT_SUCCESS : EXIT_FAILURE;
}
