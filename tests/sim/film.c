/*
 * Films: every host that has an item is a row, every sample a column. When there are too many
 * columns, every other is thrown away and samples come half as often.
 */
#include "film.h"
#include "tube_int.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_STEP (250 * USEC_MS)
#define MAX_COLUMNS 600u
#define ABSENT 255u
#define LEVELS 20u

#define WIDTH 900.0
#define MAP_HEIGHT 420.0
#define LINES_HEIGHT 180.0
#define LEFT 60.0
#define TOP 40.0
#define GAP 50.0

struct row {
    uint8_t *level; /* LEVELS: whole; ABSENT: not there */
    bool source;    /* it had all from the start */
    uint32_t first; /* column */
};

struct film {
    struct tube *tube;
    usec began, step;
    struct row *row;
    uint32_t rows, columns, skip;
    uint64_t (*sent)[3]; /* by column: by origins, by sources, by the others */
};

struct film *film_new(void)
{
    struct film *f = mem_zero(sizeof *f);
    f->sent = mem_array(MAX_COLUMNS, sizeof *f->sent);
    f->step = FIRST_STEP;
    return f;
}

void film_free(struct film *f)
{
    for (uint32_t i = 0; i < f->rows; i++)
        free(f->row[i].level);
    free(f->row);
    free(f->sent);
    free(f);
}

static uint8_t level(struct tube *t, struct host *h)
{
    struct node_status s;
    if (h->dead || h->n_items == 0 || !node_status(h->node, h->items[0]->it.task, &s, t->now))
        return ABSENT;
    return s.wanted ? (uint8_t)(s.done * LEVELS / s.wanted) : 0;
}

static void sample_host(struct film *f, struct row *r, struct host *h)
{
    uint8_t now = level(f->tube, h);
    if (now != ABSENT && r->first == UINT32_MAX) {
        r->first = f->columns;
        r->source = now == LEVELS;
    }
    r->level[f->columns] = now;
    f->sent[f->columns][r->source ? 1 : 2] += h->sent;
}

static void thin_out(struct film *f)
{
    for (uint32_t c = 0; c < MAX_COLUMNS / 2; c++) {
        for (uint32_t i = 0; i < f->rows; i++)
            f->row[i].level[c] = f->row[i].level[2 * c];
        memcpy(f->sent[c], f->sent[2 * c], sizeof f->sent[c]);
    }
    for (uint32_t i = 0; i < f->rows; i++)
        if (f->row[i].first != UINT32_MAX)
            f->row[i].first /= 2;
    f->columns /= 2;
    f->step *= 2;
}

static void sample(struct tube *t, void *arg)
{
    struct film *f = arg;
    if (f->skip++ % (uint32_t)(f->step / FIRST_STEP) != 0)
        return;
    if (f->columns == MAX_COLUMNS)
        thin_out(f);
    for (; f->rows < t->n_hosts; f->rows++) {
        f->row = mem_grow(f->row, f->rows + 1, sizeof *f->row);
        f->row[f->rows] = (struct row){.first = UINT32_MAX};
        f->row[f->rows].level = mem_alloc(MAX_COLUMNS);
        memset(f->row[f->rows].level, ABSENT, MAX_COLUMNS);
    }
    memset(f->sent[f->columns], 0, sizeof f->sent[0]);
    f->sent[f->columns][0] = tube_origin_sent(t);
    for (uint32_t i = 0; i < f->rows; i++)
        sample_host(f, &f->row[i], t->hosts[i]);
    f->columns++;
}

void film_watch(struct film *f, struct tube *t)
{
    f->tube = t;
    f->began = t->now;
    tube_observe(t, FIRST_STEP, sample, f);
}

/* ---- drawing ---- */

/* From white over blue to dark green when whole. */
static void colour(char out[16], unsigned v)
{
    if (v >= LEVELS)
        snprintf(out, 16, "#1b7837");
    else
        snprintf(out, 16, "#%02x%02x%02x", 235 - 190 * v / LEVELS, 240 - 130 * v / LEVELS,
                 250 - 60 * v / LEVELS);
}

static void draw_row(const struct film *f, FILE *o, const struct row *r, double y, double high)
{
    double wide = WIDTH / f->columns;
    for (uint32_t c = 0, next; c < f->columns; c = next) {
        char fill[16];
        for (next = c + 1; next < f->columns && r->level[next] == r->level[c];)
            next++;
        if (r->level[c] == ABSENT)
            continue;
        colour(fill, r->level[c]);
        fprintf(o, "<rect x=\"%.1f\" y=\"%.2f\" width=\"%.1f\" height=\"%.2f\" fill=\"%s\"/>\n",
                LEFT + c * wide, y, (next - c) * wide, high, fill);
    }
}

static uint32_t whole_at(const struct film *f, const struct row *r)
{
    for (uint32_t c = 0; c < f->columns; c++)
        if (r->level[c] == LEVELS)
            return c;
    return UINT32_MAX;
}

struct order {
    const struct row *r;
    uint32_t whole, index;
};

static int by_time(const void *a, const void *b)
{
    const struct order *x = a, *y = b;
    if (x->whole != y->whole)
        return x->whole < y->whole ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

static void draw_map(const struct film *f, FILE *o)
{
    struct order *v = mem_array(f->rows + 1, sizeof *v);
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->rows; i++)
        if (f->row[i].first != UINT32_MAX)
            v[n++] = (struct order){&f->row[i], whole_at(f, &f->row[i]), i};
    qsort(v, n, sizeof *v, by_time);
    double high = n ? MAP_HEIGHT / n : 0;
    for (uint32_t i = 0; i < n; i++)
        draw_row(f, o, v[i].r, TOP + i * high, high);
    fprintf(o,
            "<text x=\"%.0f\" y=\"%.0f\">%u hosts, the first to be whole on top: pale nothing, "
            "blue some, green all</text>\n",
            LEFT, TOP - 8, (unsigned)n);
    free(v);
}

/* Bytes a second of one kind of sender between two columns. */
static double rate(const struct film *f, uint32_t c, int kind)
{
    if (c == 0 || f->sent[c][kind] < f->sent[c - 1][kind])
        return 0;
    return (double)(f->sent[c][kind] - f->sent[c - 1][kind]) * 1e6 / (double)f->step;
}

static void draw_lines(const struct film *f, FILE *o)
{
    static const struct {
        const char *name, *colour;
    } kind[] = {{"origins", "#b2182b"}, {"sources", "#762a83"}, {"the others", "#1b7837"}};
    double most = 1, top = TOP + MAP_HEIGHT + GAP;
    for (uint32_t c = 1; c < f->columns; c++)
        for (int k = 0; k < 3; k++)
            most = rate(f, c, k) > most ? rate(f, c, k) : most;
    for (int k = 0; k < 3; k++) {
        fprintf(o, "<polyline fill=\"none\" stroke=\"%s\" points=\"", kind[k].colour);
        for (uint32_t c = 0; c < f->columns; c++)
            fprintf(o, "%.1f,%.1f ", LEFT + c * WIDTH / f->columns,
                    top + LINES_HEIGHT * (1 - rate(f, c, k) / most));
        fprintf(o, "\"/>\n<text x=\"%.0f\" y=\"%.0f\" fill=\"%s\">sent by %s</text>\n",
                LEFT + k * 160, top - 8, kind[k].colour, kind[k].name);
    }
    fprintf(o, "<text x=\"4\" y=\"%.0f\">%.2f MB/s</text>\n", top + 10, most / 1e6);
    fprintf(o, "<text x=\"%.0f\" y=\"%.0f\">0 s</text>\n", LEFT, top + LINES_HEIGHT + 18);
    fprintf(o, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\">%.1f s</text>\n", LEFT + WIDTH,
            top + LINES_HEIGHT + 18, (double)f->columns * (double)f->step / 1e6);
}

bool film_write(const struct film *f, const char *path, const char *title, uint64_t seed)
{
    FILE *o = fopen(path, "w");
    if (!o) {
        perror(path);
        return false;
    }
    fprintf(o,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
            "font-family=\"sans-serif\" font-size=\"12\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
            "<text x=\"%.0f\" y=\"16\" font-size=\"14\">%s, seed %llu</text>\n",
            LEFT + WIDTH + 20, TOP + MAP_HEIGHT + GAP + LINES_HEIGHT + 30, LEFT, title,
            (unsigned long long)seed);
    if (f->columns > 0) {
        draw_map(f, o);
        draw_lines(f, o);
    }
    fprintf(o, "</svg>\n");
    bool bad = ferror(o);
    return fclose(o) == 0 && !bad;
}
