/* Runs the cases one after the other, and tells what came of it. */
#include "mocks/check/command.h"

#include "base/clock.h"
#include "base/id.h"
#include "mocks/check/expect.h"
#include "mocks/check/report.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define EXIT_PASSED 0
#define EXIT_FAILED 1

static void print_list(const struct settings *settings)
{
    size_t count;
    const struct check_case *cases = cases_all(&count);
    for (size_t i = 0; i < count; i++) {
        if ((settings->surfaces & cases[i].surface) != 0)
            printf("%s\t%s\t%s\t%s\t%s\n", cases[i].id, surface_name(cases[i].surface),
                   cases[i].is_lenient ? "lenient" : "strict", cases[i].evidence, cases[i].title);
    }
}

/* A mistyped id must not look like success. */
static bool picks_are_known(const struct picks *picks)
{
    size_t count;
    const struct check_case *cases = cases_all(&count);
    for (size_t i = 0; i < picks->count; i++) {
        struct picks one = {.id = {picks->id[i]}, .count = 1};
        size_t at = 0;
        while (at < count && !picks_hold(&one, cases[at].id))
            at++;
        if (at == count) {
            fprintf(stderr, "tillsim check: no such case: %s (see tillsim check --list)\n",
                    picks->id[i]);
            return false;
        }
    }
    return true;
}

/* --- before ---------------------------------------------------------------------------------- */

static bool target_answers_the_door(const struct settings *settings)
{
    char url[ASK_URL_MAX];
    for (size_t i = 0; i < TILL_LOYALTY; i++) {
        struct text_buffer buffer;
        struct line line;
        text_buffer_init(&buffer, url, sizeof(url));
        if (!settings_have_action(settings, (enum till_action)i) ||
            !settings_write_url(settings, (enum till_action)i, &buffer))
            continue;
        bool is_open =
            line_open(&line, url, clock_monotonic_us() + settings->timeout_s * CLOCK_US_PER_S);
        if (!is_open)
            fprintf(stderr, "tillsim check: %s is not reachable: %s\n", url, line.failure);
        line_close(&line);
        return is_open;
    }
    fputs("tillsim check: no action to ask; give --target or the address of one\n", stderr);
    return false;
}

static const char *last_four(const char *card)
{
    size_t length = strlen(card);
    return card + (length > 4 ? length - 4 : 0);
}

static void print_money(const struct settings *settings)
{
    if (settings->profile == PROFILE_LENIENT || settings->card != NULL ||
        settings->empty_card != NULL)
        puts("What moves while this runs:");
    if (settings->card != NULL)
        printf("  card ...%s  is charged in cents, never more than 2.50 at a time, and each charge "
               "is refunded\n",
               last_four(settings->card));
    if (settings->empty_card != NULL)
        printf("  card ...%s  is loaded with at most 1.00 at a time, and charged empty again\n",
               last_four(settings->empty_card));
    if (settings->cloud != NULL)
        puts("  sales are opened and deleted in the fake cloud, and a member's points come and go");
    if (settings->card == NULL && settings->empty_card == NULL)
        puts("  nothing: no card was given (--card)");
    putchar('\n');
}

/* --- running --------------------------------------------------------------------------------- */

static void tell_progress(const struct check_case *check, size_t at, size_t count)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K[%zu/%zu] %s", at + 1, count, check->id);
}

static bool may_go_on(struct scene *scene)
{
    if (scene->run->unanswered_in_a_row >= UNANSWERED_MAX)
        return scene_skip(scene, "the target has not answered %d requests in a row; given up",
                          UNANSWERED_MAX);
    if (clock_monotonic_us() >= scene->run->until_us)
        return scene_skip(scene, "the time of the run is up (--deadline)");
    return true;
}

static struct scene *run_case(struct run_state *run, const struct check_case *check)
{
    char why[SENTENCE_MAX];
    int64_t started_us = clock_monotonic_us();
    struct scene *scene = malloc(sizeof(*scene));
    CHECK(scene != NULL);
    run->case_id = check->id;
    scene_begin(scene, run);
    scene->about = check->about;
    if (!case_is_possible(check, run->settings, why)) {
        scene_skip(scene, "%s", why);
    } else if (may_go_on(scene)) {
        check->run(scene);
        scene_clean_up(scene);
    }
    scene_close(scene);
    run->case_id = NULL;
    scene->time_us = clock_monotonic_us() - started_us;
    return scene;
}

static bool is_picked(const struct settings *settings, const struct check_case *check)
{
    return (settings->surfaces & check->surface) != 0 &&
           (settings->only.count == 0 || picks_hold(&settings->only, check->id)) &&
           !picks_hold(&settings->skip, check->id);
}

static size_t count_picked(const struct settings *settings)
{
    size_t count, picked = 0;
    const struct check_case *cases = cases_all(&count);
    for (size_t i = 0; i < count; i++)
        picked += is_picked(settings, &cases[i]);
    return picked;
}

static void run_cases(struct report *report, struct run_state *run)
{
    size_t count, picked = count_picked(run->settings);
    const struct check_case *cases = cases_all(&count);
    CHECK(count <= CASES_MAX);
    for (size_t i = 0; i < count; i++) {
        if (!is_picked(run->settings, &cases[i]))
            continue;
        tell_progress(&cases[i], report->count, picked);
        struct result *result = &report->results[report->count++];
        *result = (struct result){.check = &cases[i], .scene = run_case(run, &cases[i])};
        report->outcomes[result->scene->outcome]++;
    }
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

/* --- what is on the cards, before and after ------------------------------------------------- */

struct purse {
    const char *card;
    int64_t before_minor;
    bool is_known;
};

static bool purse_look(struct run_state *run, const char *card, int64_t *balance_minor)
{
    struct scene *scene = malloc(sizeof(*scene));
    CHECK(scene != NULL);
    scene_begin(scene, run);
    bool is_known =
        run->unanswered_in_a_row < UNANSWERED_MAX && read_balance(scene, card, balance_minor);
    scene_close(scene);
    scene_finish(scene);
    free(scene);
    return is_known;
}

static void purse_begin(struct purse *purse, struct run_state *run, const char *card)
{
    bool is_asked = card != NULL && settings_have_action(run->settings, TILL_CHECK_BALANCE) &&
                    run->settings->profile == PROFILE_STRICT;
    *purse = (struct purse){.card = card};
    purse->is_known = is_asked && purse_look(run, card, &purse->before_minor);
}

static void purse_end(const struct purse *purse, struct run_state *run, struct report *report)
{
    char before[CENTS_TEXT_MAX], after[CENTS_TEXT_MAX];
    int64_t now_minor;
    if (!purse->is_known || !purse_look(run, purse->card, &now_minor))
        return;
    char *line = report->money[report->money_count++];
    (void)snprintf(line, SENTENCE_MAX, "Card ...%s had %s and has %s%s", last_four(purse->card),
                   cents_text(before, purse->before_minor), cents_text(after, now_minor),
                   now_minor == purse->before_minor ? ": all was given back"
                                                    : ": not all could be given back");
}

/* --- after ----------------------------------------------------------------------------------- */

static bool write_file(const char *path, const struct report *report,
                       void (*write)(const struct report *report, FILE *out))
{
    if (path == NULL)
        return true;
    FILE *out = fopen(path, "w");
    if (out != NULL) {
        write(report, out);
        bool has_failed = ferror(out) != 0;
        if (fclose(out) == 0 && !has_failed)
            return true;
    }
    fprintf(stderr, "tillsim check: cannot write %s: %s\n", path, strerror(errno));
    return false;
}

static bool write_reports(const struct report *report)
{
    const struct settings *settings = report->settings;
    bool is_html_good = write_file(settings->report_html, report, report_write_html);
    bool is_junit_good = write_file(settings->report_junit, report, report_write_junit);
    bool is_json_good = write_file(settings->report_json, report, report_write_json);
    return is_html_good && is_junit_good && is_json_good;
}

static void report_destroy(struct report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        scene_finish(report->results[i].scene);
        free(report->results[i].scene);
    }
    free(report);
}

/* Sales of real registers are beyond 2^31 (protocol o-series 2.1), and of two runs not the same. */
static void run_state_begin(struct run_state *run, const struct settings *settings)
{
    uint64_t random;
    struct id_source source = id_source_system();
    source.fill(source.context, (uint8_t *)&random, sizeof(random));
    *run = (struct run_state){
        .settings = settings,
        .bytes = malloc(sizeof(*run->bytes)),
        .redeem = calloc(1, sizeof(*run->redeem)),
        .until_us = clock_monotonic_us() + settings->deadline_s * CLOCK_US_PER_S,
        .next_order_id = INT64_C(2200000000) + (int64_t)(random % UINT64_C(7700000000))};
    CHECK(run->bytes != NULL && run->redeem != NULL);
}

static int check_target(const struct settings *settings)
{
    struct run_state run;
    struct purse purses[2];
    struct report *report = calloc(1, sizeof(*report));
    CHECK(report != NULL);
    report->settings = settings;
    report->run = &run;
    report->started_us = clock_wall_us();
    int64_t started_us = clock_monotonic_us();
    run_state_begin(&run, settings);
    purse_begin(&purses[0], &run, settings->card);
    purse_begin(&purses[1], &run, settings->empty_card);
    run.unanswered_in_a_row = 0;
    run_cases(report, &run);
    purse_end(&purses[0], &run, report);
    purse_end(&purses[1], &run, report);
    report->time_us = clock_monotonic_us() - started_us;
    report_print_text(report);
    bool is_written = write_reports(report);
    bool is_good = is_written && report->outcomes[OUTCOME_FAILED] == 0;
    report_destroy(report);
    free(run.bytes);
    free(run.redeem);
    return is_good ? EXIT_PASSED : EXIT_FAILED;
}

int check_command(int argc, char **argv)
{
    struct settings settings;
    if (!settings_parse(&settings, argc, argv))
        return EXIT_USAGE;
    if (settings.wants_help) {
        settings_print_usage();
        return EXIT_PASSED;
    }
    if (settings.wants_list) {
        print_list(&settings);
        return EXIT_PASSED;
    }
    if (!picks_are_known(&settings.only) || !picks_are_known(&settings.skip))
        return EXIT_USAGE;
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR); /* a target that hangs up while it is written to */
    wire_start();
    int code = EXIT_NO_ANSWER;
    if (target_answers_the_door(&settings)) {
        print_money(&settings);
        code = check_target(&settings);
    }
    wire_finish();
    return code;
}
