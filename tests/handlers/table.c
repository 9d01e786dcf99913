/* Reads tables of cases. */
#include "tests/handlers/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

char *table_trim(char *text)
{
    text += strspn(text, " ");
    char *end = text + strlen(text);
    while (end > text && strchr(" \n", end[-1]) != NULL)
        *--end = '\0';
    return text;
}

char *table_next_field(char **rest)
{
    char *field = *rest;
    char *bar = strstr(field, " |");
    assert_non_null(bar);
    *bar = '\0';
    *rest = bar + 2;
    return table_trim(field);
}

int table_walk(const char *path, void (*run_case)(char *line))
{
    char line[1024];
    int cases = 0;
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        assert_non_null(strchr(line, '\n')); /* a longer one would be two */
        if (line[0] == '#' || line[0] == '\n')
            continue;
        run_case(line);
        cases++;
    }
    fclose(file);
    return cases;
}
