#ifndef SQ_CONFIG_KEYS_H
#define SQ_CONFIG_KEYS_H

#include "tools/run/config.h"

/* The table of keys: the only place that knows a key's name, type, default, range and meaning. */

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
    size_t offset; /* in sq_config */
    const char *initial;
    double minimum, maximum;
    const char *words; /* of a WORD: names of 0, 1, ..., each followed by a space */
    const char *meaning;
} sq_key;

enum { SQ_KEY_LIMIT = 160 };
extern const sq_key sq_keys[];
extern const int sq_key_count; /* at most SQ_KEY_LIMIT */

#endif
