/* Fuzzes our look at the framing headers against the parser that libh2o reads requests with: of
 * every request that it accepts both must count the same headers. */
#include "handlers/framing.h"

#include "fuzz.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* picohttpparser's, which libh2o 2.2.5 exports without a header. */
struct phr_header {
    const char *name; /* NULL: a folded line */
    size_t name_len;
    const char *value;
    size_t value_len;
};
int phr_parse_request(const char *buf, size_t len, const char **method, size_t *method_len,
                      const char **path, size_t *path_len, int *minor_version,
                      struct phr_header *headers, size_t *num_headers, size_t last_len);

#define HEADERS_MAX 100 /* H2O_MAX_HEADERS */

/* As libh2o does it, in place. */
static struct text lower_name(char *bytes, const struct phr_header *header)
{
    size_t at = (size_t)(header->name - bytes);
    for (size_t i = at; i < at + header->name_len; i++)
        bytes[i] = (char)tolower((unsigned char)bytes[i]);
    return (struct text){bytes + at, header->name_len};
}

/* How many headers say how long the body is; -1: no request that libh2o would serve. *head_length:
 * where its body begins. */
static int count_with_the_parser(char *bytes, size_t size, size_t *head_length)
{
    struct phr_header headers[HEADERS_MAX];
    const char *method, *path;
    size_t count = HEADERS_MAX, method_length, path_length;
    int minor, found = 0;
    int length = phr_parse_request(bytes, size, &method, &method_length, &path, &path_length,
                                   &minor, headers, &count, 0);
    if (length < 0)
        return -1;
    *head_length = (size_t)length;
    for (size_t i = 0; i < count; i++) {
        if (headers[i].name == NULL)
            continue;
        struct text name = lower_name(bytes, &headers[i]);
        found +=
            text_equal(name, TEXT("content-length")) || text_equal(name, TEXT("transfer-encoding"));
    }
    return found;
}

static void check_request(char *bytes, size_t size)
{
    size_t head_length;
    int count = count_with_the_parser(bytes, size, &head_length);
    bool is_ambiguous = framing_is_ambiguous((struct text){bytes, size});
    if (count < 0)
        return; /* and it was survived */
    CHECK(is_ambiguous == (count > 1));
    CHECK(framing_is_ambiguous((struct text){bytes, head_length}) == is_ambiguous);
}

/* The input as the headers of a sound request, so that most inputs reach the headers. */
static void check_headers(const uint8_t *data, size_t size)
{
    static const char line[] = "POST /a HTTP/1.1\r\n";
    static const char end[] = "\r\n\r\n";
    size_t length = sizeof(line) - 1 + size + sizeof(end) - 1;
    char *bytes = malloc(length);
    CHECK(bytes != NULL);
    memcpy(bytes, line, sizeof(line) - 1);
    if (size > 0)
        memcpy(bytes + sizeof(line) - 1, data, size);
    memcpy(bytes + length - (sizeof(end) - 1), end, sizeof(end) - 1);
    check_request(bytes, length);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = malloc(size + (size == 0));
    CHECK(bytes != NULL);
    if (size > 0)
        memcpy(bytes, data, size);
    check_request(bytes, size);
    free(bytes);
    check_headers(data, size);
    return 0;
}
