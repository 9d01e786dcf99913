/* The thread that finds the Redis and writes what was committed. */
#include "store/hot_keeper.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/banned.h"

#define LOOK_US CLOCK_US_PER_S            /* how often an idle connection is looked at */
#define REPLY_US (INT64_C(250) * 1000)    /* of one exchange; a slower Redis counts as gone */
#define PAUSE_MIN_US (INT64_C(50) * 1000) /* between attempts to find it */
#define PAUSE_MAX_US (2 * CLOCK_US_PER_S)
#define RAISE_PAUSE_US CLOCK_US_PER_S
#define DOUBT_US (INT64_C(20) * 1000)  /* how often at most, when lanes have doubts */
#define REFUSED_LOG_US CLOCK_US_PER_S  /* how often at most it is logged that writes are refused */
#define REFUSALS_MAX 3                 /* in a row, and what is in Redis is given up */
#define LAST_US CLOCK_US_PER_S         /* for the last deliveries: a full queue is 128 of them */
#define SLEEP_US (INT64_C(100) * 1000) /* at most, between two looks at what is wanted */

/* --- talking, and waiting for the answers --- */

static int wait_for(const struct link *link, int64_t until_us)
{
    int64_t left_us = until_us - clock_monotonic_us();
    if (left_us <= 0)
        return ERR_TIMED_OUT;
    struct pollfd pollfd = {.fd = link_fd(link),
                            .events = (short)(link_is_stuck(link) ? POLLIN | POLLOUT : POLLIN)};
    (void)poll(&pollfd, 1, (int)(left_us / 1000) + 1);
    return 0;
}

/* Until everything that was sent is answered. */
static int converse(struct link *link, link_answer_fn on_answer, void *context)
{
    int64_t until_us = clock_monotonic_us() + REPLY_US;
    int err = 0;
    while (err == 0 && link_unanswered(link) > 0) {
        err = link_flush(link);
        if (err == 0)
            err = wait_for(link, until_us);
        if (err == 0)
            err = link_read(link, on_answer, context);
    }
    return err;
}

struct greeter {
    struct greeting *greeting;
    int err;
};

static void on_greeting(void *context, uint64_t ticket, const struct answer *answer)
{
    struct greeter *greeter = context;
    int err = greeting_take(greeter->greeting, (int32_t)ticket, answer);
    if (err != 0)
        log_event(LOG_WARNING, "redis_refused", LOG_INT("step", ticket),
                  LOG_TEXT_N("answer", answer->kind == ANSWER_ERROR ? answer->text : TEXT("")));
    if (greeter->err == 0)
        greeter->err = err;
}

static int greet(struct link *link, struct greeting *greeting, int32_t first_step, int32_t steps)
{
    struct greeter greeter = {.greeting = greeting};
    for (int32_t step = first_step; step < first_step + steps; step++) {
        struct words words;
        if (!greeting_words(greeting, step, &words))
            continue;
        int err = link_send(link, &words, (uint64_t)step);
        if (err != 0)
            return err;
    }
    int err = converse(link, on_greeting, &greeter);
    return err != 0 ? err : greeter.err;
}

/* --- finding --- */

static void log_found(const struct place *place)
{
    char host[NI_MAXHOST] = "socket", port[NI_MAXSERV] = "";
    if (place->address.ss_family != AF_UNIX)
        (void)getnameinfo((const struct sockaddr *)&place->address, place->length, host,
                          sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
    log_event(LOG_INFO, "redis_found", LOG_TEXT("host", host), LOG_TEXT("port", port));
}

typedef int (*try_fn)(struct keeper *keeper, const struct place *place, void *context);

/* Every address that the name has, until one will do. */
static int try_host(struct keeper *keeper, const char *name, const char *port, try_fn try,
                    void *context)
{
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list;
    if (getaddrinfo(name, port, &wanted, &list) != 0)
        return ERR_UNREACHABLE;
    int err = ERR_UNREACHABLE;
    for (const struct addrinfo *each = list; each != NULL && err != 0; each = each->ai_next) {
        struct place place = {.length = each->ai_addrlen};
        memcpy(&place.address, each->ai_addr, each->ai_addrlen);
        err = try(keeper, &place, context);
    }
    freeaddrinfo(list);
    return err;
}

static int try_primary(struct keeper *keeper, const struct place *place, void *context)
{
    (void)context;
    struct link *link;
    int err = link_open(place, &link);
    if (err != 0)
        return err;
    err = greet(link, &keeper->greeting, 0, GREETING_STEPS);
    if (err != 0) {
        link_close(link);
        return err;
    }
    keeper->link = link;
    depot_put_place(keeper->depot, place);
    log_found(place);
    return 0;
}

static int find_socket(struct keeper *keeper)
{
    struct place place = {.length = sizeof(struct sockaddr_un)};
    struct sockaddr_un *address = (struct sockaddr_un *)&place.address;
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, depot_target(keeper->depot)->path, TARGET_PATH_MAX);
    return try_primary(keeper, &place, NULL);
}

/* What a sentinel says about the primary. */
struct sighting {
    bool wants_password;
    char host[TARGET_TEXT_MAX];
    char port[8];
};

static void on_sighting(void *context, uint64_t ticket, const struct answer *answer)
{
    struct sighting *sighting = context;
    (void)ticket;
    sighting->wants_password =
        answer->kind == ANSWER_ERROR && text_starts_with(answer->text, TEXT("NOAUTH"));
    if (answer->kind != ANSWER_LIST || answer->count != 2)
        return;
    const struct answer *host = &answer->items[0], *port = &answer->items[1];
    if (host->kind != ANSWER_TEXT || port->kind != ANSWER_TEXT ||
        host->text.length >= sizeof(sighting->host) || port->text.length >= sizeof(sighting->port))
        return;
    memcpy(sighting->host, host->text.base, host->text.length);
    memcpy(sighting->port, port->text.base, port->text.length);
}

static int ask_sentinel(struct link *link, const struct target *target, struct sighting *sighting)
{
    struct words words = {0};
    words_add(&words, TEXT("SENTINEL"));
    words_add(&words, TEXT("get-master-addr-by-name"));
    words_add(&words, text_of(target->name));
    int err = link_send(link, &words, 0);
    return err != 0 ? err : converse(link, on_sighting, sighting);
}

static int try_sentinel(struct keeper *keeper, const struct place *place, void *context)
{
    struct sighting *sighting = context;
    const struct target *target = depot_target(keeper->depot);
    struct link *link;
    int err = link_open(place, &link);
    if (err != 0)
        return err;
    err = ask_sentinel(link, target, sighting);
    if (err == 0 && sighting->wants_password && target->password[0] != '\0') {
        err = greet(link, &keeper->greeting, 0, 1); /* AUTH */
        if (err == 0)
            err = ask_sentinel(link, target, sighting);
    }
    link_close(link);
    if (err == 0 && sighting->host[0] == '\0')
        err = ERR_NOT_FOUND;
    return err;
}

static int find_by_sentinel(struct keeper *keeper, int32_t index)
{
    const struct target_host *host = &depot_target(keeper->depot)->hosts[index];
    struct sighting sighting = {0};
    char port[8];
    (void)snprintf(port, sizeof(port), "%u", host->port);
    int err = try_host(keeper, host->name, port, try_sentinel, &sighting);
    if (err != 0)
        return err;
    err = try_host(keeper, sighting.host, sighting.port, try_primary, NULL);
    if (err == 0)
        keeper->first_sentinel = index;
    return err;
}

static int find(struct keeper *keeper)
{
    const struct target *target = depot_target(keeper->depot);
    if (target->path[0] != '\0')
        return find_socket(keeper);
    if (!target->is_sentinel) {
        char port[8];
        (void)snprintf(port, sizeof(port), "%u", target->hosts[0].port);
        return try_host(keeper, target->hosts[0].name, port, try_primary, NULL);
    }
    int err = ERR_UNREACHABLE;
    int32_t first = keeper->first_sentinel;
    for (int32_t i = 0; err != 0 && i < target->host_count; i++)
        err = find_by_sentinel(keeper, (first + i) % target->host_count);
    return err;
}

/* --- writing --- */

struct delivery {
    struct keeper *keeper;
    struct keeper_write writes[KEEPER_BATCH_MAX];
    bool has_no_script;
    bool is_refused;
};

/* Committed before this connection was made: it had its chance to be read as something old. */
static bool is_late(const struct keeper *keeper, const struct keeper_write *write)
{
    return write->write.at_us < keeper->connected_at_us;
}

/* An answer may repeat the words of the command, of which one is the key of a card: in quotes, or
 * beginning with cp:. */
static struct text sentence_of(struct text answer)
{
    static const struct text ends[] = {TEXT(" '"), TEXT(" `"), TEXT(" \""), TEXT("cp:")};
    for (size_t at = 0; at < answer.length; at++)
        for (size_t i = 0; i < COUNT_OF(ends); i++)
            if (text_starts_with((struct text){answer.base + at, answer.length - at}, ends[i]))
                return (struct text){answer.base, at};
    return answer;
}

static void log_refused(struct keeper *keeper, struct text answer)
{
    int64_t now_us = clock_monotonic_us();
    if (keeper->refused_at_us != 0 && now_us - keeper->refused_at_us < REFUSED_LOG_US)
        return;
    keeper->refused_at_us = now_us;
    log_event(LOG_WARNING, "redis_write_refused", LOG_TEXT_N("answer", sentence_of(answer)));
}

static void on_write_error(struct delivery *delivery, struct keeper_write *write,
                           const struct answer *answer)
{
    if (answer_is_no_script(answer)) {
        delivery->has_no_script = true;
        return;
    }
    log_refused(delivery->keeper, answer->text);
    delivery->is_refused |= answer_is_fatal(answer);
    write->is_refused = true;
}

static void on_written(void *context, uint64_t ticket, const struct answer *answer)
{
    struct delivery *delivery = context;
    struct keeper_write *write = &delivery->writes[ticket];
    if (answer->kind == ANSWER_ERROR) {
        on_write_error(delivery, write, answer);
        return;
    }
    if (answer->kind == ANSWER_TEXT) {
        hot_redis_note_poison(delivery->keeper->hot);
        log_refused(delivery->keeper, answer->text);
    }
    hot_redis_settle(delivery->keeper->hot, write, is_late(delivery->keeper, write));
    write->is_settled = true;
}

static int send_writes(struct delivery *delivery, int32_t count)
{
    struct keeper *keeper = delivery->keeper;
    delivery->has_no_script = delivery->is_refused = false;
    for (int32_t i = 0; i < count; i++) {
        struct put_text text;
        struct words words;
        if (delivery->writes[i].is_settled || delivery->writes[i].is_refused)
            continue;
        hot_redis_put_words(keeper->hot, &keeper->greeting, &delivery->writes[i],
                            is_late(keeper, &delivery->writes[i]), &text, &words);
        int err = link_send(keeper->link, &words, (uint64_t)i);
        if (err != 0)
            return err;
    }
    int err = converse(keeper->link, on_written, delivery);
    return err == 0 && delivery->is_refused ? ERR_REFUSED : err;
}

static int write_all(struct delivery *delivery, int32_t count)
{
    struct keeper *keeper = delivery->keeper;
    int err = send_writes(delivery, count);
    if (err != 0 || !delivery->has_no_script)
        return err;
    /* somebody has emptied its scripts */
    err = greet(keeper->link, &keeper->greeting, GREETING_STEPS - SCRIPTS, SCRIPTS);
    if (err == 0)
        err = send_writes(delivery, count);
    return err == 0 && delivery->has_no_script ? ERR_REFUSED : err;
}

static void on_deleted(void *context, uint64_t ticket, const struct answer *answer)
{
    struct delivery *delivery = context;
    struct keeper_write *write = &delivery->writes[ticket];
    if (answer->kind != ANSWER_INTEGER) {
        delivery->is_refused = true;
        return;
    }
    hot_redis_note_refused(delivery->keeper->hot);
    hot_redis_settle(delivery->keeper->hot, write, false);
    write->is_settled = true;
}

/* Redis does not take it, and yet has something older, perhaps: nothing there is as good. */
static int delete_refused(struct delivery *delivery, int32_t count)
{
    struct keeper *keeper = delivery->keeper;
    for (int32_t i = 0; i < count; i++) {
        char key[ENTRY_KEY_MAX];
        struct words words = {0};
        if (!delivery->writes[i].is_refused)
            continue;
        words_add(&words, TEXT("DEL"));
        words_add(&words, hot_redis_key(keeper->hot, &delivery->writes[i], key));
        int err = link_send(keeper->link, &words, (uint64_t)i);
        if (err != 0)
            return err;
    }
    int err = converse(keeper->link, on_deleted, delivery);
    return err == 0 && delivery->is_refused ? ERR_REFUSED : err;
}

/* errors: the connection is of no use; what was not written is queued again. */
static int deliver(struct keeper *keeper, bool *has_more)
{
    struct delivery delivery = {.keeper = keeper};
    int32_t count = hot_redis_take(keeper->hot, delivery.writes, KEEPER_BATCH_MAX);
    *has_more = count == KEEPER_BATCH_MAX;
    if (count == 0)
        return 0;
    int err = write_all(&delivery, count);
    if (err == 0)
        err = delete_refused(&delivery, count);
    keeper->refusals = err == ERR_REFUSED ? keeper->refusals + 1 : err == 0 ? 0 : keeper->refusals;
    for (int32_t i = 0; i < count; i++)
        if (!delivery.writes[i].is_settled)
            hot_redis_hold_again(keeper->hot, &delivery.writes[i]);
    if (keeper->refusals == REFUSALS_MAX) /* once, until it takes something again */
        hot_redis_distrust(keeper->hot);
    return err;
}

/* --- the thread --- */

static void back_off(struct keeper *keeper)
{
    keeper->pause_us = keeper->pause_us == 0 ? PAUSE_MIN_US : keeper->pause_us * 2;
    if (keeper->pause_us > PAUSE_MAX_US)
        keeper->pause_us = PAUSE_MAX_US;
}

static void lose(struct keeper *keeper, int err)
{
    log_event(LOG_WARNING, "redis_lost", LOG_TEXT("error", error_name(err)));
    atomic_store(&keeper->is_up, false);
    link_close(keeper->link);
    keeper->link = NULL;
    back_off(keeper);
}

/* One attempt. */
static void connect_now(struct keeper *keeper)
{
    int err = find(keeper);
    if (err == 0) {
        keeper->connected_at_us = hot_redis_now_us(keeper->hot);
        keeper->looked_at_us = clock_monotonic_us();
        keeper->is_missed = false;
        atomic_store(&keeper->is_up, true);
        return;
    }
    if (!keeper->is_missed)
        log_event(LOG_WARNING, "redis_not_found", LOG_TEXT("error", error_name(err)));
    keeper->is_missed = true;
    back_off(keeper);
}

static void ask_for_generation(struct keeper *keeper)
{
    int64_t now_us = clock_monotonic_us();
    bool is_asked = keeper->raised_at_us != 0 && now_us - keeper->raised_at_us < RAISE_PAUSE_US;
    if (hot_redis_is_trusted(keeper->hot) || is_asked)
        return;
    keeper->raised_at_us = now_us;
    hot_redis_forget(keeper->hot);
    keeper->raise(keeper->raise_context);
}

/* Is it still a primary? When a lane doubts it, at once. */
static int look(struct keeper *keeper)
{
    int64_t now_us = clock_monotonic_us(), age_us = now_us - keeper->looked_at_us;
    if (age_us < DOUBT_US || (age_us < LOOK_US && !depot_take_doubt(keeper->depot)))
        return 0;
    keeper->looked_at_us = now_us;
    return greet(keeper->link, &keeper->greeting, GREETING_STEPS - SCRIPTS - 1, 1); /* ROLE */
}

static void keeper_pause(struct keeper *keeper)
{
    int64_t until_us = clock_monotonic_us() + keeper->pause_us;
    while (!atomic_load(&keeper->is_stopping) && clock_monotonic_us() < until_us)
        (void)depot_wait(keeper->depot, clock_sooner_us(until_us, clock_monotonic_us() + SLEEP_US));
}

static void keeper_turn(struct keeper *keeper)
{
    bool has_more = false;
    ask_for_generation(keeper);
    int err = look(keeper);
    if (err == 0)
        err = deliver(keeper, &has_more);
    if (err != 0) {
        lose(keeper, err);
        return;
    }
    keeper->pause_us = 0;
    if (!has_more)
        (void)depot_wait(keeper->depot, clock_monotonic_us() + SLEEP_US);
}

/* What was committed until now: where no process follows this one, nobody raises a generation for
 * it, and the others would tell what was before for up to the time to live. */
static void deliver_last(struct keeper *keeper)
{
    int64_t until_us = clock_monotonic_us() + LAST_US;
    bool has_more = keeper->link != NULL;
    int err = 0;
    while (err == 0 && has_more && clock_monotonic_us() < until_us)
        err = deliver(keeper, &has_more);
    if (err != 0)
        log_event(LOG_WARNING, "redis_lost", LOG_TEXT("error", error_name(err)));
}

static void *keeper_run(void *argument)
{
    struct keeper *keeper = argument;
    while (!atomic_load(&keeper->is_stopping)) {
        if (keeper->link == NULL)
            connect_now(keeper);
        if (keeper->link != NULL)
            keeper_turn(keeper);
        if (keeper->link == NULL)
            keeper_pause(keeper);
    }
    deliver_last(keeper);
    atomic_store(&keeper->is_up, false);
    link_close(keeper->link);
    keeper->link = NULL;
    return NULL;
}

int keeper_start(struct keeper *keeper)
{
    keeper->greeting.target = depot_target(keeper->depot);
    if (pthread_create(&keeper->thread, NULL, keeper_run, keeper) != 0)
        return ERR_NO_MEMORY;
    keeper->is_started = true;
    return 0;
}

void keeper_stop(struct keeper *keeper)
{
    if (!keeper->is_started)
        return;
    atomic_store(&keeper->is_stopping, true);
    depot_wake(keeper->depot);
    pthread_join(keeper->thread, NULL);
    keeper->is_started = false;
}
