#ifndef SQ_MANUAL_H
#define SQ_MANUAL_H

#include "tools/commands/command.h"

/* Writes the manual pages <folder>/man1/squall.1, squall-train.1, squall-lut-measure.1, ... and
 * <folder>/man5/squall-config.5 from the help pages. Each file is written whole or not at all.
 *
 * commands  ends with NULL
 * returns   SQ_IO, SQ_NO_MEMORY, SQ_INVALID (a missing page, a path that is too long) */
SQ_MUST_USE sq_status sq_manual_write(const char *folder, const sq_command *const *commands);

#endif
