/* Rules about addresses; see the header for why. */
#include <p2p/proto/dht_addr.h>

enum { LEAST_NODE_PORT = 1024 };

bool dht_addr_peer_ok(const struct addr *a, const struct addr *teller)
{
    enum addr_scope scope = addr_scope(a), his = addr_scope(teller);
    if (!a->port || scope == ADDR_UNUSABLE)
        return false;
    return scope == ADDR_PUBLIC || scope == his || (his == ADDR_LOOPBACK && scope == ADDR_PRIVATE);
}

bool dht_addr_node_ok(const struct addr *a, const struct addr *teller)
{
    return a->port >= LEAST_NODE_PORT && dht_addr_peer_ok(a, teller);
}

struct bytes dht_addr_key(const struct addr *a, uint8_t out[DHT_ADDR_KEY])
{
    size_t n = a->family == 4 ? 4 : 8;
    bool loopback = addr_scope(a) == ADDR_LOOPBACK;
    if (loopback && a->family == 6)
        n = 16;
    out[0] = a->family;
    memcpy(out + 1, a->ip, n);
    if (loopback) {
        put_be16(out + 1 + n, a->port);
        n += 2;
    }
    return BYTES(out, 1 + n);
}

static bool share(const struct addr *a, const struct addr *b, size_t bytes4, size_t bytes6)
{
    return a->family == b->family && memcmp(a->ip, b->ip, a->family == 4 ? bytes4 : bytes6) == 0 &&
           addr_scope(a) == ADDR_PUBLIC;
}

bool dht_addr_near(const struct addr *a, const struct addr *b)
{
    return share(a, b, 3, 6);
}

bool dht_addr_twin(const struct addr *a, const struct addr *b)
{
    return share(a, b, 4, 8);
}
