/* A failed CHECK without a hook ends the process with SIGABRT and says why on standard error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/check.h"

#include "base/banned.h"

static void failed_check_aborts_and_names_the_expression(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL); /* the sanitizer and cmocka have handlers of their own */
        dup2(ends[1], STDERR_FILENO);
        bool moon_is_cheese = false;
        CHECK(moon_is_cheese);
        _exit(0);
    }
    close(ends[1]);
    char said[512] = "";
    size_t length = 0;
    ssize_t got;
    while (length < sizeof(said) - 1 &&
           (got = read(ends[0], said + length, sizeof(said) - 1 - length)) > 0)
        length += (size_t)got;
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(said, "CHECK failed: moon_is_cheese ("));
    assert_non_null(strstr(said, "test_check.c:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failed_check_aborts_and_names_the_expression),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
