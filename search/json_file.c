/* JSON files. */
#include "search/json_file.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"

sq_status sq_json_write(const char *path, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_INDENT(1) | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(object);
    if (!text)
        return sq_fail(SQ_NO_MEMORY, "%s: JSON", path);
    const sq_piece pieces[2] = {{text, strlen(text)}, {"\n", 1}};
    const sq_status status = sq_file_replace(path, pieces, 2);
    free(text);
    return status;
}
