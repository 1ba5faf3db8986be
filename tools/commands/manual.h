#ifndef SQ_MANUAL_H
#define SQ_MANUAL_H

#include "tools/commands/command.h"

/* Manual pages and completions for shells, made of what --help says: a command's usage, its help, and the lines in it
 * that begin with an option. The build runs it and `cmake --install` installs it. */

enum { SQ_MANUAL_OPTIONS = 64 };

/* Options that a command's help lists, in their order, each once: words that begin with '-' in lines that begin with
 * two spaces and an option. Returns how many there are, at most SQ_MANUAL_OPTIONS. */
int sq_manual_options(const sq_command *command, char out[SQ_MANUAL_OPTIONS][32]);

/* Writes <folder>/man1/squall.1, squall-train.1, squall-lut-measure.1, ..., <folder>/man5/squall-config.5 and
 * <folder>/completions/{squall.bash,_squall,squall.fish}, each whole or not at all.
 *
 * commands  ended by NULL; overview: the text of `squall help`
 * returns   SQ_IO, SQ_NO_MEMORY, SQ_INVALID (a path that is too long) */
SQ_MUST_USE sq_status sq_manual_write(const char *folder, const sq_command *const *commands, const char *overview);

#endif
