#ifndef SQ_MANUAL_COMPLETIONS_H
#define SQ_MANUAL_COMPLETIONS_H

#include "tools/commands/command.h"

/* Writes <folder>/squall.bash, _squall (zsh) and squall.fish: commands, their parts, the options of each, and behind
 * --set the keys of configurations. Everything else is a file. */
SQ_MUST_USE sq_status sq_manual_write_completions(const char *folder, const sq_command *const *commands);

#endif
