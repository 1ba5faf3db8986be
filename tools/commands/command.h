#ifndef SQ_COMMAND_H
#define SQ_COMMAND_H

/* The subcommands. Each file tools/commands/<name>.c defines one of these; squall.c lists them. A command reads its options with
 * sq_options_read, tells a failure through sq_command_fail and returns the exit code. Output for people goes to stdout,
 * progress to stderr. */

#include "tools/run/messages.h"
#include "tools/run/session.h"

typedef struct sq_command {
    const char *name, *summary;
    const char *usage; /* "squall train CONFIG [options]" */
    const char *help;  /* the text of `squall help NAME` and `squall NAME --help`, below the usage line */
    int (*run)(int argc, char **argv);     /* argv[0] is the command's name */
    const struct sq_command *const *parts; /* instead of run: subcommands, ended by NULL */
    bool works_in_several;                 /* processes of one mpirun or srun; others are refused there */
} sq_command;

extern const sq_command sq_command_train, sq_command_search, sq_command_evaluate, sq_command_rank, sq_command_export,
    sq_command_report, sq_command_draw, sq_command_watch, sq_command_info, sq_command_lut, sq_command_select,
    sq_command_pack, sq_command_bench, sq_command_doctor, sq_command_plan;

#endif
