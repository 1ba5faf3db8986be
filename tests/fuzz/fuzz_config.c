/* fuzz_config.c - reads any bytes as a configuration. An accepted configuration is written and read again; a second
 * write must give the same bytes. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "tools/run/config/config.h"
#include "tools/run/config/writer.h"

enum { MAX_BYTES = 1 << 24 };

static bool is_known(sq_status status)
{
    return status == SQ_OK || status == SQ_INVALID || status == SQ_NO_MEMORY ||
           status == SQ_IO; /* the base configuration does not exist */
}

/* Returns the configuration as text, which the caller frees. */
static char *text_of(const sq_config *config)
{
    char *text = NULL;
    size_t bytes = 0;
    const char *path = fuzz_scratch("config.yaml");
    fuzz_require(sq_config_write(config, path) == SQ_OK && sq_file_read(path, MAX_BYTES, &text, &bytes) == SQ_OK);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_file file;
    sq_config *config = NULL, *again = NULL;
    if (!fuzz_open(&file, bytes, size))
        return 0;
    const sq_status status = sq_config_read(&config, file.path, NULL, 0);
    fuzz_require(is_known(status) && (status == SQ_OK) == (config != NULL));
    if (config) {
        char *first = text_of(config);
        fuzz_require(sq_config_read(&again, fuzz_scratch("config.yaml"), NULL, 0) == SQ_OK);
        char *second = text_of(again);
        fuzz_require(strcmp(first, second) == 0 && !sq_config_difference(config, again));
        free(first);
        free(second);
    }
    sq_config_free(config);
    sq_config_free(again);
    fuzz_close(&file);
    return 0;
}
