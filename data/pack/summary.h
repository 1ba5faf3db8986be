#ifndef SQ_SUMMARY_H
#define SQ_SUMMARY_H

#include "data/decode/format.h"

/* Statistics of the shards of a split, from their indexes. */
typedef struct {
    uint64_t images, bytes; /* bytes: total size of the files */
    int shards, classes;
    uint64_t formats[SQ_FORMATS]; /* images of each format before packing */
    uint64_t reencoded, raw, grey, cmyk, rotated, undecodable;
    uint64_t listed; /* lines of the list */
} sq_pack_summary;

/* Counts the images of a packed split by their properties.
 * list      file for a list of images with unusual properties, one line "<property><tab><class>/<name>" each; NULL: no
 *           list. The list contains these properties: a format other than the most frequent one, grey (unless most
 *           images are grey), CMYK, EXIF-rotated, undecodable
 *
 * returns   the errors of sq_shards_open; SQ_IO */
SQ_MUST_USE sq_status sq_pack_summarise(sq_pack_summary *out, const char *folder, const char *split, const char *list);

#endif
