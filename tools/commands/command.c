/* Runs a subcommand. */
#include "tools/commands/command.h"

#include <stdlib.h>
#include <string.h>

sq_option_set sq_command_option_set(const sq_command *command, const char *full_name)
{
    return (sq_option_set){full_name, command->options, command->has_config};
}

int sq_command_run(const sq_command *command, const char *full_name, int argc, char **argv)
{
    const sq_option_set set = sq_command_option_set(command, full_name);
    sq_options options = {0};
    void *arguments = calloc(1, command->arguments_bytes + 1);
    if (!arguments)
        return sq_command_fail(full_name, sq_fail(SQ_NO_MEMORY, "arguments"));
    if (command->defaults)
        memcpy(arguments, command->defaults, command->arguments_bytes);
    int code = sq_options_read(&options, arguments, &set, argc, argv);
    if (code == 0 && (options.argument_count < command->argument_min || options.argument_count > command->argument_max))
        code = sq_command_usage(full_name, "expected %s", command->expected);
    if (code == 0)
        code = command->run(&options, arguments);
    sq_options_clear(&options);
    free(arguments);
    return code;
}
