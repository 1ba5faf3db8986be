/* Finds the share folder relative to the program, so that an unpacked tarball works in any folder. */
#include "tools/run/share_folder.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"

bool sq_share_path(char *out, size_t bytes, const char *name)
{
    static const char *const places[] = {"../share/squall", "../..", "../../.."};
    char program[4096];
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return false;
    program[length] = 0;
    char *slash = strrchr(program, '/');
    if (slash)
        *slash = 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const int needed = snprintf(out, bytes, "%s/%s/%s", program, places[i], name);
        if (needed > 0 && (size_t)needed < bytes && sq_path_exists(out))
            return true;
    }
    return false;
}

const char *sq_share_find(char *out, size_t bytes, const char *name)
{
    return !sq_path_exists(name) && sq_share_path(out, bytes, name) ? out : name;
}
