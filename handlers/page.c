/* Answers people with small pages of their own. */
#include "handlers/page.h"

#include "base/json.h"

#include <string.h>

#include "base/banned.h"

/* 4 KiB of our own; a link of 4 KiB whose '&' grow fivefold, but are few; and texts of some 256
 * bytes, escaped sixfold at worst. */
#define PAGE_MAX (24 * 1024)

/* Readable at 4.5:1 and more, light and dark. */
static const char STYLE[] =
    ":root{color-scheme:light dark;--ink:#16202b;--soft:#55616e;--paper:#fff;--ground:#eef1f4;"
    "--line:#d5dbe2;--brand:#0a5c47;--on-brand:#fff;--tone:#0f7a4f;--tint:#e2f4ea}\n"
    ".not{--tone:#9a5b00;--tint:#fdf0d9}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#eef1f4;--soft:#a9b3be;--paper:#1b222b;"
    "--ground:#11161c;--line:#3a444f;--brand:#5fd0ae;--on-brand:#08251c;--tone:#6fdca6;"
    "--tint:#173a2b}.not{--tone:#f3bd62;--tint:#40301a}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;min-height:100vh;min-height:100dvh;display:flex;flex-direction:column;"
    "align-items:center;justify-content:center;padding:1.5rem 1rem;background:var(--ground);"
    "color:var(--ink);font:1rem/1.55 system-ui,-apple-system,\"Segoe UI\",sans-serif}\n"
    "main{width:100%;max-width:30rem;background:var(--paper);border:1px solid var(--line);"
    "border-radius:1rem;padding:2rem;overflow-wrap:anywhere;"
    "box-shadow:0 1px 2px #0000000d,0 12px 32px #0000000f}\n"
    "header{display:flex;align-items:center;gap:1rem;margin-bottom:1.25rem}\n"
    "svg{flex:none;width:3.25rem;height:3.25rem;padding:.85rem;border-radius:50%;fill:none;"
    "background:var(--tint);stroke:var(--tone);stroke-width:2.5;stroke-linecap:round;"
    "stroke-linejoin:round}\n"
    "header p{margin:0;color:var(--soft);font-size:.9375rem;line-height:1.35}\n"
    "h1{font-size:1.5rem;line-height:1.25;margin:.1rem 0 0;letter-spacing:-.01em}\n"
    "main>p{margin:0 0 .75rem}\nmain>p~p{color:var(--soft)}\n"
    "h2{font-size:1rem;margin:1.5rem 0 .75rem;padding-top:1.25rem;border-top:1px solid "
    "var(--line)}\n"
    "ol{list-style:none;counter-reset:step;margin:0;padding:0}\n"
    "li{position:relative;padding-left:2.5rem;min-height:1.75rem;margin-bottom:.75rem;"
    "counter-increment:step}\n"
    "li:last-child{margin-bottom:0}\n"
    "li::before{content:counter(step);position:absolute;left:0;top:0;width:1.65rem;"
    "height:1.65rem;border-radius:50%;background:var(--tint);color:var(--tone);font-size:.875rem;"
    "font-weight:600;line-height:1.65rem;text-align:center}\n"
    "a{display:block;margin-top:1.5rem;padding:.75rem 1rem;border-radius:.6rem;text-align:center;"
    "background:var(--brand);color:var(--on-brand);font-weight:600;text-decoration:none}\n"
    "a:hover{filter:brightness(1.1)}\n"
    "a:focus-visible{outline:3px solid var(--brand);outline-offset:3px}\n"
    ".brand{width:100%;max-width:30rem;margin-bottom:1rem;padding-left:.25rem;font-weight:700;"
    "letter-spacing:-.01em;color:var(--brand)}\n"
    ".brand span{color:var(--soft);font-weight:400}\n"
    "@media(max-width:26rem){main{padding:1.5rem 1.25rem}}\n";

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
    text_append(buffer,
                TEXT("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                     "<title>"));
    append_escaped(buffer, page->heading);
    text_append(buffer, TEXT(" - Counterpart</title>\n<style nonce=\""));
    text_append(buffer, text_of(nonce));
    text_append(buffer, TEXT("\">\n"));
    text_append(buffer, text_of(STYLE));
    text_append(buffer, TEXT("</style>\n</head>\n"));
}

static void append_element(struct text_buffer *buffer, const char *name, const char *content)
{
    text_append_format(buffer, "<%s>", name);
    append_escaped(buffer, content);
    text_append_format(buffer, "</%s>\n", name);
}

static void append_header(struct text_buffer *buffer, const struct page *page)
{
    text_append(buffer, TEXT("<header>\n<svg viewBox=\"0 0 24 24\" aria-hidden=\"true\">"
                             "<path d=\""));
    text_append(buffer, page->is_good ? TEXT("M4 12.5l5.5 5.5L20 7") : TEXT("M12 4v10M12 19.5v.1"));
    text_append(buffer, TEXT("\"/></svg>\n<div>\n"));
    append_element(buffer, "p",
                   page->merchant != NULL ? page->merchant : "Connect with Lightspeed");
    append_element(buffer, "h1", page->heading);
    text_append(buffer, TEXT("</div>\n</header>\n"));
}

static void append_steps(struct text_buffer *buffer, const struct page *page)
{
    if (page->steps[0] == NULL)
        return;
    text_append(buffer, TEXT("<h2>What to do next</h2>\n<ol>\n"));
    for (int i = 0; i < PAGE_STEPS_MAX && page->steps[i] != NULL; i++)
        append_element(buffer, "li", page->steps[i]);
    text_append(buffer, TEXT("</ol>\n"));
}

static void append_link(struct text_buffer *buffer, const struct page *page)
{
    if (page->link == NULL)
        return;
    text_append(buffer, TEXT("<a href=\""));
    append_escaped(buffer, page->link);
    text_append(buffer, TEXT("\">"));
    append_escaped(buffer, page->link_text);
    text_append(buffer, TEXT("</a>\n"));
}

static void append_page(struct text_buffer *buffer, const struct page *page, const char *nonce)
{
    append_head(buffer, page, nonce);
    text_append(buffer, page->is_good ? TEXT("<body>\n") : TEXT("<body class=\"not\">\n"));
    text_append(
        buffer,
        TEXT("<div class=\"brand\">Counterpart <span>for gift cards and loyalty</span></div>\n"
             "<main>\n"));
    append_header(buffer, page);
    for (int i = 0; i < PAGE_SENTENCES_MAX && page->sentences[i] != NULL; i++)
        append_element(buffer, "p", page->sentences[i]);
    append_steps(buffer, page);
    append_link(buffer, page);
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
