/* Writes JSON files, and converts values to and from JSON. */
#include "search/json_file.h"

#include <math.h>
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

json_t *sq_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

double sq_json_number(const json_t *value)
{
    return json_is_number(value) ? json_number_value(value) : NAN;
}

json_t *sq_json_path(const sq_space *space, const int *path)
{
    json_t *list = json_array();
    for (int l = 0; l < space->layer_count; l++)
        if (space->layers[l].searched_index != SQ_NONE)
            json_array_append_new(list, json_integer(path[l]));
    return list;
}
