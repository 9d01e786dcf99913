/* The O-Series API: what a merchant's company is set up with, for whoever checks our settings. */
#include "base/error.h"
#include "lightspeed/oseries_call.h"

#include <stdlib.h>

#include "base/banned.h"

/* As much as fits; what is no text is none. */
static void read_text(const struct jread *json, const char *name, char *out, size_t capacity)
{
    struct text text = {NULL, 0};
    if (jread_scalar(jread_member(json, name), &text) != 0)
        text.length = 0;
    (void)text_copy_utf8(out, capacity, text);
}

/* --- the company ------------------------------------------------------------------------------ */

static int read_company(const struct jread *json, struct oseries_company *company)
{
    *company = (struct oseries_company){0};
    if (jread_int64(jread_member(json, "id"), &company->id) != 0 || company->id <= 0)
        return ERR_BAD_REPLY;
    read_text(json, "name", company->name, sizeof(company->name));
    read_text(json, "currency", company->currency, sizeof(company->currency));
    read_text(jread_member(json, "timezone"), "name", company->zone, sizeof(company->zone));
    return 0;
}

static void on_company(struct oseries_call *call, const struct api_result *result,
                       const struct jread *document, const struct outbound_reply *reply)
{
    (void)reply;
    api_company_fn on_done = call->on_company;
    struct api_result told = *result;
    struct oseries_company company;
    if (told.error == 0)
        told.error = read_company(document, &company);
    on_done(call->context, &told, told.error == 0 ? &company : NULL);
}

void oseries_api_get_company(struct oseries_api *api, const struct api_call *call,
                             api_company_fn on_done, void *context)
{
    struct oseries_call *made = call_create(api, call, "GET", on_company);
    call_set_path(made, ".json"); /* the grant's own */
    made->on_company = on_done;
    made->context = context;
    call_begin(made);
}

/* --- its sites, its payment methods ----------------------------------------------------------- */

static const char *const list_paths[] = {
    [API_SITES] = "/sites",
    [API_PAYMENT_METHODS] = "/payment_methods",
};

struct listing {
    struct oseries_api *api;
    struct api_call call;
    api_names_fn on_done;
    void *context;
    int pages;
    struct api_names names;
};

static void listing_end(struct listing *listing, const struct api_result *result)
{
    listing->on_done(listing->context, result, result->error == 0 ? &listing->names : NULL);
    free(listing);
}

static int take_names(struct api_names *names, const struct jread *document)
{
    if (jread_kind_of(document) != JREAD_ARRAY)
        return ERR_BAD_REPLY;
    for (size_t i = 0; i < jread_count(document); i++) {
        const struct jread *json = jread_element(document, i);
        struct api_name *name = &names->items[names->count];
        names->is_cut = names->is_cut || names->count == API_NAMES_MAX;
        if (names->is_cut)
            return 0;
        if (jread_int64(jread_member(json, "id"), &name->id) != 0 || name->id <= 0)
            return ERR_BAD_REPLY;
        read_text(json, "name", name->name, sizeof(name->name));
        names->count++;
    }
    return 0;
}

static void on_names(struct oseries_call *call, const struct api_result *result,
                     const struct jread *document, const struct outbound_reply *reply)
{
    struct listing *listing = call->work;
    struct api_result told = *result;
    struct api_page page;
    bool has_next = false;
    if (told.error == 0)
        told.error = take_names(&listing->names, document);
    if (told.error == 0)
        told.error = call_find_next_page(call, reply, &has_next, &page);
    if (told.error == 0 && has_next && ++listing->pages > CALL_PAGES_MAX)
        told.error = ERR_BAD_REPLY;
    if (told.error != 0 || !has_next || listing->names.is_cut) {
        listing_end(listing, &told);
        return;
    }
    struct oseries_call *next = call_create(call->api, &call->call, "GET", on_names);
    next->work = listing;
    call_set_page(next, &page, call->url);
    call_begin(next);
}

void oseries_api_list_names(struct oseries_api *api, const struct api_call *call,
                            enum api_list list, api_names_fn on_done, void *context)
{
    struct listing *listing = calloc(1, sizeof(*listing)); /* some 26 KiB */
    CHECK(listing != NULL); /* as outbound_send: there would be nobody to tell */
    *listing = (struct listing){
        .api = api, .call = *call, .on_done = on_done, .context = context, .pages = 1};
    struct oseries_call *made = call_create(api, call, "GET", on_names);
    call_set_path(made, "%s", list_paths[list]);
    made->work = listing;
    call_begin(made);
}
