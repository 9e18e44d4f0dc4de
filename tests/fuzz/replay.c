/*
 * A plain driver for fuzz targets: `TARGET NAME FILE…` gives each file to the target once and says
 * how many there were. Without libFuzzer, so that any compiler and every `make check` can do it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
    int rc = -1;
    long size;
    uint8_t *data = NULL;
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) != 0)
        goto out;
    /* Exactly the input's size, so that the sanitizers see a read past its end. */
    data = malloc(size ? (size_t)size : 1);
    if (!data || fread(data, 1, (size_t)size, f) != (size_t)size)
        goto out;
    rc = LLVMFuzzerTestOneInput(data, (size_t)size);
out:
    free(data);
    if (f)
        fclose(f);
    return rc;
}

int main(int argc, char **argv)
{
    for (int i = 2; i < argc; i++)
        if (replay(argv[i]) != 0) {
            fprintf(stderr, "fuzz: cannot replay %s\n", argv[i]);
            return 1;
        }
    /* An empty corpus is a failure: nothing was shown. */
    printf("fuzz-%s: %d passed, %d failed\n", argc > 1 ? argv[1] : "", argc > 2 ? argc - 2 : 0,
           argc <= 2);
    return argc <= 2;
}
