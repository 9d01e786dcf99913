/* Reads an order from the cloud: through the API, or from a fake one's control address. */
#include "mocks/register/ticket.h"

#include "base/error.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define ADDRESS_MAX 2048

bool ticket_is_asked(const struct options *options)
{
    return (options->api != NULL || options->cloud != NULL) && options->has_order;
}

static bool ends_with(struct text text, struct text end)
{
    return text.length >= end.length &&
           text_equal(text_slice(text, text.length - end.length, end.length), end);
}

/* The API wants a path that ends in .json, or the matching Accept (protocol o-series 7.1). */
static void address_write(struct text_buffer *url, const struct options *options)
{
    struct text base = text_of(options->cloud != NULL ? options->cloud : options->api);
    while (base.length > 0 && base.base[base.length - 1] == '/')
        base.length--;
    text_append(url, base);
    if (options->cloud != NULL && !ends_with(base, TEXT("/_cloud")))
        text_append(url, TEXT("/_cloud"));
    if (options->cloud != NULL)
        text_append_format(url, "/orders/%" PRId64, options->order_id);
    else
        text_append_format(url, "/companies/%" PRId64 "/orders/%" PRId64 ".json",
                           options->company_id, options->order_id);
}

static void complain(struct ticket *ticket, const char *what)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, ticket->problem, sizeof(ticket->problem));
    text_append_format(&buffer, "%s", what);
    if (ticket->reply.failure == NULL && ticket->reply.status != 200)
        text_append_format(&buffer, " (status %d)", ticket->reply.status);
}

static void ticket_parse(struct ticket *ticket)
{
    const struct reply *reply = &ticket->reply;
    if (reply->failure != NULL) {
        complain(ticket, reply->failure);
        return;
    }
    if (reply->status != 200 || reply->is_cut) {
        complain(ticket, reply->is_cut ? "the order is too long" : "the order was not shown");
        return;
    }
    int err = jread_parse((struct text){reply->body, reply->body_length}, &ticket->order);
    if (err == 0 && jread_kind_of(ticket->order) == JREAD_OBJECT)
        return;
    jread_destroy(ticket->order);
    ticket->order = NULL;
    complain(ticket, "what was shown is no order");
}

int ticket_read(struct ticket *ticket, const struct options *options)
{
    char address[ADDRESS_MAX];
    struct text_buffer url;
    *ticket = (struct ticket){.order_id = options->order_id};
    text_buffer_init(&url, address, sizeof(address));
    address_write(&url, options);
    struct request *request = calloc(1, sizeof(*request));
    int err = request == NULL ? ERR_NO_MEMORY : reply_init(&ticket->reply);
    if (err == 0)
        err = url.is_cut ? ERR_TOO_LARGE : request_build_get(request, address, options->client);
    if (err == 0) {
        wire_send(request, options->timeout_s, &ticket->reply);
        ticket_parse(ticket);
    }
    free(request);
    return err;
}

void ticket_finish(struct ticket *ticket)
{
    jread_destroy(ticket->order);
    reply_finish(&ticket->reply);
    *ticket = (struct ticket){0};
}
