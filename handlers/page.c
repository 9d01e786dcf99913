/* Answers people with small pages of their own. */
#include "handlers/page.h"

#include "base/json.h"

#include <string.h>

#include "base/banned.h"

#define PAGE_MAX 4096

/* Escaped for text and for attributes in double quotes. */
static void append_escaped(struct text_buffer *buffer, const char *c_string)
{
    for (const char *c = c_string; *c != '\0'; c++) {
        if (*c == '&')
            text_append(buffer, TEXT("&amp;"));
        else if (*c == '<')
            text_append(buffer, TEXT("&lt;"));
        else if (*c == '>')
            text_append(buffer, TEXT("&gt;"));
        else if (*c == '"')
            text_append(buffer, TEXT("&quot;"));
        else if (*c == '\'')
            text_append(buffer, TEXT("&#39;"));
        else
            text_append_char(buffer, *c);
    }
}

static void append_head(struct text_buffer *buffer, const struct page *page, const char *nonce)
{
    text_append(buffer, TEXT("<!doctype html>\n<html lang=\"en\">\n<head>\n"
                             "<meta charset=\"utf-8\">\n"
                             "<meta name=\"viewport\" content=\"width=device-width\">\n<title>"));
    append_escaped(buffer, page->heading);
    text_append(buffer, TEXT("</title>\n<style nonce=\""));
    text_append(buffer, text_of(nonce));
    text_append(buffer, TEXT("\">\nbody{margin:15vh auto 0;max-width:34rem;padding:0 1.5rem;"
                             "font:1.05rem/1.5 system-ui,sans-serif;color:#222;background:#fff}\n"
                             "h1{font-size:1.5rem;border-left:.4rem solid "));
    text_append(buffer, page->is_good ? TEXT("#1a7f4b") : TEXT("#b3412e"));
    text_append(buffer,
                TEXT(";padding-left:.8rem}\n"
                     "@media(prefers-color-scheme:dark){body{color:#eee;background:#1c1c1e}}"
                     "\n</style>\n</head>\n"));
}

static void append_page(struct text_buffer *buffer, const struct page *page, const char *nonce)
{
    append_head(buffer, page, nonce);
    text_append(buffer, TEXT("<body>\n<main>\n<h1>"));
    append_escaped(buffer, page->heading);
    text_append(buffer, TEXT("</h1>\n"));
    for (int i = 0; i < PAGE_SENTENCES_MAX && page->sentences[i] != NULL; i++) {
        text_append(buffer, TEXT("<p>"));
        append_escaped(buffer, page->sentences[i]);
        text_append(buffer, TEXT("</p>\n"));
    }
    text_append(buffer, TEXT("</main>\n</body>\n</html>\n"));
}

/* The style is allowed by its nonce, and nothing else at all. Where the browser came from carries a
 * code or a key, so it tells nobody. */
static void add_policy(struct exchange *exchange, const char *nonce)
{
    enum { ROOM = 160 };
    struct text_buffer policy;
    text_buffer_init(&policy, exchange_allocate(exchange, ROOM), ROOM);
    text_append_format(&policy,
                       "default-src 'none'; style-src 'nonce-%s'; base-uri 'none'; "
                       "form-action 'none'; frame-ancestors 'none'",
                       nonce);
    CHECK(!policy.is_cut);
    exchange_add_header(exchange, "content-security-policy", text_buffer_text(&policy));
    exchange_add_header(exchange, "x-content-type-options", TEXT("nosniff"));
    exchange_add_header(exchange, "referrer-policy", TEXT("no-referrer"));
}

static void reply_json(struct exchange *exchange, const struct page *page)
{
    struct text_buffer buffer;
    struct jwrite writer;
    if (!page->is_good) {
        exchange_refuse(exchange, page->status, page->code, page->sentences[0]);
        return;
    }
    text_buffer_init(&buffer, exchange_allocate(exchange, PAGE_MAX), PAGE_MAX);
    jwrite_init(&writer, &buffer);
    jwrite_object_begin(&writer);
    jwrite_key(&writer, TEXT("success"));
    jwrite_bool(&writer, true);
    jwrite_key(&writer, TEXT("message"));
    jwrite_text(&writer, text_of(page->sentences[0]));
    jwrite_object_end(&writer);
    CHECK(!buffer.is_cut);
    exchange_reply_json(exchange, page->status, text_buffer_text(&buffer));
}

bool page_wants_json(const struct exchange *exchange)
{
    struct text accept;
    if (!exchange_header(exchange, "accept", &accept))
        return false;
    return memmem(accept.base, accept.length, "application/json", 16) != NULL &&
           memmem(accept.base, accept.length, "text/html", 9) == NULL;
}

void page_reply(struct exchange *exchange, const struct page *page)
{
    char nonce[ID_KEY_CHARS + 1];
    struct text_buffer buffer;
    if (page_wants_json(exchange)) {
        reply_json(exchange, page);
        return;
    }
    text_buffer_init(&buffer, exchange_allocate(exchange, PAGE_MAX), PAGE_MAX);
    id_key_generate(exchange->handlers->random, nonce);
    append_page(&buffer, page, nonce);
    CHECK(!buffer.is_cut);
    add_policy(exchange, nonce);
    exchange_reply_text(exchange, page->status, "text/html; charset=utf-8",
                        text_buffer_text(&buffer));
}
