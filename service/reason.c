/* Keeps the first reason of a failure. */
#include "service/reason.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/banned.h"

static char sentence[PATH_MAX + 512]; /* a path and what is the matter with it */

int reason_give(int err, const char *format, ...)
{
    if (sentence[0] != '\0')
        return err;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    return err;
}

void reason_forget(void)
{
    sentence[0] = '\0';
}

const char *reason_given(void)
{
    return sentence;
}
