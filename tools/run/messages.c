/* Messages of the commands: failures and usage on stderr, rows of "name value" on stdout. */
#include "tools/run/messages.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "supernet/ranks/launcher.h"

int sq_command_fail(const char *name, sq_status status)
{
    if (!sq_error_is_reported())
        (void)fprintf(stderr, "squall %s: %s\n", name, sq_error_text());
    return sq_exit_code(status);
}

bool sq_command_is_silent(void)
{
    if (sq_launcher_rank() == 0)
        return false;
    (void)sleep(1); /* a launcher kills all processes when one fails; rank 0 must print its message first */
    return true;
}

int sq_command_usage(const char *name, const char *format, ...)
{
    va_list arguments;
    if (sq_command_is_silent())
        return 2;
    va_start(arguments, format);
    (void)fprintf(stderr, "squall %s: ", name);
    (void)vfprintf(stderr, format, arguments);
    (void)fprintf(stderr, "; see squall help %s\n", name);
    va_end(arguments);
    return 2;
}

void sq_print_row(const char *name, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)printf("  %-24s ", name);
    (void)vprintf(format, arguments);
    (void)putchar('\n');
    va_end(arguments);
}

sq_status sq_print_json(json_t *object)
{
    if (!object)
        return sq_fail(SQ_NO_MEMORY, "JSON output");
    const bool is_written = json_dumpf(object, stdout, JSON_REAL_PRECISION(9)) == 0 && putchar('\n') == '\n';
    json_decref(object);
    return is_written ? SQ_OK : sq_fail(SQ_IO, "standard output: cannot be written");
}
