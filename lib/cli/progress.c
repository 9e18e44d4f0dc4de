/*
 * The progress line. Each figure is a part; when the line is too long for the terminal, parts go in
 * the order of how little they are missed. The name takes the room that is left.
 */
#include <p2p/base/text.h>
#include <p2p/base/units.h>
#include <p2p/cli/progress.h>

#include <stdio.h>

#define MIN_WIDTH 20u
#define MIN_NAME 8u /* fewer columns of a name tell nothing */
#define GAP 2u

enum part {
    PART_PERCENT,
    PART_DOING,
    PART_AMOUNT,
    PART_DOWN,
    PART_UP,
    PART_PEERS,
    PART_LEFT,
    PARTS
};

/* What goes first when room is short. */
static const enum part drop_order[] = {PART_UP,    PART_PEERS, PART_AMOUNT,
                                       PART_DOING, PART_LEFT,  PART_DOWN};

struct parts {
    char text[PARTS][48]; /* empty: not shown */
};

static void set_amount(struct parts *s, const struct progress *p)
{
    char done[16], total[16];

    units_format_size(done, p->done);
    units_format_size(total, p->total);
    if (p->total > 0) {
        uint64_t done_now = p->done < p->total ? p->done : p->total;
        double percent = 100.0 * (double)done_now / (double)p->total;
        int whole = (int)percent - (percent >= 100.0 && done_now < p->total);

        snprintf(s->text[PART_PERCENT], sizeof s->text[0], "%3d%%", whole);
        snprintf(s->text[PART_AMOUNT], sizeof s->text[0], "%s / %s", done, total);
    } else if (p->done > 0) {
        snprintf(s->text[PART_AMOUNT], sizeof s->text[0], "%s", done);
    }
}

static void set_rate(char out[48], const char *word, uint64_t rate)
{
    char text[16];

    units_format_size(text, rate);
    snprintf(out, 48, "%s%s%s/s", word, *word ? " " : "", text);
}

static void set_parts(struct parts *s, const struct progress *p)
{
    char left[24];

    set_amount(s, p);
    if (p->doing)
        snprintf(s->text[PART_DOING], sizeof s->text[0], "%s", p->doing);
    if (p->down)
        set_rate(s->text[PART_DOWN], p->peers < 0 ? "" : "down", p->rate_down);
    if (p->up)
        set_rate(s->text[PART_UP], "up", p->rate_up);
    if (p->peers >= 0)
        snprintf(s->text[PART_PEERS], sizeof s->text[0], "%d peer%s", p->peers,
                 p->peers == 1 ? "" : "s");
    if (p->left != USEC_NEVER) {
        units_format_duration(left, p->left);
        snprintf(s->text[PART_LEFT], sizeof s->text[0], "%s left", left);
    }
}

static unsigned width_of(const struct parts *s)
{
    unsigned n = 0;

    for (int i = 0; i < PARTS; i++)
        if (*s->text[i])
            n += (unsigned)strlen(s->text[i]) + (n ? GAP : 0);
    return n;
}

static void fit(struct parts *s, unsigned width)
{
    for (size_t i = 0; i < sizeof drop_order / sizeof *drop_order && width_of(s) > width; i++)
        *s->text[drop_order[i]] = 0;
}

/* Columns of a character: the wide ones of East Asia and the pictures take two. */
static unsigned columns(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } wide[] = {
        {0x1100, 0x115f},   {0x231a, 0x231b}, {0x23e9, 0x23f3},   {0x2600, 0x27bf},
        {0x2e80, 0xa4cf},   {0xac00, 0xd7a3}, {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
        {0xff00, 0xff60},   {0xffe0, 0xffe6}, {0x16fe0, 0x1b2ff}, {0x1f000, 0x1faff},
        {0x20000, 0x3fffd},
    };

    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (c >= wide[i].first && c <= wide[i].last)
            return 2;
    return 1;
}

/* The character at the front of valid UTF-8, and how many bytes it has. */
static uint32_t character(const uint8_t *s, size_t *n)
{
    static const uint8_t lead[] = {0x7f, 0x1f, 0x0f, 0x07};
    size_t more = *s < 0xc0 ? 0 : *s < 0xe0 ? 1 : *s < 0xf0 ? 2 : 3;
    uint32_t c = *s & lead[more];

    for (size_t i = 1; i <= more; i++)
        c = c << 6 | (s[i] & 0x3f);
    *n = more + 1;
    return c;
}

/* As much of the front of s as fits into `width` columns; *used tells how many it takes. */
static size_t prefix(struct bytes s, unsigned width, unsigned *used)
{
    size_t at = 0, n;

    for (*used = 0; at < s.n; at += n) {
        unsigned w = columns(character(s.p + at, &n));

        if (*used + w > width)
            break;
        *used += w;
    }
    return at;
}

static void put_name(struct buf *out, const char *name, unsigned room)
{
    struct buf shown = {0};
    unsigned used;

    text_show(&shown, bytes_str(name));
    struct bytes s = buf_bytes(&shown);
    size_t n = prefix(s, room, &used);
    if (n < s.n)
        n = prefix(s, room - 3, &used);
    if (n == s.n || room >= MIN_NAME) {
        buf_putf(out, "%*s", buf_len(out) ? (int)GAP : 0, "");
        buf_put(out, s.p, n);
        if (n < s.n)
            buf_put_str(out, "...");
    }
    buf_fini(&shown);
}

void progress_format(const struct progress *p, unsigned width, struct buf *out)
{
    struct parts s = {0};
    struct buf line = {0};

    if (width < MIN_WIDTH)
        width = MIN_WIDTH;
    set_parts(&s, p);
    fit(&s, width);
    for (int i = 0; i < PARTS; i++)
        if (*s.text[i])
            buf_putf(&line, "%*s%s", buf_len(&line) ? (int)GAP : 0, "", s.text[i]);
    unsigned used = (unsigned)buf_len(&line) + GAP;
    if (p->name && used + 4 <= width)
        put_name(&line, p->name, width - used);
    buf_put_bytes(out, buf_bytes(&line));
    buf_fini(&line);
}
