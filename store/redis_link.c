/* One connection to a Redis: a socket of our own, and hiredis to read the protocol. */
#include "store/redis_link.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

/* The longest answers we ask for: 64 bytes of a balance, 41 of a script, and a ROLE with five items
 * per replica. */
#define ITEMS_MAX 256
#define BYTES_MAX (16 * 1024)
#define READ_BYTES (16 * 1024)
#define READS_MAX 8                    /* per call: other connections of the loop want their turn */
#define UNREAD_MAX (64 * 1024)         /* of an answer that does not end */
#define WORD_OVERHEAD (1 + 20 + 2 + 2) /* "$length" CR LF ... CR LF */

struct link {
    int fd;
    bool is_connecting;
    redisReader *reader;
    uint64_t tickets[LINK_UNANSWERED_MAX]; /* a ring, oldest at first */
    int32_t first;
    int32_t unanswered;
    /* The answer that is being read. */
    struct answer items[ITEMS_MAX];
    int32_t items_used;
    char bytes[BYTES_MAX];
    size_t bytes_used;
    /* What has not been written yet: output[output_from..output_end). */
    char *output;
    size_t output_from;
    size_t output_end;
};

/* --- answers, built in place: what hiredis calls as it reads. NULL makes it give up --- */

static struct answer *claim(const redisReadTask *task)
{
    struct link *link = task->privdata;
    if (task->parent != NULL) {
        const struct answer *parent = task->parent->obj;
        return (struct answer *)&parent->items[task->idx];
    }
    link->items_used = 1;
    link->bytes_used = 0;
    return &link->items[0];
}

static void *create_string(const redisReadTask *task, char *text, size_t length)
{
    struct link *link = task->privdata;
    struct answer *answer = claim(task);
    if (length > BYTES_MAX - link->bytes_used)
        return NULL;
    char *copy = link->bytes + link->bytes_used;
    memcpy(copy, text, length);
    link->bytes_used += length;
    *answer = (struct answer){.kind = task->type == REDIS_REPLY_ERROR ? ANSWER_ERROR : ANSWER_TEXT,
                              .text = {copy, length}};
    return answer;
}

static void *create_array(const redisReadTask *task, int count)
{
    struct link *link = task->privdata;
    struct answer *answer = claim(task);
    if (count < 0 || count > ITEMS_MAX - link->items_used)
        return NULL;
    *answer = (struct answer){
        .kind = ANSWER_LIST, .items = &link->items[link->items_used], .count = count};
    link->items_used += count;
    return answer;
}

static void *create_integer(const redisReadTask *task, long long integer)
{
    struct answer *answer = claim(task);
    *answer = (struct answer){.kind = ANSWER_INTEGER, .integer = integer};
    return answer;
}

static void *create_nil(const redisReadTask *task)
{
    struct answer *answer = claim(task);
    *answer = (struct answer){.kind = ANSWER_NIL};
    return answer;
}

static void free_object(void *object)
{
    (void)object; /* the link's */
}

static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
    .freeObject = free_object,
};

/* --- opening --- */

static int open_socket(const struct place *place)
{
    int fd = socket(place->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return -1;
    int on = 1;
    if (place->address.ss_family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, (const struct sockaddr *)&place->address, place->length) == 0 ||
        errno == EINPROGRESS)
        return fd;
    close(fd);
    return -1;
}

int link_open(const struct place *place, struct link **opened)
{
    struct link *link = calloc(1, sizeof(*link));
    if (link == NULL)
        return ERR_NO_MEMORY;
    link->output = malloc(LINK_OUTPUT_MAX);
    link->reader = redisReaderCreateWithFunctions(&functions);
    int err = ERR_NO_MEMORY;
    if (link->output == NULL || link->reader == NULL)
        goto err_after_make;
    link->reader->privdata = link;
    link->is_connecting = true;
    link->fd = open_socket(place);
    err = ERR_UNREACHABLE;
    if (link->fd == -1)
        goto err_after_make;
    *opened = link;
    return 0;
err_after_make:
    if (link->reader != NULL)
        redisReaderFree(link->reader);
    free(link->output);
    free(link);
    return err;
}

void link_close(struct link *link)
{
    if (link == NULL)
        return;
    close(link->fd);
    redisReaderFree(link->reader);
    free(link->output);
    free(link);
}

int link_fd(const struct link *link)
{
    return link->fd;
}

bool link_is_stuck(const struct link *link)
{
    return link->is_connecting || link->output_from < link->output_end;
}

int32_t link_unanswered(const struct link *link)
{
    return link->unanswered;
}

/* --- sending --- */

void words_add(struct words *words, struct text word)
{
    CHECK(words->count < LINK_WORDS_MAX);
    words->word[words->count++] = word;
}

static size_t bound_of(const struct words *words)
{
    size_t bound = WORD_OVERHEAD;
    for (int32_t i = 0; i < words->count; i++)
        bound += words->word[i].length + WORD_OVERHEAD;
    return bound;
}

static void append_head(struct text_buffer *buffer, char kind, size_t number)
{
    text_append_char(buffer, kind);
    text_append_int64(buffer, (int64_t)number);
    text_append(buffer, TEXT("\r\n"));
}

int link_send(struct link *link, const struct words *words, uint64_t ticket)
{
    if (link->output_from == link->output_end)
        link->output_from = link->output_end = 0;
    if (link->unanswered == LINK_UNANSWERED_MAX ||
        bound_of(words) >= LINK_OUTPUT_MAX - link->output_end)
        return ERR_QUEUE_FULL;
    struct text_buffer buffer;
    text_buffer_init(&buffer, link->output + link->output_end, LINK_OUTPUT_MAX - link->output_end);
    append_head(&buffer, '*', (size_t)words->count);
    for (int32_t i = 0; i < words->count; i++) {
        append_head(&buffer, '$', words->word[i].length);
        text_append(&buffer, words->word[i]);
        text_append(&buffer, TEXT("\r\n"));
    }
    CHECK(!buffer.is_cut);
    link->output_end += buffer.length;
    link->tickets[(link->first + link->unanswered) % LINK_UNANSWERED_MAX] = ticket;
    link->unanswered++;
    return 0;
}

/* Has the connection been made? errors: it never will. */
static int link_connect(struct link *link)
{
    struct sockaddr_storage peer;
    socklen_t length = sizeof(peer);
    int fault = 0;
    socklen_t fault_length = sizeof(fault);
    if (getpeername(link->fd, (struct sockaddr *)&peer, &length) == 0) {
        link->is_connecting = false;
        return 0;
    }
    if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &fault, &fault_length) != 0 || fault != 0)
        return ERR_UNREACHABLE;
    return 0;
}

int link_flush(struct link *link)
{
    int err = link->is_connecting ? link_connect(link) : 0;
    while (err == 0 && !link->is_connecting && link->output_from < link->output_end) {
        ssize_t written = send(link->fd, link->output + link->output_from,
                               link->output_end - link->output_from, MSG_NOSIGNAL);
        if (written > 0)
            link->output_from += (size_t)written;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            break;
        else if (errno != EINTR)
            err = ERR_CONNECTION_LOST;
    }
    return err;
}

/* --- reading --- */

static int link_tell(struct link *link, const struct answer *answer, link_answer_fn on_answer,
                     void *context)
{
    if (link->unanswered == 0)
        return ERR_BAD_REPLY;
    uint64_t ticket = link->tickets[link->first];
    link->first = (link->first + 1) % LINK_UNANSWERED_MAX;
    link->unanswered--;
    on_answer(context, ticket, answer);
    return 0;
}

static int link_parse(struct link *link, link_answer_fn on_answer, void *context)
{
    for (;;) {
        void *answer = NULL;
        if (redisReaderGetReply(link->reader, &answer) != REDIS_OK)
            return ERR_BAD_REPLY;
        if (answer == NULL)
            return link->reader->len - link->reader->pos > UNREAD_MAX ? ERR_BAD_REPLY : 0;
        int err = link_tell(link, answer, on_answer, context);
        if (err != 0)
            return err;
    }
}

int link_read(struct link *link, link_answer_fn on_answer, void *context)
{
    char bytes[READ_BYTES];
    for (int i = 0; i < READS_MAX; i++) {
        ssize_t length = recv(link->fd, bytes, sizeof(bytes), 0);
        if (length == -1 && errno == EINTR)
            continue;
        if (length == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return 0;
        if (length <= 0)
            return link->is_connecting ? ERR_UNREACHABLE : ERR_CONNECTION_LOST;
        if (redisReaderFeed(link->reader, bytes, (size_t)length) != REDIS_OK)
            return ERR_NO_MEMORY;
        int err = link_parse(link, on_answer, context);
        if (err != 0 || (size_t)length < sizeof(bytes))
            return err;
    }
    return 0;
}
