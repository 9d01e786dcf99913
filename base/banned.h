/*
 * Calls that have a safer twin here. Included last in every .c of ours, after all system and
 * library headers (their inline code may use these names), so that using one is a compile error:
 *
 *   sprintf vsprintf strcpy strcat strncpy   text_append, text_append_format, snprintf
 *   strtok atoi atol                         text_slice, text_form_next, text_parse_int64
 *   rand                                     struct id_source (law 8)
 *   gmtime localtime                         clock_append_time, clock_local_date
 *   alloca                                   a bounded array, or malloc
 */
#ifndef COUNTERPART_BASE_BANNED_H
#define COUNTERPART_BASE_BANNED_H

#pragma GCC poison sprintf vsprintf strcpy strcat strncpy strtok atoi atol rand gmtime localtime
#undef alloca /* a macro in glibc, and a macro cannot be poisoned */
#pragma GCC poison alloca

#endif
