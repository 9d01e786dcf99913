/* Counts the headers of an HTTP/1 request that say how long its body is. */
#include "handlers/framing.h"

#include <string.h>

#include "base/banned.h"

/* The rest after the next line feed; empty at the end. */
static struct text next_line(struct text bytes)
{
    const char *feed = bytes.length == 0 ? NULL : memchr(bytes.base, '\n', bytes.length);
    if (feed == NULL)
        return (struct text){NULL, 0};
    return text_slice(bytes, (size_t)(feed - bytes.base) + 1, bytes.length);
}

static bool line_is_empty(struct text line)
{
    return line.length == 0 || line.base[0] == '\n' || line.base[0] == '\r';
}

bool framing_is_ambiguous(struct text bytes)
{
    int count = 0;
    if (line_is_empty(bytes)) /* the parser lets one pass before the request line */
        bytes = next_line(bytes);
    for (bytes = next_line(bytes); !line_is_empty(bytes); bytes = next_line(bytes)) {
        if (bytes.base[0] == 'c')
            count += text_starts_with(bytes, TEXT("content-length:"));
        else if (bytes.base[0] == 't')
            count += text_starts_with(bytes, TEXT("transfer-encoding:"));
    }
    return count > 1;
}
