#include "supernet/export/pixels.h"

#include <stdio.h>
#include <stdlib.h>

sq_export_pixels sq_export_pixels_of(const sq_block_options *o)
{
    sq_export_pixels p = {.range = o->is_raw ? "0..255" : "0..1", .order = o->is_bgr ? "BGR" : "RGB"};
    for (int i = 0; i < 3; i++) {
        const int from = o->is_bgr ? 2 - i : i;
        const bool is_normalised = !o->is_raw && o->deviation[from] > 0; /* SQ_OP_IMAGE ignores both for raw pixels */
        p.mean[i] = is_normalised ? o->mean[from] : 0;
        p.deviation[i] = is_normalised ? o->deviation[from] : 1;
    }
    return p;
}

void sq_export_triple(const float values[3], char *text, size_t bytes)
{
    char number[3][32];
    for (int i = 0; i < 3; i++)
        for (int digits = 6; digits <= 9; digits++) {
            (void)snprintf(number[i], sizeof number[i], "%.*g", digits, (double)values[i]);
            if (strtof(number[i], NULL) == values[i])
                break;
        }
    (void)snprintf(text, bytes, "[%s, %s, %s]", number[0], number[1], number[2]);
}
