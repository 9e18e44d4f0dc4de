/*
 * Look-ups of values: strings from the command line, others as they are. A mutable one is put over
 * the newest that is found, unless its number is given; of those that come the newest is told.
 */
#include "lookups_int.h"

#include <p2p/base/mem.h>
#include <p2p/base/num.h>
#include <p2p/base/text.h>
#include <p2p/cli/status.h>
#include <p2p/format/bencode.h>
#include <p2p/host/entropy.h>
#include <p2p/host/fileio.h>
#include <p2p/host/term.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define KEY_FILE_MAX 1024u

/* ---- keys ---- */

/* The secret as hexadecimal characters on a line. */
static int read_key(struct look *l, const char *path, struct err *e)
{
    struct bytes b = {0};
    int rc = fileio_read(path, KEY_FILE_MAX, &b, e);

    if (rc < 0)
        return rc;
    while (b.n && (b.p[b.n - 1] == '\n' || b.p[b.n - 1] == '\r'))
        b.n--;
    if (!text_unhex(l->secret, SIGN_SEED, b))
        rc = err_set(e, ERR_INVALID, "%s: is no key of ours (64 hexadecimal characters)", path);
    else
        sign_public(l->key, l->secret);
    bytes_free(b);
    return rc;
}

static int write_key(const char *path, const uint8_t secret[SIGN_SEED], struct err *e)
{
    char text[2 * SIGN_SEED + 2];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), rc;

    if (fd < 0)
        return err_os(e, errno, "%s", path);
    text_hex(text, BYTES(secret, SIGN_SEED));
    text[2 * SIGN_SEED] = '\n';
    rc = fileio_write_all(fd, path, BYTES(text, 2 * SIGN_SEED + 1), e);
    if (rc == 0 && fsync(fd) != 0)
        rc = err_os(e, errno, "%s", path);
    if (close(fd) != 0 && rc == 0)
        rc = err_os(e, errno, "%s", path);
    if (rc < 0)
        unlink(path);
    return rc;
}

int lookups_make_key(struct program *p, const char *path)
{
    uint8_t secret[SIGN_SEED], key[SIGN_PUBLIC];
    struct err e = {0};

    entropy_fill(secret, sizeof secret);
    sign_public(key, secret);
    if (write_key(path, secret, &e) < 0)
        return program_fail(p, &e);
    if (p->output.json) {
        struct json *j = json_new_object();

        json_set_hex(j, "key", BYTES(key, sizeof key));
        output_json(&p->output, j);
    } else {
        output_hex(&p->output, BYTES(key, sizeof key));
        output_line(&p->output);
    }
    return STATUS_DONE;
}

/* ---- what is asked ---- */

static int read_number(const char *option, const char *text, bool *has, int64_t *out, struct err *e)
{
    uint64_t v;

    if (!text)
        return 0;
    if (!num_parse_u64(bytes_str(text), &v) || v > INT64_MAX)
        return err_set(e, ERR_USAGE, "--%s: '%s' is no number", option, text);
    *has = true;
    *out = (int64_t)v;
    return 0;
}

static int read_salt(struct look *l, struct err *e)
{
    if (l->o->salt)
        l->salt = bytes_str(l->o->salt);
    if (l->salt.n > LOOKUP_SALT)
        return err_set(e, ERR_USAGE, "--salt: %zu bytes, %u at most", l->salt.n, LOOKUP_SALT);
    if (l->salt.n && !l->is_mutable)
        return err_set(e, ERR_USAGE, "--salt: only values under a key have one");
    return 0;
}

static int read_value(struct look *l, struct err *e)
{
    struct bytes b = bytes_str(l->operand);
    bool from_stdin = strcmp(l->operand, "-") == 0;
    int rc = 0;

    if (from_stdin && term_is_tty(STDIN_FILENO))
        return err_set(e, ERR_USAGE,
                       "-: standard input is a terminal; give it a file or a pipe");
    if (from_stdin)
        rc = fileio_read_fd(STDIN_FILENO, "standard input", LOOKUP_VALUE, &b, e);
    if (rc < 0)
        return rc;
    bencode_put_str(&l->value, b);
    if (buf_len(&l->value) > LOOKUP_VALUE)
        rc = err_set(e, ERR_LIMIT, "put: a value of %zu bytes; with its length %u at most", b.n,
                     LOOKUP_VALUE);
    if (from_stdin)
        bytes_free(b);
    return rc;
}

int look_item_read_put(struct look *l, struct err *e)
{
    int rc = read_number("seq", l->o->seq, &l->has_seq, &l->seq, e);

    if (rc == 0)
        rc = read_number("cas", l->o->cas, &l->has_cas, &l->cas, e);
    if (rc == 0 && (l->has_seq || l->has_cas) && !l->o->key)
        rc = err_set(e, ERR_USAGE, "--seq, --cas: only values under a --key have versions");
    l->is_mutable = l->o->key != NULL;
    if (rc == 0)
        rc = read_salt(l, e);
    if (rc == 0 && l->is_mutable)
        rc = read_key(l, l->o->key, e);
    return rc < 0 ? rc : read_value(l, e);
}

int look_item_read_get(struct look *l, struct err *e)
{
    struct bytes word = bytes_str(l->operand);

    l->is_mutable = text_unhex(l->key, SIGN_PUBLIC, word);
    if (!l->is_mutable && !text_unhex(l->hash[0], DHT_ID, word))
        return err_set(e, ERR_USAGE,
                       "get: '%s' is neither a target (40 hexadecimal characters) "
                       "nor a public key (64)",
                       l->operand);
    return read_salt(l, e);
}

/* ---- asking ---- */

static int put(struct look *l, struct err *e)
{
    struct lookup_item i = {.value = buf_bytes(&l->value)};

    if (l->is_mutable)
        i = (struct lookup_item){.value = i.value,
                                 .secret = l->secret,
                                 .salt = l->salt,
                                 .seq = l->seq,
                                 .has_cas = l->has_cas,
                                 .cas = l->cas};
    l->putting = true;
    return look_asked(l, lookup_put(l->engine, &i), e);
}

int look_item_begin(struct look *l, struct err *e)
{
    bool puts = buf_len(&l->value) > 0;

    if (l->is_mutable || puts)
        lookup_target(l->hash[0], l->is_mutable ? l->key : NULL, l->salt, buf_bytes(&l->value));
    if (puts && (!l->is_mutable || l->has_seq))
        return put(l, e);
    return look_asked(l, lookup_get(l->engine, l->hash[0], l->salt), e);
}

void look_item_took(struct look *l, const struct dht_event *d)
{
    bool gets = strcmp(l->kind->name, "get") == 0;

    if (d->type != DHT_ITEM || !gets || (l->has_seq && d->item.seq <= l->seq))
        return;
    buf_clear(&l->value);
    buf_put_bytes(&l->value, d->item.value);
    l->has_seq = l->is_mutable;
    l->seq = d->item.seq;
    if (!l->is_mutable) { /* there is no other */
        look_item_done_get(l, d);
        look_finish(l);
    }
}

/* ---- telling ---- */

static void set_where(const struct look *l, struct json *j)
{
    json_set_hex(j, "target", BYTES(l->hash[0], DHT_ID));
    if (!l->is_mutable)
        return;
    json_set_hex(j, "key", BYTES(l->key, SIGN_PUBLIC));
    if (l->salt.n)
        json_set_bytes(j, "salt", l->salt);
    json_set_int(j, "seq", l->seq);
}

static void tell_put(struct look *l, unsigned stored)
{
    struct output *o = &l->p->output;

    l->found++;
    if (o->json) {
        struct json *j = json_new_object();

        set_where(l, j);
        json_set_int(j, "stored", stored);
        output_json(o, j);
        return;
    }
    if (l->is_mutable)
        output_hex(o, BYTES(l->key, SIGN_PUBLIC));
    else
        output_hex(o, BYTES(l->hash[0], DHT_ID));
    output_line(o);
}

void look_item_done_put(struct look *l, const struct dht_event *d)
{
    const char *why;

    if (!l->putting) { /* that was to find the newest */
        if (d->seq == INT64_MAX)
            err_set(&l->e, ERR_FAIL, "put: there is no number above that of the newest");
        l->seq = d->seq < 0 ? 1 : d->seq + (d->seq < INT64_MAX);
        if (!l->e.code)
            put(l, &l->e);
        return;
    }
    why = lookup_refusal(d->code);
    if (d->stored)
        tell_put(l, d->stored);
    else if (why)
        err_set(&l->e, ERR_FAIL, "put: no node took it: %s", why);
}

static void tell_value_json(struct look *l, struct bytes text, bool is_text)
{
    struct json *j = json_new_object();

    set_where(l, j);
    if (!is_text)
        json_set_hex(j, "bencoded_hex", buf_bytes(&l->value));
    else if (text_utf8_valid(text))
        json_set_bytes(j, "value", text);
    else
        json_set_hex(j, "value_hex", text);
    output_json(&l->p->output, j);
}

void look_item_done_get(struct look *l, const struct dht_event *d)
{
    struct output *o = &l->p->output;
    struct bytes text;

    (void)d;
    if (buf_len(&l->value) == 0 || l->found)
        return;
    l->found++;
    struct bencode *b =
        bencode_parse(buf_bytes(&l->value), BENCODE_STRICT, LOOKUP_VALUE, NULL, NULL);
    bool is_text = b && bencode_str(b, 0, &text);
    if (o->json) {
        tell_value_json(l, text, is_text);
    } else if (o->out_tty) { /* what could steer it is escaped */
        output_field(o, is_text ? text : buf_bytes(&l->value));
        output_line(o);
    } else {
        output_raw(o, is_text ? text : buf_bytes(&l->value));
    }
    bencode_free(b);
}
