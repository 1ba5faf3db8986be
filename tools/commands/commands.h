#ifndef SQ_COMMANDS_H
#define SQ_COMMANDS_H

#include "tools/commands/command.h"

/* The subcommands that tools/squall.c lists. */
extern const sq_command sq_command_bench, sq_command_doctor, sq_command_draw, sq_command_evaluate, sq_command_export,
    sq_command_forecast, sq_command_info, sq_command_lut, sq_command_pack, sq_command_rank, sq_command_report,
    sq_command_search, sq_command_select, sq_command_train, sq_command_watch;

#endif
