#ifndef SQ_PICTURE_H
#define SQ_PICTURE_H

#include "search/cost/latency.h"

/* One network as one SVG file without scripts or fonts: text stays text, units are points (1/72 inch). */

typedef struct {
    const sq_space *space;
    const int *path;                 /* [layer_count] */
    const sq_latency_cache *latency; /* shares of latency; NULL: none */
    const char *title;               /* NULL or "": none */
    int columns; /* of a printed page: 1 is 240 pt wide, a row a layer; 2 is 504 pt wide, layers run right */
} sq_picture;

/* Writes the picture to `path`, whole or not at all. Blocks grow with the square root of their channels; colour is
 * the kind of operator, its depth the kernel; each layer has its channels, its pixels, and its share of multiply-adds
 * and (with a device) of latency. Bars are scaled to the largest share.
 *
 * returns  SQ_IO; SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_picture_write(const char *path, const sq_picture *picture);

/* "MB6 5x5 SE" with a multiplication sign; cut to bytes. */
void sq_picture_label(const sq_choice *choice, char *text, size_t bytes);

#endif
