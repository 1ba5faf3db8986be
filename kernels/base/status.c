/* The error text of each thread, and exit codes. */
#include "kernels/base/status.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char error_text[SQ_ERROR_BYTES];
static _Thread_local bool is_reported;

const char *sq_error_text(void)
{
    return error_text;
}

sq_status sq_fail(sq_status status, const char *format, ...)
{
    char text[sizeof error_text]; /* the arguments may point to the old text */
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments); /* longer texts are truncated */
    va_end(arguments);
    for (size_t i = 0; i < sizeof text; i++) {
        error_text[i] = text[i] == '\n' ? ' ' : text[i];
        if (!text[i])
            break;
    }
    is_reported = false;
    return status;
}

bool sq_error_is_reported(void)
{
    return is_reported;
}

void sq_error_set_reported(void)
{
    is_reported = true;
}

int sq_exit_code(sq_status status)
{
    static const int codes[] = {
        [SQ_OK] = 0,     [SQ_INVALID] = 2,     [SQ_IO] = 1,        [SQ_DATA] = 3,          [SQ_NO_MEMORY] = 1,
        [SQ_DEVICE] = 1, [SQ_UNSUPPORTED] = 1, [SQ_NONFINITE] = 4, [SQ_COMMUNICATION] = 5, [SQ_INTERRUPTED] = 75,
    };
    _Static_assert(sizeof codes / sizeof *codes == SQ_INTERRUPTED + 1, "one exit code per status");
    return codes[status];
}
