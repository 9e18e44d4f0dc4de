/* The port is left out: NATs change it between two datagrams. */
#include "proto/dht_token.h"

void dht_tokens_init(struct dht_tokens *t, struct dht_dice *dice, usec now)
{
    dht_dice_fill(dice, t->secret, sizeof t->secret);
    t->turned = now;
}

void dht_tokens_turn(struct dht_tokens *t, struct dht_dice *dice, usec now)
{
    if (now - t->turned < DHT_TOKEN_TURN)
        return;
    /* After a long sleep the secret before is too old as well. */
    if (now - t->turned < 2 * DHT_TOKEN_TURN)
        memcpy(t->secret[1], t->secret[0], sizeof t->secret[0]);
    else
        dht_dice_fill(dice, t->secret[1], sizeof t->secret[1]);
    dht_dice_fill(dice, t->secret[0], sizeof t->secret[0]);
    t->turned = now;
}

static void make(const uint8_t secret[20], uint8_t out[DHT_TOKEN], const struct addr *a,
                 const uint8_t target[DHT_ID])
{
    uint8_t in[20 + 1 + 16 + DHT_ID] = {0}, h[SHA256_LEN];
    memcpy(in, secret, 20);
    in[20] = a->family;
    memcpy(in + 21, a->ip, a->family == 4 ? 4 : 16);
    memcpy(in + 37, target, DHT_ID);
    digest_sha256(h, BYTES(in, sizeof in));
    memcpy(out, h, DHT_TOKEN);
}

void dht_token_make(const struct dht_tokens *t, uint8_t out[DHT_TOKEN], const struct addr *a,
                    const uint8_t target[DHT_ID])
{
    make(t->secret[0], out, a, target);
}

bool dht_token_ok(const struct dht_tokens *t, struct bytes token, const struct addr *a,
                  const uint8_t target[DHT_ID])
{
    for (int i = 0; i < 2; i++) {
        uint8_t want[DHT_TOKEN];
        make(t->secret[i], want, a, target);
        if (bytes_eq_const(token, BYTES(want, DHT_TOKEN)))
            return true;
    }
    return false;
}
