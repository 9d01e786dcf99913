/* Runs the store's verification and prints what it finds. */
#include "service/verify.h"

#include "base/error.h"
#include "base/json.h"
#include "service/core_dump.h"
#include "service/opening.h"
#include "service/reason.h"
#include "store/verify.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/banned.h"

struct report {
    bool is_json;
    bool shows_progress;
    int64_t findings;
};

static void print_json_finding(const struct report *report, const char *name, const char *detail)
{
    char bytes[4096];
    struct text_buffer buffer;
    struct jwrite writer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    jwrite_init(&writer, &buffer);
    jwrite_object_begin(&writer);
    jwrite_key(&writer, TEXT("name"));
    jwrite_text(&writer, text_of(name));
    jwrite_key(&writer, TEXT("detail"));
    jwrite_text(&writer, text_of(detail));
    jwrite_object_end(&writer);
    printf("%s%s", report->findings == 0 ? "" : ",", bytes);
}

static void on_finding(void *context, const char *name, const char *detail)
{
    struct report *report = context;
    if (report->is_json)
        print_json_finding(report, name, detail);
    else
        printf("%s: %s\n", name, detail);
    report->findings++;
}

static void on_progress(void *context, int64_t done, int64_t total)
{
    struct report *report = context;
    if (report->shows_progress && total > 0)
        fprintf(stderr, "\r%lld of %lld rows (%lld %%) ", (long long)done, (long long)total,
                (long long)(done * 100 / total));
}

static int complain(const char *path, int err)
{
    (void)reason_give(err, "%s: %s", path, error_name(err));
    fprintf(stderr, "counterpart: %s\n", reason_given());
    return EXIT_FAILURE;
}

static int open_store(const struct config *config, struct seal **seal, struct store **store)
{
    int err = opening_seal(config, false, seal);
    if (err != 0)
        return err;
    err = opening_store(config, *seal, STORE_READER, store);
    if (err != 0)
        seal_destroy(*seal);
    return err;
}

static void print_end(const struct report *report, int err)
{
    if (report->shows_progress)
        fputc('\n', stderr);
    if (report->is_json)
        printf("],\"ok\":%s}\n", err == 0 && report->findings == 0 ? "true" : "false");
    else if (err == 0)
        printf(report->findings == 0 ? "All laws hold.\n" : "%lld findings.\n",
               (long long)report->findings);
}

int verify(const struct config *config, bool wants_json)
{
    struct report report = {.is_json = wants_json || !isatty(STDOUT_FILENO),
                            .shows_progress = isatty(STDERR_FILENO)};
    struct seal *seal;
    struct store *store;
    int64_t findings = 0;
    if (!config->core_dumps_are_on)
        core_dump_forbid(); /* the master key is read here too */
    int err = open_store(config, &seal, &store);
    if (err != 0)
        return complain(config->data, err);
    if (report.is_json)
        printf("{\"findings\":[");
    err = store_verify(store, on_finding, on_progress, &report, &findings);
    print_end(&report, err);
    if (err != 0)
        (void)complain(config->store_name, err);
    store_close(store);
    seal_destroy(seal);
    return err == 0 && findings == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
