/* Asks the cloud with libcurl, on one handle that is lent to one caller at a time. */
#include "mocks/register/shop.h"

#include "base/error.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define ANSWER_TIMEOUT_MS 10000L
#define CONNECT_TIMEOUT_MS 2000L
#define ADDRESS_MAX (SHOP_URL_MAX + 512)
#define GROWTH_MIN 16384

struct shop {
    pthread_mutex_t lock;
    CURL *curl; /* under lock */
    struct curl_slist *headers;
    char url[SHOP_URL_MAX]; /* without a slash at the end */
};

/* A body on its way in. */
struct intake {
    struct made *body;
    size_t room;
};

int shop_create(const char *url, struct shop **shop)
{
    struct text base = text_of(url);
    struct text_buffer buffer;
    struct shop *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    while (base.length > 0 && base.base[base.length - 1] == '/')
        base.length--;
    text_buffer_init(&buffer, made->url, sizeof(made->url));
    text_append(&buffer, base);
    CHECK(pthread_mutex_init(&made->lock, NULL) == 0);
    made->curl = curl_easy_init();
    made->headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (!buffer.is_cut && made->curl != NULL && made->headers != NULL) {
        *shop = made;
        return 0;
    }
    int err = buffer.is_cut ? ERR_TOO_LARGE : ERR_NO_MEMORY;
    shop_destroy(made);
    return err;
}

void shop_destroy(struct shop *shop)
{
    if (shop == NULL)
        return;
    if (shop->curl != NULL)
        curl_easy_cleanup(shop->curl);
    curl_slist_free_all(shop->headers);
    pthread_mutex_destroy(&shop->lock);
    free(shop);
}

const char *shop_url(const struct shop *shop)
{
    return shop->url;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct intake *intake = context;
    size_t length = size * count, wanted = intake->body->length + length + 1;
    if (wanted > SHOP_BODY_MAX)
        return 0;
    if (wanted > intake->room) {
        intake->room = wanted * 2 + GROWTH_MIN;
        char *more = realloc(intake->body->base, intake->room);
        CHECK(more != NULL);
        intake->body->base = more;
    }
    memcpy(intake->body->base + intake->body->length, bytes, length);
    intake->body->length += length;
    intake->body->base[intake->body->length] = '\0';
    return length;
}

static void call_prepare(struct shop *shop, const char *method, const char *address,
                         const char *body, struct intake *intake)
{
    CURL *curl = shop->curl;
    curl_easy_reset(curl); /* the connection stays */
    curl_easy_setopt(curl, CURLOPT_URL, address);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, ANSWER_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "tillsim");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, intake);
    if (body != NULL) {
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, shop->headers);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    }
    if (strcmp(method, "GET") != 0)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
}

static void complain(struct shop_answer *answer, const char *what, const char *why)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, answer->problem, sizeof(answer->problem));
    text_append_format(&buffer, "%s%s%s", what, why[0] != '\0' ? ": " : "", why);
}

static void complain_refused(struct shop_answer *answer)
{
    struct text text = TEXT("");
    char why[SHOP_PROBLEM_MAX];
    struct text_buffer buffer;
    text_buffer_init(&buffer, why, sizeof(why));
    if (jread_text(jread_member(answer->json, "error_description"), &text) == 0)
        text_append_printable(&buffer, text, TEXT(" "));
    else
        text_append_format(&buffer, "the cloud answered with status %d", answer->status);
    complain(answer, why, "");
}

static int answer_read(struct shop_answer *answer)
{
    int err = answer->body.length == 0 ? 0 : jread_parse(made_text(&answer->body), &answer->json);
    if (err != 0) {
        complain(answer, "What answers at the cloud's address is no cloud", "");
        return ERR_BAD_REPLY;
    }
    if (answer->status >= 200 && answer->status < 300)
        return 0;
    complain_refused(answer);
    return answer->status < 500 ? ERR_REFUSED : ERR_BAD_REPLY;
}

int shop_ask(struct shop *shop, const char *method, const char *path, const char *body,
             struct shop_answer *answer)
{
    char address[ADDRESS_MAX];
    struct text_buffer buffer;
    struct intake intake = {.body = &answer->body};
    long status = 0;
    *answer = (struct shop_answer){0};
    text_buffer_init(&buffer, address, sizeof(address));
    text_append_format(&buffer, "%s/_cloud%s", shop->url, path);
    CHECK(!buffer.is_cut);
    CHECK(pthread_mutex_lock(&shop->lock) == 0);
    call_prepare(shop, method, address, body, &intake);
    CURLcode code = curl_easy_perform(shop->curl);
    curl_easy_getinfo(shop->curl, CURLINFO_RESPONSE_CODE, &status);
    CHECK(pthread_mutex_unlock(&shop->lock) == 0);
    answer->status = (int)status;
    if (code == CURLE_OK)
        return answer_read(answer);
    complain(answer, "The cloud does not answer", curl_easy_strerror(code));
    return ERR_UNREACHABLE;
}

void shop_answer_finish(struct shop_answer *answer)
{
    made_destroy(&answer->body);
    jread_destroy(answer->json);
    *answer = (struct shop_answer){0};
}
