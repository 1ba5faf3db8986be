#ifndef SQ_READER_H
#define SQ_READER_H

#include "tools/run/config/config.h"

/* Reads the keys of the file that base: names, and then the keys of the YAML file `path`. Returns SQ_INVALID with
 * file:line, key, found and expected value, or SQ_IO. */
SQ_MUST_USE sq_status sq_config_read_file(sq_config *config, const char *path);

/* Reads an override such as "train.batch=32". */
SQ_MUST_USE sq_status sq_config_read_override(sq_config *config, const char *override);

#endif
