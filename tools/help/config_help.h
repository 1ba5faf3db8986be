#ifndef SQ_CONFIG_HELP_H
#define SQ_CONFIG_HELP_H

#include <stdio.h>

/* The configuration keys, grouped by section: `squall help config`, and docs/configuration.md (--markdown). */
void sq_config_help(FILE *file);
void sq_config_help_markdown(FILE *file);

#endif
