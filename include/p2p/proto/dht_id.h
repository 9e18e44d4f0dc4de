/*
 * Ids of the DHT: 160 bits, their distance is XOR read as a number (BEP 5), and who may have which
 * is tied to addresses (BEP 42), so that nobody can sit down beside a key of his choice.
 */
#ifndef P2P_PROTO_DHT_ID_H
#define P2P_PROTO_DHT_ID_H

#include <p2p/base/addr.h>

#define DHT_ID 20

bool dht_id_eq(const uint8_t a[DHT_ID], const uint8_t b[DHT_ID]);
/* Negative if a is closer to the target than b, 0 if they are the same. */
int dht_id_cmp(const uint8_t target[DHT_ID], const uint8_t a[DHT_ID], const uint8_t b[DHT_ID]);
unsigned dht_id_common(const uint8_t a[DHT_ID], const uint8_t b[DHT_ID]); /* leading bits, to 160 */

/* BEP 42: may the one at this address have this id? Always, where addresses are not public. */
bool dht_id_fits(const uint8_t id[DHT_ID], const struct addr *a);
/* Makes 20 random bytes an id that fits the address; leaves them alone where any id fits. */
void dht_id_fit(uint8_t id[DHT_ID], const struct addr *a);
/* Makes 20 random bytes share exactly `bits` leading bits with `own`; 159 at most. */
void dht_id_near(uint8_t id[DHT_ID], const uint8_t own[DHT_ID], unsigned bits);

uint32_t dht_crc32c(const uint8_t *p, size_t n);

#endif
