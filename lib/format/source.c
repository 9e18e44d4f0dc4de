/* Operands by their form: what no file system or network has to be asked for. */
#include <p2p/base/text.h>
#include <p2p/format/source.h>

#include <strings.h>

static bool begins(const char *s, const char *prefix)
{
    return strncasecmp(s, prefix, strlen(prefix)) == 0;
}

static bool read_hash(struct magnet *m, struct bytes s)
{
    if (s.n == 2 * SHA256_LEN)
        m->has_v2 = text_unhex(m->hash_v2, SHA256_LEN, s);
    else if (s.n == 2 * SHA1_LEN)
        m->has_v1 = text_unhex(m->hash_v1, SHA1_LEN, s);
    else
        m->has_v1 = text_unbase32(m->hash_v1, SHA1_LEN, s);
    return m->has_v1 || m->has_v2;
}

int source_parse(struct source *s, const char *operand, struct err *e)
{
    memset(s, 0, sizeof *s);
    s->word = operand;
    s->kind = SOURCE_WORD;
    if (!*operand)
        return err_set(e, ERR_INVALID, "SOURCE: is empty");
    if (strcmp(operand, "-") == 0)
        s->kind = SOURCE_STDIN;
    else if (begins(operand, "http://") || begins(operand, "https://"))
        s->kind = SOURCE_URL;
    else if (read_hash(&s->magnet, bytes_str(operand)))
        s->kind = SOURCE_HASH;
    if (!begins(operand, "magnet:"))
        return 0;
    s->kind = SOURCE_MAGNET;
    return magnet_parse(&s->magnet, operand, e);
}

void source_fini(struct source *s)
{
    magnet_fini(&s->magnet);
}
