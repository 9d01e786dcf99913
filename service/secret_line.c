/* Reads secrets line by line from standard input. */
#include "service/secret_line.h"

#include "base/error.h"
#include "base/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/banned.h"

/* ISIG too, as getpass does: an interrupt would leave the terminal silent. */
static bool silence_terminal(struct text name, struct termios *before)
{
    if (tcgetattr(STDIN_FILENO, before) != 0)
        return false;
    struct termios silent = *before;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
    bool is_silent = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
    /* Not before: what is typed until then would be shown, and is thrown away. */
    fprintf(stderr, "%.*s: ", (int)name.length, name.base);
    return is_silent;
}

static int take_line(const char *bytes, size_t length, char *line, size_t size)
{
    while (length > 0 && (bytes[length - 1] == '\n' || bytes[length - 1] == '\r'))
        length--;
    if (length == 0)
        return ERR_MISSING;
    if (length >= size || memchr(bytes, '\0', length) != NULL)
        return ERR_TOO_LARGE;
    memcpy(line, bytes, length);
    line[length] = '\0';
    return 0;
}

int secret_line_read(struct text name, char *line, size_t size)
{
    struct termios before;
    bool is_silent = silence_terminal(name, &before);
    char *bytes = NULL;
    size_t capacity = 0;
    ssize_t length = getline(&bytes, &capacity, stdin);
    if (is_silent) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    int err = ferror(stdin) ? ERR_IO : ERR_MISSING;
    if (length > 0) {
        err = take_line(bytes, (size_t)length, line, size);
        seal_wipe(bytes, capacity);
    }
    free(bytes);
    return err;
}
