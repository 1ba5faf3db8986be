/* The decoder of the formats that stb_image supports. */
#include "data/decode/stb_decoder.h"

#include <string.h>

#include "data/decode/stb.h"

sq_status sq_stb_decoder(sq_image *out, const sq_decode_request *request)
{
    const sq_encoded_image *e = request->encoded;
    int w = 0, h = 0;
    if (e->size > INT32_MAX)
        return sq_fail(SQ_DATA, "%s: the file is too large: found %zu bytes, expected less than 2 GiB", e->name,
                       e->size);
    if (!sq_stb_read_size(e->bytes, (int)e->size, &w, &h))
        return sq_fail(SQ_DATA, "%s: not an image in a known format (%s)", e->name, sq_stb_failure());
    SQ_TRY(sq_image_check_size(e, (size_t)h, (size_t)w));
    if (request->h) {
        *request->h = h;
        *request->w = w;
        return SQ_OK;
    }
    uint8_t *pixels = sq_stb_decode(e->bytes, (int)e->size, &w, &h);
    if (!pixels)
        return sq_fail(SQ_DATA, "%s: %s", e->name, sq_stb_failure());
    const sq_status status = sq_image_reserve(out, h, w, e->name);
    if (status == SQ_OK)
        memcpy(out->pixels, pixels, (size_t)h * (size_t)w * 3);
    sq_stb_free(pixels);
    return status;
}
