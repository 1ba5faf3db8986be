#ifndef SQ_READER_H
#define SQ_READER_H

#include "tools/run/config/config.h"

/* Reads the keys of a YAML file, and first those of its base: file. SQ_INVALID: file:line, key, found and expected
 * value; SQ_IO */
SQ_MUST_USE sq_status sq_config_read_file(sq_config *config, const char *path);

/* Reads "train.batch=32". */
SQ_MUST_USE sq_status sq_config_read_override(sq_config *config, const char *override);

#endif
