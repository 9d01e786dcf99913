/* Runs an import: reads the file, writes the profile, tells what was found. */
#include "service/profile_import.h"

#include "base/error.h"
#include "base/json.h"
#include "handlers/profile_import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define PATH_TEXT_MAX 4096

struct run {
    const struct invocation *invocation;
    bool wants_json;
    char name[PROFILE_TITLE_MAX + 1];
    char path[PATH_TEXT_MAX]; /* where the profile goes; empty: nowhere */
    char *bytes;              /* of the file */
    size_t size;
    struct import_order order;
    struct import_report *report;
    struct profile *base;
};

/* Always EXIT_FAILURE. */
static int refuse(const struct run *run, const char *code, const char *sentence)
{
    char bytes[1024];
    struct text_buffer buffer;
    struct jwrite writer;
    fprintf(stderr, "counterpart: %s\n", sentence);
    if (!run->wants_json)
        return EXIT_FAILURE;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    jwrite_init(&writer, &buffer);
    jwrite_object_begin(&writer);
    jwrite_key(&writer, TEXT("success"));
    jwrite_bool(&writer, false);
    jwrite_key(&writer, TEXT("error"));
    jwrite_text(&writer, text_of(sentence));
    jwrite_key(&writer, TEXT("code"));
    jwrite_text(&writer, text_of(code));
    jwrite_object_end(&writer);
    puts(bytes);
    return EXIT_FAILURE;
}

static int refuse_path(const struct run *run, const char *path, const char *what)
{
    char sentence[PATH_TEXT_MAX + 128];
    snprintf(sentence, sizeof(sentence), "%s: %s", path, what);
    return refuse(run, "io", sentence);
}

/* --- what comes in --- */

static int read_bytes(struct run *run, int file, size_t capacity)
{
    ssize_t got = 0;
    while (run->size < capacity &&
           (got = read(file, run->bytes + run->size, capacity - run->size)) > 0)
        run->size += (size_t)got;
    return got < 0 ? ERR_IO : 0;
}

static int read_file(struct run *run)
{
    const char *path = run->invocation->operand;
    bool is_input = strcmp(path, "-") == 0;
    struct stat info;
    int file = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return refuse_path(run, path, strerror(errno));
    int err = EXIT_SUCCESS;
    if (fstat(file, &info) != 0 || S_ISDIR(info.st_mode))
        err = refuse_path(run, path, "is a folder, not a file");
    else if ((run->bytes = malloc(IMPORT_FILE_MAX + 1)) == NULL)
        err = refuse(run, "no_memory", "there is no memory for the file");
    else if (read_bytes(run, file, IMPORT_FILE_MAX + 1) != 0)
        err = refuse_path(run, path, strerror(errno));
    if (!is_input)
        close(file);
    return err;
}

static int32_t read_list(const struct run *run, const char *flag, struct text *list, int *too_many)
{
    int at = 0;
    int32_t count = 0;
    const char *value;
    while ((value = command_next_value(run->invocation, flag, &at)) != NULL) {
        if (count == IMPORT_ANSWERS_MAX) {
            *too_many = 1;
            break;
        }
        list[count++] = text_of(value);
    }
    return count;
}

static int read_order(struct run *run)
{
    struct import_order *order = &run->order;
    int too_many = 0;
    order->field_count = read_list(run, "field", order->fields, &too_many);
    order->action_count = read_list(run, "action", order->actions, &too_many);
    order->skip_count = read_list(run, "skip", order->skipped, &too_many);
    return too_many == 0 ? EXIT_SUCCESS
                         : refuse(run, "bad_config",
                                  "one of --field, --action, --skip is given "
                                  "more than 24 times");
}

/* --- where it goes --- */

static bool name_is_usable(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && length <= PROFILE_TITLE_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == length;
}

/* The name is the one that was given, else the collection's, else "imported". */
static int choose_name(struct run *run)
{
    const char *given = command_value(run->invocation, "name");
    const char *name = given != NULL ? given : run->report->title;
    if (given != NULL && !name_is_usable(given))
        return refuse(run, "bad_config",
                      "--name: a profile's name has 1 to 32 characters of a-z 0-9 - _");
    /* A file of the name "default" would serve every tenant: only when a person says so. */
    if (given == NULL && (!name_is_usable(name) || strcmp(name, "default") == 0))
        name = "imported";
    snprintf(run->name, sizeof(run->name), "%s", name);
    return EXIT_SUCCESS;
}

static int choose_path(struct run *run)
{
    const char *out = command_value(run->invocation, "out");
    const char *folder = command_value(run->invocation, "into");
    int length = 0;
    if (out != NULL && folder != NULL)
        return refuse(run, "bad_config", "--out and --into: one of them");
    if (folder != NULL)
        length = snprintf(run->path, sizeof(run->path), "%s/%s.json", folder, run->name);
    else if (out != NULL && strcmp(out, "-") != 0)
        length = snprintf(run->path, sizeof(run->path), "%s", out);
    return length >= 0 && (size_t)length < sizeof(run->path) - sizeof(".new")
               ? EXIT_SUCCESS
               : refuse(run, "bad_config", "the path is too long");
}

/* --- a file that is there already --- */

static int compile_base(struct run *run, struct text json)
{
    char sentence[256];
    struct text_buffer problem;
    struct profiles *builtin;
    text_buffer_init(&problem, sentence, sizeof(sentence));
    run->base = malloc(sizeof(*run->base));
    if (run->base == NULL || profiles_create(NULL, &builtin) != 0)
        return refuse(run, "no_memory", "there is no memory for the profile");
    const struct profile *standard = profile_acquire(builtin, "default");
    int err = profile_compile(json, standard, run->base, &problem);
    profile_release(standard);
    profiles_destroy(builtin);
    return err == 0 ? EXIT_SUCCESS : refuse_path(run, run->path, sentence);
}

static int read_base(struct run *run)
{
    bool is_update = command_value(run->invocation, "update") != NULL;
    bool is_replace = command_value(run->invocation, "replace") != NULL;
    if (is_update && run->path[0] == '\0')
        return refuse(run, "bad_config", "--update wants --out or --into");
    if (run->path[0] == '\0' || access(run->path, F_OK) != 0)
        return EXIT_SUCCESS;
    if (!is_update && !is_replace)
        return refuse_path(run, run->path,
                           "is there already; --update keeps what it says and changes what this "
                           "import finds, --replace writes it anew");
    if (!is_update)
        return EXIT_SUCCESS;
    FILE *file = fopen(run->path, "re");
    char *json = malloc(PROFILE_FILE_MAX + 1);
    int status = EXIT_FAILURE;
    if (file == NULL || json == NULL) {
        status = refuse_path(run, run->path, "cannot be read");
    } else {
        size_t size = fread(json, 1, PROFILE_FILE_MAX + 1, file);
        status = size > PROFILE_FILE_MAX ? refuse_path(run, run->path, "is larger than 64 KiB")
                                         : compile_base(run, (struct text){json, size});
    }
    if (file != NULL)
        fclose(file);
    free(json);
    return status;
}

/* --- what goes out --- */

/* Beside it first, then in its place: a service that reads the folder never sees half a file. */
static int write_profile(struct run *run)
{
    char beside[PATH_TEXT_MAX];
    size_t length = strlen(run->report->profile);
    if (run->path[0] == '\0' || run->report->question_count > 0 || run->report->is_default)
        return EXIT_SUCCESS;
    snprintf(beside, sizeof(beside), "%.*s.new", (int)(sizeof(beside) - sizeof(".new") - 1),
             run->path);
    FILE *file = fopen(beside, "we");
    if (file == NULL)
        return refuse_path(run, beside, strerror(errno));
    bool is_written = fwrite(run->report->profile, 1, length, file) == length;
    is_written = fflush(file) == 0 && is_written && fsync(fileno(file)) == 0;
    is_written = fclose(file) == 0 && is_written && rename(beside, run->path) == 0;
    if (is_written)
        return EXIT_SUCCESS;
    int reason = errno;
    (void)unlink(beside);
    return refuse_path(run, run->path, strerror(reason));
}

static int tell(const struct run *run)
{
    const char *out = command_value(run->invocation, "out");
    bool is_profile_alone = out != NULL && strcmp(out, "-") == 0;
    bool is_done = run->report->question_count == 0;
    bool is_written = is_done && run->path[0] != '\0' && !run->report->is_default;
    const char *written = is_written ? run->path : NULL;
    if (is_profile_alone) {
        profile_import_print(stderr, run->report, run->name, "-");
        if (is_done)
            fputs(run->report->is_default ? "{}\n" : run->report->profile, stdout);
    } else if (run->wants_json) {
        profile_import_print_json(stdout, run->report, run->name, written);
    } else {
        profile_import_print(stdout, run->report, run->name, written);
    }
    return is_done ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The path has the name in it, and the name may come from the file: so it is read twice where a
 * profile that is there already is to be kept. */
static int import_file(struct run *run)
{
    char sentence[512];
    struct text_buffer problem;
    text_buffer_init(&problem, sentence, sizeof(sentence));
    int err = profile_import((struct text){run->bytes, run->size}, &run->order, run->base,
                             run->report, &problem);
    if (err == ERR_NO_MEMORY)
        return refuse(run, "no_memory", "there is no memory for the import");
    return err == 0 ? EXIT_SUCCESS : refuse(run, "bad_file", sentence);
}

static int run_import(struct run *run)
{
    int status = read_order(run);
    if (status == EXIT_SUCCESS)
        status = read_file(run);
    if (status == EXIT_SUCCESS)
        status = import_file(run);
    if (status == EXIT_SUCCESS)
        status = choose_name(run);
    if (status == EXIT_SUCCESS)
        status = choose_path(run);
    if (status == EXIT_SUCCESS)
        status = read_base(run);
    if (status == EXIT_SUCCESS && run->base != NULL)
        status = import_file(run);
    if (status == EXIT_SUCCESS)
        status = write_profile(run);
    return status == EXIT_SUCCESS ? tell(run) : status;
}

int profile_import_run(const struct invocation *invocation)
{
    struct run run = {.invocation = invocation,
                      .wants_json = invocation->wants_json || isatty(STDOUT_FILENO) == 0};
    run.report = calloc(1, sizeof(*run.report));
    if (run.report == NULL)
        return EXIT_FAILURE;
    int status = run_import(&run);
    free(run.bytes);
    free(run.base);
    free(run.report);
    return status;
}
