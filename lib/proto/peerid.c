/*
 * Peer ids (BEP 20). Two conventions cover nearly everyone: Azureus style "-XXvvvv-" and that of
 * the first client, a letter and dashed numbers "M7-10-5-". What neither explains is shown as it
 * begins. An id is a claim of a stranger: good for a display, never for a decision.
 */
#include <p2p/base/num.h>
#include <p2p/proto/peerid.h>

#include <stdio.h>

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

enum { DIGITS = 62 };

/* The next number of "MAJOR.MINOR.PATCH" as one digit; what is missing counts as 0. */
static char version_digit(const char **s)
{
    size_t n = 0;
    while ((*s)[n] >= '0' && (*s)[n] <= '9')
        n++;
    uint64_t v = 0;
    if (!num_parse_u64(BYTES(*s, n), &v) && n)
        v = DIGITS - 1;
    *s += n;
    if (**s == '.')
        ++*s;
    return digits[v < DIGITS ? v : DIGITS - 1];
}

void peerid_make(uint8_t out[20], const char *version, struct rng *r)
{
    memcpy(out, "-PP0000-", 8);
    for (size_t i = 0; i < 3; i++)
        out[3 + i] = (uint8_t)version_digit(&version);
    for (size_t i = 8; i < 20; i++)
        out[i] = (uint8_t)digits[rng_below(r, DIGITS)];
}

enum version_style {
    FOUR,         /* 2080: 2.0.8.0 */
    THREE,        /* 465x: 4.6.5, the last is a tag */
    TRANSMISSION, /* 2940: 2.94; from 4 on 4060: 4.0.6 */
};

static const struct client {
    char code[3];
    const char *name;
    enum version_style style;
} clients[] = {
    {"7T", "aTorrent", FOUR},       {"AG", "Ares", FOUR},
    {"AZ", "Azureus", FOUR},        {"BC", "BitComet", FOUR},
    {"BI", "BiglyBT", FOUR},        {"BT", "BitTorrent", THREE},
    {"CT", "CTorrent", FOUR},       {"DE", "Deluge", THREE},
    {"FC", "FileCroc", FOUR},       {"FD", "Free Download Manager", FOUR},
    {"FW", "FrostWire", THREE},     {"HL", "Halite", FOUR},
    {"KG", "KGet", FOUR},           {"KT", "KTorrent", FOUR},
    {"LR", "LibreTorrent", FOUR},   {"LT", "libtorrent", FOUR},
    {"MG", "MediaGet", FOUR},       {"ML", "MLDonkey", FOUR},
    {"MO", "MonoTorrent", FOUR},    {"MR", "Miro", FOUR},
    {"PI", "PicoTorrent", FOUR},    {"PP", "p2p", THREE},
    {"SD", "Xunlei", FOUR},         {"SZ", "Shareaza", FOUR},
    {"TL", "Tribler", FOUR},        {"TR", "Transmission", TRANSMISSION},
    {"TX", "Tixati", FOUR},         {"UE", "uTorrent Embedded", THREE},
    {"UM", "uTorrent Mac", THREE},  {"UT", "uTorrent", THREE},
    {"UW", "uTorrent Web", THREE},  {"WD", "WebTorrent Desktop", FOUR},
    {"WW", "WebTorrent", FOUR},     {"XF", "Xfplay", FOUR},
    {"XL", "Xunlei", FOUR},         {"lt", "rTorrent", FOUR},
    {"qB", "qBittorrent", FOUR},    {"st", "SharkTorrent", FOUR},
};

/* Value of a version digit, -1 if it is none. */
static int digit_value(uint8_t c)
{
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static void show_client(char out[48], const struct client *c, const int v[4])
{
    switch (c->style) {
    case THREE:
        snprintf(out, 48, "%s %d.%d.%d", c->name, v[0], v[1], v[2]);
        break;
    case TRANSMISSION:
        if (v[0] < 4) {
            snprintf(out, 48, "%s %d.%d%d", c->name, v[0], v[1], v[2]);
            break;
        }
        snprintf(out, 48, "%s %d.%d.%d", c->name, v[0], v[1], v[2]);
        break;
    case FOUR:
        snprintf(out, 48, "%s %d.%d.%d.%d", c->name, v[0], v[1], v[2], v[3]);
        break;
    }
}

static bool azureus_style(char out[48], const uint8_t id[20])
{
    int v[4];
    if (id[0] != '-' || id[7] != '-')
        return false;
    for (size_t i = 0; i < 4; i++)
        if ((v[i] = digit_value(id[3 + i])) < 0)
            return false;
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++)
        if (memcmp(clients[i].code, id + 1, 2) == 0) {
            show_client(out, &clients[i], v);
            return true;
        }
    return false;
}

static const struct {
    const char *prefix, *name;
} dashed[] = {
    {"A2-", "aria2"},
    {"M", "BitTorrent"},
    {"Q", "BTQueue"},
};

/* "1-36-0-" as "1.36.0": one to four numbers of up to three digits, a dash behind each. */
static bool dashed_version(char out[16], const uint8_t *p, size_t n)
{
    size_t len = 0, parts = 0, run = 0;
    for (size_t i = 0; i < n && len < 15 && parts < 4; i++) {
        bool digit = p[i] >= '0' && p[i] <= '9';
        if (digit && run < 3) {
            out[len++] = (char)p[i];
            run++;
            continue;
        }
        if (p[i] != '-' || !run)
            break;
        parts++;
        run = 0;
        out[len++] = '.';
    }
    len -= run; /* digits that no dash follows belong to the random part */
    if (!parts || !len)
        return false;
    out[len - 1] = '\0';
    return true;
}

static bool dashed_style(char out[48], const uint8_t id[20])
{
    char version[16];
    for (size_t i = 0; i < sizeof dashed / sizeof *dashed; i++) {
        size_t n = strlen(dashed[i].prefix);
        if (memcmp(dashed[i].prefix, id, n) == 0 && dashed_version(version, id + n, 20 - n)) {
            snprintf(out, 48, "%s %s", dashed[i].name, version);
            return true;
        }
    }
    return false;
}

/* The start as far as it can be printed, eight characters at most. */
static void as_it_begins(char out[48], const uint8_t id[20])
{
    size_t n = 0;
    while (n < 8 && id[n] > 0x20 && id[n] < 0x7f) {
        out[n] = (char)id[n];
        n++;
    }
    out[n] = '\0';
    if (!n)
        memcpy(out, "unknown", 8);
}

void peerid_client(char out[48], const uint8_t id[20])
{
    if (!azureus_style(out, id) && !dashed_style(out, id))
        as_it_begins(out, id);
}
