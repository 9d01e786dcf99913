/*
 * CHECK: a guard against our own bugs. It stays on in release builds and aborts the process, so it
 * is only for what cannot be true unless our code is wrong. Bad input and failing disks are never
 * bugs.
 */
#ifndef COUNTERPART_BASE_CHECK_H
#define COUNTERPART_BASE_CHECK_H

typedef void (*check_hook_fn)(const char *expression, const char *file, int line);

/* Tests put cmocka's mock_assert here, so that a failing CHECK can be expected; NULL means abort.
 */
extern check_hook_fn check_hook;

_Noreturn void check_failed(const char *expression, const char *file, int line);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            check_failed(#condition, __FILE__, __LINE__);                                          \
    } while (0)

#define MUST_CHECK __attribute__((warn_unused_result))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
