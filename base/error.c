/* Names of the ERR_* codes, straight from the list in the header. */
#include "base/error.h"

#include <stddef.h>

#include "base/banned.h"

static const struct {
    const char *name;
    bool is_retryable;
} errors[ERR_COUNT] = {[ERR_OK] = {"ok", false},
#define X(symbol, name, is_retryable) [symbol] = {name, is_retryable},
                       ERROR_LIST(X)
#undef X
};

static bool is_code(int err)
{
    return err >= ERR_OK && err < ERR_COUNT;
}

const char *error_name(int err)
{
    return is_code(err) ? errors[err].name : errors[ERR_BUG].name;
}

bool error_is_retryable(int err)
{
    return is_code(err) && errors[err].is_retryable;
}
