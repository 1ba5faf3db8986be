/* Writes configurations. */
#include "tools/run/config/writer.h"

#include <stdio.h>
#include <string.h>

#include "kernels/base/file.h"
#include "tools/run/config/value.h"

/* Writes the configured devices as a list with at least one entry. */
static void write_devices(FILE *file, const sq_config *config)
{
    const int count = sq_config_device_count(config);
    for (int device = 0; device < (count ? count : 1); device++) {
        const char *mark = "- ";
        for (int i = 0; i < sq_key_count; i++)
            if (sq_key_is_per_device(&sq_keys[i])) {
                (void)fprintf(file, "  %s%s: ", mark, strchr(sq_keys[i].key, '.') + 1);
                sq_value_print(file, config, &sq_keys[i], device);
                (void)fputc('\n', file);
                mark = "  ";
            }
    }
}

/* Writes the part of a key before its dot; "" for a key without a dot. */
static void section_of(const sq_key *key, char *out, size_t bytes)
{
    const char *dot = strchr(key->key, '.');
    (void)snprintf(out, bytes, "%.*s", dot ? (int)(dot - key->key) : 0, key->key);
}

sq_status sq_config_write(const sq_config *config, const char *path)
{
    char section[64] = "", own[64];
    sq_file_writer w;
    SQ_TRY(sq_file_begin(&w, path));
    for (int i = 0; i < sq_key_count; i++) {
        const sq_key *key = &sq_keys[i];
        section_of(key, own, sizeof own);
        const bool is_first = strcmp(own, section) != 0;
        if (is_first && *own)
            (void)fprintf(w.stream, "%s:\n", own);
        memcpy(section, own, sizeof section);
        if (sq_key_is_per_device(key)) {
            if (is_first)
                write_devices(w.stream, config);
            continue;
        }
        (void)fprintf(w.stream, "%s%s: ", *own ? "  " : "", *own ? strchr(key->key, '.') + 1 : key->key);
        sq_value_print(w.stream, config, key, 0);
        (void)fputc('\n', w.stream);
    }
    return sq_file_finish(&w, path);
}
