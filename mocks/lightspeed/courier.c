/* The only file here that knows libcurl: sends parcels, many at a time, on a thread of its own. */
#include "mocks/lightspeed/courier.h"

#include "base/error.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define CONNECTIONS_MAX 32 /* at once; more wait inside libcurl */
#define POLL_MS 1000

struct courier {
    pthread_t thread;
    pthread_mutex_t mutex; /* guards the two lists */
    struct parcel *outbound;
    struct parcel *home;
    CURLM *multi;
    struct transfer *transfers; /* under way; the thread's own */
    _Atomic bool is_stopping;
    courier_done_fn on_done;
    void *context;
};

/* One transfer, on the courier's thread. */
struct transfer {
    CURL *easy;
    struct parcel *parcel;
    struct curl_slist *headers;
    struct transfer *next;
};

void parcel_destroy(struct parcel *parcel)
{
    if (parcel == NULL)
        return;
    free(parcel->delivery.body);
    free(parcel);
}

static struct parcel *parcel_create(const struct delivery *delivery)
{
    struct parcel *parcel = calloc(1, sizeof(*parcel));
    char *body = malloc(delivery->body_length + 1);
    if (parcel == NULL || body == NULL) {
        free(parcel);
        free(body);
        return NULL;
    }
    memcpy(body, delivery->body, delivery->body_length + 1);
    parcel->delivery = *delivery;
    parcel->delivery.body = body;
    return parcel;
}

/* --- on the courier's thread */

static void give_back(struct courier *courier, struct parcel *parcel)
{
    pthread_mutex_lock(&courier->mutex);
    parcel->next = courier->home;
    courier->home = parcel;
    pthread_mutex_unlock(&courier->mutex);
    courier->on_done(courier->context);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes;
    (void)context;
    return size * count; /* nobody reads what a partner answers */
}

static void append_header(struct curl_slist **headers, const char *name, const char *value)
{
    char line[DELIVERY_HEADER_MAX];
    (void)snprintf(line, sizeof(line), "%s%s%s", name, value[0] == '\0' ? "" : ": ", value);
    struct curl_slist *longer = curl_slist_append(*headers, line);
    CHECK(longer != NULL);
    *headers = longer;
}

static struct curl_slist *make_headers(const struct delivery *delivery)
{
    struct curl_slist *headers = NULL;
    append_header(&headers, "Content-Type", "application/json");
    append_header(&headers, "X-Kounta-Signature", delivery->signature);
    append_header(&headers, "X-Kounta-Topic", delivery->topic);
    append_header(&headers, "Expect:", "");
    for (size_t i = 0; i < delivery->header_count; i++)
        append_header(&headers, delivery->headers[i], "");
    return headers;
}

static void transfer_begin(struct courier *courier, struct parcel *parcel)
{
    struct transfer *transfer = calloc(1, sizeof(*transfer));
    CURL *easy = curl_easy_init();
    CHECK(transfer != NULL && easy != NULL);
    const struct delivery *delivery = &parcel->delivery;
    *transfer = (struct transfer){easy, parcel, make_headers(delivery), courier->transfers};
    courier->transfers = transfer;
    curl_easy_setopt(easy, CURLOPT_URL, delivery->address);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, delivery->body);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)delivery->body_length);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)delivery->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "lightspeed-fake");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    CHECK(curl_multi_add_handle(courier->multi, easy) == CURLM_OK);
}

/* Takes the easy handle down; the parcel is the caller's. */
static struct parcel *transfer_end(struct courier *courier, CURL *easy)
{
    struct transfer *transfer = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    struct parcel *parcel = transfer->parcel;
    struct transfer **link = &courier->transfers;
    while (*link != transfer)
        link = &(*link)->next;
    *link = transfer->next;
    curl_multi_remove_handle(courier->multi, easy);
    curl_easy_cleanup(easy);
    curl_slist_free_all(transfer->headers);
    free(transfer);
    return parcel;
}

static void courier_finish_done(struct courier *courier)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(courier->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURL *easy = message->easy_handle;
        CURLcode result = message->data.result;
        long status = 0;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        struct parcel *parcel = transfer_end(courier, easy);
        parcel->status = result == CURLE_OK ? status : 0;
        if (result != CURLE_OK)
            (void)snprintf(parcel->error, sizeof(parcel->error), "%s", curl_easy_strerror(result));
        give_back(courier, parcel);
    }
}

static void courier_take_outbound(struct courier *courier)
{
    pthread_mutex_lock(&courier->mutex);
    struct parcel *parcel = courier->outbound;
    courier->outbound = NULL;
    pthread_mutex_unlock(&courier->mutex);
    struct parcel *in_order = NULL; /* the list was built newest first */
    while (parcel != NULL) {
        struct parcel *next = parcel->next;
        parcel->next = in_order;
        in_order = parcel;
        parcel = next;
    }
    while (in_order != NULL) {
        struct parcel *next = in_order->next;
        transfer_begin(courier, in_order);
        in_order = next;
    }
}

static void *courier_run(void *argument)
{
    struct courier *courier = argument;
    while (!atomic_load(&courier->is_stopping)) {
        int running, ready;
        courier_take_outbound(courier);
        curl_multi_perform(courier->multi, &running);
        courier_finish_done(courier);
        curl_multi_poll(courier->multi, NULL, 0, POLL_MS, &ready);
    }
    while (courier->transfers != NULL)
        parcel_destroy(transfer_end(courier, courier->transfers->easy));
    return NULL;
}

/* --- from the loop */

int courier_create(courier_done_fn on_done, void *context, struct courier **courier)
{
    struct courier *made = calloc(1, sizeof(*made));
    if (made == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(made);
        return ERR_NO_MEMORY;
    }
    made->on_done = on_done;
    made->context = context;
    made->multi = curl_multi_init();
    CHECK(made->multi != NULL && pthread_mutex_init(&made->mutex, NULL) == 0);
    curl_multi_setopt(made->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS_MAX);
    if (pthread_create(&made->thread, NULL, courier_run, made) != 0) {
        curl_multi_cleanup(made->multi);
        free(made);
        return ERR_NO_MEMORY;
    }
    *courier = made;
    return 0;
}

int courier_send(struct courier *courier, const struct delivery *delivery)
{
    struct parcel *parcel = parcel_create(delivery);
    if (parcel == NULL)
        return ERR_NO_MEMORY;
    pthread_mutex_lock(&courier->mutex);
    parcel->next = courier->outbound;
    courier->outbound = parcel;
    pthread_mutex_unlock(&courier->mutex);
    curl_multi_wakeup(courier->multi);
    return 0;
}

struct parcel *courier_collect(struct courier *courier)
{
    pthread_mutex_lock(&courier->mutex);
    struct parcel *home = courier->home;
    courier->home = NULL;
    pthread_mutex_unlock(&courier->mutex);
    return home;
}

static void destroy_list(struct parcel *parcel)
{
    while (parcel != NULL) {
        struct parcel *next = parcel->next;
        parcel_destroy(parcel);
        parcel = next;
    }
}

void courier_destroy(struct courier *courier)
{
    if (courier == NULL)
        return;
    atomic_store(&courier->is_stopping, true);
    curl_multi_wakeup(courier->multi);
    pthread_join(courier->thread, NULL);
    destroy_list(courier->outbound);
    destroy_list(courier->home);
    curl_multi_cleanup(courier->multi);
    pthread_mutex_destroy(&courier->mutex);
    free(courier);
    curl_global_cleanup();
}
