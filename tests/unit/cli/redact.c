/* Secrets: what must not show, and what must. */
#include "cli/redact.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#define KEY "0123456789abcdef0123456789abcdef"

static void becomes(const char *in, const char *want)
{
    struct buf out = {0};

    redact_text(&out, bytes_str(in));
    char *got = buf_take_str(&out);
    assert_string_equal(got, want);
    free(got);
}

static void same(const char *text)
{
    becomes(text, text);
}

static void addresses(void **state)
{
    (void)state;
    becomes("http://user:pass@host/x", "http://***@host/x");
    becomes("http://a@b@host/", "http://***@host/");
    becomes("ftp://user@host", "ftp://***@host");
    becomes("socks5h://u:p@[::1]:9050: refused", "socks5h://***@[::1]:9050: refused");
    becomes("https://t.example/" KEY "/announce", "https://t.example/***/announce");
    becomes("https://t.example/announce/" KEY, "https://t.example/announce/***");
    becomes("https://t.example/AbCdEfGhIjKlMnOpQr/a", "https://t.example/***/a");
    becomes("https://t.example/a?passkey=x&uid=7", "https://t.example/a?passkey=***&uid=***");
    becomes("https://t.example/a?" KEY, "https://t.example/a?***");
    becomes("https://t.example/a?x=1#frag", "https://t.example/a?x=***#***");
    becomes("udp://t.example:80/" KEY ": timed out", "udp://t.example:80/***: timed out");
}

static void in_sentences(void **state)
{
    (void)state;
    becomes("asked 'http://u:p@h/' and \"http://h/?k=v\"",
            "asked 'http://***@h/' and \"http://h/?k=***\"");
    becomes("(see http://u@h/ )", "(see http://***@h/ )");
    becomes("http://h/?k=v: timed out, http://h/" KEY ".",
            "http://h/?k=***: timed out, http://h/***.");
    becomes("http://u@a/ http://v@b/", "http://***@a/ http://***@b/");
}

static void links(void **state)
{
    (void)state;
    same("magnet:?xt=urn:btih:" KEY "&dn=a%20film&xl=3&so=1-2&x.pe=1.2.3.4:5&dht=n.example:6");
    becomes("magnet:?xt=urn:btih:" KEY "&tr=http%3A%2F%2Fu%3Ap%40h%2F" KEY "%2Fannounce",
            "magnet:?xt=urn:btih:" KEY "&tr=http%3A%2F%2F***%40h%2F***%2Fannounce");
    becomes("magnet:?xt=urn:btih:" KEY "&ws=http://h/?sig=1&key=hidden",
            "magnet:?xt=urn:btih:" KEY "&ws=http%3A%2F%2Fh%2F%3Fsig%3D***&key=***");
    becomes("magnet:?tr=%zz", "magnet:?tr=***");
}

static void harmless(void **state)
{
    (void)state;
    same("");
    same("film.mkv: no space left on device");
    same("http://host/path/to/film.mkv");
    same("http://host/debian-12.5.0-amd64-netinst.iso");
    same("https://example.org/announce");
    same("udp://tracker.example:6969");
    same("a@b.example");
    same("://");
    same("http://");
    same("magnet:?");
    same(KEY " has no seeds");
    same("C:/" KEY);
}

static void bytes(void **state)
{
    struct buf out = {0};
    (void)state;

    redact_text(&out, BYTES_LIT("a\0b http://u@h/\0\xff"));
    assert_true(bytes_eq(buf_bytes(&out), BYTES_LIT("a\0b http://***@h/\0\xff")));
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses), cmocka_unit_test(in_sentences), cmocka_unit_test(links),
        cmocka_unit_test(harmless),  cmocka_unit_test(bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
