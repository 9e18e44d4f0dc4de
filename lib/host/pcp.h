/*
 * PCP, the port control protocol (RFC 6887), as a client on IPv4 speaks it: asking the gateway for
 * a mapping, and reading what it says. Pure functions over bytes. An answer that breaks a rule of
 * section 8.3 or 11.4 is no answer; options of an answer are stepped over, but must be whole.
 */
#ifndef LIB_HOST_PCP_H
#define LIB_HOST_PCP_H

#include <p2p/base/addr.h>
#include <p2p/base/usec.h>

#define PCP_PORT 5351      /* the gateway's; NAT-PMP has the same */
#define PCP_NEWS_PORT 5350 /* where a gateway tells the group 224.0.0.1 that it forgot */
#define PCP_MESSAGE_MAX 1100
#define PCP_NONCE_LEN 12
#define PCP_MAP_LEN 60   /* of a request */
#define PCP_HELLO_LEN 24 /* an ANNOUNCE request */

enum pcp_opcode { PCP_ANNOUNCE = 0, PCP_MAP = 1 };
enum pcp_protocol { PCP_TCP = 6, PCP_UDP = 17 };

enum pcp_result {
    PCP_SUCCESS = 0,
    PCP_UNSUPP_VERSION = 1,
    PCP_NOT_AUTHORIZED = 2,
    PCP_CANNOT_PROVIDE_EXTERNAL = 11,
};

struct pcp_map {
    uint8_t nonce[PCP_NONCE_LEN]; /* of the mapping, the same for as long as it lives */
    uint8_t protocol;             /* enum pcp_protocol */
    uint16_t port;                /* ours */
    struct addr external;         /* suggested (family 0: any), or assigned */
};

/* `client` is the address that the gateway sees; lifetime in seconds, 0: remove it. */
void pcp_put_map(uint8_t out[PCP_MAP_LEN], const struct pcp_map *m, const struct addr *client,
                 uint32_t lifetime);
void pcp_put_hello(uint8_t out[PCP_HELLO_LEN], const struct addr *client);

struct pcp_answer {
    bool old; /* of NAT-PMP (version 0): this gateway knows no PCP; only epoch counts */
    uint8_t opcode;
    uint8_t result;
    uint32_t lifetime;  /* seconds: of the mapping, or of the refusal */
    uint32_t epoch;     /* seconds since the gateway's memory began */
    struct pcp_map map; /* of PCP_MAP; a refusal repeats what was asked for */
};
/* False: not an answer of PCP or NAT-PMP. */
bool pcp_read(struct pcp_answer *a, struct bytes datagram);
/* Is it about this mapping? Nonce, protocol and port must be those that were sent. */
bool pcp_answers(const struct pcp_answer *a, const struct pcp_map *asked);
const char *pcp_result_text(unsigned result);

struct pcp_epoch {
    bool known;
    uint32_t told;
    usec at;
};
/* Takes in an epoch told at `now`. False: the gateway has lost its memory since the last one
 * (section 8.5); mappings are to be made again. */
bool pcp_epoch_step(struct pcp_epoch *e, uint32_t told, usec now);

#endif
