#ifndef SQ_COMPLETIONS_H
#define SQ_COMPLETIONS_H

#include "tools/commands/command.h"

/* Writes <folder>/squall.bash, _squall (zsh) and squall.fish. They complete commands, their parts and options, and
 * after
 * --set the keys of configurations. Every other word is a file.
 *
 * commands  ends with NULL */
SQ_MUST_USE sq_status sq_completions_write(const char *folder, const sq_command *const *commands);

#endif
