/*
 * Tables of cases: one line, one case; "name | what is given | what comes of it". Lines that are
 * empty or begin with '#' are none.
 */
#ifndef COUNTERPART_TESTS_HANDLERS_TABLE_H
#define COUNTERPART_TESTS_HANDLERS_TABLE_H

/* Calls run_case with each line, which it may take apart; gives how many there were. */
int table_walk(const char *path, void (*run_case)(char *line));
/* The text before the next " |", trimmed; *rest is what stands behind it. */
char *table_next_field(char **rest);
/* Without the spaces around it, and the end of the line. */
char *table_trim(char *text);

#endif
