#ifndef SQ_KEYS_H
#define SQ_KEYS_H

#include "tools/run/config/config.h"

/* The table of configuration keys has the name, type, default, range and meaning of each key. The reader, the writer,
 * the help pages and the manual use this table. */

typedef enum {
    SQ_KEY_INT,
    SQ_KEY_LONG,
    SQ_KEY_REAL,
    SQ_KEY_TRIPLE,
    SQ_KEY_TEXT,
    SQ_KEY_FILE_PATH,
    SQ_KEY_WORD,
    SQ_KEY_OBJECTIVES,
    SQ_KEY_POINT
} sq_key_type;

typedef struct {
    const char *key;
    sq_key_type type;
    size_t offset; /* offset of the value in sq_config */
    const char *initial;
    double minimum, maximum;
    const char *words;     /* of SQ_KEY_WORD: the names of 0, 1, ..., separated by spaces; a final space is ignored */
    bool decides_training; /* whether another value changes the result of a training */
    const char *meaning;
} sq_key;

enum { SQ_KEY_LIMIT = 160, SQ_KEY_BYTES = 256 };
extern const sq_key sq_keys[];
extern const int sq_key_count; /* at most SQ_KEY_LIMIT */

/* Returns whether a key has one value per device ("latency.2.limit_ms"), and the number of values. */
bool sq_key_is_per_device(const sq_key *key);
int sq_key_devices(const sq_key *key);

/* Returns whether any key begins with "section.". */
bool sq_key_has_section(const char *section);

/* Finds the key of a name. "latency.2.limit_ms" is latency.limit_ms of device index 1, and "latency" is latency.device.
 * Returns NULL for an unknown name. */
const sq_key *sq_key_find(const char *name, int *device);

#endif
