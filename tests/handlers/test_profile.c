/* Profiles: the built-in one, files over it, what is wrong with a file, reload under load. */
#include "base/error.h"
#include "handlers/profile.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define PATH_MAX_HERE 128

/* A folder of its own for each test. */
struct folder {
    char path[PATH_MAX_HERE];
    char files[80][PATH_MAX_HERE];
    size_t file_count;
};

static void folder_create(struct folder *folder)
{
    memset(folder, 0, sizeof(*folder));
    snprintf(folder->path, sizeof(folder->path), "/tmp/counterpart-profiles-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
}

static void folder_write(struct folder *folder, const char *name, const char *content)
{
    char path[2 * PATH_MAX_HERE];
    snprintf(path, sizeof(path), "%s/%s", folder->path, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, strlen(content), file), strlen(content));
    assert_int_equal(fclose(file), 0);
    assert_true(strlen(path) < PATH_MAX_HERE && folder->file_count < COUNT_OF(folder->files));
    memcpy(folder->files[folder->file_count++], path, strlen(path) + 1);
}

static void folder_destroy(struct folder *folder)
{
    for (size_t i = 0; i < folder->file_count; i++)
        (void)unlink(folder->files[i]);
    assert_int_equal(rmdir(folder->path), 0);
}

static const char *amount_name(const struct profile *profile)
{
    return profile->request[PROFILE_CHECKOUT][PROFILE_AMOUNT].names[0];
}

#define AMOUNT_IS(name) "{\"request\":{\"checkout\":{\"amount\":[\"" name "\"]}}}"

static void the_built_in_default_knows_the_documented_names(void **state)
{
    (void)state;
    struct profiles *profiles;
    assert_int_equal(profiles_create(NULL, &profiles), 0);
    const struct profile *profile = profile_acquire(profiles, "default");
    assert_string_equal(profile->request[PROFILE_TOP_UP][PROFILE_AMOUNT].names[0], "topup_amount");
    assert_int_equal(profile->request[PROFILE_TOP_UP][PROFILE_AMOUNT].count, 1);
    assert_int_equal(profile->request[PROFILE_CHECKOUT][PROFILE_AMOUNT].count, 4);
    assert_string_equal(profile->request[PROFILE_REFUND][PROFILE_REFUSED].names[0], "topup_amount");
    assert_int_equal(profile->request[PROFILE_CHECK_BALANCE][PROFILE_AMOUNT].count, 0);
    for (int action = 0; action < PROFILE_ACTIONS; action++) {
        assert_string_equal(profile->request[action][PROFILE_COMPANY].names[0], "company_id");
        assert_string_equal(profile->success[action].pairs[0].name, "success");
        assert_int_equal(profile->failure[action].count, 3);
    }
    profile_release(profile);
    profiles_destroy(profiles);
}

static void a_name_that_no_file_has_means_the_default(void **state)
{
    (void)state;
    struct profiles *profiles;
    assert_int_equal(profiles_create(NULL, &profiles), 0);
    const struct profile *profile = profile_acquire(profiles, "no-such-dialect");
    assert_string_equal(profile->title, "default");
    profile_release(profile);
    profiles_destroy(profiles);
}

static void a_file_holds_only_what_differs(void **state)
{
    (void)state;
    struct folder folder;
    struct profiles *profiles;
    folder_create(&folder);
    folder_write(&folder, "pilot.json", AMOUNT_IS("sum"));
    folder_write(&folder, "README", "not a profile");
    assert_int_equal(profiles_create(folder.path, &profiles), 0);
    const struct profile *pilot = profile_acquire(profiles, "pilot");
    const struct profile *other = profile_acquire(profiles, "default");
    assert_string_equal(amount_name(pilot), "sum");
    assert_int_equal(pilot->request[PROFILE_CHECKOUT][PROFILE_AMOUNT].count, 1);
    assert_string_equal(pilot->request[PROFILE_CHECKOUT][PROFILE_ORDER].names[0], "order_id");
    assert_string_equal(amount_name(other), "amount");
    profile_release(pilot);
    profile_release(other);
    profiles_destroy(profiles);
    folder_destroy(&folder);
}

static void a_file_named_default_takes_the_built_in_ones_place(void **state)
{
    (void)state;
    struct folder folder;
    struct profiles *profiles;
    folder_create(&folder);
    folder_write(&folder, "default.json", AMOUNT_IS("sum"));
    folder_write(&folder, "pilot.json", "{}");
    assert_int_equal(profiles_create(folder.path, &profiles), 0);
    const struct profile *any = profile_acquire(profiles, "whatever");
    const struct profile *pilot = profile_acquire(profiles, "pilot");
    assert_string_equal(amount_name(any), "sum");
    assert_string_equal(amount_name(pilot), "amount"); /* a difference to the built-in one */
    profile_release(any);
    profile_release(pilot);
    profiles_destroy(profiles);
    folder_destroy(&folder);
}

static void a_reload_swaps_the_set_and_leaves_held_profiles_alone(void **state)
{
    (void)state;
    struct folder folder;
    struct profiles *profiles;
    folder_create(&folder);
    folder_write(&folder, "pilot.json", AMOUNT_IS("sum"));
    assert_int_equal(profiles_create(folder.path, &profiles), 0);
    const struct profile *before = profile_acquire(profiles, "pilot");
    folder_write(&folder, "pilot.json", AMOUNT_IS("value"));
    assert_int_equal(profiles_reload(profiles), 0);
    const struct profile *after = profile_acquire(profiles, "pilot");
    assert_string_equal(amount_name(before), "sum");
    assert_string_equal(amount_name(after), "value");
    profiles_destroy(profiles);
    assert_string_equal(amount_name(before), "sum");
    profile_release(before);
    profile_release(after);
    folder_destroy(&folder);
}

static void a_reload_of_a_bad_file_keeps_the_old_set(void **state)
{
    (void)state;
    struct folder folder;
    struct profiles *profiles;
    folder_create(&folder);
    folder_write(&folder, "pilot.json", AMOUNT_IS("sum"));
    assert_int_equal(profiles_create(folder.path, &profiles), 0);
    folder_write(&folder, "pilot.json", "{\"request\":");
    assert_int_equal(profiles_reload(profiles), ERR_BAD_CONFIG);
    const struct profile *profile = profile_acquire(profiles, "pilot");
    assert_string_equal(amount_name(profile), "sum");
    profile_release(profile);
    profiles_destroy(profiles);
    folder_destroy(&folder);
}

static void folders_and_files_that_cannot_be_used_are_refused(void **state)
{
    (void)state;
    struct folder folder;
    struct profiles *profiles;
    char big[PROFILE_FILE_MAX + 2];
    assert_int_equal(profiles_create("/no/such/folder", &profiles), ERR_BAD_CONFIG);
    folder_create(&folder);
    folder_write(&folder, "Big Name.json", "{}");
    assert_int_equal(profiles_create(folder.path, &profiles), ERR_BAD_CONFIG);
    folder_destroy(&folder);
    folder_create(&folder);
    memset(big, ' ', sizeof(big));
    memcpy(big, "{}", 2);
    big[sizeof(big) - 1] = '\0';
    folder_write(&folder, "big.json", big);
    assert_int_equal(profiles_create(folder.path, &profiles), ERR_BAD_CONFIG);
    big[sizeof(big) - 2] = '\0';
    folder_write(&folder, "big.json", big);
    assert_int_equal(profiles_create(folder.path, &profiles), 0);
    profiles_destroy(profiles);
    folder_destroy(&folder);
}

/* Nobody ever writes to the pipe: whoever waits for its bytes waits forever. */
static void only_regular_files_are_read(void **state)
{
    (void)state;
    struct folder folder;
    struct profiles *profiles;
    folder_create(&folder);
    folder_write(&folder, "a.json", "{}");
    assert_int_equal(profiles_create(folder.path, &profiles), 0);
    assert_int_equal(unlink(folder.files[0]), 0);
    assert_int_equal(mkfifo(folder.files[0], 0600), 0);
    alarm(20);
    assert_int_equal(profiles_reload(profiles), ERR_BAD_CONFIG);
    alarm(0);
    assert_int_equal(unlink(folder.files[0]), 0);
    assert_int_equal(mkdir(folder.files[0], 0700), 0);
    assert_int_equal(profiles_reload(profiles), ERR_BAD_CONFIG);
    assert_int_equal(rmdir(folder.files[0]), 0);
    profiles_destroy(profiles);
    folder_destroy(&folder);
}

static void the_65th_profile_is_refused(void **state)
{
    (void)state;
    struct folder folder;
    struct profiles *profiles;
    folder_create(&folder);
    for (int i = 0; i < PROFILES_MAX; i++) {
        char name[16];
        snprintf(name, sizeof(name), "p%d.json", i);
        folder_write(&folder, name, "{}");
    }
    assert_int_equal(profiles_create(folder.path, &profiles), 0);
    profiles_destroy(profiles);
    folder_write(&folder, "one-more.json", "{}");
    assert_int_equal(profiles_create(folder.path, &profiles), ERR_BAD_CONFIG);
    folder_destroy(&folder);
}

#define NAME_64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PAIR(name, value) "{\"name\":\"" name "\",\"value\":\"" value "\"}"
#define SUCCESS_IS(pairs) "{\"reply\":{\"checkout\":{\"success\":[" pairs "]}}}"
#define REFUSAL_IS(pairs) "{\"reply\":{\"refusal\":[" pairs "]}}"
#define FOUR(name)                                                                                 \
    PAIR(name "1", "amount")                                                                       \
    "," PAIR(name "2", "amount") "," PAIR(name "3", "amount") "," PAIR(name "4", "amount")
#define PAIRS_16 FOUR("a") "," FOUR("b") "," FOUR("c") "," FOUR("d")

static const struct {
    const char *json;
    const char *problem; /* NULL: it is good */
} table[] = {
    {"{}", NULL},
    {AMOUNT_IS(NAME_64), NULL},
    {SUCCESS_IS(PAIRS_16), NULL},
    {REFUSAL_IS(PAIR("fine", "success") "," PAIR("why", "error")), NULL},
    {"{\"request\":{\"checkout\":{\"refused\":[]}}}", NULL},
    {"", "not JSON"},
    {"[]", "wants an object"},
    {"{'request':{}}", "not JSON"},
    {"{\"request\":{},\"request\":{}}", "json_duplicate_key"},
    {"{\"requests\":{}}", "the file"},
    {"{\"request\":[]}", "request: wants an object"},
    {"{\"request\":null}", "request: wants an object"},
    {"{\"request\":{\"checkin\":{}}}", "action that does not exist"},
    {"{\"request\":{\"all\":{\"amout\":[\"x\"]}}}", "request.all.amout: no such field"},
    {"{\"request\":{\"checkout\":{\"amout\":[\"x\"]}}}", "request.checkout.amout: no such field"},
    {"{\"request\":{\"checkout\":[\"amount\"]}}", "checkout: wants an object"},
    {"{\"request\":{\"checkout\":{\"amount\":\"sum\"}}}", "wants a list"},
    {"{\"request\":{\"checkout\":{\"amount\":[1]}}}", "a name is a text"},
    {AMOUNT_IS(""), "a name is a text"},
    {AMOUNT_IS("a\\tb"), "a name is a text"},
    {AMOUNT_IS(NAME_64 "a"), "a name is a text"},
    {"{\"request\":{\"checkout\":{\"amount\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\","
     "\"i\"]}}}",
     "at most 8 names"},
    {"{\"request\":{\"checkout\":{\"amount\":[]}}}", "amount needs a name"},
    {"{\"request\":{\"refund\":{\"company_id\":[]}}}", "company_id needs a name"},
    {"{\"request\":{\"refund\":{\"keyword\":[],\"reference_id\":[]}}}", "needs a name"},
    {AMOUNT_IS("order_id"), "one name stands for two things"},
    {AMOUNT_IS("topup_amount"), "one name stands for two things"},
    {"{\"request\":{\"checkout\":{\"amount\":[\"a\",\"a\"]}}}", "one name stands for two things"},
    {"{\"reply\":3}", "reply: wants an object"},
    {"{\"reply\":{\"checkin\":{}}}", "action that does not exist"},
    {"{\"reply\":{\"checkout\":[]}}", "checkout: wants an object"},
    {"{\"reply\":{\"checkout\":{\"sucess\":[]}}}", "success and failure only"},
    {SUCCESS_IS(""), "list of 1 to 16"},
    {SUCCESS_IS(PAIRS_16 "," PAIR("q", "amount")), "list of 1 to 16"},
    {SUCCESS_IS(PAIR("a", "amont")), "reply.checkout.success: a field is"},
    {SUCCESS_IS(PAIR("a", "error")), "reply.checkout.success: a field is"},
    {SUCCESS_IS(PAIR("", "amount")), "a field is"},
    {SUCCESS_IS("{\"name\":\"a\"}"), "a field is"},
    {SUCCESS_IS("{\"name\":\"a\",\"value\":\"amount\",\"kind\":1}"), "a field is"},
    {SUCCESS_IS("\"amount\""), "a field is"},
    {SUCCESS_IS(PAIR("a", "amount") "," PAIR("a", "balance")), "names a field twice"},
    {REFUSAL_IS(PAIR("a", "amount")), "reply.refusal: a field is"},
};

static void each_slip_in_a_file_is_named(void **state)
{
    (void)state;
    struct profiles *profiles;
    assert_int_equal(profiles_create(NULL, &profiles), 0);
    const struct profile *base = profile_acquire(profiles, "default");
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct profile profile;
        char text[256];
        struct text_buffer problem;
        text_buffer_init(&problem, text, sizeof(text));
        int err = profile_compile(text_of(table[i].json), base, &profile, &problem);
        bool is_good = table[i].problem == NULL;
        if (err != (is_good ? 0 : ERR_BAD_CONFIG) ||
            (!is_good && strstr(text, table[i].problem) == NULL))
            fail_msg("%s\n  gave %s '%s'", table[i].json, error_name(err), text);
    }
    profile_release(base);
    profiles_destroy(profiles);
}

static void without_a_base_everything_must_be_said(void **state)
{
    (void)state;
    struct profile profile;
    char text[256];
    struct text_buffer problem;
    text_buffer_init(&problem, text, sizeof(text));
    assert_int_equal(profile_compile(TEXT("{}"), NULL, &profile, &problem), ERR_BAD_CONFIG);
    assert_non_null(strstr(text, "company_id needs a name"));
}

static void refusals_are_told_in_the_names_of_the_dialect(void **state)
{
    (void)state;
    struct profiles *profiles;
    struct profile renamed;
    char text[256];
    struct text_buffer buffer;
    assert_int_equal(profiles_create(NULL, &profiles), 0);
    const struct profile *base = profile_acquire(profiles, "default");
    text_buffer_init(&buffer, text, sizeof(text));
    profile_append_refusal(base, &buffer, "bug", "Say \"no\"");
    assert_string_equal(text, "{\"success\":false,\"error\":\"Say \\\"no\\\"\",\"code\":\"bug\"}");
    text_buffer_init(&buffer, text, sizeof(text));
    assert_int_equal(profile_compile(TEXT(REFUSAL_IS(PAIR("kind", "code") "," PAIR(
                                         "why", "message") "," PAIR("fine", "success"))),
                                     base, &renamed, &buffer),
                     0);
    text_buffer_init(&buffer, text, sizeof(text));
    profile_append_refusal(&renamed, &buffer, "bug", "No");
    assert_string_equal(text, "{\"kind\":\"bug\",\"why\":\"No\",\"fine\":false}");
    profile_release(base);
    profiles_destroy(profiles);
}

static _Atomic bool is_over;

static void *hold_and_look(void *context)
{
    struct profiles *profiles = context;
    int64_t *odd = calloc(1, sizeof(*odd));
    while (odd != NULL && !atomic_load(&is_over)) {
        const struct profile *profile = profile_acquire(profiles, "pilot");
        const char *name = amount_name(profile);
        *odd += strcmp(name, "sum") != 0 && strcmp(name, "value") != 0;
        profile_release(profile);
    }
    return odd;
}

static void many_threads_may_hold_profiles_while_they_are_reloaded(void **state)
{
    (void)state;
    struct folder folder;
    struct profiles *profiles;
    pthread_t threads[3];
    folder_create(&folder);
    folder_write(&folder, "pilot.json", AMOUNT_IS("sum"));
    assert_int_equal(profiles_create(folder.path, &profiles), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hold_and_look, profiles), 0);
    for (int i = 0; i < 30; i++) {
        folder_write(&folder, "pilot.json", i % 2 == 0 ? AMOUNT_IS("value") : AMOUNT_IS("sum"));
        assert_int_equal(profiles_reload(profiles), 0);
    }
    atomic_store(&is_over, true);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *odd;
        assert_int_equal(pthread_join(threads[i], &odd), 0);
        assert_non_null(odd);
        assert_int_equal(*(int64_t *)odd, 0);
        free(odd);
    }
    profiles_destroy(profiles);
    folder_destroy(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_built_in_default_knows_the_documented_names),
        cmocka_unit_test(a_name_that_no_file_has_means_the_default),
        cmocka_unit_test(a_file_holds_only_what_differs),
        cmocka_unit_test(a_file_named_default_takes_the_built_in_ones_place),
        cmocka_unit_test(a_reload_swaps_the_set_and_leaves_held_profiles_alone),
        cmocka_unit_test(a_reload_of_a_bad_file_keeps_the_old_set),
        cmocka_unit_test(folders_and_files_that_cannot_be_used_are_refused),
        cmocka_unit_test(only_regular_files_are_read),
        cmocka_unit_test(the_65th_profile_is_refused),
        cmocka_unit_test(each_slip_in_a_file_is_named),
        cmocka_unit_test(without_a_base_everything_must_be_said),
        cmocka_unit_test(refusals_are_told_in_the_names_of_the_dialect),
        cmocka_unit_test(many_threads_may_hold_profiles_while_they_are_reloaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
