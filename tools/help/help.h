#ifndef SQ_HELP_H
#define SQ_HELP_H

#include <stdio.h>

#include "tools/commands/command.h"

/* The help pages, tools/help/<page>.txt. The build embeds them. A page is
 *
 *     summary, one line
 *     squall command ...        usage: one or more lines, without indentation
 *
 *     text                      options: two spaces, the options, two spaces, one imperative line
 *
 * Pages: squall (the overview), config (keys of configurations), options (options of every command that reads a
 * configuration), and one for each command: train, lut-measure, ... */

typedef struct {
    const char *summary, *usage, *text; /* each starts inside the page */
    size_t summary_length, usage_length;
} sq_help_page;

/* Returns false if there is no such page. */
bool sq_help_find(const char *name, sq_help_page *out);

/* "lut measure" as the name of a page, "lut-measure". Returns out. */
const char *sq_help_page_name(char *out, size_t bytes, const char *full_name);

/* Prints usage, text, parts and options of a command. full_name: "lut measure". */
void sq_help_print(FILE *file, const sq_command *command, const char *full_name);

/* Prints the overview with the list of commands, which ends with NULL. */
void sq_help_print_overview(FILE *file, const sq_command *const *commands);

/* Prints "  name  summary" for each command. prefix: "lut", or "" at the top level. */
void sq_help_print_list(FILE *file, const char *prefix, const sq_command *const *commands);

/* The lines of a text that begin with an option: calls put(context, option) for "--arch", "-o", ... in their order,
 * each option once per line. Only the part before the first two spaces counts. */
void sq_help_each_option(const char *text, void (*put)(void *context, const char *option), void *context);

/* Compares a command's page with its option table, and the pages of its parts. SQ_INVALID names the page and the option
 * that only one of them has. */
SQ_MUST_USE sq_status sq_help_check(const sq_command *command, const char *full_name);

#endif
