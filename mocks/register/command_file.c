/* Reads a whole file for a command line, and says on standard error why it cannot. */
#include "mocks/register/command_file.h"

#include "mocks/register/recording.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

bool command_file_read(const char *path, struct made *text)
{
    FILE *file = fopen(path, "rbe");
    size_t room = RECORDING_BYTES_MAX + 1;
    if (file == NULL) {
        fprintf(stderr, "tillsim: %s: %s\n", path, strerror(errno));
        return false;
    }
    made_reserve(text, room + 1);
    text->length = fread(text->base, 1, room, file);
    bool is_good = ferror(file) == 0 && text->length < room;
    (void)fclose(file);
    text->base[text->length] = '\0';
    if (is_good)
        return true;
    fprintf(stderr, "tillsim: %s: cannot be read, or is longer than 32 MiB\n", path);
    made_destroy(text);
    return false;
}
