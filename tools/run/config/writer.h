#ifndef SQ_WRITER_H
#define SQ_WRITER_H

#include "tools/run/config/config.h"

/* Writes the resolved configuration with every key. Reading the file gives the same configuration. Returns SQ_IO if
 * writing fails. */
SQ_MUST_USE sq_status sq_config_write(const sq_config *config, const char *path);

#endif
