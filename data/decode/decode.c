/* Entry points of decoding. Each function finds the row of the image's format and calls the decoder in that row. */
#include "data/decode/decode.h"

#include "data/decode/format.h"

static sq_status decode(sq_image *out, const sq_decode_request *request)
{
    const sq_encoded_image *e = request->encoded;
    if (e->size == 0)
        return sq_fail(SQ_DATA, "%s: empty file", e->name);
    return sq_image_format_find(e->bytes, e->size)->decode(out, request);
}

sq_status sq_image_decode(sq_image *out, const sq_encoded_image *encoded)
{
    return decode(out, &(sq_decode_request){.encoded = encoded});
}

sq_status sq_image_read_size(const sq_encoded_image *encoded, int *h, int *w)
{
    return decode(NULL, &(sq_decode_request){.encoded = encoded, .h = h, .w = w});
}

sq_status sq_image_decode_region(sq_image *out, const sq_encoded_image *encoded, const sq_image_region *region)
{
    return decode(out, &(sq_decode_request){.encoded = encoded, .region = region});
}
