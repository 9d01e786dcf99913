/* Takes sockets from systemd and tells it how we are. */
#include "service/manager.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/banned.h"

int manager_sockets(struct listeners *listeners)
{
    char **names = NULL;
    int err = 0;
    int count = sd_listen_fds_with_names(1, &names); /* 1: they are not our children's */
    for (int i = 0; err == 0 && i < count; i++)
        err = listeners_adopt(listeners, SD_LISTEN_FDS_START + i, strcmp(names[i], "https") == 0);
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
    return err;
}

static void say(const char *what)
{
    int problem = sd_notify(0, what);
    if (problem < 0)
        log_event(LOG_WARNING, "manager_not_told", LOG_INT("errno", -problem));
}

void manager_say_ready(void)
{
    say("READY=1");
}

void manager_say_reloading(void)
{
    char words[64];
    struct text_buffer buffer;
    text_buffer_init(&buffer, words, sizeof(words));
    text_append_format(&buffer, "RELOADING=1\nMONOTONIC_USEC=%lld",
                       (long long)clock_monotonic_us());
    say(words);
}

void manager_say_stopping(void)
{
    say("STOPPING=1");
}

void manager_say_successor(pid_t process)
{
    char words[32];
    struct text_buffer buffer;
    text_buffer_init(&buffer, words, sizeof(words));
    text_append_format(&buffer, "MAINPID=%ld", (long)process);
    say(words);
}
