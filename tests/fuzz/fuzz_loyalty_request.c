/* Fuzzes the tolerant reader of loyalty: whatever query and body say, it answers with an error that
 * has a sentence, or with a request whose every text lies in the memory it was given. Byte 0
 * chooses the body format; the first newline divides query and body. */
#include "base/error.h"
#include "handlers/loyalty_request.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct profile *default_profile(void)
{
    static struct profiles *profiles;
    if (profiles == NULL)
        CHECK(profiles_create(NULL, &profiles) == 0);
    const struct profile *profile = profile_acquire(profiles, "default");
    profile_release(profile); /* the set stays: profiles holds it */
    return profile;
}

static void check_text(struct text text, const char *memory, size_t size)
{
    CHECK(text.length == 0 || (text.base >= memory && text.base + text.length <= memory + size));
    CHECK(text_trim(text).length == text.length);
    CHECK(text.length == 0 || memchr(text.base, 0, text.length) == NULL);
}

static void check_request(const struct loyalty_request *request, const char *memory, size_t size)
{
    CHECK(request->company_id >= 0 && request->site_id >= 0 && request->customer_id >= 0);
    CHECK(request->order_id >= 0);
    CHECK(request->order_id == 0 || text_is_digits(request->order));
    check_text(request->keyword, memory, size);
    check_text(request->reference, memory, size);
    check_text(request->token, memory, size);
    check_text(request->order, memory, size);
}

static void check_input(const struct loyalty_input *input)
{
    struct loyalty_request request;
    char text[LOYALTY_FAULT_MAX];
    struct text_buffer fault;
    size_t size = loyalty_request_memory(input);
    char *memory = malloc(size); /* of exactly this size, so that a byte too many shows */
    CHECK(memory != NULL);
    text_buffer_init(&fault, text, sizeof(text));
    int err = loyalty_request_read(&default_profile()->loyalty, input, memory, &request, &fault);
    CHECK(err != ERR_BUG && (err == 0) == (fault.length == 0) && !fault.is_cut);
    if (err == 0)
        check_request(&request, memory, size);
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct text all = {(const char *)data + 1, size - 1};
    const char *newline = all.length == 0 ? NULL : memchr(all.base, '\n', all.length);
    size_t query_length = newline == NULL ? all.length : (size_t)(newline - all.base);
    const struct loyalty_input input = {
        .query = text_slice(all, 0, query_length),
        .body = text_slice(all, query_length + 1, all.length),
        .body_format = (enum body_format)(data[0] % 3),
    };
    check_input(&input);
    return 0;
}
