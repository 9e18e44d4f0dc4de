/*
 * p2p-node: a node of the DHT and nothing else, which runs until it is stopped; and, with a command
 * behind it, look-ups in the DHT (lookups.h).
 */
#include "lookups.h"
#include "net.h"
#include "serving.h"

#include <p2p/cli/status.h>
#include <p2p/base/suggest.h>
#include <p2p/host/term.h>

#include <stdlib.h>

#define SOCKET "node.sock"
#define SEED_SOCKET "seed.sock"
#define LOCK_NODE "node" /* the one p2p-node of a home */
#define DHT_IDS "node.ids"

struct node_program {
    struct program *p;
    const struct node_options *o;
    struct serving serving;
    struct engine *engine;
    usec started;
};

/* ---- being a node ---- */

static void on_ready(struct node_program *n, const struct engine_event *ev)
{
    struct addr at = {0};
    char where[ADDR_TEXT];

    (void)ev;
    engine_listening(n->engine, &at);
    addr_text(&at, where);
    output_str(&n->p->output, "listening");
    output_str(&n->p->output, where);
    output_line(&n->p->output);
    serving_ready(&n->serving);
}

static void on_tick(struct node_program *n, const struct engine_event *ev)
{
    usec run_for = n->o->run_for, now = engine_now(n->engine);
    bool over = run_for != USEC_NEVER && now - n->started >= run_for;
    struct dht_status s;

    (void)ev;
    serving_tick(&n->serving, now, over || term_stopped());
    if (engine_dht_status(n->engine, &s))
        serving_state(&n->serving, now, "%u nodes known over IPv4, %u over IPv6", s.v4.good,
                      s.v6.good);
    if (over)
        engine_stop(n->engine, 0);
}

static void on_dht(struct node_program *n, const struct engine_event *ev)
{
    struct output *o = &n->p->output;
    char text[ADDR_TEXT];

    addr_ip_text(&ev->dht->from, text);
    if (ev->dht->type == DHT_JOINED)
        output_verbose(o, "joined over IPv%d", ev->dht->family);
    else if (ev->dht->type == DHT_LOST)
        output_verbose(o, "nobody answers any more over IPv%d", ev->dht->family);
    else if (ev->dht->type == DHT_EXTERNAL)
        output_verbose(o, "others see us at %s", text);
}

static void on_words(struct node_program *n, const struct engine_event *ev)
{
    if (ev->kind == ENGINE_WARNING)
        output_notice(&n->p->output, "%s", ev->text);
    else
        output_verbose(&n->p->output, "%s", ev->text);
}

static void on_event(void *arg, const struct engine_event *ev)
{
    static void (*const handlers[])(struct node_program * n, const struct engine_event *ev) = {
        [ENGINE_NOTICE] = on_words, [ENGINE_WARNING] = on_words, [ENGINE_READY] = on_ready,
        [ENGINE_TICK] = on_tick,    [ENGINE_DHT] = on_dht,
    };

    if ((size_t)ev->kind < sizeof handlers / sizeof *handlers && handlers[ev->kind])
        handlers[ev->kind](arg, ev);
}

static void asked(void *arg, struct bytes request, struct buf *answer)
{
    struct node_program *n = arg;

    if (bytes_is(request, NET_ASK) || bytes_is(request, NET_ASK_JSON))
        net_status(n->engine, "p2p-node", bytes_is(request, NET_ASK_JSON), answer);
}

static int be_node(struct node_program *n)
{
    struct engine_options eo = {
        .home = n->o->common.home,
        .dht_only = true,
        .dht_ids = DHT_IDS,
        .port_mapping = true,
        .stay = true,
        .event = on_event,
        .arg = n,
    };
    struct err e = {0};
    int status = 0;
    int rc = serving_begin(&n->serving, n->o->daemon, &status, &e);

    if (rc > 0)
        return status; /* the parent */
    eo.sockets = n->serving.sockets;
    if (rc == 0)
        rc = net_open(&n->engine, &eo, &n->o->net, &n->o->dht, &e);
    if (rc == 0)
        rc = serving_listen(&n->serving, engine_loop(n->engine), asked, n, &e);
    if (rc == 0) {
        n->started = engine_now(n->engine);
        engine_run(n->engine);
    }
    serving_stop(&n->serving);
    engine_free(n->engine);
    if (rc < 0)
        return rc == ERR_USAGE ? program_usage(n->p, "%s", e.msg) : program_fail(n->p, &e);
    return term_stopped() ? 128 + term_stopped() : STATUS_DONE;
}

/* ---- asking those that run ---- */

static int ask_status(struct node_program *n, const char *operand)
{
    static const char *const sockets[] = {SOCKET, SEED_SOCKET};
    const char *request = n->p->output.json ? NET_ASK_JSON : NET_ASK;
    int status = STATUS_NOTFOUND;

    (void)operand;
    for (size_t i = 0; i < sizeof sockets / sizeof *sockets; i++) {
        struct err e = {0};
        int rc = serving_ask(&n->serving, sockets[i], request, &e);

        if (rc < 0 && rc != ERR_NOTFOUND)
            return program_fail(n->p, &e);
        if (rc == 0)
            status = STATUS_DONE;
    }
    if (status != STATUS_DONE)
        output_error(&n->p->output, "status: neither p2p-node nor p2p-seed runs for %s",
                     n->serving.home.dir);
    return status;
}

/* ---- the commands ---- */

static int look_up(struct node_program *n, const char *operand)
{
    return lookups_run(n->p, n->o, n->p->options.operands[0], operand);
}

static int make_key(struct node_program *n, const char *operand)
{
    return lookups_make_key(n->p, operand);
}

enum { WITH_SCRAPE = 1, WITH_KEY = 2, WITH_SALT = 4, WITH_TIMEOUT = 8, WITH_NODE = 16 };

static const struct command {
    const char *name;
    size_t least, most; /* operands behind it */
    const char *what;   /* they are */
    int (*run)(struct node_program *n, const char *operand);
    unsigned with; /* options that make sense for it */
} commands[] = {
    {"get-peers", 1, 1, "HASH or LINK", look_up, WITH_TIMEOUT | WITH_SCRAPE},
    {"put", 1, 1, "VALUE", look_up, WITH_TIMEOUT | WITH_KEY | WITH_SALT},
    {"get", 1, 1, "TARGET or PUBLICKEY", look_up, WITH_TIMEOUT | WITH_SALT},
    {"ping", 1, 1, "HOST:PORT", look_up, WITH_TIMEOUT},
    {"sample", 0, 1, "TARGET", look_up, WITH_TIMEOUT},
    {"key", 1, 1, "FILE", make_key, 0},
    {"status", 0, 0, "operand", ask_status, 0},
};

/* What is typed for another use is a mistake; in the configuration it is there for that other. */
static int misplaced(struct node_program *n, const struct command *c)
{
    static const struct {
        const char *name;
        unsigned needs;
    } table[] = {
        {"for", WITH_NODE}, {"daemon", WITH_NODE},   {"timeout", WITH_TIMEOUT},
        {"key", WITH_KEY},  {"scrape", WITH_SCRAPE}, {"seq", WITH_KEY},
        {"cas", WITH_KEY},  {"salt", WITH_SALT},
    };
    unsigned with = c ? c->with : WITH_NODE;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!(with & table[i].needs) && options_typed(&n->p->options, table[i].name))
            return program_usage(n->p, "--%s: %s has no use for it", table[i].name,
                                 c ? c->name : "the node");
    return STATUS_DONE;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int unknown(struct node_program *n, const char *name)
{
    const char *names[sizeof commands / sizeof *commands];
    const char *near;

    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        names[i] = commands[i].name;
    near = suggest_nearest(name, names, sizeof commands / sizeof *commands);
    if (near)
        return program_usage(n->p, "%s: there is no such look-up (did you mean %s?)", name, near);
    return program_usage(n->p, "%s: there is no such look-up", name);
}

static int run(struct node_program *n)
{
    char **operands = n->p->options.operands;
    size_t count = n->p->options.n_operands;
    const struct command *c = count ? find_command(operands[0]) : NULL;
    int status = count && !c ? unknown(n, operands[0]) : misplaced(n, c);

    if (status != STATUS_DONE)
        return status;
    if (!c)
        return be_node(n);
    if (count - 1 < c->least)
        return program_usage(n->p, "%s: no %s was given", c->name, c->what);
    if (count - 1 > c->most)
        return program_usage(n->p, "%s: too many operands", c->name);
    return c->run(n, count > 1 ? operands[1] : NULL);
}

int main(int argc, char **argv)
{
    struct node_options o;
    struct program p;
    struct err e = {0};
    int status;

    if (!program_start(&p, &suite_node, &o, argc, argv, &status))
        return status;
    struct node_program n = {
        .p = &p,
        .o = &o,
        .serving = {.p = &p,
                    .lock_name = LOCK_NODE,
                    .socket = SOCKET,
                    .taken = "another p2p-node runs for it; 'p2p-node status' asks it"},
    };
    if (serving_find(&n.serving, o.common.home, &e) < 0)
        status = program_fail(&p, &e);
    else
        status = run(&n);
    serving_fini(&n.serving);
    return program_end(&p, status);
}
