/*
 * Fuzzes the extension protocol. floor: proto
 * The same bytes go to each reader. Holds: what a handshake told and we can say ourselves, written
 * again, is read the same; a client's name is one line of UTF-8; a metadata message written again
 * is read the same.
 */
#include <p2p/base/text.h>
#include <p2p/proto/ext.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void handshake(struct bytes in)
{
    struct ext_handshake h = {0}, again = {0};
    struct err e = {0};
    int r = ext_parse_handshake(&h, in, &e);
    must(r == 0 || (r == ERR_INVALID && e.msg[0]));
    if (r < 0)
        return;
    must(h.reqq <= EXT_MAX_REQQ && h.yourip.port == 0);
    must(strlen(h.client) <= EXT_MAX_CLIENT && text_utf8_valid(bytes_str(h.client)));
    for (const char *p = h.client; *p; p++)
        must((unsigned char)*p >= 0x20 && *p != 0x7f);
    struct ext_hello say = {
        .metadata = h.id[EXT_METADATA], .pex = h.id[EXT_PEX], .donthave = h.id[EXT_DONTHAVE],
        .upload_only_msg = h.id[EXT_UPLOAD_ONLY], .metadata_size = h.metadata_size, .reqq = h.reqq,
        .port = h.port, .upload_only = h.upload_only, .yourip = h.yourip, .client = h.client,
    };
    struct buf out = {0};
    ext_put_handshake(&out, &say);
    must(ext_parse_handshake(&again, buf_bytes(&out), NULL) == 0);
    must(again.metadata_size == h.metadata_size && again.reqq == h.reqq && again.port == h.port);
    must(again.upload_only == h.upload_only && addr_eq(&again.yourip, &h.yourip));
    must(strcmp(again.client, h.client) == 0);
    for (size_t k = 1; k < EXT_KINDS; k++)
        must(again.has_m[k] == (h.id[k] != 0));
    buf_fini(&out);
}

static void metadata(struct bytes in)
{
    struct ext_meta m, again;
    struct err e = {0};
    int r = ext_parse_meta(&m, in, &e);
    must(r >= 0 || (r == ERR_INVALID && e.msg[0]));
    if (r <= 0)
        return;
    must(m.data.n <= EXT_META_BLOCK && (m.type == EXT_META_DATA || !m.data.n));
    struct buf out = {0};
    ext_put_meta(&out, &m);
    must(ext_parse_meta(&again, buf_bytes(&out), NULL) == 1);
    must(again.type == m.type && again.piece == m.piece && again.total_size == m.total_size);
    must(bytes_eq(again.data, m.data));
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = BYTES(data, size);
    uint32_t index;
    handshake(in);
    metadata(in);
    must(ext_parse_donthave(&index, in) == (size == 4 ? 0 : ERR_INVALID));
    return 0;
}
