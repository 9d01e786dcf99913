/* Finds the client's address behind trusted proxies. */
#include "handlers/client.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/banned.h"

#define BITS_V4_OFFSET 96 /* ::ffff:a.b.c.d */

/* An address as 16 bytes; IPv4 is mapped. */
static bool address_parse(struct text text, uint8_t address[16], bool *is_v4)
{
    char copy[CLIENT_TEXT_MAX];
    if (text.length == 0 || text.length >= sizeof(copy))
        return false;
    memcpy(copy, text.base, text.length);
    copy[text.length] = '\0';
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct in_addr v4;
    if (inet_pton(AF_INET, copy, &v4) == 1) {
        memcpy(address, mapped, sizeof(mapped));
        memcpy(address + 12, &v4, 4);
        *is_v4 = true;
        return true;
    }
    struct in6_addr v6;
    if (inet_pton(AF_INET6, copy, &v6) != 1)
        return false;
    memcpy(address, &v6, 16);
    *is_v4 = false; /* as it was written: "::ffff:10.0.0.0/104" counts its bits as IPv6 */
    return true;
}

static bool network_holds(const struct client_network *network, const uint8_t address[16])
{
    int whole = network->bits / 8, rest = network->bits % 8;
    if (memcmp(network->address, address, (size_t)whole) != 0)
        return false;
    if (rest == 0)
        return true;
    uint8_t mask = (uint8_t)(0xff << (8 - rest));
    return (network->address[whole] & mask) == (address[whole] & mask);
}

static bool proxies_hold(const struct client_proxies *proxies, struct text text)
{
    uint8_t address[16];
    bool is_v4;
    if (!address_parse(text, address, &is_v4))
        return false;
    for (int i = 0; i < proxies->count; i++)
        if (network_holds(&proxies->networks[i], address))
            return true;
    return false;
}

static bool network_parse(struct text item, struct client_network *network)
{
    const char *slash = memchr(item.base, '/', item.length);
    size_t address_length = slash == NULL ? item.length : (size_t)(slash - item.base);
    bool is_v4;
    if (!address_parse(text_slice(item, 0, address_length), network->address, &is_v4))
        return false;
    network->bits = 128;
    if (slash == NULL)
        return true;
    int64_t bits;
    if (text_parse_int64(text_slice(item, address_length + 1, item.length), &bits) != 0)
        return false;
    if (bits < 0 || bits > (is_v4 ? 32 : 128))
        return false;
    network->bits = (int)bits + (is_v4 ? BITS_V4_OFFSET : 0);
    return true;
}

/* Takes the last comma-separated item off the list. */
static struct text last_item(struct text *list)
{
    size_t from = list->length;
    while (from > 0 && list->base[from - 1] != ',')
        from--;
    struct text item = text_slice(*list, from, list->length);
    list->length = from == 0 ? 0 : from - 1;
    return text_trim(item);
}

int client_proxies_parse(struct text list, struct client_proxies *proxies, struct text *bad)
{
    proxies->count = 0;
    while (list.length > 0) {
        struct text item = last_item(&list);
        if (item.length == 0)
            continue;
        *bad = item;
        if (proxies->count == CLIENT_PROXIES_MAX)
            return ERR_BAD_CONFIG;
        if (!network_parse(item, &proxies->networks[proxies->count]))
            return ERR_BAD_CONFIG;
        proxies->count++;
    }
    return 0;
}

struct text client_address(const struct client_proxies *proxies, struct text peer,
                           struct text forwarded)
{
    struct text address = peer;
    while (forwarded.length > 0 && proxies_hold(proxies, address)) {
        struct text item = last_item(&forwarded);
        uint8_t bytes[16];
        bool is_v4;
        if (!address_parse(item, bytes, &is_v4))
            break; /* what stands left of nonsense is not believed either */
        address = item;
    }
    return address;
}
